//! Envoy's response flags, as the integer that `response.flags` holds.

/// Declares the flags once: name, bit, Envoy's short name, meaning.
macro_rules! flags {
    ($($name:ident $bit:literal $short:literal $doc:literal,)*) => {
        bitflags::bitflags! {
            /// A set of response flags. A bit that this version doesn't know keeps its place.
            #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
            #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
            #[cfg_attr(feature = "serde", serde(from = "String", into = "String"))]
            pub struct Flags: u64 {
                $(#[doc = $doc] const $name = 1 << $bit;)*
                const _ = !0;
            }
        }

        impl Flags {
            const SHORT: &'static [(Self, &'static str)] = &[$((Self::$name, $short),)*];
        }
    };
}

// Order of Envoy's `CoreResponseFlag` (envoy/stream_info/stream_info.h), seen in 1.40.0.
flags! {
    FAILED_LOCAL_HEALTH_CHECK 0 "LH" "The local service failed its health check.",
    NO_HEALTHY_UPSTREAM 1 "UH" "No healthy endpoint.",
    UPSTREAM_REQUEST_TIMEOUT 2 "UT" "The upstream's answer took too long.",
    LOCAL_RESET 3 "LR" "Reset by this proxy.",
    UPSTREAM_REMOTE_RESET 4 "UR" "Reset by the upstream.",
    UPSTREAM_CONNECTION_FAILURE 5 "UF" "No connection to the upstream.",
    UPSTREAM_CONNECTION_TERMINATION 6 "UC" "The upstream closed the connection.",
    UPSTREAM_OVERFLOW 7 "UO" "A circuit breaker is open.",
    NO_ROUTE_FOUND 8 "NR" "No route, or no filter chain.",
    DELAY_INJECTED 9 "DI" "A fault filter delayed it.",
    FAULT_INJECTED 10 "FI" "A fault filter aborted it.",
    RATE_LIMITED 11 "RL" "Rate limited.",
    UNAUTHORIZED_EXTERNAL_SERVICE 12 "UAEX" "External authorization said no.",
    RATE_LIMIT_SERVICE_ERROR 13 "RLSE" "The rate limit service failed.",
    DOWNSTREAM_CONNECTION_TERMINATION 14 "DC" "The client left.",
    UPSTREAM_RETRY_LIMIT_EXCEEDED 15 "URX" "All attempts are used up.",
    STREAM_IDLE_TIMEOUT 16 "SI" "Nothing moved for too long.",
    INVALID_ENVOY_REQUEST_HEADERS 17 "IH" "A strictly checked header is invalid.",
    DOWNSTREAM_PROTOCOL_ERROR 18 "DPE" "The client broke the protocol.",
    UPSTREAM_MAX_STREAM_DURATION_REACHED 19 "UMSDR" "The upstream stream lived too long.",
    RESPONSE_FROM_CACHE_FILTER 20 "RFCF" "Served from a cache.",
    NO_FILTER_CONFIG_FOUND 21 "NFCF" "A filter's configuration never came.",
    DURATION_TIMEOUT 22 "DT" "The connection lived too long.",
    UPSTREAM_PROTOCOL_ERROR 23 "UPE" "The upstream broke the protocol.",
    NO_CLUSTER_FOUND 24 "NC" "The route's cluster doesn't exist.",
    OVERLOAD_MANAGER 25 "OM" "The overload manager ended it.",
    DNS_RESOLUTION_FAILED 26 "DF" "The upstream's name didn't resolve.",
    DROP_OVERLOAD 27 "DO" "Dropped by drop_overloads.",
    DOWNSTREAM_REMOTE_RESET 28 "DR" "The client reset the stream.",
    UNCONDITIONAL_DROP_OVERLOAD 29 "UDO" "Dropped by drop_overloads at 100 %.",
}

impl Flags {
    /// Flags that say nothing went wrong: a delay was injected, the answer came from a cache.
    pub const HARMLESS: Self = Self::DELAY_INJECTED.union(Self::RESPONSE_FROM_CACHE_FILTER);
    /// The client left: it closed the connection, or reset the stream.
    pub const CLIENT_LEFT: Self =
        Self::DOWNSTREAM_CONNECTION_TERMINATION.union(Self::DOWNSTREAM_REMOTE_RESET);

    /// Whether any flag says that something went wrong.
    pub const fn any_failure(self) -> bool {
        !self.difference(Self::HARMLESS).is_empty()
    }

    /// Envoy's short names joined by commas; what has no name comes as `bitN`.
    pub fn short(self) -> String {
        let names = (0..u64::BITS).filter_map(|bit| {
            let flag = Self::from_bits_retain(1_u64.unbounded_shl(bit));
            let known = || Self::SHORT.iter().find(|(known, _)| *known == flag);
            self.contains(flag)
                .then(|| known().map_or_else(|| format!("bit{bit}"), |(_, name)| (*name).to_owned()))
        });
        names.collect::<Vec<_>>().join(",")
    }

    /// The set with these short names; unknown names are left out.
    pub fn from_short(names: &str) -> Self {
        let known = |name: &str| Self::SHORT.iter().find(|(_, short)| *short == name.trim());
        names.split(',').filter_map(known).map(|(flag, _)| *flag).collect()
    }
}

/// From short names; unknown names are left out.
impl From<String> for Flags {
    fn from(names: String) -> Self {
        Self::from_short(&names)
    }
}

impl From<Flags> for String {
    fn from(flags: Flags) -> Self {
        flags.short()
    }
}

#[cfg(test)]
mod tests {
    use super::Flags;

    #[test]
    fn names_go_both_ways() {
        let flags = Flags::UPSTREAM_CONNECTION_FAILURE | Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED;
        assert_eq!(flags.short(), "UF,URX");
        assert_eq!(Flags::from_short("URX,UF"), flags);
        assert_eq!(Flags::from_short("-"), Flags::default());
    }

    #[test]
    fn an_unknown_bit_is_kept() {
        assert_eq!(Flags::from_bits_retain(1 << 40 | 1).short(), "LH,bit40");
        assert!(Flags::from_bits_retain(1 << 40).any_failure());
    }

    #[test]
    fn a_delay_is_no_failure() {
        assert!(!Flags::DELAY_INJECTED.any_failure());
    }
}
