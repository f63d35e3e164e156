//! gRPC's own status: a call can fail although its HTTP status is 200.

/// The number in `grpc-status`; one that gRPC doesn't name keeps its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GrpcStatus(pub u8);

impl GrpcStatus {
    /// Reads a header's or trailer's value; numbers are at most three digits long.
    pub fn parse(value: &[u8]) -> Option<Self> {
        str::from_utf8(value).ok()?.parse().ok().map(Self)
    }

    /// Whether the call succeeded.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Whether it is the server's failure: what HTTP says with a 5xx. NOT_FOUND, INVALID_ARGUMENT, RESOURCE_EXHAUSTED
    /// and the like are answers to the caller, as 4xx are.
    ///
    /// UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS: OpenTelemetry's conventions for
    /// gRPC servers count the same ones as errors.
    pub const fn is_server_error(self) -> bool {
        matches!(self.0, 2 | 4 | 12..=15)
    }
}

#[cfg(test)]
mod tests {
    use super::GrpcStatus;

    #[test]
    fn only_numbers_are_read() {
        assert_eq!(GrpcStatus::parse(b"14"), Some(GrpcStatus(14)));
        for value in [&b""[..], b"-1", b"1000", b"x", b"\xff"] {
            assert_eq!(GrpcStatus::parse(value), None);
        }
    }

    #[test]
    fn answers_to_the_caller_are_no_server_errors() {
        let errors: Vec<u8> = (0..=20).filter(|n| GrpcStatus(*n).is_server_error()).collect();
        assert_eq!(errors, [2, 4, 12, 13, 14, 15]);
    }
}
