//! What the rules ask for where an HTTP stream ended with these details and flags: what they don't ask for is not read.

use crate::evidence::{Answer, ConnectError, Details, Flags, TransportFailure};

use super::policy;

/// Groups of facts. Those that cost nothing (details, flags, code, what the answer said of itself) are in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted(u16);

impl Wanted {
    const NOTHING: Self = Self(0);
    /// The client's protocol, first bytes, server name and TLS.
    pub(crate) const CLIENT: Self = Self(1);
    /// The virtual host.
    pub(crate) const VIRTUAL_HOST: Self = Self(1 << 1);
    /// The route's name, and the VirtualService that it was made of.
    pub(crate) const ROUTE: Self = Self(1 << 2);
    /// The cluster and the endpoint.
    pub(crate) const UPSTREAM: Self = Self(1 << 3);
    /// The DestinationRule, and whether the endpoint takes mutual TLS.
    pub(crate) const UPSTREAM_RULE: Self = Self(1 << 4);
    /// The TLS version agreed with the upstream.
    pub(crate) const UPSTREAM_TLS: Self = Self(1 << 5);
    /// Why the connection to the upstream failed, beyond what the details say of it.
    pub(crate) const UPSTREAM_FAILURE: Self = Self(1 << 6);
    /// The number of endpoints.
    pub(crate) const ENDPOINTS: Self = Self(1 << 7);
    /// The number of attempts.
    pub(crate) const ATTEMPTS: Self = Self(1 << 8);
    /// What Mixer said.
    pub(crate) const MIXER: Self = Self(1 << 9);
    /// All that can be seen.
    pub(crate) const EVERYTHING: Self = Self(u16::MAX);

    const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// What is wanted once it is known why the connection to the upstream failed: where TLS did, the rule may have asked for it.
    pub(crate) fn knowing(self, failure: Option<&TransportFailure>) -> Self {
        let by_rule = self.has(Self::UPSTREAM_FAILURE) && failure.is_some_and(TransportFailure::is_tls);
        if by_rule { self.and(Self::UPSTREAM_RULE) } else { self }
    }

    /// Whether any of `others` is wanted.
    pub(crate) const fn has(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

/// Kinds that come often, each with the flags that come with it. Another flag may bring another rule in: then everything is
/// wanted, as it is of all other kinds.
///
/// `failure` is what the details say of the connection to the upstream.
pub(crate) fn wanted(
    details: &Details,
    failure: Option<&TransportFailure>,
    flags: Flags,
    answer: &Answer,
) -> Wanted {
    const POLICYS: Flags =
        Flags::UNAUTHORIZED_EXTERNAL_SERVICE.and(Flags::RATE_LIMITED).and(Flags::RATE_LIMIT_SERVICE_ERROR);
    let name = details.name();
    let (own, groups) = match name {
        // The way to the upstream went well. Pages are about TLS.
        _ if details.via_upstream() && answer.page.is_some() => {
            (Flags(0), Wanted::UPSTREAM.and(Wanted::UPSTREAM_TLS))
        }
        _ if details.via_upstream() => (Flags(0), Wanted::UPSTREAM),
        _ if (details.reset_before_response() || details.reset_after_response()) && flags.any_failure() => {
            reset(failure)
        }
        // An earlier attempt may have got further, and say why it failed.
        "no_healthy_upstream" => (
            Flags::NO_HEALTHY_UPSTREAM,
            Wanted::UPSTREAM.and(Wanted::ENDPOINTS).and(Wanted::UPSTREAM_FAILURE),
        ),
        "route_not_found" => (Flags::NO_ROUTE_FOUND, Wanted::CLIENT.and(Wanted::VIRTUAL_HOST)),
        "cluster_not_found" => (Flags::NO_CLUSTER_FOUND, Wanted::VIRTUAL_HOST.and(Wanted::ROUTE)),
        // The fault is the route's.
        "fault_filter_abort" => (Flags::FAULT_INJECTED, Wanted::ROUTE),
        _ if policy::refuses(name) => (POLICYS, Wanted::NOTHING),
        _ => return Wanted::EVERYTHING,
    };
    let beside = Flags::HARMLESS.and(Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED);
    if flags.0 & !own.and(beside).0 != 0 {
        return Wanted::EVERYTHING;
    }
    let retried = flags.has(Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED);
    if retried { groups.and(Wanted::ATTEMPTS) } else { groups }
}

/// What the socket said stands in the details, and settles it.
fn reset(failure: Option<&TransportFailure>) -> (Flags, Wanted) {
    const RESET: Flags = Flags::UPSTREAM_CONNECTION_FAILURE
        .and(Flags::UPSTREAM_CONNECTION_TERMINATION)
        .and(Flags::UPSTREAM_REMOTE_RESET)
        .and(Flags::UPSTREAM_OVERFLOW)
        .and(Flags::UPSTREAM_PROTOCOL_ERROR);
    match failure.filter(|failure| failure.is_connect_error()).and_then(TransportFailure::connect_error) {
        Some(error) if error != ConnectError::Other => (Flags::UPSTREAM_CONNECTION_FAILURE, Wanted::UPSTREAM),
        _ => {
            let tls = Wanted::UPSTREAM_TLS.and(Wanted::UPSTREAM_FAILURE);
            (RESET, Wanted::UPSTREAM.and(Wanted::UPSTREAM_RULE).and(tls))
        }
    }
}
