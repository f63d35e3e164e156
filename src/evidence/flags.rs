//! Envoy's response flags, as the integer that `response.flags` holds.

/// A set of response flags. A bit this version doesn't know keeps its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u64);

macro_rules! flags {
    ($($name:ident $bit:literal $short:literal $doc:literal,)*) => {
        impl Flags {
            $(#[doc = $doc] pub const $name: Self = Self(1 << $bit);)*
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
    pub const HARMLESS: Self = Self(Self::DELAY_INJECTED.0 | Self::RESPONSE_FROM_CACHE_FILTER.0);

    /// Whether any of `others` is set.
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Both sets.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether any flag says that something went wrong.
    pub const fn any_failure(self) -> bool {
        self.0 & !Self::HARMLESS.0 != 0
    }

    /// Envoy's short names joined by commas; what has no name comes as `bitN`.
    pub fn short(self) -> String {
        let known = Self::SHORT.iter().filter(|(flag, _)| self.has(*flag));
        let mut names: Vec<String> = known.map(|(_, name)| (*name).to_owned()).collect();
        let unnamed = (0..u64::BITS).filter(|bit| {
            let flag = Self(1_u64.unbounded_shl(*bit));
            self.has(flag) && !Self::SHORT.iter().any(|(known, _)| *known == flag)
        });
        names.extend(unnamed.map(|bit| format!("bit{bit}")));
        names.join(",")
    }

    /// The set with these short names; unknown names are left out.
    pub fn from_short(names: &str) -> Self {
        names
            .split(',')
            .filter_map(|name| Self::SHORT.iter().find(|(_, short)| *short == name.trim()))
            .fold(Self::default(), |all, (flag, _)| all.and(*flag))
    }
}

#[cfg(test)]
mod tests {
    use super::Flags;

    #[test]
    fn names_go_both_ways() {
        let flags = Flags::UPSTREAM_CONNECTION_FAILURE.and(Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED);
        assert_eq!(flags.short(), "UF,URX");
        assert_eq!(Flags::from_short("URX,UF"), flags);
        assert_eq!(Flags::from_short("-"), Flags::default());
    }

    #[test]
    fn an_unknown_bit_is_kept() {
        assert_eq!(Flags(1 << 40 | 1).short(), "LH,bit40");
        assert!(Flags(1 << 40).any_failure());
    }

    #[test]
    fn a_delay_is_no_failure() {
        assert!(!Flags::DELAY_INJECTED.any_failure());
    }
}
