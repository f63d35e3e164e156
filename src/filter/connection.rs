//! The connection role: the first bytes of each connection, and how connections on TCP chains end.

use super::{Plugin, collect};
use crate::evidence::{Evidence, Flags};
use crate::host::{Buffer, Host};
use crate::report::Series;
use crate::wire::{Protocol, Sniffer};

/// One connection, in front of a connection manager or of a TCP proxy.
#[derive(Debug)]
pub struct Connection {
    client: Sniffer,
    server: Sniffer,
    sampled: bool,
    /// Whether what the client sent was answered: no filter behind this one has refused it.
    answered: bool,
    /// Whether either side has half-closed.
    ended: bool,
    /// Whether it was this proxy that closed the client's connection, for whatever reason.
    closed_here: bool,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            client: Sniffer::client(),
            server: Sniffer::server(),
            sampled: false,
            answered: false,
            ended: false,
            closed_here: false,
        }
    }
}

impl Connection {
    /// A new connection; a `sampled` one is observed if it succeeds.
    pub fn new(sampled: bool) -> Self {
        Self { sampled, ..Self::default() }
    }

    /// Bytes from the client pass.
    pub fn on_downstream_data(&mut self, host: &impl Host, end_of_stream: bool) {
        self.ended |= end_of_stream;
        if feed(&mut self.client, host, Buffer::DownstreamData)
            && let Some(seen) = self.client.seen()
        {
            // What the HTTP role of this connection reads. Written before the connection manager parses.
            let _ = host.set_property(collect::FIRST_BYTES, seen.encode().as_bytes());
        }
    }

    /// Bytes from the upstream pass (or, in front of a connection manager, its answer).
    pub fn on_upstream_data(&mut self, host: &impl Host, end_of_stream: bool) {
        self.ended |= end_of_stream;
        self.answered |= self.client.seen().is_some();
        // The response matters only where the client didn't speak HTTP, or where the connection is
        // sampled.
        if self.sampled || !self.client_spoke_http() {
            feed(&mut self.server, host, Buffer::UpstreamData);
        }
    }

    /// The client's connection is closed, by this proxy or by the client.
    pub fn on_downstream_close(&mut self, by_proxy: bool) {
        self.closed_here = by_proxy;
    }

    /// The connection has ended.
    pub fn on_log(&mut self, host: &impl Host, plugin: &mut Plugin, series: &mut Series) {
        let flags = collect::flags(host).unwrap_or_default();
        let Some(mut evidence) = self.gather(host, flags) else { return };
        evidence.direction = plugin.direction(host);
        let cluster = evidence.upstream.cluster.as_ref();
        evidence.past.answered = plugin.history.has_answered(cluster);
        if self.server.seen().is_some() {
            plugin.history.remember_answer(cluster);
        }
        if self.sampled {
            plugin.observe(host, series, &evidence);
        }
        let moment = plugin.moment(host);
        let _ = plugin.conclude(host, series, evidence, moment);
    }

    fn gather(&self, host: &impl Host, flags: Flags) -> Option<Box<Evidence>> {
        let client = self.client.seen().cloned();
        let spoke = |is: fn(Protocol) -> bool| client.as_ref().is_some_and(|first| is(first.protocol));
        if !flags.any_failure()
            && spoke(|p| !p.is_http() && p != Protocol::Text)
            && collect::waits_for_http(host)
        {
            return Some(collect::never_http(host, flags, client));
        }
        if client.is_none()
            && !flags.any_failure()
            && let Some(waiting) = collect::waits_for_greeting(host, flags)
        {
            return Some(waiting);
        }
        // HTTP/2's codec closes without a word on what is no HTTP/2, and no stream is logged (1.40); HTTP/1's answers 400.
        if flags.contains(Flags::DOWNSTREAM_PROTOCOL_ERROR)
            && !self.answered
            && spoke(|p| p == Protocol::Http1)
        {
            return Some(collect::unanswered(host, flags, client));
        }
        let silent = client.is_none() && self.server.seen().is_none() && !self.ended;
        if self.closed_here
            && silent
            && !flags.any_failure()
            && let Some(refused) = collect::turned_away(host, flags)
        {
            return Some(refused);
        }
        let suspicious =
            flags.any_failure() || (spoke(Protocol::is_tls) && collect::upstream_tls(host).is_some());
        let cut_off = self.was_in_use() && !flags.any_failure() && collect::flags_upstream_resets(host);
        let failed_in_tcp_proxy = (suspicious || cut_off || self.sampled) && is_tcp(host, flags);
        // A refusal has no flag (1.40). Servers that greet first have spoken before the client is refused.
        let refused = || !self.answered && collect::refused_by_policy(host);
        if !failed_in_tcp_proxy && !refused() {
            return None;
        }
        let mut evidence = collect::tcp(host, flags);
        evidence.downstream.first_bytes = client;
        evidence.upstream.first_bytes = self.server.seen().cloned();
        if cut_off {
            evidence.cut_off = true;
            collect::session(host, &mut evidence);
        }
        Some(evidence)
    }

    /// Whether this proxy closed a session of another protocol than HTTP although it had been answered, and neither side had ended it.
    fn was_in_use(&self) -> bool {
        self.closed_here && self.answered && !self.ended && !self.client_spoke_http()
    }

    fn client_spoke_http(&self) -> bool {
        self.client.seen().is_some_and(|first| first.protocol.is_http())
    }
}

/// Whether this connection belongs to a TCP proxy: only that one picks a cluster, or fails to, for a whole
/// connection. A connection manager leaves a flag of its own (DPE, DT, OM) on the connection, and no cluster.
pub(super) fn is_tcp(host: &impl Host, flags: Flags) -> bool {
    const BY_TCP_PROXY: Flags = Flags::NO_HEALTHY_UPSTREAM
        .union(Flags::UPSTREAM_CONNECTION_FAILURE)
        .union(Flags::UPSTREAM_OVERFLOW)
        .union(Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED)
        .union(Flags::NO_CLUSTER_FOUND);
    flags.intersects(BY_TCP_PROXY) || collect::cluster(host).is_some()
}

/// Gives the sniffer the bytes that it needs; whether there were any.
fn feed(sniffer: &mut Sniffer, host: &impl Host, buffer: Buffer) -> bool {
    let wanted = sniffer.wants();
    if wanted == 0 {
        return false;
    }
    let bytes = host.buffer(buffer, 0, wanted).unwrap_or_default();
    if bytes.is_empty() {
        return false;
    }
    sniffer.push(&bytes);
    true
}
