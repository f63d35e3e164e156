//! gRPC's status, as logs write it.

use meshwhy::evidence::GrpcStatus;

use super::{Column, Line};

/// In the order of their numbers; Envoy writes them as `DeadlineExceeded`, `DEADLINE_EXCEEDED` or `4`.
const NAMES: &[&str] = &[
    "ok",
    "canceled",
    "unknown",
    "invalidargument",
    "deadlineexceeded",
    "notfound",
    "alreadyexists",
    "permissiondenied",
    "resourceexhausted",
    "failedprecondition",
    "aborted",
    "outofrange",
    "unimplemented",
    "internal",
    "unavailable",
    "dataloss",
    "unauthenticated",
];

/// The answer's status, where it is sure that it has one.
pub(super) fn status(line: &Line<'_>) -> Option<GrpcStatus> {
    let sent = line.get(Column::GrpcTrailer).or_else(|| line.get(Column::GrpcHeader));
    if let Some(sent) = sent {
        return Some(GrpcStatus::parse(sent.as_bytes()));
    }
    // Where there is none, Envoy makes one of the HTTP status, in some versions of plain HTTP, too (envoyproxy/envoy#31483):
    // of 200 it makes UNKNOWN.
    let status = parse(line.get(Column::GrpcStatus)?)?;
    (line.code() == Some(200) && status != GrpcStatus(2)).then_some(status)
}

/// Whether a server's failure shows in it.
pub(super) fn failed(line: &Line<'_>) -> bool {
    status(line).is_some_and(GrpcStatus::is_server_error)
}

fn parse(value: &str) -> Option<GrpcStatus> {
    let name = value.replace('_', "").to_ascii_lowercase();
    let name = if name == "cancelled" { "canceled" } else { name.as_str() };
    let named = NAMES.iter().position(|known| *known == name).and_then(|number| u8::try_from(number).ok());
    named.or_else(|| value.parse().ok()).map(GrpcStatus)
}
