//! Policy: a filter of the proxy refused the request, by configuration, mostly without a flag.

use super::{Advice, Verdict};
use crate::causes::{Cause, Side};
use crate::evidence::{
    Detail, Details, Direction, Evidence, Fact, Flags, Layer, MixerStatus, Origin, Resource,
};
use crate::text;

/// Whether these details name a refusal, also where its status is gRPC's 200.
pub(super) fn refuses(detail: Detail) -> bool {
    matches!(
        detail,
        Detail::RbacAccessDeniedMatchedPolicy
            | Detail::JwtAuthnAccessDenied
            | Detail::ExtAuthzDenied
            | Detail::ExtAuthzError
            | Detail::RequestRateLimited
            | Detail::RateLimiterError
            | Detail::LocalRateLimited
            | Detail::RateLimitedByQuota
            | Detail::FaultFilterAbort
    )
}

static NO_PROVIDER: Advice = Advice {
    side: None,
    fix: "Define the CUSTOM policy's provider in the mesh's extensionProviders: until then it denies all.",
};

static NO_IDENTITY: Advice = Advice {
    side: None,
    fix: "Give the caller a sidecar (mutual TLS), or add an ALLOW rule that needs no principal and no namespace: it showed no certificate.",
};
static NO_RULE: Advice = Advice {
    side: None,
    fix: "Add an ALLOW rule for this caller, method and path: none matches. Preflights (OPTIONS) have no token, remoteIpBlocks need numTrustedProxies.",
};
static TCP_RULE: Advice = Advice {
    side: None,
    fix: "Add an ALLOW rule for this caller and the workload's port: rules with methods, paths or hosts never match TCP.",
};

pub(super) fn rule(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[Fact::Details, Fact::Principal, Fact::Flags, Fact::Code];
    if e.layer == Layer::Listener {
        return None;
    }
    if let Some(verdict) = tcp_rbac(e).or_else(|| tcp_rate_limit(e)) {
        return Some(verdict);
    }
    let cause = match e.details.detail() {
        Detail::RbacAccessDeniedMatchedPolicy => {
            if e.substitute == Some(true) {
                return Some(Verdict::certain(
                    Cause::FilterConfigMissing,
                    &[Fact::Substitute, Fact::Details],
                ));
            }
            let name = e.details.inner().and_then(policy);
            let how_sure = match e.details.inner() {
                // No AuthorizationPolicy is for outbound traffic.
                Some("none") if e.direction == Direction::Outbound => Verdict::possible,
                // Look-alike: the filter that denies all in the place of a Wasm module (1.31),
                // where it is unknown which one it was.
                Some("none") if e.substitute.is_none() => Verdict::likely,
                // An RBAC filter that an EnvoyFilter brings is an authorization policy, too.
                _ => Verdict::certain,
            };
            let denied = how_sure(Cause::AuthorizationPolicyDenied, FACTS).blaming(&name);
            // istiod's rule for an action CUSTOM whose provider it doesn't know (1.31).
            let no_provider = e.details.inner().is_some_and(|id| text::contains(id, "bad-CUSTOM-action"));
            // With the substitute, the principal was asked for; and of waypoints their chain, for there nobody has one.
            let anonymous =
                e.substitute.is_some() && e.downstream.principal.is_none() && e.filter_chain.is_none();
            return Some(match e.direction {
                _ if no_provider => denied.advising(&NO_PROVIDER),
                Direction::Inbound if anonymous => denied.advising(&NO_IDENTITY),
                Direction::Gateway if anonymous => denied.advising(&NO_RULE),
                _ => denied,
            });
        }
        Detail::JwtAuthnAccessDenied => return Some(jwt(e, FACTS)),
        // Each filter's own details and flags. A Lua or Wasm filter can imitate none of the flags.
        Detail::ExtAuthzDenied => Cause::ExtAuthzDenied,
        Detail::ExtAuthzError | Detail::ExtAuthzInvalid => Cause::ExtAuthzUnavailable,
        Detail::RequestRateLimited | Detail::LocalRateLimited | Detail::RateLimitedByQuota => {
            Cause::RateLimited
        }
        Detail::RateLimiterError => Cause::RateLimitServiceUnavailable,
        Detail::FaultFilterAbort => {
            // The fault is the route's own, or comes from a header that the filter is configured to
            // read.
            return Some(Verdict::certain(Cause::FaultInjected, FACTS).blaming(&e.route.resource));
        }
        // Mixer's reply, or, without its flag, a request that it let pass (fail open) and that failed for another reason.
        by if e.flags.contains(Flags::UNAUTHORIZED_EXTERNAL_SERVICE)
            && by.origin() != Some(Origin::ExtAuthz) =>
        {
            return mixer(e, Verdict::certain);
        }
        // Other filters' own details, with flags that only policies set.
        _ if e.details.via_upstream() => return None,
        _ if e.flags.contains(Flags::RATE_LIMIT_SERVICE_ERROR) => Cause::RateLimitServiceUnavailable,
        _ if e.flags.contains(Flags::RATE_LIMITED) => Cause::RateLimited,
        _ if e.flags.contains(Flags::FAULT_INJECTED) => Cause::FaultInjected,
        _ => return None,
    };
    Some(Verdict::certain(cause, FACTS))
}

/// The network filter `local_ratelimit` sets this flag and closes (1.36, 1.40). A TCP proxy that has tried in vain sets others beside it.
fn tcp_rate_limit(e: &Evidence) -> Option<Verdict> {
    let alone = e.flags.difference(Flags::HARMLESS) == Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED;
    (e.layer == Layer::Tcp && alone && e.upstream.address.is_none()).then_some(())?;
    Some(Verdict::likely(Cause::RateLimited, &[Fact::Flags, Fact::FilterChain, Fact::Cluster]))
}

/// A token that was rejected, or keys that could not be fetched.
fn jwt(e: &Evidence, facts: &'static [Fact]) -> Verdict {
    static NO_KEYS: Advice = Advice {
        side: Some(Side::Platform),
        fix: "Make the jwksUri of the RequestAuthentication reachable and its answer valid.",
    };
    const KEYS_OR_TOKEN: &str =
        "Make the jwksUri reachable for istiod, or send a token signed with a key that is there.";
    static OTHER_KEYS: Advice = Advice { side: Some(Side::Mesh), fix: KEYS_OR_TOKEN };
    // Strangers reach gateways, and anyone can forge a token: there it is the client's side, as a cause that anyone can send.
    static FORGED: Advice = Advice { side: None, fix: KEYS_OR_TOKEN };
    let other_keys = if e.direction == Direction::Gateway { &FORGED } else { &OTHER_KEYS };
    let reason = e.details.inner().unwrap_or_default();
    match reason.strip_prefix("Jwks") {
        // Look-alikes of each other, and of `Jwt_verification_fails`: a forged token, keys that have changed, and istiod, which
        // gives proxies a key of its own making where it can't fetch them (1.31).
        Some(rest) if text::contains(rest, "key_to_match") => {
            Verdict::likely(Cause::JwtRejected, facts).advising(other_keys)
        }
        // The keys' own faults, whatever the token: `Jwks_remote_fetch_is_failed`, `Jwks_is_an_invalid_JSON`, ...
        Some(_) => Verdict::certain(Cause::JwtRejected, facts).advising(&NO_KEYS),
        None if text::contains(reason, "verification_fails") => {
            Verdict::likely(Cause::JwtRejected, facts).advising(other_keys)
        }
        None => Verdict::certain(Cause::JwtRejected, facts),
    }
}

/// Mixer's status (Istio 1.7 and older). No current proxy sets it.
fn mixer(e: &Evidence, how_sure: fn(Cause, &'static [Fact]) -> Verdict) -> Option<Verdict> {
    let cause = match e.mixer? {
        MixerStatus::Unavailable => Cause::MixerUnavailable,
        MixerStatus::Unauthenticated => Cause::MixerUnauthenticated,
        MixerStatus::PermissionDenied => Cause::MixerPermissionDenied,
        MixerStatus::ResourceExhausted => Cause::MixerResourceExhausted,
        MixerStatus::Internal => Cause::MixerInternal,
    };
    Some(how_sure(cause, &[Fact::Mixer, Fact::Details, Fact::Flags, Fact::Code]))
}

/// A reply that this proxy made, for a reason that no rule knows.
pub(super) fn unexplained_reply(e: &Evidence) -> Option<Verdict> {
    let own_reply = e.layer == Layer::Http && e.code.is_some() && !e.details.via_upstream();
    own_reply.then(|| mixer(e, Verdict::likely)).flatten()
}

/// Whether these termination details are a policy's: the network RBAC filter leaves its reason there, and nowhere else.
pub fn is_policy_denial(termination: &Details) -> bool {
    termination.detail() == Detail::RbacAccessDeniedMatchedPolicy
}

fn tcp_rbac(e: &Evidence) -> Option<Verdict> {
    (e.layer == Layer::Tcp && is_policy_denial(&e.termination)).then_some(())?;
    // Look-alike of `none`: the filter that denies all in the place of a Wasm module (NETWORK;
    // 1.31). Only the direction differs: no AuthorizationPolicy is for outbound traffic.
    let unnamed = e.termination.inner() == Some("none");
    if unnamed && e.direction == Direction::Outbound {
        return Some(Verdict::possible(Cause::FilterConfigMissing, &[Fact::Termination, Fact::Cluster]));
    }
    let how_sure = if unnamed { Verdict::likely } else { Verdict::certain };
    let denied =
        how_sure(Cause::AuthorizationPolicyDenied, &[Fact::Termination, Fact::Principal, Fact::Cluster]);
    let denied = denied.blaming(&e.termination.inner().and_then(policy));
    Some(if unnamed { denied.advising(&TCP_RULE) } else { denied })
}

/// istiod's policy ids: `ns[NAMESPACE]-policy[NAME]-rule[N]`; `none` when no ALLOW rule matched.
fn policy(id: &str) -> Option<Resource> {
    let (_, rest) = text::split_once(id, "ns[")?;
    let (namespace, rest) = text::split_once(rest, "]-policy[")?;
    let (name, _) = rest.split_once(']')?;
    Resource::new("AuthorizationPolicy", namespace, name)
}
