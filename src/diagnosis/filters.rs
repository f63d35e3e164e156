//! Replies that another HTTP filter of this proxy made.

use super::{Advice, Verdict, policy};
use crate::causes::{Cause, Side};
use crate::evidence::{Detail, Evidence, Fact, Flags, Layer, Origin};

const FACTS: &[Fact] = &[Fact::Filter, Fact::Details, Fact::Code, Fact::Flags, Fact::Route];

/// The details name a filter, and no flag says that anything else went wrong (health checks of clusters are flagged LH, 1.40). Mixer's reply may look like any filter's.
pub(super) fn named(e: &Evidence) -> Option<Verdict> {
    let advice = replies(e.details.detail())?;
    // Some flag what they make of the answer as external authorization does (proto_message_extraction).
    const BESIDE: Flags = Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED
        .union(Flags::FAILED_LOCAL_HEALTH_CHECK)
        .union(Flags::UNAUTHORIZED_EXTERNAL_SERVICE);
    let flags = e.flags.difference(BESIDE);
    (e.layer == Layer::Http && !flags.any_failure()).then_some(())?;
    if let Some(mixers) = policy::unexplained_reply(e) {
        return Some(mixers);
    }
    // A Wasm plugin and an external processor choose their details: even then it is a filter's reply.
    Some(Verdict::certain(Cause::FilterRejected, FACTS).advising(advice))
}

/// The advice, where these details are a filter's that has no cause of its own.
pub(super) fn replies(detail: Detail) -> Option<&'static Advice> {
    match detail {
        // These have causes of their own.
        Detail::DnsResolutionFailure | Detail::HealthCheckFailed | Detail::HealthCheckCached => None,
        _ => detail.origin().and_then(advice).or_else(|| core(detail)),
    }
}

/// Local replies that no other rule knows. Envoy's own have details (1.36, 1.40), but for a few
/// that are flagged. Wasm plugins and Go filters give none, or their own. So may a newer Envoy.
pub(super) fn rest(e: &Evidence) -> Option<Verdict> {
    if e.layer != Layer::Http {
        return None;
    }
    let detail = e.details.detail();
    if let Some(advice) = replies(detail) {
        return Some(Verdict::certain(Cause::FilterRejected, FACTS).advising(advice));
    }
    let replied = e.code.is_some_and(|code| code >= 400) || e.answer.grpc_status.is_some();
    match detail {
        _ if !replied || e.flags.any_failure() => None,
        Detail::None => Some(Verdict::likely(Cause::FilterRejected, FACTS)),
        Detail::Other => Some(Verdict::possible(Cause::FilterRejected, FACTS)),
        _ => None,
    }
}

/// Details of the connection manager's for what filters did.
fn core(detail: Detail) -> Option<&'static Advice> {
    static BROKEN: Advice = Advice {
        side: Some(Side::Mesh),
        fix: "Correct the filter (Lua, Wasm, ext_proc) that removed a header HTTP needs, or added an invalid body.",
    };
    static TOO_LONG: Advice = Advice {
        side: Some(Side::Mesh),
        fix: "Take the filter that buffers whole answers off this route, or raise per_connection_buffer_limit_bytes.",
    };
    static UNDETECTED: Advice = Advice {
        side: None,
        fix: "Send the header that original_ip_detection_extensions reads, or configure another detection.",
    };
    match detail {
        Detail::FilterRemovedRequiredHeaders
        | Detail::FilterRemovedRequiredRequestHeaders
        | Detail::FilterRemovedRequiredResponseHeaders
        | Detail::FilterAddedInvalidRequestData
        | Detail::FilterAddedInvalidResponseData => Some(&BROKEN),
        Detail::ResponsePayloadTooLarge => Some(&TOO_LONG),
        Detail::RejectingBecauseDetectionFailed => Some(&UNDETECTED),
        _ => None,
    }
}

/// Who acts, and how, by the filter that made the reply; none where it has a cause of its own.
fn advice(filter: Origin) -> Option<&'static Advice> {
    macro_rules! advice {
        ($side:expr, $fix:literal) => {{
            static ADVICE: Advice = Advice { side: $side, fix: $fix };
            Some(&ADVICE)
        }};
    }
    const CLIENT: Option<Side> = Some(Side::Downstream);
    const MESH: Option<Side> = Some(Side::Mesh);
    const PLATFORM: Option<Side> = Some(Side::Platform);
    const UPSTREAM: Option<Side> = Some(Side::Upstream);
    match filter {
        Origin::Core | Origin::Http1 | Origin::Http2 | Origin::Http3 | Origin::HeaderCheck => None,
        Origin::ExtAuthz
        | Origin::Fault
        | Origin::JwtAuthn
        | Origin::LocalRateLimit
        | Origin::RateLimit
        | Origin::RateLimitQuota
        | Origin::Rbac => None,
        Origin::A2a => {
            advice!(CLIENT, "Send the A2A message that filter a2a takes: its details say what was wrong.")
        }
        Origin::AdaptiveConcurrency => advice!(
            MESH,
            "Give the upstream more capacity, or loosen filter adaptive_concurrency, which found it slow and let no more in."
        ),
        Origin::AdmissionControl => advice!(
            UPSTREAM,
            "Find out why so many requests to the upstream fail: for that filter admission_control turns others away."
        ),
        Origin::AiProtocolManager => {
            advice!(None, "Send what filter ai_protocol_manager takes, or correct its configuration.")
        }
        Origin::ApiKeyAuth => advice!(
            CLIENT,
            "Send an API key that filter api_key_auth knows, or add the client to its credentials."
        ),
        Origin::BasicAuth => {
            advice!(CLIENT, "Send a user and password that filter basic_auth knows, or add the user there.")
        }
        Origin::Cache => {
            advice!(UPSTREAM, "Restore the upstream that filter cache asks for what it hasn't stored.")
        }
        Origin::CdnLoop => advice!(
            None,
            "Stop the request from passing this proxy twice: filter cdn_loop found its own name in CDN-Loop."
        ),
        Origin::ConnectGrpcBridge => {
            advice!(None, "Make the message smaller, or raise the limit of filter connect_grpc_bridge.")
        }
        Origin::Cors => advice!(
            None,
            "Add the page's origin to allowOrigins of the VirtualService's corsPolicy: filter cors refused it."
        ),
        Origin::CredentialInjector => advice!(
            MESH,
            "Make the secret reachable that filter credential_injector puts into requests: it has none."
        ),
        Origin::Csrf => advice!(
            None,
            "Add the page's origin to additional_origins of filter csrf, or send the request from the same origin."
        ),
        Origin::CustomResponse => {
            advice!(MESH, "Correct the redirect policy of filter custom_response: its target can't be used.")
        }
        Origin::DynamicForwardProxy => advice!(
            MESH,
            "Raise the limits of the DNS cache or of the sub-clusters of filter dynamic_forward_proxy."
        ),
        Origin::DynamicModules => {
            advice!(MESH, "Read the proxy's log: the module of filter dynamic_modules failed.")
        }
        Origin::ExtProc => advice!(
            PLATFORM,
            "Bring the external processor back, or correct its answers: filter ext_proc failed the request without it."
        ),
        Origin::FileServer => {
            advice!(None, "Ask for a file that filter file_server has, or correct its path_mappings.")
        }
        Origin::GrpcBridge => advice!(
            UPSTREAM,
            "Make the upstream answer with the content type and length that filter grpc_http1_reverse_bridge expects."
        ),
        Origin::GrpcJsonTranscoder => advice!(
            None,
            "Send JSON and a path that fit the proto file, or renew the descriptor of filter grpc_json_transcoder."
        ),
        Origin::GrpcWeb => advice!(
            CLIENT,
            "Send valid base64 as application/grpc-web-text: filter grpc_web can't decode the body."
        ),
        Origin::HealthCheck => advice!(
            UPSTREAM,
            "Restore the clusters whose healthy share filter health_check looks at, or correct their names there."
        ),
        Origin::Lua => {
            advice!(None, "Read the code of filter lua (EnvoyFilter): it made this reply with respond().")
        }
        Origin::Mcp => {
            advice!(CLIENT, "Send the MCP message that filter mcp takes: its details say what was wrong.")
        }
        Origin::OAuth2 => advice!(
            None,
            "Log in again, and compare redirect URI, client and token endpoint of filter oauth2 with the provider's."
        ),
        Origin::OnDemand => {
            advice!(MESH, "Make the control plane deliver the cluster that filter on_demand asked it for.")
        }
        Origin::GrpcFieldExtraction | Origin::ProtoApiScrubber | Origin::ProtoMessageExtraction => advice!(
            None,
            "Send a message that fits the proto file, or correct the descriptor or rules of the filter that the evidence names."
        ),
        Origin::Wasm => advice!(
            MESH,
            "Read the proxy's log for the crash of filter wasm, and repair the plugin: FAIL_OPEN helps only later requests."
        ),
    }
}
