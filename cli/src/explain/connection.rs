//! The two ends of one connection, as two proxies log them.

use super::{Column, Line, time};

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
    match (ended(a), ended(b)) {
        (Some(a), Some(b)) => a.abs_diff(b) <= CLOSE.unsigned_abs(),
        _ => true,
    }
}

fn ended(line: &Line<'_>) -> Option<i64> {
    let start = time::millis(line.get(Column::Time)?)?;
    let lived = line.get(Column::Duration).and_then(|duration| duration.parse().ok()).unwrap_or(0);
    start.checked_add(lived)
}
