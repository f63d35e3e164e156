//! What may stand in the brackets of response code details.

use super::Detail;
use crate::evidence::text::CUT;
use crate::evidence::{TransportFailure, words};

/// Why a stream to the upstream was reset (`Http::Utility::resetReasonToString`, spaces replaced; 1.36, 1.40 and older).
const RESETS: &[&str] = &[
    "connection_failure",
    "connection_termination",
    "connection_timeout",
    "HTTP/1_premature_upstream_half_close",
    "local_connection_failure",
    "local_refused_stream_reset",
    "local_reset",
    "overflow",
    "overload_manager_reset",
    "protocol_error",
    "remote_connection_failure",
    "remote_error_with_CONNECT_request",
    "remote_refused_stream_reset",
    "remote_reset",
];

/// Why this proxy closed a connection (`LocalCloseReasons` and what filters give; 1.36 and 1.40). Behind some, a number or a
/// text follows.
const CLOSES: &[&str] = &[
    "close_for_connect_request_or_tcp_tunneling",
    "closing_upstream_tcp_connection_due_to_downstream_local_close",
    "closing_upstream_tcp_connection_due_to_downstream_remote_close",
    "closing_upstream_tcp_connection_due_to_downstream_reset_close",
    "codec_error:",
    "deferred_close_on_drained_connection",
    "downstream_cx_overload_close",
    "ext_authz_close",
    "failed_resuming_async_handshake",
    "filter_chain_is_being_removed",
    "http2_connection_protocol_violation",
    "http2_ping_timeout",
    "local_ratelimit_close_over_limit",
    "max_connection_duration_reached",
    "no_filters",
    "non_pooled_tcp_connection_host_health_failure",
    "on_idle_timeout",
    "overload_manager_close",
    "ratelimit_close_over_limit",
    "ratelimit_error_failure_mode_connection_close",
    "rbac_deny_close",
    "tcp_initializion_failure:",
    "tcp_session_idle_timeout",
    "transport_socket_timeout",
    "triggered_delayed_close_timeout",
    "wasm_downstream_close",
    "wasm_upstream_close",
];

/// The longest name of a policy, and of each of its parts, in Kubernetes.
const LONGEST_POLICY: usize = 253;

/// What is kept of the brackets behind this name; none where it has no such place.
pub(super) fn known(detail: Detail, rest: &str) -> Option<String> {
    let keep: fn(&str) -> Option<String> = match detail {
        Detail::UpstreamResetBeforeResponseStarted | Detail::UpstreamResetAfterResponseStarted => {
            |inner| Some(known_reset(inner))
        }
        Detail::RbacAccessDeniedMatchedPolicy => |inner| is_policy(inner).then(|| inner.to_owned()),
        Detail::DownstreamLocalDisconnect => |inner| Some(close(inner)),
        Detail::JwtAuthnAccessDenied | Detail::DnsResolutionFailure => {
            |inner| words::is_known(inner).then(|| inner.to_owned())
        }
        _ => return None,
    };
    let (open, inner) = rest.split_at_checked(1)?;
    let inner = inner.strip_suffix(['}', ']', ')']).unwrap_or(inner);
    let close = match open {
        "{" => "}",
        "[" => "]",
        _ => ")",
    };
    let inner = keep(inner);
    Some([open, inner.as_deref().unwrap_or(CUT), close].concat())
}

/// The reason of a reset and, with what joins them, the transport's.
pub(super) fn reset(inner: &str) -> (&str, &str) {
    // Envoy joins them with `|` (1.40) or `,` (older).
    let joint = inner.bytes().position(|byte| matches!(byte, b'|' | b','));
    inner.split_at_checked(joint.unwrap_or(inner.len())).unwrap_or((inner, ""))
}

fn known_reset(inner: &str) -> String {
    let (reason, transport) = reset(inner);
    let reason = if RESETS.contains(&reason) { reason } else { CUT };
    let joint = transport.get(..1).unwrap_or_default();
    let transport = transport.get(1..).and_then(TransportFailure::new);
    match transport {
        Some(failure) => [reason, joint, &failure.in_details()].concat(),
        None => reason.to_owned(),
    }
}

fn close(reason: &str) -> String {
    let name = reason.find(':').and_then(|colon| reason.get(..=colon)).unwrap_or(reason);
    let more = reason.get(name.len()..).unwrap_or_default();
    let known = CLOSES.contains(&name);
    let is_number = more.len() <= 4 && more.bytes().all(|b| b.is_ascii_digit());
    match (known, is_number) {
        (true, true) => reason.to_owned(),
        (true, false) => [name, CUT].concat(),
        (false, _) => CUT.to_owned(),
    }
}

/// `none`, a name as Kubernetes has them, or istiod's `ns[NAMESPACE]-policy[NAME]-rule[N]`, in front of which CUSTOM policies
/// have their provider's name.
fn is_policy(id: &str) -> bool {
    let Some((provider, rest)) = id.split_once("ns[") else { return is_kubernetes_name(id) };
    let parts = || {
        let (namespace, rest) = rest.split_once("]-policy[")?;
        let (name, rule) = rest.split_once("]-rule[")?;
        Some([namespace, name, rule.strip_suffix(']')?])
    };
    (provider.is_empty() || is_kubernetes_name(provider))
        && parts().is_some_and(|parts| parts.iter().all(|part| is_kubernetes_name(part)))
}

fn is_kubernetes_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    !name.is_empty() && name.len() <= LONGEST_POLICY && name.bytes().all(fits)
}
