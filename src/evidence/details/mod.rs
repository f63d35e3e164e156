//! Envoy's response code details: a name, and what some of them carry in brackets.

mod known;
mod places;

pub use known::{Detail, Origin};

use super::TransportFailure;
use super::redact::CUT;

/// Behind these stands a status, a text of Envoy's or an external processor's, or what each release calls otherwise (1.36 to 1.40).
const OPEN_ENDED: &[(&str, Detail)] = &[
    ("ext_proc_error", Detail::ExtProcError),
    ("grpc_field_extraction", Detail::GrpcFieldExtraction),
    ("mcp_json_rest_bridge", Detail::McpJsonRestBridge),
    ("proto_api_scrubber", Detail::ProtoApiScrubber),
    ("proto_message_extraction", Detail::ProtoMessageExtraction),
];

/// `%RESPONSE_CODE_DETAILS%`, or the termination details of a connection: its known vocabulary,
/// and nothing else.
///
/// Filters may put free text there, and the client's or a server's with it. A name that isn't
/// known is not kept, and neither is what isn't known in a known place: [`CUT`] stands for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "String", into = "String"))]
pub struct Details {
    text: String,
    name_ends: usize,
    detail: Detail,
    /// The transport's reason behind an upstream reset's.
    failure: Option<TransportFailure>,
}

impl Details {
    /// Takes the text as Envoy gave it; `-` is no details.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() || text == "-" {
            return Self::default();
        }
        let opens = |byte| matches!(byte, b'{' | b'[' | b'(');
        let name_ends = text.bytes().position(opens).unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(name_ends).unwrap_or_default();
        let detail = Detail::new(places::without_status(name));
        let open_ended = || OPEN_ENDED.iter().find(|(open, _)| name.starts_with(open));
        if detail == Detail::Other
            && let Some((open, detail)) = open_ended()
        {
            let text = [open, CUT].concat();
            return Self { name_ends: open.len(), text, detail: *detail, failure: None };
        }
        let (text, failure) = match detail {
            // Nothing in front of a bracket is no name either.
            Detail::None | Detail::Unseen | Detail::Other => return Self::other(),
            _ if rest.is_empty() => (text, None),
            _ => places::known(detail, name, rest),
        };
        Self { name_ends, text, detail, failure }
    }

    /// Where it is unknown whether there are any: a log without a column for them.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn unseen() -> Self {
        Self { detail: Detail::Unseen, ..Self::default() }
    }

    fn other() -> Self {
        Self { text: CUT.to_owned(), name_ends: CUT.len(), detail: Detail::Other, failure: None }
    }

    /// All that is kept of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether Envoy gave none, as far as is known.
    pub fn is_empty(&self) -> bool {
        matches!(self.detail, Detail::None | Detail::Unseen)
    }

    /// Which they are.
    pub fn detail(&self) -> Detail {
        self.detail
    }

    /// The name; empty where there are no details.
    pub fn name(&self) -> &str {
        self.text.get(..self.name_ends).unwrap_or_default()
    }

    /// What stands in the outermost brackets.
    pub fn inner(&self) -> Option<&str> {
        let rest = self.text.get(self.name_ends.checked_add(1)?..)?;
        Some(rest.strip_suffix(['}', ']', ')']).unwrap_or(rest))
    }

    /// Whether the response came from the upstream rather than from this proxy.
    pub fn via_upstream(&self) -> bool {
        self.detail == Detail::ViaUpstream
    }

    /// Whether the upstream's stream was reset, or never came to be, before the response began.
    pub fn reset_before_response(&self) -> bool {
        self.detail == Detail::UpstreamResetBeforeResponseStarted
    }

    /// Whether the upstream closed the connection before the response began.
    pub fn closed_before_response(&self) -> bool {
        self.reset_before_response() && self.reset_reason() == Some("connection_termination")
    }

    /// Whether it was reset in the middle of the response.
    pub fn reset_after_response(&self) -> bool {
        self.detail == Detail::UpstreamResetAfterResponseStarted
    }

    /// The reason of an upstream reset: `connection_termination`, `remote_connection_failure`, ...
    pub fn reset_reason(&self) -> Option<&str> {
        (self.reset_before_response() || self.reset_after_response()).then_some(())?;
        Some(places::reset(self.inner()?).0)
    }

    /// The transport's reason behind an upstream reset's.
    pub fn transport_failure(&self) -> Option<&TransportFailure> {
        self.failure.as_ref()
    }
}

impl From<String> for Details {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Details> for String {
    fn from(details: Details) -> Self {
        details.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_taken_apart_in_both_styles() {
        for separator in ['|', ','] {
            let details = Details::new(format!(
                "upstream_reset_before_response_started{{remote_connection_failure{separator}delayed_connect_error:_111}}"
            ));
            assert_eq!(details.name(), "upstream_reset_before_response_started");
            assert_eq!(details.reset_reason(), Some("remote_connection_failure"));
            let failure = details.transport_failure().unwrap();
            assert_eq!(failure.as_str(), "delayed connect error: 111");
        }
    }

    #[test]
    fn others_have_no_reset_reason() {
        assert_eq!(Details::new("rbac_access_denied_matched_policy[none]").reset_reason(), None);
        assert_eq!(Details::new("rbac_access_denied_matched_policy[none]").inner(), Some("none"));
        assert!(Details::new("-").is_empty());
        assert_eq!(Details::new("").name(), "");
    }

    #[test]
    fn each_name_is_its_own() {
        for detail in Detail::KNOWN {
            assert_eq!(Detail::new(detail.name()), *detail, "two details have one name");
            assert!(detail.origin().is_some());
        }
        assert_eq!(Detail::new("token_of_nobody"), Detail::Other);
        assert_eq!((Detail::None.name(), Detail::Other.name()), ("", CUT));
    }

    #[test]
    fn only_known_vocabulary_is_kept() {
        for (text, kept) in [
            ("State query param is not a valid JSON: TOKEN", "[cut]"),
            ("token%3DSECRET", "[cut]"),
            ("{secret}", "[cut]"),
            ("via_upstream{secret}", "via_upstream[cut]"),
            ("route_not_found", "route_not_found"),
            (
                "upstream_reset_before_response_started{secret|secret}",
                "upstream_reset_before_response_started{[cut]|[cut]}",
            ),
            (
                "upstream_reset_before_response_started{overflow}",
                "upstream_reset_before_response_started{overflow}",
            ),
            (
                "downstream_local_disconnect(filter_chain_is_being_removed)",
                "downstream_local_disconnect(filter_chain_is_being_removed)",
            ),
            (
                "downstream_local_disconnect(codec_error:secret)",
                "downstream_local_disconnect(codec_error:[cut])",
            ),
            ("downstream_local_disconnect(secret)", "downstream_local_disconnect([cut])"),
            (
                "early_grpc_json_transcode_failure{INVALID_ARGUMENT}",
                "early_grpc_json_transcode_failure{INVALID_ARGUMENT}",
            ),
            ("ext_proc_error_gRPC_error_13{secret{via_upstream}}", "ext_proc_error_gRPC_error_13[cut]"),
            ("ext_proc_error_gRPC_error_token", "ext_proc_error[cut]"),
            ("grpc_field_extraction_INVALID_ARGUMENT{REQUEST_OUT_OF_DATA}", "grpc_field_extraction[cut]"),
            ("proto_api_scrubber_Forbidden{METHOD_BLOCKED}", "proto_api_scrubber[cut]"),
            ("ext_proc_error_per-message_timeout_exceeded", "ext_proc_error[cut]"),
            ("jwt_authn_access_denied{Jwt_is_expired}", "jwt_authn_access_denied{Jwt_is_expired}"),
            ("jwt_authn_access_denied{Jwt_eyJhbGciOi_is_expired}", "jwt_authn_access_denied{[cut]}"),
            ("rbac_access_denied_matched_policy[none]", "rbac_access_denied_matched_policy[none]"),
            (
                "rbac_access_denied_matched_policy[ns[a]-policy[b.c]-rule[0]]",
                "rbac_access_denied_matched_policy[ns[a]-policy[b.c]-rule[0]]",
            ),
            (
                "rbac_access_denied_matched_policy[istio-ext-authz-p-ns[a]-policy[b]-rule[0]-deny-due-to-bad-CUSTOM-action]",
                "rbac_access_denied_matched_policy[istio-ext-authz-p-ns[a]-policy[b]-rule[0]-deny-due-to-bad-CUSTOM-action]",
            ),
            (
                "rbac_access_denied_matched_policy[istio-ext-authz-p-ns[a]-policy[b]-rule[0]]",
                "rbac_access_denied_matched_policy[istio-ext-authz-p-ns[a]-policy[b]-rule[0]]",
            ),
            (
                "rbac_access_denied_matched_policy[ns[a]-policy[the secret]-rule[0]]",
                "rbac_access_denied_matched_policy[[cut]]",
            ),
            ("rbac_access_denied_matched_policy[TOKEN]", "rbac_access_denied_matched_policy[[cut]]"),
        ] {
            let details = Details::new(text);
            assert_eq!(details.as_str(), kept);
            assert_eq!(Details::new(kept), details, "{text}");
        }
        let certificate = Details::new(
            "upstream_reset_before_response_started{remote_connection_failure|TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_X509_verify_cert:_certificate_verification_error_at_depth_0:_unable_to_get_local_issuer_certificate:TLS_error_end}",
        );
        assert_eq!(
            certificate.as_str(),
            "upstream_reset_before_response_started{remote_connection_failure|TLS_error:_CERTIFICATE_VERIFY_FAILED:_depth_0:_unable_to_get_local_issuer_certificate}"
        );
        assert_eq!(certificate.transport_failure().unwrap().certificate_depth(), Some(0));
    }
}
