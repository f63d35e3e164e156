//! Whether a line of the access log and one of meshwhy in the proxy's own log report the same failure.

// The own line has no request id. What both have must be the same: the proxy, the time, the facts, and a cause that fits.

use std::ops::RangeInclusive;

use meshwhy::causes::Cause;
use meshwhy::evidence::{Details, Flags, TransportFailure, name};
use meshwhy::report::{LONGEST_FACT, escape};

use crate::explain::said::own;
use crate::explain::{Column, Finding, Line, Own, time};

/// Milliseconds between a stream's end and its own line: they are written in the same turn of the worker's loop (Envoy 1.40: up to 3 apart on
/// a quiet machine, 11 on a busy one), times are cut to whole ones, and two clocks are read.
const CLOSE: i64 = 20;
/// The same where the proxy got no processor in between (seen: 335, and 111 the other way round).
const FAR: i64 = 1_000;

/// When the stream or connection ended, in milliseconds: its line was written then, whenever it got into the file.
pub(in crate::explain) fn end(line: &Line<'_>) -> Option<i64> {
    let start = time::millis(line.get(Column::Time)?)?;
    start.checked_add(line.get(Column::Duration)?.parse().ok()?)
}

/// When an own line was written.
pub(in crate::explain) fn said(own: &Own) -> Option<i64> {
    time::millis(own.line.get(Column::Time)?)
}

/// Times that go with this one, of whichever of the two.
pub(in crate::explain) fn close_to(time: i64) -> RangeInclusive<i64> {
    time.saturating_sub(CLOSE)..=time.saturating_add(CLOSE)
}

/// Times that may go with this one where nothing is closer.
pub(in crate::explain) fn near(time: i64) -> RangeInclusive<i64> {
    time.saturating_sub(FAR)..=time.saturating_add(FAR)
}

/// Whether the two may be of the same failure: they share facts, and none speaks against it. Their times are looked at elsewhere.
pub(in crate::explain) fn fit(own: &Own, line: &Line<'_>, finding: &Finding) -> bool {
    let shown = || own::facts(&own.finding.evidence).filter(|(column, _)| line.shows(*column));
    own.line.proxy == line.proxy
        && own.direction.as_deref() != opposite(line)
        && fits(finding, own.finding.cause)
        && shown().any(|(column, _)| line.get(column).is_some())
        && shown().all(|(column, value)| agrees(line, column, value))
}

/// Whether the line shows this fact, too.
fn agrees(line: &Line<'_>, column: Column, value: &str) -> bool {
    let shown = line.get(column);
    let same = |shown: &str| escape(shown, LONGEST_FACT) == value;
    match column {
        Column::Code => line.code().is_some_and(|code| same(&code.to_string())),
        Column::Flags => Flags::from_short(shown.unwrap_or_default()) == Flags::from_short(value),
        // The filter keeps less of it than the access log.
        Column::Details => shown.is_some_and(|shown| same(Details::new(shown).as_str())),
        Column::Cluster | Column::UpstreamHost => shown.is_some_and(|shown| same(&name(shown.to_owned()))),
        Column::DownstreamFailure => {
            shown.and_then(TransportFailure::new).is_some_and(|failure| same(failure.words()))
        }
        // The filter may have read it where Envoy doesn't.
        _ => shown.is_none_or(same),
    }
}

/// The direction that the line's cluster rules out.
fn opposite(line: &Line<'_>) -> Option<&'static str> {
    let cluster = line.get(Column::Cluster)?;
    let starts = |start| cluster.starts_with(start);
    starts("inbound|").then_some("outbound").or_else(|| starts("outbound|").then_some("inbound"))
}

/// Whether what the line lets one know leaves room for the filter's cause.
fn fits(finding: &Finding, cause: Cause) -> bool {
    let one = |known: Cause| known == cause || known.is_broader_than(cause) || cause.is_broader_than(known);
    match finding.alternatives.as_slice() {
        [] => one(finding.cause),
        several => {
            several.iter().any(|known| one(*known))
                || (finding.cause != Cause::Unclassified && one(finding.cause))
        }
    }
}
