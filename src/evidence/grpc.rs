//! gRPC's own status: a call can fail although its HTTP status is 200.

/// The number in `grpc-status`; one that gRPC doesn't name keeps its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GrpcStatus(pub u8);

impl GrpcStatus {
    /// "Unknown error".
    pub const UNKNOWN: Self = Self(2);
    /// The service is not available.
    pub const UNAVAILABLE: Self = Self(14);

    /// Reads a header's or trailer's value. What is no number is UNKNOWN to gRPC's clients, and so it is here. Of a header that comes
    /// twice (`0,13`, as Envoy joins them) clients take one or the other: it failed if one of them says so.
    pub fn parse(value: &[u8]) -> Self {
        let all = value.split(|byte| *byte == b',').map(|one| {
            let text = str::from_utf8(one).unwrap_or_default().trim();
            text.parse().map_or(Self::UNKNOWN, Self)
        });
        all.max_by_key(|status| (status.is_server_error(), status.0)).unwrap_or(Self::UNKNOWN)
    }

    /// Whether the call succeeded.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Whether it is the server's failure: what HTTP says with a 5xx. NOT_FOUND, INVALID_ARGUMENT, RESOURCE_EXHAUSTED
    /// and the like are answers to the caller, as 4xx are.
    ///
    /// UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS: OpenTelemetry's conventions for
    /// gRPC servers count the same ones as errors. Numbers that gRPC doesn't name are UNKNOWN to its clients.
    pub const fn is_server_error(self) -> bool {
        matches!(self.0, 2 | 4 | 12..=15 | 17..)
    }
}

#[cfg(test)]
mod tests {
    use super::GrpcStatus;

    #[test]
    fn whatever_clients_take_for_a_failure_is_one() {
        for (value, status) in [
            (&b"14"[..], 14),
            (b"0", 0),
            (b" 5 ", 5),
            (b"99", 99),
            (b"", 2),
            (b"-1", 2),
            (b"1000", 2),
            (b"x", 2),
            (b"\xff", 2),
            (b"0,13", 13),
            (b"13, 0", 13),
            (b"0,0", 0),
            (b"16,13", 13),
            (b"0,x", 2),
        ] {
            assert_eq!(GrpcStatus::parse(value), GrpcStatus(status), "{}", value.escape_ascii());
        }
    }

    #[test]
    fn answers_to_the_caller_are_no_server_errors() {
        let errors: Vec<u8> = (0..=20).filter(|n| GrpcStatus(*n).is_server_error()).collect();
        assert_eq!(errors, [2, 4, 12, 13, 14, 15, 17, 18, 19, 20]);
    }
}
