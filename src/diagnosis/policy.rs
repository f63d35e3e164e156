//! Policy: a filter of the proxy said no, by configuration, and mostly without a flag.

use super::Verdict;
use crate::catalogue::Cause;
use crate::evidence::{Direction, Evidence, Fact, Flags, Layer, MixerStatus, Resource};

const RBAC: &str = "rbac_access_denied_matched_policy";

/// Whether these details name a refusal, also where its status is gRPC's 200.
pub(super) fn refuses(name: &str) -> bool {
    matches!(
        name,
        RBAC | "jwt_authn_access_denied"
            | "ext_authz_denied"
            | "ext_authz_error"
            | "request_rate_limited"
            | "rate_limiter_error"
            | "local_rate_limited"
            | "fault_filter_abort"
    )
}

pub(super) fn rule(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[Fact::Details, Fact::Flags, Fact::Code];
    if e.layer == Layer::Listener {
        return None;
    }
    if let Some(verdict) = tcp_rbac(e) {
        return Some(verdict);
    }
    let cause = match e.details.name() {
        RBAC => {
            let name = e.details.inner().and_then(policy);
            // No AuthorizationPolicy is for outbound traffic; Istio's agent puts a filter that denies all in the place of a
            // WasmPlugin that it can't fetch (1.31).
            let stray = e.details.inner() == Some("none") && e.direction == Direction::Outbound;
            let how_sure = if stray { Verdict::possible } else { Verdict::certain };
            return Some(how_sure(Cause::AuthorizationPolicyDenied, FACTS)?.blaming(&name));
        }
        "jwt_authn_access_denied" => Cause::JwtRejected,
        "ext_authz_denied" => Cause::ExtAuthzDenied,
        "ext_authz_error" => Cause::ExtAuthzUnavailable,
        "request_rate_limited" | "local_rate_limited" => Cause::RateLimited,
        "rate_limiter_error" => Cause::RateLimitServiceUnavailable,
        "fault_filter_abort" => {
            // The fault is the route's own.
            return Some(Verdict::certain(Cause::FaultInjected, FACTS)?.blaming(&e.route.resource));
        }
        // Mixer's reply, or, without its flag, a request that it let pass (fail open) and that failed for another reason.
        name if e.flags.contains(Flags::UNAUTHORIZED_EXTERNAL_SERVICE) && !name.starts_with("ext_authz") => {
            return mixer(e, Verdict::certain);
        }
        // Other filters' own words, with flags that only policies set.
        _ if e.details.via_upstream() => return None,
        _ if e.flags.contains(Flags::RATE_LIMIT_SERVICE_ERROR) => Cause::RateLimitServiceUnavailable,
        _ if e.flags.contains(Flags::RATE_LIMITED) => Cause::RateLimited,
        _ if e.flags.contains(Flags::FAULT_INJECTED) => Cause::FaultInjected,
        _ => return None,
    };
    Verdict::certain(cause, FACTS)
}

/// What Mixer said (Istio 1.7 and older). No proxy of today sets it.
fn mixer(e: &Evidence, how_sure: fn(Cause, &'static [Fact]) -> Option<Verdict>) -> Option<Verdict> {
    let cause = match e.mixer? {
        MixerStatus::Unavailable => Cause::MixerUnavailable,
        MixerStatus::Unauthenticated => Cause::MixerUnauthenticated,
        MixerStatus::PermissionDenied => Cause::MixerPermissionDenied,
        MixerStatus::ResourceExhausted => Cause::MixerResourceExhausted,
        MixerStatus::Internal => Cause::MixerInternal,
    };
    how_sure(cause, &[Fact::Mixer, Fact::Details, Fact::Flags, Fact::Code])
}

/// A reply that this proxy made, for a reason that no rule knows.
pub(super) fn unexplained_reply(e: &Evidence) -> Option<Verdict> {
    let own_reply = e.layer == Layer::Http && e.code.is_some() && !e.details.via_upstream();
    own_reply.then(|| mixer(e, Verdict::likely)).flatten()
}

/// Whether these termination details are a policy's: the network RBAC filter leaves its reason there, and nowhere else.
pub(crate) fn is_policys(termination: &str) -> bool {
    termination.starts_with(RBAC)
}

fn tcp_rbac(e: &Evidence) -> Option<Verdict> {
    let reason = e.termination.as_deref().filter(|t| is_policys(t))?;
    (e.layer == Layer::Tcp).then_some(())?;
    let inner = reason.split_once('[').map(|(_, rest)| rest.strip_suffix(']').unwrap_or(rest));
    let denied = Verdict::certain(Cause::AuthorizationPolicyDenied, &[Fact::Termination, Fact::Cluster])?;
    Some(denied.blaming(&inner.and_then(policy)))
}

/// istiod's policy ids: `ns[NAMESPACE]-policy[NAME]-rule[N]`; `none` when no ALLOW rule matched.
fn policy(id: &str) -> Option<Resource> {
    let (_, rest) = id.split_once("ns[")?;
    let (namespace, rest) = rest.split_once("]-policy[")?;
    let (name, _) = rest.split_once(']')?;
    Resource::new("AuthorizationPolicy", namespace, name)
}
