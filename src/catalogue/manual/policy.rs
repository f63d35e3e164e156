//! A policy said no.

use super::{Entry, PageSection};
use crate::catalogue::Cause;

pub(super) static AUTHORIZATION_POLICY_DENIED: Entry = Entry {
    title: "An AuthorizationPolicy denied the request",
    happened: "A DENY rule matched, or ALLOW policies apply to the workload and none of their \
        rules matched.",
    looks_like: "`403`, body `RBAC: access denied`, flag `-`, \
        `rbac_access_denied_matched_policy[ns[NS]-policy[NAME]-rule[N]]` for a DENY rule, `[none]` \
        where no ALLOW rule matched. TCP: the connection is closed, the same text in the \
        termination details.",
    confirm: r#"# All policies that apply to the workload:
istioctl x authz check SERVER_POD.NAMESPACE
kubectl get authorizationpolicy -A
# What the proxy saw of the caller (back to warning afterwards):
istioctl proxy-config log SERVER_POD.NAMESPACE --level rbac:debug
kubectl logs SERVER_POD -n NAMESPACE -c istio-proxy | grep -i 'enforced denied\|rbac'"#,
    fix: "`[none]` means that an ALLOW rule is missing. Rules on `principals` or `namespaces` need \
        mutual TLS: a client without sidecar has no identity and never matches. On a TCP port an \
        ALLOW rule with paths or methods never matches, and a DENY rule with them denies \
        everything.",
    fix_yaml: Some(
        r#"apiVersion: security.istio.io/v1beta1
kind: AuthorizationPolicy
metadata:
  name: helloworld-allow-frontend
spec:
  selector:
    matchLabels:
      app: helloworld
  action: ALLOW
  rules:
  - from:
    - source:
        principals: ["cluster.local/ns/default/sa/frontend"]
    to:
    - operation:
        methods: ["GET"]
        paths: ["/hello*"]
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::ExtAuthzDenied, Cause::JwtRejected, Cause::MixerPermissionDenied],
    tell_apart: "The details decide: `rbac_...` is this, `UAEX` is external authorization, `401` \
        with `jwt_authn_...` the token. A `403` with `via_upstream` is the application's own.",
};

pub(super) static JWT_REJECTED: Entry = Entry {
    title: "The token (JWT) was rejected",
    happened: "A RequestAuthentication found a token that it can't accept: expired, unknown issuer \
        or audience, a bad signature, or keys (JWKS) that couldn't be fetched.",
    looks_like: "`401` (`403` for the audience), flag `-`, \
        `jwt_authn_access_denied{Jwt_is_expired}`, `{Jwt_issuer_is_not_configured}`, \
        `{Audiences_in_Jwt_are_not_allowed}`, `{Jwks_remote_fetch_is_failed}`. The body says it \
        too.",
    confirm: r#"# Issuer, audience and expiry in the token (never paste tokens into web pages):
cut -d. -f2 token.txt | tr '_-' '/+' | base64 -d 2>/dev/null
date +%s
kubectl get requestauthentication -A -o yaml | grep -n 'issuer\|jwksUri\|audiences'
# Does istiod reach the JWKS?
kubectl logs -n istio-system deploy/istiod | grep -i jwk"#,
    fix: "`issuer` must equal the token's `iss` to the last slash. For JWKS trouble, let istiod \
        reach `jwksUri`, or put the keys inline as `jwks`. A request without a token isn't \
        rejected here, but by an AuthorizationPolicy.",
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
    audiences:
    - helloworld
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::AuthorizationPolicyDenied, Cause::ExtAuthzDenied, Cause::MixerUnauthenticated],
    tell_apart: "No token at all and a `403` with `rbac_...` is the AuthorizationPolicy that \
        demands one. A `401` with `via_upstream` comes from the application.",
};

pub(super) static EXT_AUTHZ_DENIED: Entry = Entry {
    title: "The external authorization service denied the request",
    happened: "An AuthorizationPolicy with action CUSTOM sent the request to an external service \
        (OPA, oauth2-proxy, ...), and that said no. A redirect, to a login page for example, is no failure.",
    looks_like: "`403`, or whatever the service chose (`401`, `302`), `UAEX`, `ext_authz_denied`.",
    confirm: r#"kubectl get authorizationpolicy -A -o yaml | grep -n 'action: CUSTOM' -A3
kubectl get configmap istio -n istio-system -o yaml | grep -A12 extensionProviders
# The service's own log has the reason:
kubectl logs -n AUTHZ_NAMESPACE deploy/AUTHZ --tail=100"#,
    fix: "If it never sees the header that it needs, list the header in \
        `includeRequestHeadersInCheck` of the provider: HTTP providers get only a few headers.",
    fix_yaml: Some(
        r#"# mesh config (Helm values of istiod: meshConfig)
extensionProviders:
- name: my-ext-authz
  envoyExtAuthzHttp:
    service: ext-authz.auth.svc.cluster.local
    port: 8000
    includeRequestHeadersInCheck:
    - authorization
    - cookie
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[
        Cause::ExtAuthzUnavailable,
        Cause::AuthorizationPolicyDenied,
        Cause::MixerPermissionDenied,
    ],
    tell_apart: "`ext_authz_denied`: it answered no. `ext_authz_error`: it didn't answer.",
};

pub(super) static EXT_AUTHZ_UNAVAILABLE: Entry = Entry {
    title: "The external authorization service is unavailable",
    happened: "The check got no usable answer: the service is down, too slow, unknown to the \
        proxy, or can't be reached through the mesh. The check fails closed, so the request is \
        denied.",
    looks_like: "`403` (or the provider's `statusOnError`) `UAEX ext_authz_error`.",
    confirm: r#"kubectl get pods,endpointslices -n AUTHZ_NAMESPACE
kubectl logs POD -n NAMESPACE -c istio-proxy | grep ext_authz_error | tail
istioctl proxy-config endpoints POD.NAMESPACE | grep AUTHZ
kubectl get configmap istio -n istio-system -o yaml | grep -A12 extensionProviders"#,
    fix: "Scale it: it is in the path of every request. Check `service` and `port` of the \
        provider, mutual TLS towards it (STRICT without sidecar) and `timeout`. `failOpen: true` \
        lets traffic pass unchecked while it is down: a decision for whoever owns the policy.",
    fix_yaml: Some(
        r#"# mesh config (Helm values of istiod: meshConfig)
extensionProviders:
- name: my-ext-authz
  envoyExtAuthzGrpc:
    service: ext-authz.auth.svc.cluster.local
    port: 9000
    timeout: 1s
    failOpen: false
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::ExtAuthzDenied, Cause::MixerUnavailable],
    tell_apart: "`ext_authz_error` is the service's silence, `ext_authz_denied` its answer.",
};

pub(super) static RATE_LIMITED: Entry = Entry {
    title: "A rate limit of the proxy was hit",
    happened: "The request went over a limit that this proxy enforces, local or by a rate limit \
        service.",
    looks_like: "`429 RL`, `local_rate_limited` or `request_rate_limited`.",
    confirm: r#"# Istio has no API for rate limits: they are EnvoyFilters
kubectl get envoyfilter -A -o yaml | grep -n 'ratelimit\|max_tokens\|fill_interval'
# How many, and since when:
kubectl logs POD -n NAMESPACE -c istio-proxy | grep 'rate_limited' | cut -c2-17 | uniq -c"#,
    fix: "A local limit holds for each proxy: with ten replicas the service takes ten times as \
        much.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata:
  name: helloworld-local-rate-limit
spec:
  workloadSelector:
    labels:
      app: helloworld
  configPatches:
  - applyTo: HTTP_FILTER
    match:
      context: SIDECAR_INBOUND
      listener:
        filterChain:
          filter:
            name: envoy.filters.network.http_connection_manager
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.http.local_ratelimit
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
          stat_prefix: http_local_rate_limiter
          token_bucket:
            max_tokens: 200
            tokens_per_fill: 200
            fill_interval: 1s
          filter_enabled:
            default_value: {numerator: 100, denominator: HUNDRED}
          filter_enforced:
            default_value: {numerator: 100, denominator: HUNDRED}
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[
        Cause::CircuitBreakerOverflow,
        Cause::RateLimitServiceUnavailable,
        Cause::MixerResourceExhausted,
    ],
    tell_apart: "A `429` with `via_upstream` is the application's. `503 UO` is a circuit breaker.",
};

pub(super) static RATE_LIMIT_SERVICE_UNAVAILABLE: Entry = Entry {
    title: "The rate limit service is unavailable",
    happened: "The proxy couldn't ask the rate limit service, and `failure_mode_deny` makes that \
        an error.",
    looks_like: "`500 RLSE rate_limiter_error`.",
    confirm: r#"kubectl get pods,endpointslices -n RATELIMIT_NAMESPACE
kubectl get envoyfilter -A -o yaml | grep -n 'failure_mode_deny\|rate_limit_service' -A8
# STRICT mutual TLS in front of it breaks it: look in the service's own sidecar
kubectl logs RATELIMIT_POD -n RATELIMIT_NAMESPACE -c istio-proxy | grep filter_chain_not_found"#,
    fix: "Its Redis counts as well. The cluster that an EnvoyFilter defines speaks plain text: use \
        Istio's own `outbound|8081||HOST` cluster, or make the service's port PERMISSIVE.",
    fix_yaml: Some(
        r#"apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata:
  name: ratelimit
spec:
  selector:
    matchLabels:
      app: ratelimit
  mtls:
    mode: STRICT
  portLevelMtls:
    8081:
      mode: PERMISSIVE
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::RateLimited, Cause::ExtAuthzUnavailable],
    tell_apart: "`RL` is a decision, `RLSE` the lack of one.",
};

pub(super) static FAULT_INJECTED: Entry = Entry {
    title: "A fault was injected on purpose",
    happened: "A VirtualService has a `fault.abort` that applies to this request. It works as \
        configured.",
    looks_like: "The configured status, body `fault filter abort`, `FI fault_filter_abort`. `DI` \
        beside it: a delay as well.",
    confirm: r#"kubectl get virtualservice -A -o yaml | grep -n 'fault:' -A8
istioctl proxy-config routes POD.NAMESPACE -o yaml | grep -A12 'envoy.filters.http.fault'"#,
    fix: "Or restrict it by a `match` to test traffic.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: helloworld
spec:
  hosts:
  - helloworld.default.svc.cluster.local
  http:
  - match:
    - headers:
        x-chaos:
          exact: "true"
    fault:
      abort:
        httpStatus: 503
        percentage:
          value: 100
    route:
    - destination:
        host: helloworld.default.svc.cluster.local
  - route:
    - destination:
        host: helloworld.default.svc.cluster.local
"#,
    ),
    section: None,
    confused_with: &[Cause::ApplicationError],
    tell_apart: "`FI` is never set by anything but the fault filter.",
};

pub(super) static CONFIGURED_ERROR_REPLY: Entry = Entry {
    title: "A route answers with an error, as it is configured",
    happened: "The route that took the request has a direct response with a status of 5xx: a \
        maintenance page, a closed path. No upstream was asked.",
    looks_like: "The configured status and body, flag `-`, `direct_response`, no upstream. gRPC \
        clients get `200` and `grpc-status` 14 (502, 503, 504) or 2. Direct responses of other \
        statuses are no failures.",
    confirm: r#"kubectl get virtualservice -A -o yaml | grep -n 'directResponse:' -A4
istioctl proxy-config routes POD.NAMESPACE -o json | grep -n '"directResponse"' -B12 -A6
# No VirtualService has it? Then an EnvoyFilter does:
kubectl get envoyfilter -A -o yaml | grep -n 'direct_response' -B8"#,
    fix: "Rules are taken in order: a rule with a wide match in front of others takes their \
        requests, too.",
    fix_yaml: Some(
        r#"apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: helloworld
spec:
  hosts:
  - helloworld.default.svc.cluster.local
  http:
  - match:
    - uri:
        prefix: /internal
    directResponse:
      status: 404
  - route:
    - destination:
        host: helloworld.default.svc.cluster.local
"#,
    ),
    section: None,
    confused_with: &[Cause::EgressBlocked, Cause::FaultInjected, Cause::ApplicationError],
    tell_apart: "`502 direct_response` on the route `block_all` is istiod's own, for hosts outside \
        of the registry. `fault_filter_abort` is a fault. `via_upstream` is the application's \
        answer.",
};
