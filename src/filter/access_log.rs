//! The access-log role: what no filter sees (no filter chain, failed TLS handshakes), and every
//! failure that no other role has reported.

use super::connection::is_tcp;
use super::{Plugin, collect};
use crate::evidence::{Answer, Detail, Evidence, TransportFailure};
use crate::host::Host;
use crate::report::Series;

impl Plugin {
    /// A stream or connection is logged. The proxy may be at its listener or at a connection manager.
    pub fn on_access_log(&mut self, host: &impl Host, series: &mut Series) {
        if collect::already_reported(host) {
            return;
        }
        let Some(mut evidence) = gather(self, host) else { return };
        evidence.direction = self.direction(host);
        let moment = self.moment(host);
        let _ = self.conclude(host, series, evidence, moment);
    }
}

/// Finds out what is being logged. Envoy has no attribute for that.
fn gather(plugin: &mut Plugin, host: &impl Host) -> Option<Box<Evidence>> {
    let details = plugin.details(host);
    let failure = collect::downstream_failure(host);
    let handshake_failed = failure.as_ref().is_some_and(TransportFailure::is_failed_handshake);
    let unmatched = details.detail() == Detail::FilterChainNotFound;
    // A waypoint's chains are for addresses, and say nothing of TLS: the tunnel's own stream ends with it.
    if unmatched && collect::is_waypoint(host) {
        return None;
    }
    if handshake_failed || unmatched {
        return Some(collect::listener(host, details, failure));
    }
    let flags = collect::flags(host).unwrap_or_default();
    let code = collect::code(host);
    // Only streams have a code or details; connections of a connection manager have neither.
    if code.is_some() || !details.is_empty() {
        return Some(collect::http(host, flags, code, details, Answer::default()));
    }
    // The connection role saw both sides' bytes and reported nothing: this role knows less.
    let watched = collect::first_bytes(host).is_some();
    let tcp = !watched && is_tcp(host, flags);
    (tcp || collect::refused_by_policy(host)).then(|| collect::tcp(host, flags))
}
