//! What has a client's words and is of something else: settings, limits, names of other things, connections that were closed in order.

use super::mention::behind;
use super::symptom::Symptom;

/// What reports a failure, as most write it.
const FAILS: &[&str] = &[
    "error",
    "fail",
    "exception",
    "exceed",
    "expired",
    "elapsed",
    "unable",
    "cannot",
    "can't",
    "could not",
    "couldn't",
    "unexpected",
    "abnormal",
    "abort",
    "timed out",
    "lost",
    "refus",
    "reset",
    "broken",
    "retrying",
];

/// Whether a text reports a failure.
pub(super) fn reports_failure(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    FAILS.iter().any(|fails| lower.contains(fails))
}

/// Whether a connection that was closed had come to its end: `SIGTERM received, connections closed`.
pub(super) fn is_orderly(text: &str) -> bool {
    const ENDS: &[&str] = &[
        "sigterm",
        "sigint",
        "app termination",
        "max lifetime",
        "max age",
        "and replaced",
        "logged out",
        "logged off",
        "code 1000",
        "code=1000",
        "code: 1000",
        "normal closure",
    ];
    // Whoever asks a server that is about to end sees a failure.
    const OWN_ENDS: &[&str] = &["draining", "drained", "shutting down"];
    const PEERS: &[&str] =
        &["server", "broker", "remote", "peer", "upstream", "node", "primary", "backend", "pod"];
    let lower = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    (has(ENDS) || (has(OWN_ENDS) && !has(PEERS))) && !has(FAILS)
}

/// Whether what stands behind a client's words makes another thing of them: `ENFILE=65536`, `connect timed out: 30s`.
pub(super) fn is_another(
    text: &str,
    end: usize,
    (words, symptom): (&str, Symptom),
    reports_failure: impl Fn() -> bool,
) -> bool {
    const OTHERS: &[(&str, &[&str])] = &[
        ("Failed to create socket", &[" dir", " file", " path"]),
        ("Stream removed", &[" from "]),
        ("connection dropped", &[" from the list"]),
        ("connection was dropped", &[" from the list"]),
    ];
    let rest = behind(text, end);
    if OTHERS.iter().any(|(of, behind)| *of == words && behind.iter().any(|behind| rest.starts_with(behind)))
    {
        return true;
    }
    let Some(value) = rest.trim_start().strip_prefix([':', '=']).map(str::trim_start) else { return false };
    let unit = value.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_number = unit.len() < value.len();
    match symptom {
        // Go's and Linux' names of the error, and limits of systemd.
        Symptom::NoDescriptors => is_number && matches!(words, "EMFILE" | "ENFILE"),
        Symptom::NoConnection | Symptom::NoAnswer => {
            // `httpx.ReadTimeout: 5s` is an exception's.
            let is_name = words.contains(['.', ':']);
            is_number && is_unit(unit.trim_start()) && !is_name && !reports_failure()
        }
        _ => false,
    }
}

/// Whether a unit of time is all that follows a number.
fn is_unit(text: &str) -> bool {
    const UNITS: &[&str] =
        &["ms", "msec", "s", "sec", "secs", "second", "seconds", "m", "min", "minutes", "h"];
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (unit, rest) = text.split_at_checked(end).unwrap_or_default();
    UNITS.contains(&unit) && (rest.is_empty() || rest.starts_with([',', ';', ')', '"', '\'', ' ', '}']))
}

#[cfg(test)]
mod tests {
    use crate::explain::said::client::read;

    #[test]
    fn what_has_the_words_and_is_of_something_else_is_none() {
        for text in [
            "LimitENFILE: 1024",
            "ENFILE=65536",
            "SET statement timeout = 30s",
            "statement timeout: 500 ms",
            "连接超时: 30s",
            "connect timeout: 30s, read timeout: 60s",
            "Failed to create socket directory /var/run/x: permission denied",
            "Stream removed from playlist",
            "error code 500 rows inserted",
            "expected status code: 503",
            "expects status 503",
            "Exit status 502 of batch",
            "no nodes available for scheduling: 0/3 nodes are available",
            "TLS certificate renewal failed for host a",
            "Backup failed: host address book name lookup table missing",
            "the code 503 means that nobody was there",
            "HTTP 500 error budget is 0.1%",
            "invalid connection string",
            "failed to parse connection url",
            "failed to parse the connection",
            "failed to remove socket /tmp/x.sock: no such file",
            "failed to open socket file /tmp/x.sock",
            "failed to create tls secret",
            "TLS secret creation failed",
            "TLS certificate request failed for host a",
            "address book lookup failed",
            "stale channel list, refreshing",
            "channel #general was dropped from the list",
            "the transport company refused the parcel",
            "ERROR reading config: timeout must be a number",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        for text in [
            "accept4: EMFILE",
            "Error: EMFILE: too many open files, open '/a'",
            "ERROR: canceling statement due to statement timeout",
            "连接超时: 10.0.0.1:80",
            "Error: connect timed out: 30s",
            "failed to open a connection",
            "failed to read from socket",
            "invalid connection",
            "connection to a failed: invalid config of the server",
            "server address lookup failed",
            "tls: handshake has failed",
            "HTTP 500 error from a",
            "JedisException: Failed to create socket.",
            "details = \"Stream removed\"",
            "error code 500 from a",
            "status=503 bytes=12",
            "unexpected status code: 503",
            "None of the configured nodes are available: [{a}]",
            "no nodes available",
            "TLS handshake failed for host a",
            "dns name lookup failed",
            "channel #3 was dropped",
            "the connection was dropped",
            "the server refused the connection",
            "the upstream refused the request",
            "the upstream refused a new connection",
            "httpx.ReadTimeout: 5s",
            "deadline has elapsed: 5s",
            "ERROR reading response: timeout",
        ] {
            assert!(read(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_ended_in_order_is_none() {
        for text in [
            "SIGTERM received, connections closed",
            "Received SIGTERM, draining: 12 connections terminated",
            "pool: max lifetime reached, connection closed and replaced",
            "WebSocket closed with code 1000",
            "MongoDB connection closed through app termination",
            "user logged out, connection closed",
            "shutting down, connection closed",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        for text in [
            "connection closed",
            "WebSocket closed with code 1006",
            "MongoDB connection closed unexpectedly through app termination",
            "server is shutting down, connection closed",
            "broker draining, connection was closed",
            "connection closed: the pod is draining",
            "got SIGTERM while waiting: connection refused",
            "lost connection, max lifetime 30s",
        ] {
            assert!(read(text).is_some(), "{text}");
        }
    }
}
