//! The policy status that Istio's Mixer left in the metadata `istio.mixer:status`, up to Istio 1.7.

/// A status by which Mixer rejects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[allow(missing_docs, reason = "the names are Istio's")]
pub enum MixerStatus {
    Unavailable,
    Unauthenticated,
    PermissionDenied,
    ResourceExhausted,
    Internal,
}

impl MixerStatus {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Unavailable,
        Self::Unauthenticated,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::Internal,
    ];

    /// Takes the status, behind which a message may stand; `OK` and all others are none of these.
    pub fn new(text: &str) -> Option<Self> {
        let is_word = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
        let word = text.get(..text.bytes().take_while(|byte| is_word(*byte)).count())?;
        Self::ALL.iter().copied().find(|status| status.id() == word)
    }

    /// Istio's word.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Unavailable => "UNAVAILABLE",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::Internal => "INTERNAL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MixerStatus;

    #[test]
    fn a_message_may_follow() {
        let denied = Some(MixerStatus::PermissionDenied);
        assert_eq!(MixerStatus::new("PERMISSION_DENIED"), denied);
        assert_eq!(MixerStatus::new("PERMISSION_DENIED:denyall.default:not allowed"), denied);
        for other in ["", "-", "OK", "NOT_FOUND", "INTERNALLY", "internal"] {
            assert_eq!(MixerStatus::new(other), None, "{other}");
        }
    }
}
