//! The fetch plan: which attributes the rules need for an HTTP stream that ended with these details
//! and flags. No others are read.

use crate::evidence::{Answer, ConnectError, Detail, Details, Flags, TransportFailure};

use super::{filters, policy};

bitflags::bitflags! {
    /// Groups of attributes. What is known anyway (details, flags, code, what the response said of
    /// itself) is in none.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct FetchPlan: u16 {
        /// The client's protocol, first bytes, server name and TLS.
        const CLIENT = 1;
        /// The virtual host.
        const VIRTUAL_HOST = 1 << 1;
        /// The route's name, and the VirtualService that it was made of.
        const ROUTE = 1 << 2;
        /// The cluster and the endpoint.
        const UPSTREAM = 1 << 3;
        /// The DestinationRule, and whether the endpoint takes mutual TLS.
        const UPSTREAM_RULE = 1 << 4;
        /// The TLS version agreed with the upstream.
        const UPSTREAM_TLS = 1 << 5;
        /// Why the connection to the upstream failed, beyond what the details say of it.
        const UPSTREAM_FAILURE = 1 << 6;
        /// The number of endpoints.
        const ENDPOINTS = 1 << 7;
        /// The number of attempts.
        const ATTEMPTS = 1 << 8;
        /// Mixer's status.
        const MIXER = 1 << 9;
        /// All of them.
        const EVERYTHING = !0;
    }
}

impl FetchPlan {
    /// The plan once it is known why the connection to the upstream failed: where TLS did, the
    /// DestinationRule may have asked for it.
    pub(crate) fn knowing(self, failure: Option<&TransportFailure>) -> Self {
        let by_rule = self.contains(Self::UPSTREAM_FAILURE) && failure.is_some_and(TransportFailure::is_tls);
        if by_rule { self | Self::UPSTREAM_RULE } else { self }
    }
}

/// Frequent kinds of failures, each with the flags that come with it. Another flag may need another
/// rule: then everything is read, as it is for all other kinds.
pub(crate) fn fetch_plan(details: &Details, flags: Flags, answer: &Answer) -> FetchPlan {
    const POLICYS: Flags = Flags::UNAUTHORIZED_EXTERNAL_SERVICE
        .union(Flags::RATE_LIMITED)
        .union(Flags::RATE_LIMIT_SERVICE_ERROR);
    let (own, groups) = match details.detail() {
        // The way to the upstream went well. Pages are about TLS.
        _ if details.via_upstream() && answer.page.is_some() => {
            (Flags::empty(), FetchPlan::UPSTREAM | FetchPlan::UPSTREAM_TLS | FetchPlan::UPSTREAM_RULE)
        }
        _ if details.via_upstream() => (Flags::empty(), FetchPlan::UPSTREAM),
        _ if (details.reset_before_response() || details.reset_after_response()) && flags.any_failure() => {
            reset(details.transport_failure())
        }
        // An earlier attempt may have got further, and say why it failed.
        Detail::NoHealthyUpstream => {
            let endpoints = FetchPlan::ENDPOINTS | FetchPlan::UPSTREAM_RULE;
            (Flags::NO_HEALTHY_UPSTREAM, FetchPlan::UPSTREAM | endpoints | FetchPlan::UPSTREAM_FAILURE)
        }
        Detail::RouteNotFound => (Flags::NO_ROUTE_FOUND, FetchPlan::CLIENT | FetchPlan::VIRTUAL_HOST),
        Detail::ClusterNotFound => (Flags::NO_CLUSTER_FOUND, FetchPlan::VIRTUAL_HOST | FetchPlan::ROUTE),
        Detail::DirectResponse if !flags.any_failure() => {
            (Flags::empty(), FetchPlan::CLIENT | FetchPlan::VIRTUAL_HOST | FetchPlan::ROUTE)
        }
        // The fault is the route's.
        Detail::FaultFilterAbort => (Flags::FAULT_INJECTED, FetchPlan::ROUTE),
        detail if filters::replies(detail).is_some() => (Flags::empty(), FetchPlan::ROUTE | FetchPlan::MIXER),
        _ if policy::refuses(details.detail()) => (POLICYS, FetchPlan::empty()),
        _ => return FetchPlan::EVERYTHING,
    };
    let beside = Flags::HARMLESS | Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED;
    if !flags.difference(own | beside).is_empty() {
        return FetchPlan::EVERYTHING;
    }
    let retried = flags.contains(Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED);
    if retried { groups | FetchPlan::ATTEMPTS } else { groups }
}

/// The socket's error is in the details, and decides.
fn reset(failure: Option<&TransportFailure>) -> (Flags, FetchPlan) {
    const RESET: Flags = Flags::UPSTREAM_CONNECTION_FAILURE
        .union(Flags::UPSTREAM_CONNECTION_TERMINATION)
        .union(Flags::UPSTREAM_REMOTE_RESET)
        .union(Flags::UPSTREAM_OVERFLOW)
        .union(Flags::UPSTREAM_PROTOCOL_ERROR);
    match failure.filter(|failure| failure.is_connect_error()).and_then(TransportFailure::connect_error) {
        Some(error) if error != ConnectError::Other => {
            (Flags::UPSTREAM_CONNECTION_FAILURE, FetchPlan::UPSTREAM)
        }
        _ => {
            let tls = FetchPlan::UPSTREAM_TLS | FetchPlan::UPSTREAM_FAILURE;
            (RESET, FetchPlan::UPSTREAM | FetchPlan::UPSTREAM_RULE | tls)
        }
    }
}
