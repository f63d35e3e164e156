# $URL has a file with the hash $SHA256.
got=$(curl -fsSL --retry 3 --max-time 30 "$URL" | sha256sum) || exit 1
[ "${got%% *}" = "$SHA256" ] && { echo "$URL has $SHA256"; exit 0; }
echo "$URL has ${got%% *}, not $SHA256: proxies that can't verify it go without" >&2
exit 1
