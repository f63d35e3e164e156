//! Mixer's policy statuses: Istio 1.7 and older, and what stands in its place today.

use super::{Entry, PageSection};
use crate::catalogue::Cause;

pub(super) static MIXER_UNAVAILABLE: Entry = Entry {
    title: "Mixer can't be reached (Istio 1.7 and older)",
    happened: "The policy check is set to fail close, and the proxy couldn't connect to Mixer \
        (`istio-policy`). Mixer was removed in Istio 1.8. Today the same happens with an external \
        authorization or rate limit service that is down.",
    looks_like: "Istio 1.7 and older: `503 UAEX`, Mixer status `UNAVAILABLE`. Istio 1.8 and later \
        never show it; look for `UAEX ext_authz_error` or `RLSE rate_limiter_error`.",
    confirm: r#"# Is there a Mixer at all?
istioctl version
kubectl get pods -n istio-system -l istio-mixer-type=policy
kubectl get configmap istio -n istio-system -o yaml | grep 'disablePolicyChecks\|policyCheckFailOpen'
# Istio 1.8 and later: the services that took its place
kubectl get configmap istio -n istio-system -o yaml | grep -A12 extensionProviders"#,
    fix: "Turn the checks off (below) only when nothing depends on them. Then leave Mixer: \
        AuthorizationPolicy, external authorization and Envoy's rate limit replace it.",
    fix_yaml: Some(
        r#"# mesh config, Istio 1.7 and older
disablePolicyChecks: true
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::ExtAuthzUnavailable, Cause::RateLimitServiceUnavailable],
    tell_apart: "The Mixer status is in the metadata `istio.mixer:status`. Without it, `UAEX` \
        belongs to external authorization. With it but without `UAEX`, Mixer is only likely: a \
        policy that fails open lets the request pass, and it may fail for another reason.",
};

pub(super) static MIXER_UNAUTHENTICATED: Entry = Entry {
    title: "Mixer's authentication rejected the request (Istio 1.7 and older)",
    happened: "A Mixer adapter found the request's credentials missing or invalid. Today \
        RequestAuthentication checks tokens, and external authorization the rest.",
    looks_like: "Istio 1.7 and older: `401 UAEX`, Mixer status `UNAUTHENTICATED`. Today: `401 \
        jwt_authn_access_denied{...}`, or `UAEX ext_authz_denied`.",
    confirm: r#"kubectl logs -n istio-system -l istio-mixer-type=policy -c mixer --tail=100
kubectl get rules.config.istio.io,handlers.config.istio.io -A
# Istio 1.8 and later:
kubectl get requestauthentication,authorizationpolicy -A"#,
    fix: "When moving off Mixer, declare the token's issuer in a RequestAuthentication and demand \
        it in an AuthorizationPolicy.",
    fix_yaml: Some(
        r#"apiVersion: security.istio.io/v1beta1
kind: RequestAuthentication
metadata:
  name: helloworld
spec:
  selector:
    matchLabels:
      app: helloworld
  jwtRules:
  - issuer: "https://issuer.example.com"
    jwksUri: "https://issuer.example.com/.well-known/jwks.json"
---
apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata:
  name: helloworld-require-token
spec:
  selector:
    matchLabels:
      app: helloworld
  action: ALLOW
  rules:
  - from:
    - source:
        requestPrincipals: ["https://issuer.example.com/*"]
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::JwtRejected, Cause::ExtAuthzDenied],
    tell_apart: "The Mixer status `UNAUTHENTICATED` is proof. Without it, the details name the \
        filter that said no.",
};

pub(super) static MIXER_PERMISSION_DENIED: Entry = Entry {
    title: "Mixer's authorization denied the request (Istio 1.7 and older)",
    happened: "A Mixer rule (denier, list checker, OPA adapter) denied the request. Today that is \
        an AuthorizationPolicy, or external authorization.",
    looks_like: "Istio 1.7 and older: `403 UAEX`, Mixer status `PERMISSION_DENIED`. Today: `403 \
        rbac_access_denied_matched_policy[...]`, or `UAEX ext_authz_denied`.",
    confirm: r#"kubectl get rules.config.istio.io,handlers.config.istio.io,instances.config.istio.io -A
kubectl logs -n istio-system -l istio-mixer-type=policy -c mixer --tail=100
# Istio 1.8 and later:
istioctl x authz check SERVER_POD.NAMESPACE"#,
    fix: "When moving off Mixer, write the same as an AuthorizationPolicy; `istio.io/dry-run` lets \
        a policy only log at first.",
    fix_yaml: Some(
        r#"apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata:
  name: helloworld-deny-others
  annotations:
    istio.io/dry-run: "true"
spec:
  selector:
    matchLabels:
      app: helloworld
  action: DENY
  rules:
  - from:
    - source:
        notNamespaces: ["default"]
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::AuthorizationPolicyDenied, Cause::ExtAuthzDenied],
    tell_apart: "The Mixer status `PERMISSION_DENIED` is proof. `rbac_...` in the details is an \
        AuthorizationPolicy.",
};

pub(super) static MIXER_RESOURCE_EXHAUSTED: Entry = Entry {
    title: "Mixer's quota is used up (Istio 1.7 and older)",
    happened: "A quota that Mixer keeps (memquota, redisquota) is used up. Today rate limits are \
        Envoy's own.",
    looks_like: "Istio 1.7 and older: `429 UAEX`, Mixer status `RESOURCE_EXHAUSTED`. Today: `429 \
        RL`, `request_rate_limited` or `local_rate_limited`.",
    confirm: r#"kubectl get quotaspecs,quotaspecbindings -A
kubectl get handlers.config.istio.io -A -o yaml | grep -n 'maxAmount\|validDuration'
# Istio 1.8 and later:
kubectl get envoyfilter -A -o yaml | grep -n ratelimit"#,
    fix: "The quota's limit is `maxAmount`. When moving off Mixer, use Envoy's local rate limit: \
        see `rate_limited`.",
    fix_yaml: None,
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::RateLimited, Cause::CircuitBreakerOverflow],
    tell_apart: "The Mixer status `RESOURCE_EXHAUSTED` is proof. `RL` is Envoy's rate limit, `UO` \
        its circuit breaker.",
};

pub(super) static MIXER_INTERNAL: Entry = Entry {
    title: "Mixer failed internally (Istio 1.7 and older)",
    happened: "Mixer was reached and failed: a broken adapter, a rule that can't be evaluated, a \
        bug. Today the same role is played by filters that fail: Wasm, external authorization.",
    looks_like: "Istio 1.7 and older: `500 UAEX`, Mixer status `INTERNAL`. Today: `503 \
        wasm_fail_stream`, `UAEX ext_authz_error`, `500 NFCF`.",
    confirm: r#"kubectl logs -n istio-system -l istio-mixer-type=policy -c mixer --tail=200 | grep -i 'error\|panic'
kubectl get handlers.config.istio.io -A
# Istio 1.8 and later:
kubectl get wasmplugin,envoyfilter -A
kubectl logs POD -n NAMESPACE -c istio-proxy | grep -i 'wasm\|ext_authz'"#,
    fix: "If nothing needs the handler, delete it. Then leave Mixer.",
    fix_yaml: None,
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::ExtAuthzUnavailable, Cause::FilterConfigMissing, Cause::MixerUnavailable],
    tell_apart: "The Mixer status `INTERNAL` is proof. `UNAVAILABLE` means that Mixer wasn't \
        reached.",
};
