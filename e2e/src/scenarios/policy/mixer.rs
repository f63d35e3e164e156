//! Mixer, as Istio 1.7 and older asked it.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::{Value, json};

use super::{asked, filtered};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_to, vhost};
use crate::scenarios::common::backend;
use crate::scenarios::scenario::{Log, Scenario};

/// What Istio 1.7's filter did, by filters of today: the status in the metadata, and a reply. None of them sets the flag
/// UAEX without details of its own, so Mixer is likely at the most.
pub(super) fn table() -> Vec<Scenario> {
    let with_status = |status: &str, reply: &str| {
        let set = format!(
            "function envoy_on_request(handle) handle:streamInfo():dynamicMetadata():set('istio.mixer', 'status', '{status}') {reply} end"
        );
        filtered("lua", "lua.v3.Lua", json!({"default_source_code": {"inline_string": set}}))
    };
    let rejected = |name, about, status: &str, code| {
        let reply = format!("handle:respond({{[':status'] = '{code}'}}, '{status}')");
        asked(name, about, with_status(status, &reply))
            .page("Requests are rejected by Envoy")
            .gets(code)
            .logs(Log::Http, &[("details", "lua_response")])
    };
    let kind = "type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config";
    let value =
        json!({"metadata": [{"metadata_namespace": "istio.mixer", "value": {"status": "UNAVAILABLE"}}]});
    let by_envoy = |hosts: Value, cluster: Value| {
        let mut typed = json!({"@type": kind});
        crate::harness::envoy::config::merge(&mut typed, &value);
        let filter = json!({"name": "envoy.filters.http.set_metadata", "typed_config": typed});
        Proxy::new([Listener::http("http", hosts).raw_http_filter(filter)], [cluster])
    };
    vec![
        rejected("policy/mixer_unavailable", "Istio 1.7: Mixer is not there", "UNAVAILABLE", 503)
            .names(Cause::MixerUnavailable, Likely)
            .because(&["mixer_status=UNAVAILABLE"]),
        rejected("policy/mixer_unauthenticated", "Istio 1.7, Mixer: unauthenticated", "UNAUTHENTICATED", 401)
            .names(Cause::MixerUnauthenticated, Likely),
        rejected(
            "policy/mixer_permission_denied",
            "Istio 1.7, Mixer: denied",
            "PERMISSION_DENIED:denyall.default:not allowed",
            403,
        )
        .names(Cause::MixerPermissionDenied, Likely)
        .because(&["mixer_status=PERMISSION_DENIED; details=lua_response"]),
        rejected(
            "policy/mixer_resource_exhausted",
            "Istio 1.7, Mixer: quota used up",
            "RESOURCE_EXHAUSTED",
            429,
        )
        .names(Cause::MixerResourceExhausted, Likely),
        rejected("policy/mixer_internal", "Istio 1.7, Mixer: failed itself", "INTERNAL", 500)
            .names(Cause::MixerInternal, Likely),
        rejected("policy/mixer_ok", "Istio 1.7: another filter rejects", "OK", 500)
            .names(Cause::FilterRejected, Certain),
        asked("policy/mixer_lets_pass", "healthy: the status is OK", with_status("OK", ""))
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        asked(
            "policy/mixer_fails_open",
            "healthy: Mixer is not there, and the policy lets pass",
            by_envoy(all_to("backend"), backend()),
        )
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        asked(
            "policy/mixer_fails_open_and_no_route",
            "the same, and the request fails for a reason of its own",
            by_envoy(json!([vhost("a", &["a.example"], vec![])]), backend()),
        )
        .gets(404)
        .logs(Log::Http, &[("flags", "NR")])
        .names(Cause::RouteHostUnknown, Likely),
    ]
}
