//! The version of TLS that was agreed.

/// A version, by BoringSSL's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TlsVersion {
    /// TLS 1.0.
    #[cfg_attr(feature = "serde", serde(rename = "TLSv1"))]
    V1_0,
    /// TLS 1.1.
    #[cfg_attr(feature = "serde", serde(rename = "TLSv1.1"))]
    V1_1,
    /// TLS 1.2.
    #[cfg_attr(feature = "serde", serde(rename = "TLSv1.2"))]
    V1_2,
    /// TLS 1.3.
    #[cfg_attr(feature = "serde", serde(rename = "TLSv1.3"))]
    V1_3,
    /// TLS of a version that was not seen, or has no name here.
    #[cfg_attr(feature = "serde", serde(rename = "unknown"))]
    Unknown,
}

impl TlsVersion {
    /// Reads what attributes and access logs have.
    pub fn parse(name: &[u8]) -> Self {
        match name {
            b"TLSv1" => Self::V1_0,
            b"TLSv1.1" => Self::V1_1,
            b"TLSv1.2" => Self::V1_2,
            b"TLSv1.3" => Self::V1_3,
            _ => Self::Unknown,
        }
    }

    /// Its name; none where it is unknown.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::V1_0 => Some("TLSv1"),
            Self::V1_1 => Some("TLSv1.1"),
            Self::V1_2 => Some("TLSv1.2"),
            Self::V1_3 => Some("TLSv1.3"),
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TlsVersion;

    #[test]
    fn each_name_is_read_as_it_is_written() {
        for version in [TlsVersion::V1_0, TlsVersion::V1_1, TlsVersion::V1_2, TlsVersion::V1_3] {
            assert_eq!(TlsVersion::parse(version.name().unwrap().as_bytes()), version);
        }
        for other in ["", "unknown", "TLSv1.4", "TLSv1.3\0"] {
            assert_eq!(TlsVersion::parse(other.as_bytes()).name(), None, "{other}");
        }
    }
}
