//! The two ends of one connection, as two proxies log them.

use crate::explain::{Column, Line, time};

/// Milliseconds between what both ends log of a connection's end. Ports are used again after a minute at the earliest.
const CLOSE: i64 = 5_000;

/// The socket from which a proxy asked the upstream.
pub fn asked_from<'a>(line: &'a Line<'_>) -> Option<&'a str> {
    line.get(Column::UpstreamLocal).and_then(socket)
}

/// The socket from which a proxy was asked.
pub fn was_asked_from<'a>(line: &'a Line<'_>) -> Option<&'a str> {
    line.get(Column::RemoteAddress).and_then(socket)
}

/// An address with a port of a connection's own.
fn socket(address: &str) -> Option<&str> {
    let (host, port) = address.rsplit_once(':')?;
    (!host.is_empty() && port != "0" && port.bytes().all(|byte| byte.is_ascii_digit())).then_some(address)
}

/// The address that was asked; a waypoint's stands behind the name of its inner listener.
pub fn destination<'a>(line: &'a Line<'_>) -> Option<&'a str> {
    line.get(Column::UpstreamHost).and_then(|host| host.rsplit('/').next()).and_then(socket)
}

/// Whether both may have ended together, as far as they say when.
pub fn are_close(a: &Line<'_>, b: &Line<'_>) -> bool {
    match (Span::of(a), Span::of(b)) {
        (Some(a), Some(b)) => a.to.abs_diff(b.to) <= CLOSE.unsigned_abs(),
        _ => true,
    }
}

/// Milliseconds between the ends of both, of two that say when.
pub fn apart(a: &Line<'_>, b: &Line<'_>) -> Option<u64> {
    Some(Span::of(a)?.to.abs_diff(Span::of(b)?.to))
}

/// From when to when a request or connection lived, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    from: i64,
    to: i64,
}

impl Span {
    /// Of a line that says when it began.
    pub fn of(line: &Line<'_>) -> Option<Self> {
        let from = time::millis(line.get(Column::Time)?)?;
        let lived = line.get(Column::Duration).and_then(|duration| duration.parse().ok()).unwrap_or(0);
        Some(Self { from, to: from.checked_add(lived)? })
    }

    /// Whether it lies within another one, by clocks that differ by so much at the most.
    pub const fn is_within(self, other: Self, tolerance: i64) -> bool {
        self.from >= other.from.saturating_sub(tolerance) && self.to <= other.to.saturating_add(tolerance)
    }

    /// Whether the two may be of one request, by the clocks of two nodes.
    pub const fn overlaps(self, other: Self) -> bool {
        self.from <= other.to.saturating_add(SKEW) && other.from <= self.to.saturating_add(SKEW)
    }
}

/// Milliseconds by which the clocks of two nodes differ at the most.
pub const SKEW: i64 = 1_000;
/// The same of two that are kept well.
pub const FINE_SKEW: i64 = 50;

/// Whether `inner` may be what the next proxy logged of the request that `outer` sent on: over the same connection, at that time.
pub fn carried(outer: &Line<'_>, inner: &Line<'_>, tolerance: i64) -> bool {
    let both = |a: Option<&str>, b: Option<&str>| a.is_none() || b.is_none() || a == b;
    let (Some(from), Some(to)) = (asked_from(outer), was_asked_from(inner)) else { return false };
    let (Some(sent), Some(seen)) = (Span::of(outer), Span::of(inner)) else { return false };
    from == to
        && both(destination(outer), inner.get(Column::LocalAddress).and_then(socket))
        && both(outer.get(Column::Method), inner.get(Column::Method))
        && both(outer.get(Column::Path), inner.get(Column::Path))
        && seen.is_within(sent, tolerance)
}
