//! Envoy's response code details: a name, and what some of them carry in brackets.

use super::TransportFailure;
use super::text::Text;

/// `%RESPONSE_CODE_DETAILS%`, verbatim. Every rule asks for the name, so it is found once, and looked up once if it is one of
/// those that come most often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    text: Text,
    name_ends: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Other,
    ViaUpstream,
    ResetBeforeResponse,
    ResetAfterResponse,
}

impl Details {
    /// Takes the text as Envoy gave it; `-` is no details.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        if text == "-" {
            return Self::default();
        }
        let bracket = text.bytes().position(|byte| matches!(byte, b'{' | b'[' | b'('));
        let mut details =
            Self { name_ends: bracket.unwrap_or(text.len()), text: text.into(), kind: Kind::Other };
        details.kind = match details.name() {
            "via_upstream" => Kind::ViaUpstream,
            "upstream_reset_before_response_started" => Kind::ResetBeforeResponse,
            "upstream_reset_after_response_started" => Kind::ResetAfterResponse,
            _ => Kind::Other,
        };
        details
    }

    /// Verbatim.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether Envoy gave none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The stable part: up to the first bracket of any kind.
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
        self.kind == Kind::ViaUpstream
    }

    /// Whether the upstream's stream was reset, or never came to be, before the response began.
    pub fn reset_before_response(&self) -> bool {
        self.kind == Kind::ResetBeforeResponse
    }

    /// Whether it was reset in the middle of the response.
    pub fn reset_after_response(&self) -> bool {
        self.kind == Kind::ResetAfterResponse
    }

    /// The reason of an upstream reset: `connection_termination`, `remote_connection_failure`, ...
    pub fn reset_reason(&self) -> Option<&str> {
        Some(self.reset()?.0)
    }

    /// The transport's reason behind an upstream reset's.
    pub fn transport_failure(&self) -> Option<TransportFailure> {
        TransportFailure::new(self.reset()?.1.get(1..)?)
    }

    /// The reason of an upstream reset and, with what joins them, the transport's.
    fn reset(&self) -> Option<(&str, &str)> {
        (self.reset_before_response() || self.reset_after_response()).then_some(())?;
        let inner = self.inner()?;
        // Envoy joins them with `|` (1.40) or `,` (older).
        let joint = inner.bytes().position(|byte| matches!(byte, b'|' | b','));
        inner.split_at_checked(joint.unwrap_or(inner.len()))
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
}
