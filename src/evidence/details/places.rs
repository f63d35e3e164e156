//! What may stand in the brackets of response code details.

use super::Detail;
use crate::evidence::redact::CUT;
use crate::evidence::{TransportFailure, vocabulary};
use crate::text;

/// Why a stream to the upstream was reset (`Http::Utility::resetReasonToString`, spaces replaced;
/// 1.36, 1.40 and older).
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

/// Why this proxy closed a connection (`LocalCloseReasons` and what filters give; 1.36 and 1.40).
/// Behind some, a number or a text follows.
const CLOSES: &[&str] = &[
    "close_for_connect_request_or_tcp_tunneling",
    "closing_upstream_tcp_connection_due_to_downstream_local_close",
    "closing_upstream_tcp_connection_due_to_downstream_remote_close",
    "closing_upstream_tcp_connection_due_to_downstream_reset_close",
    "codec_error:",
    "deferred_close_on_drained_connection",
    "downstream_cx_overload_close",
    "dynamic_module_close",
    "ext_authz_close",
    "ext_proc_close_requested",
    "ext_proc_reset_requested",
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
    "purging_socket_that_have_not_progressed_to_connections",
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

/// The name without gRPC's status, which an external processor's failure has at its end (1.40);
/// its message follows in brackets.
pub(super) fn without_status(name: &str) -> &str {
    let status = name.strip_prefix("ext_proc_error_gRPC_error_").unwrap_or_default();
    let is_status = matches!(status.len(), 1 | 2) && status.bytes().all(|byte| byte.is_ascii_digit());
    if is_status { "ext_proc_error" } else { name }
}

/// The name, what is kept of the brackets behind it, and the transport's reason where one stands there.
pub(super) fn known(detail: Detail, name: &str, rest: &str) -> (String, Option<TransportFailure>) {
    let (open, inner) = rest.split_at_checked(1).unwrap_or_default();
    let inner = inner.strip_suffix(['}', ']', ')']).unwrap_or(inner);
    let mut kept = String::with_capacity(name.len().saturating_add(rest.len()));
    kept.push_str(name);
    let is_known = match detail {
        Detail::UpstreamResetBeforeResponseStarted | Detail::UpstreamResetAfterResponseStarted => {
            kept.push_str(open);
            let failure = push_reset(inner, &mut kept);
            kept.push('}');
            return (kept, failure);
        }
        Detail::DownstreamLocalDisconnect => {
            kept.push_str(open);
            push_close(inner, &mut kept);
            kept.push(')');
            return (kept, None);
        }
        Detail::RbacAccessDeniedMatchedPolicy => is_policy(inner),
        Detail::JwtAuthnAccessDenied
        | Detail::DnsResolutionFailure
        | Detail::EarlyGrpcJsonTranscodeFailure
        | Detail::GrpcJsonTranscodeFailure
        | Detail::EarlyGrpcJsonReverseTranscodeFailure
        | Detail::GrpcJsonReverseTranscodeFailure => vocabulary::is_known(inner),
        // No other has such a place.
        _ => {
            kept.push_str(CUT);
            return (kept, None);
        }
    };
    kept.push_str(open);
    kept.push_str(if is_known { inner } else { CUT });
    kept.push_str(if open == "[" { "]" } else { "}" });
    (kept, None)
}

/// The reason of a reset and, with what joins them, the transport's.
pub(super) fn reset(inner: &str) -> (&str, &str) {
    // Envoy joins them with `|` (1.40) or `,` (older).
    let joint = inner.bytes().position(|byte| matches!(byte, b'|' | b','));
    inner.split_at_checked(joint.unwrap_or(inner.len())).unwrap_or((inner, ""))
}

fn push_reset(inner: &str, kept: &mut String) -> Option<TransportFailure> {
    let (reason, transport) = reset(inner);
    kept.push_str(if RESETS.contains(&reason) { reason } else { CUT });
    let (joint, transport) = transport.split_at_checked(1)?;
    let failure = TransportFailure::new(transport)?;
    kept.push_str(joint);
    // Details have no spaces.
    kept.push_str(&failure.as_str().replace(' ', "_"));
    Some(failure)
}

fn push_close(reason: &str, kept: &mut String) {
    let name_ends =
        reason.bytes().position(|byte| byte == b':').map_or(reason.len(), |at| at.saturating_add(1));
    let (name, more) = reason.split_at_checked(name_ends).unwrap_or_default();
    let is_known = CLOSES.contains(&name);
    let is_number = more.len() <= 4 && more.bytes().all(|byte| byte.is_ascii_digit());
    kept.push_str(if is_known { name } else { CUT });
    kept.push_str(match is_known {
        true if is_number => more,
        true => CUT,
        false => "",
    });
}

/// `none`, a name as Kubernetes has them, or istiod's `ns[NAMESPACE]-policy[NAME]-rule[N]`, in
/// front of which CUSTOM policies have their provider's name. Behind it stands whether nobody defined that one.
fn is_policy(id: &str) -> bool {
    let id = id.strip_suffix("-deny-due-to-bad-CUSTOM-action").unwrap_or(id);
    let Some((provider, rest)) = text::split_once(id, "ns[") else { return is_kubernetes_name(id) };
    let parts = || {
        let (namespace, rest) = text::split_once(rest, "]-policy[")?;
        let (name, rule) = text::split_once(rest, "]-rule[")?;
        Some([namespace, name, rule.strip_suffix(']')?])
    };
    (provider.is_empty() || is_kubernetes_name(provider))
        && parts().is_some_and(|parts| parts.iter().all(|part| is_kubernetes_name(part)))
}

fn is_kubernetes_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    !name.is_empty() && name.len() <= LONGEST_POLICY && name.bytes().all(fits)
}
