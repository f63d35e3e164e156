//! Another filter's reply.

use super::{Entry, PageSection};
use crate::catalogue::Cause;

pub(super) static FILTER_REJECTED: Entry = Entry {
    title: "Another filter of the proxy made this reply",
    happened: "A filter between the listener and the router answered in the place of the upstream: \
        Lua, a Wasm plugin, an external processor, OAuth2, CORS, CSRF, basic authentication, API \
        keys, adaptive concurrency, admission control, the gRPC transcoder, ... Istio configures \
        few of them itself: most come from an EnvoyFilter or a WasmPlugin. Filters with a cause of \
        their own (RBAC, JWT, external authorization, rate limits, faults) are not among these.",
    looks_like: "Any status, flag `-`, and details that name the filter: `lua_response`, \
        `csrf_origin_mismatch`, `oauth.missing_credentials`, `ext_proc_error_gRPC_error_14`, \
        `reached_concurrency_limit`, `grpc_json_transcode_failure{...}`, `wasm_fail_stream`. A Wasm \
        plugin's own reply has no details, or words of the plugin's. gRPC clients get `200` and a \
        `grpc-status`. The evidence names the filter.",
    confirm: r#"# Which filters the proxy has on this listener, in their order:
istioctl proxy-config listeners POD.NAMESPACE -o json | grep -o '"name": "envoy.filters.http[^"]*"' | sort | uniq -c
kubectl get wasmplugin,envoyfilter -A
# What the filter says of it (back to warning afterwards):
istioctl proxy-config log POD.NAMESPACE --level lua:debug,wasm:debug,ext_proc:debug,filter:debug
kubectl logs POD -n NAMESPACE -c istio-proxy | tail -50"#,
    fix: "The reply is what somebody configured, or the filter failed: `ext_proc_error...` and \
        `wasm_fail_stream` are failures of the filter, most others are its decision. Filters that \
        may fail have a switch that lets traffic pass then (`failure_mode_allow`, `failStrategy: \
        FAIL_OPEN`): whoever owns the policy decides that.",
    fix_yaml: Some(
        r#"apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata:
  name: waf
spec:
  selector:
    matchLabels:
      app: helloworld
  url: oci://registry.example.com/waf:1.4.2
  failStrategy: FAIL_OPEN # where traffic matters more than the plugin
"#,
    ),
    section: Some(PageSection::RequestsRejected),
    confused_with: &[
        Cause::AuthorizationPolicyDenied,
        Cause::ExtAuthzDenied,
        Cause::ApplicationError,
        Cause::Unclassified,
    ],
    tell_apart: "The details decide. `via_upstream` is the application's own answer, \
        `rbac_access_denied_...` an AuthorizationPolicy's, `UAEX` external authorization's. Details \
        that are none of Envoy's may be a Wasm plugin's, and then this is `possible`.",
};
