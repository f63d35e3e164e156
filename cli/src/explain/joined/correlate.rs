//! The lines of several proxies about one request → one verdict: where the failure began, and what the others saw of it.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence;

use super::connection;
use crate::explain::verdict::gather;
use crate::explain::{Column, Finding, Line, millis};

/// What one proxy logged of the request.
#[derive(Debug, Clone)]
pub struct Hop {
    /// Which proxy.
    pub proxy: String,
    /// Its line.
    pub line: Line<'static>,
    /// Why it failed there, if it did.
    pub finding: Option<Finding>,
}

/// What a hop has to do with the failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Here it began.
    Root,
    /// It failed because of what happened at the root.
    Consequence,
    /// Another failure of the same request: a retry, or another call.
    Other,
    /// Nothing failed here.
    Fine,
}

/// One request, joined.
#[derive(Debug, Clone)]
pub struct Joined {
    /// The hops with their part in it, from the client inwards.
    pub hops: Vec<(Hop, Part)>,
    /// The verdict: the root's, less sure where another line doesn't fit to it.
    pub verdict: Finding,
    /// Whether whoever asked first got a good answer all the same (a retry, or a call that the application can do without).
    pub recovered: bool,
}

/// Joins the hops of one request; none if nothing failed.
pub fn join(mut hops: Vec<Hop>) -> Option<Joined> {
    hops.sort_by_cached_key(|hop| {
        let time = hop.line.get(Column::Time);
        (time.and_then(millis), time.map(str::to_owned))
    });
    let parents: Vec<Option<usize>> = (0..hops.len()).map(|at| parent(&hops, at)).collect();
    let depths: Vec<usize> = (0..hops.len()).map(|at| ancestors(&parents, at).count()).collect();
    let failed = |at: usize| hops.get(at).and_then(|hop| hop.finding.as_ref());
    let is_tunnels = |at: usize| hops.get(at).is_some_and(|hop| !hop.line.shows(Column::Code));
    let follows = |at: usize| follows_from_another(&parents, &failed, &is_tunnels, at, hops.len());
    let depth = |at: usize| depths.get(at).copied().unwrap_or_default();
    let all = || (0..hops.len()).filter(|at| failed(*at).is_some());
    let mut own: Vec<usize> = all().filter(|at| !follows(*at)).collect();
    if own.is_empty() {
        // Addresses that make a ring: something failed all the same.
        own = all().collect();
    }
    // The deepest failed first: those in front of it had to wait for it. Of equals the earlier (the order of the hops).
    let deepest = own.iter().map(|at| depth(*at)).max()?;
    let root = own.into_iter().find(|at| depth(*at) == deepest)?;
    let part = |at: usize| match failed(at) {
        None => Part::Fine,
        Some(_) if at == root => Part::Root,
        Some(_) if follows(at) => Part::Consequence,
        Some(_) => Part::Other,
    };
    let parts: Vec<Part> = (0..hops.len()).map(part).collect();
    let mut verdict = failed(root)?.clone();
    let above = parents.get(root).copied().flatten().and_then(|at| hops.get(at));
    if let (Some(above), Some(hop)) = (above, hops.get(root))
        && let Some(together) = together(above, hop)
    {
        verdict = together;
    }
    // "The upstream's own error", and the next proxy knows nothing of it: one of the two lines is of another attempt.
    let next_is_fine = parents.iter().zip(&parts).any(|(p, part)| *p == Some(root) && *part == Part::Fine);
    if verdict.cause == Cause::ApplicationError && next_is_fine {
        verdict.confidence = Confidence::Possible;
    }
    let first = (0..hops.len()).find(|at| depth(*at) == 0);
    let recovered = first.and_then(|at| hops.get(at)).is_some_and(got_a_good_answer);
    let mut hops: Vec<(Hop, Part, usize)> =
        hops.into_iter().zip(parts).zip(depths).map(|((hop, part), depth)| (hop, part, depth)).collect();
    hops.sort_by_key(|(_, _, depth)| *depth);
    Some(Joined { hops: hops.into_iter().map(|(hop, part, _)| (hop, part)).collect(), verdict, recovered })
}

/// Whether what was sent to the client is a good answer: the failure of another proxy, passed on, is none of this one's own.
fn got_a_good_answer(hop: &Hop) -> bool {
    let is_good = hop.line.code().is_some_and(|code| code < 400);
    is_good && hop.finding.is_none() && !gather::evidence(&hop.line).flags.any_failure()
}

/// Whether the failure at `at` is what another's looks like from there.
fn follows_from_another<'a>(
    parents: &[Option<usize>],
    failed: &impl Fn(usize) -> Option<&'a Finding>,
    is_tunnels: &impl Fn(usize) -> bool,
    at: usize,
    count: usize,
) -> bool {
    let Some(finding) = failed(at) else { return false };
    if finding.cause == Cause::ClientDisconnected {
        // The client of this hop is the proxy in front of it, which gave up.
        return ancestors(parents, at).any(|above| failed(above).is_some());
    }
    let behind = |other: usize| ancestors(parents, other).any(|above| above == at);
    let failed_behind = (0..count)
        .filter(|other| behind(*other))
        .filter_map(failed)
        .any(|finding| finding.cause != Cause::ClientDisconnected);
    // Through a tunnel comes what ztunnel found at the other end, in the same words.
    let same_behind = (0..count)
        .filter(|other| behind(*other) && is_tunnels(*other))
        .filter_map(failed)
        .any(|other| other.cause == finding.cause);
    (failed_behind && finding.cause.definition().peer_may_know) || same_behind
}

/// What the two ends of one connection say together, and neither of them alone.
fn together(asked: &Hop, was_asked: &Hop) -> Option<Finding> {
    let (finding, peer) = (asked.finding.as_ref()?, &was_asked.line);
    let no_chain = peer.get(Column::Details) == Some("filter_chain_not_found");
    // Without a server name it was plaintext: what this end sent, the other has no filter chain for.
    let plaintext = peer.get(Column::Sni).is_none();
    let ended = matches!(
        finding.cause,
        Cause::UpstreamClosedConnection | Cause::UpstreamReset | Cause::DestinationRuleTlsConflict
    );
    // A connection that never was is another matter.
    (no_chain && plaintext && ended).then_some(())?;
    let named = (Cause::DestinationRuleTlsConflict, Confidence::Likely);
    let mut together = Finding::of_line(named, Vec::new(), Some(false), None);
    together.evidence = format!("{}; peer=filter_chain_not_found", finding.evidence);
    together.resource.clone_from(&finding.resource);
    Some(together)
}

/// Whether the second is what one ztunnel logged of a connection that another one asked for, and the first what that one was answered
/// (`http status: 401`). Each names the tunnel's own port, which isn't the same.
pub fn is_tunnel(asked: &Hop, was_asked: &Hop) -> bool {
    const ANSWER: &str = "error=http status: ";
    let says = |hop: &Hop| hop.finding.as_ref().map(|finding| finding.evidence.starts_with(ANSWER));
    let host = |hop: &Hop| {
        let address = hop.line.get(Column::RemoteAddress)?;
        address.rsplit_once(':').map(|(host, _)| host.to_owned())
    };
    let from = host(asked);
    let to = connection::destination(&asked.line);
    says(asked) == Some(true)
        && says(was_asked) == Some(false)
        && !asked.line.shows(Column::Code)
        && !was_asked.line.shows(Column::Code)
        && from.is_some()
        && from == host(was_asked)
        && to.is_some()
        && to == connection::destination(&was_asked.line)
}

/// The hop that sent the request here.
fn parent(hops: &[Hop], at: usize) -> Option<usize> {
    let this = hops.get(at)?;
    let others = || hops.iter().enumerate().filter(|(other, _)| *other != at);
    let same = |a: Option<&str>, b: Option<&str>| a.is_some() && a == b;
    let get = |hop: &Hop, column| hop.line.get(column).map(str::to_owned);
    let is = |hop: &Hop, direction: &str| {
        // Not a waypoint's `inbound-vip|...`.
        hop.line
            .get(Column::Cluster)
            .and_then(|name| name.strip_prefix(direction))
            .is_some_and(|rest| rest.starts_with('|'))
    };
    // Where the logs of two pods are one file, what came in may be what this line sent.
    let sent_to = |other: &Hop| {
        same(get(this, Column::UpstreamLocal).as_deref(), get(other, Column::RemoteAddress).as_deref())
    };
    // The same connection: its two ends are logged by the two proxies.
    let connected = others().find(|(_, other)| {
        let ends =
            same(get(other, Column::UpstreamLocal).as_deref(), get(this, Column::RemoteAddress).as_deref());
        let place =
            same(get(other, Column::UpstreamHost).as_deref(), get(this, Column::LocalAddress).as_deref());
        // An egress gateway asks for the address that the application asked for.
        (ends || (place && !sent_to(other))) && !is(other, "inbound")
    });
    // A waypoint's tunnel ends at a ztunnel: both name the workload's own address.
    let tunnelled = || {
        others().find(|(_, other)| {
            let inner = other.line.get(Column::UpstreamHost).is_some_and(|host| host.starts_with("envoy://"));
            let same = connection::destination(&other.line)
                .is_some_and(|to| connection::destination(&this.line) == Some(to));
            inner && same
        })
    };
    // A tunnel to a waypoint, which logs the addresses inside of it: both names are the request's own.
    let to_waypoint = || {
        others().find(|(_, other)| {
            let into = other.line.get(Column::UpstreamHost).is_some_and(|host| host.starts_with("envoy://"));
            let same =
                same(get(other, Column::Authority).as_deref(), get(this, Column::Authority).as_deref());
            into && same
                && is(this, "inbound-vip")
                && !is(other, "inbound-vip")
                && !is(other, "inbound")
                && other.proxy != this.proxy
        })
    };
    let is_behind = |other: &Hop| {
        sent_to(other)
            || same(get(this, Column::UpstreamHost).as_deref(), get(other, Column::LocalAddress).as_deref())
    };
    // A pod's own: what came in, and what the application then asked for.
    let inbound = || {
        others().find(|(_, other)| {
            other.proxy == this.proxy && is(other, "inbound") && !is(this, "inbound") && !is_behind(other)
        })
    };
    // A retry at another endpoint: only the last one's address is logged.
    let retried = || {
        others().find(|(_, other)| {
            is(this, "inbound")
                && !is(other, "inbound")
                && other.proxy != this.proxy
                && same(get(other, Column::Authority).as_deref(), get(this, Column::Authority).as_deref())
        })
    };
    let between_ztunnels = || others().find(|(_, other)| is_tunnel(other, this));
    connected
        .or_else(between_ztunnels)
        .or_else(tunnelled)
        .or_else(to_waypoint)
        .or_else(inbound)
        .or_else(retried)
        .map(|(other, _)| other)
}

/// The hops in front, the nearest first. Bounded, should addresses make a ring.
fn ancestors(parents: &[Option<usize>], at: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(parents.get(at).copied().flatten(), |at| parents.get(*at).copied().flatten())
        .take(parents.len())
}
