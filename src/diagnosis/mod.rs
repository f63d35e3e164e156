//! What the evidence means: one total, ordered function from [`Evidence`] to a [`Verdict`].
//!
//! The most specific rules come first; the last one names [`Cause::Unclassified`], with Envoy's
//! flags and details as evidence. Match on details first and flags second: flags are events that
//! happened, the details say what made the response (Envoy issue 10255).

mod answer;
mod client_bytes;
#[cfg(test)]
mod corpus;
mod downstream_tls;
mod fetch_plan;
mod filters;
mod limits;
mod passthrough;
mod policy;
mod reaching;
mod routes;
mod soft;
#[cfg(test)]
mod tests;
mod upstream_tls;

pub use answer::is_server_error;
pub(crate) use fetch_plan::{FetchPlan, fetch_plan};
pub(crate) use limits::AT_ONCE;
pub use policy::is_policy_denial;

use crate::causes::{Cause, Side};
use crate::evidence::{Detail, Evidence, Fact, Flags, Layer, Resource, TransportFailure};

/// How sure the verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Confidence {
    /// A lead.
    Possible,
    /// Others are improbable.
    Likely,
    /// The evidence fits no other cause.
    Certain,
}

impl Confidence {
    /// The label's value.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// A cause, how sure it is, on what it rests and which resource is responsible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The cause.
    pub cause: Cause,
    /// How sure.
    pub confidence: Confidence,
    /// What it rests on, the decisive fact first.
    pub facts: &'static [Fact],
    /// The Istio resource responsible, when the proxy knows it.
    pub resource: Option<Resource>,
    /// Who has to act and how, where the evidence says more than the cause.
    pub advice: Option<&'static Advice>,
}

/// Who has to act, and what to change.
#[derive(Debug, PartialEq, Eq)]
pub struct Advice {
    /// The side; none where it is the cause's.
    pub side: Option<Side>,
    /// One sentence, as [`Cause::fix`] is.
    pub fix: &'static str,
}

impl Verdict {
    fn new(confidence: Confidence, cause: Cause, facts: &'static [Fact]) -> Self {
        Self { cause, confidence, facts, resource: None, advice: None }
    }

    fn certain(cause: Cause, facts: &'static [Fact]) -> Self {
        Self::new(Confidence::Certain, cause, facts)
    }

    fn likely(cause: Cause, facts: &'static [Fact]) -> Self {
        Self::new(Confidence::Likely, cause, facts)
    }

    fn possible(cause: Cause, facts: &'static [Fact]) -> Self {
        Self::new(Confidence::Possible, cause, facts)
    }

    fn advising(mut self, advice: &'static Advice) -> Self {
        self.advice = Some(advice);
        self
    }

    fn blaming(mut self, resource: &Option<Resource>) -> Self {
        self.resource.clone_from(resource);
        self
    }
}

/// A rule: reads the evidence and names a cause, or passes.
type Rule = fn(&Evidence) -> Option<Verdict>;

/// The rules, the most specific first. Policy comes before the upstream's rules, because a filter's
/// refusal is never the upstream's; TLS comes before reaching, because a failed handshake is a
/// failed connection too.
const RULES: &[Rule] = &[
    downstream_tls::rule,
    client_bytes::rule,
    routes::rule,
    policy::rule,
    filters::named,
    upstream_tls::rule,
    reaching::rule,
    limits::rule,
    answer::rule,
    policy::unexplained_reply,
    filters::rest,
];

/// Names the cause; none when nothing failed.
///
/// Total and deterministic: every failure that no rule knows is [`Cause::Unclassified`].
pub fn diagnose(e: &Evidence) -> Option<Verdict> {
    if !failed(e) {
        return None;
    }
    RULES.iter().find_map(|rule| rule(e)).or_else(|| unclassified(e))
}

/// The soft causes of traffic that works.
///
/// They don't exclude each other, so every rule runs. A failure is never observed as well.
pub fn observe(e: &Evidence) -> impl Iterator<Item = Verdict> {
    let rules: &[Rule] = if failed(e) { &[] } else { soft::RULES };
    rules.iter().filter_map(|rule| rule(e))
}

/// Whether anything failed at all.
fn failed(e: &Evidence) -> bool {
    match e.layer {
        Layer::Http => http_failed(e),
        // Double TLS over a TCP proxy ends without any flag: the bytes show it. So does a policy's
        // denial, which only the termination details show.
        Layer::Tcp => {
            tcp_flags(e).any_failure()
                || upstream_tls::looks_like_double_tls(e)
                || is_policy_denial(&e.termination)
                || e.is_cut_off()
        }
        Layer::Listener => {
            let failure = e.downstream.transport_failure.as_ref();
            failure.is_some_and(TransportFailure::is_failed_handshake)
                || e.details.detail() == Detail::FilterChainNotFound
        }
    }
}

/// Either side may end a TCP connection: load balancers' health checks do it with a reset, and so
/// do some servers when they are done.
fn tcp_flags(e: &Evidence) -> Flags {
    let by_server =
        if e.upstream.first_bytes.is_some() { Flags::UPSTREAM_REMOTE_RESET } else { Flags::empty() };
    e.flags.difference(Flags::CLIENT_LEFT | by_server)
}

fn http_failed(e: &Evidence) -> bool {
    if e.is_ended_tunnel() || e.is_left_stream() {
        return false;
    }
    // External authorization sends browsers to a login like that (1.40: UAEX, too).
    if e.details.detail() == Detail::ExtAuthzDenied && e.code.is_some_and(|c| (300..400).contains(&c)) {
        return false;
    }
    // The last answer was one to try again, by its status: that one decides.
    let retried =
        if e.details.via_upstream() { Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED } else { Flags::empty() };
    if e.flags.difference(retried).any_failure() {
        return true;
    }
    match e.details.detail() {
        // The application's own 4xx are no failures, unless the page blames the connection.
        Detail::ViaUpstream => {
            upstream_tls::page(e).is_some() || e.code.is_some_and(is_server_error) || answer::is_grpc_error(e)
        }
        // Of other statuses than errors a redirect or a page takes the place.
        Detail::InternalRedirect => e.code.is_some_and(is_server_error),
        // Configured answers are no failures, but for errors and the one that istiod configures for blocked hosts.
        Detail::DirectResponse => routes::is_block_all(e) || routes::is_error_reply(e),
        // Neither code nor details nor flags: nothing failed.
        Detail::None | Detail::Unseen => e.code.is_some_and(|c| c >= 400),
        // A local reply to gRPC is HTTP 200.
        detail => {
            e.code.is_none_or(|c| c >= 400) || e.answer.grpc_status.is_some() || policy::refuses(detail)
        }
    }
}

fn unclassified(e: &Evidence) -> Option<Verdict> {
    match e.layer {
        Layer::Listener => None,
        // A lead: where to look it up.
        Layer::Http | Layer::Tcp => Some(Verdict::possible(
            Cause::Unclassified,
            &[Fact::Details, Fact::Flags, Fact::Code, Fact::UpstreamFailure, Fact::Termination],
        )),
    }
}
