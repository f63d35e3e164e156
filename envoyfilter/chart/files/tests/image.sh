# The registry has $URL, its manifest has the digest $SHA256, and what the manifest lists can be fetched. $ACCOUNTS: the pull secret.
image=${URL#oci://}
host=${image%%/*}
name=${image#*/}
tag=latest
case "$name" in *:*) tag=${name#*:}; tag=${tag%%@*} ;; esac
name=${name%%@*}
name=${name%%:*}
# By its digest, as the proxies ask.
case "$image" in *@*) tag=${image#*@} ;; esac
# Without TLS where the agent takes that: private addresses.
case "$host" in
10.* | 127.* | 192.168.* | 172.1[6-9].* | 172.2?.* | 172.3[01].* | localhost | localhost:*) base=http://$host/v2 ;;
*) base=https://$host/v2 ;;
esac
kinds="application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
kinds="$kinds, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
# Anonymous, with the account itself, or with a token that the registry's authority gives for either.
account=$(printf %s "${ACCOUNTS:-}" | tr -d ' \n\t' | sed -n "s|.*\"$host\":{[^}]*\"auth\":\"\([^\"]*\)\".*|Basic \1|p")
asks=$(curl -sS -o /dev/null -D - --max-time 30 "$base/$name/manifests/$tag" | tr -d '\r' | sed -n 's/^[Ww][Ww][Ww]-[Aa]uthenticate: //p') || exit 1
case "$asks" in
Bearer*)
  of() { printf %s "$asks" | sed -n "s/.*$1=\"\([^\"]*\)\".*/\1/p"; }
  token=$(curl -fsSG --max-time 30 ${account:+-H "Authorization: $account"} --data-urlencode "service=$(of service)" \
    --data-urlencode "scope=$(of scope)" "$(of realm)" | tr -d ' \n' | sed -n 's/.*"\(access_\)\{0,1\}token":"\([^"]*\)".*/\2/p')
  account="Bearer $token"
  ;;
esac
get() { curl -fsSL --retry 3 --max-time 30 -H "Accept: $kinds" ${account:+-H "Authorization: $account"} "$@"; }
got=$(get "$base/$name/manifests/$tag" | sha256sum) || exit 1
[ "${got%% *}" = "$SHA256" ] || {
  echo "$URL has ${got%% *}, not $SHA256: proxies that can't verify it go without" >&2
  exit 1
}
# An index lists manifests, which are no blobs: what it has been pinned by is all that is looked at.
manifest=$(get "$base/$name/manifests/$tag" | tr -d ' \n')
case "$manifest" in *'"manifests":['*) manifest= ;; esac
for digest in $(printf %s "$manifest" | tr ',' '\n' | sed -n 's/.*"digest":"\(sha256:[0-9a-f]*\)".*/\1/p'); do
  got=$(get "$base/$name/blobs/$digest" | sha256sum)
  [ "sha256:${got%% *}" = "$digest" ] || { echo "$URL: $digest can't be fetched" >&2; exit 1; }
done
echo "$URL has $SHA256"
