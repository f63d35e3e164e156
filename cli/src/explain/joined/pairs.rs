//! Each failure once: what stands in the access log and in meshwhy's own line of the proxy's log is joined.

// Envoy writes its own log at once and the access log when its buffer is full or its time has come (10 s, with Istio 1 s), so the own
// line mostly comes first. A failure that has no partner is reported by itself: none is hidden.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::pair;
use crate::explain::{Finding, Line, Own};

/// Milliseconds of log time that an own line is kept: longer than Envoy keeps its access log.
const KEEP_OWN: u64 = 15_000;
/// The same for a line of the access log: an own line is behind it only where two pipes met.
const KEEP_LINE: u64 = 2_000;
/// No more of each are kept; beyond it the oldest is reported by itself. Envoy's buffer holds a few hundred lines (64 KB), so whoever is this far
/// behind has no partner.
const MOST: usize = 4_096;
/// Candidates for a partner that are looked at, at the most.
const MOST_TRIED: usize = 512;
/// How often [`Pairs::tick`] is called before an own line is reported by itself, and a line of the access log.
const PATIENCE_OWN: u8 = 15;
const PATIENCE_LINE: u8 = 2;

/// A failure to be reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure<P> {
    /// The request's facts; of an own line alone what little it has.
    pub line: Box<Line<'static>>,
    /// Why it failed: the filter's verdict where it is known.
    pub finding: Box<Finding>,
    /// Where it stood: in the access log, if it stood there.
    pub place: P,
}

/// The failures of one input that may still find a partner. Its size is bounded.
#[derive(Debug)]
pub struct Pairs<P> {
    owns: Kept<Own, P>,
    lines: Kept<Logged, P>,
}

/// A failure in the access log.
type Logged = (Box<Line<'static>>, Box<Finding>);

/// By time, and those of one time in the order of the log.
#[derive(Debug)]
struct Kept<T, P> {
    by_time: BTreeMap<(i64, u64), Held<T, P>>,
    next: u64,
}

/// One that is kept; it has no place any more once it was reported.
#[derive(Debug)]
struct Held<T, P> {
    what: T,
    place: Option<P>,
    age: u8,
}

impl<P> Default for Pairs<P> {
    fn default() -> Self {
        Self { owns: Kept::default(), lines: Kept::default() }
    }
}

impl<P> Pairs<P> {
    /// A failure in the access log; `place` is none where it was reported already.
    pub fn line(
        &mut self,
        line: Box<Line<'static>>,
        finding: Box<Finding>,
        place: Option<P>,
        emit: &mut dyn FnMut(Failure<P>),
    ) {
        let Some(end) = pair::end(&line) else {
            return emit_line((line, finding), place, emit);
        };
        self.forget(end, emit);
        let fits = |own: &Own| pair::fit(own, &line, &finding);
        match self.owns.take(end, pair::close_to(end), fits) {
            Some(own) => emit_both(own, (line, finding), place, emit),
            None => {
                self.lines.keep(end, (line, finding), place);
                self.let_lines_go(|lines| lines.oldest_beyond(MOST), emit);
            }
        }
    }

    /// A failure in the proxy's own log.
    pub fn own(&mut self, own: Own, place: P, emit: &mut dyn FnMut(Failure<P>)) {
        let Some(said) = pair::said(&own) else { return emit_own(own, Some(place), emit) };
        self.forget(said, emit);
        let fits = |(line, finding): &Logged| pair::fit(&own, line, finding);
        match self.lines.take(said, pair::close_to(said), fits) {
            Some(line) => {
                let own = Held { what: own, place: Some(place), age: 0 };
                emit_both(own, line.what, line.place, emit);
            }
            None => {
                self.owns.keep(said, own, Some(place));
                self.let_owns_go(|owns| owns.oldest_beyond(MOST), emit);
            }
        }
    }

    /// The clock on the wall moves on, for those who read along: what has waited long is reported, and known if a partner comes.
    pub fn tick(&mut self, emit: &mut dyn FnMut(Failure<P>)) {
        for key in self.lines.tired(PATIENCE_LINE) {
            let Some(mut line) = self.lines.by_time.remove(&key) else { continue };
            match self.far_own(key.0, &line.what) {
                Some(own) => emit_both(own, line.what, line.place, emit),
                None => {
                    emit_line(line.what.clone(), line.place.take(), emit);
                    self.lines.by_time.insert(key, line);
                }
            }
        }
        for key in self.owns.tired(PATIENCE_OWN) {
            if let Some(own) = self.owns.by_time.get_mut(&key) {
                emit_own(own.what.clone(), own.place.take(), emit);
            }
        }
    }

    /// Nothing more comes.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Failure<P>)) {
        self.let_lines_go(|lines| lines.oldest_beyond(0), emit);
        self.let_owns_go(|owns| owns.oldest_beyond(0), emit);
    }

    /// Reports what can have no partner any more. Logs may be put together: time may go back.
    fn forget(&mut self, now: i64, emit: &mut dyn FnMut(Failure<P>)) {
        self.let_lines_go(|lines| lines.far_from(now, KEEP_LINE), emit);
        self.let_owns_go(|owns| owns.far_from(now, KEEP_OWN), emit);
    }

    fn let_lines_go(
        &mut self,
        next: impl Fn(&mut Kept<Logged, P>) -> Option<(i64, Held<Logged, P>)>,
        emit: &mut dyn FnMut(Failure<P>),
    ) {
        while let Some((end, line)) = next(&mut self.lines) {
            match self.far_own(end, &line.what) {
                Some(own) => emit_both(own, line.what, line.place, emit),
                None => emit_line(line.what, line.place, emit),
            }
        }
    }

    /// The last chance of a line is an own one that is further away.
    fn far_own(&mut self, end: i64, (line, finding): &Logged) -> Option<Held<Own, P>> {
        self.owns.take(end, pair::near(end), |own| pair::fit(own, line, finding))
    }

    fn let_owns_go(
        &mut self,
        next: impl Fn(&mut Kept<Own, P>) -> Option<(i64, Held<Own, P>)>,
        emit: &mut dyn FnMut(Failure<P>),
    ) {
        while let Some((_, Held { what, place, .. })) = next(&mut self.owns) {
            emit_own(what, place, emit);
        }
    }
}

/// Both are of one failure: it is reported once, with the filter's verdict and the request's facts, unless one of them was reported already.
fn emit_both<P>(
    own: Held<Own, P>,
    (line, finding): Logged,
    place: Option<P>,
    emit: &mut dyn FnMut(Failure<P>),
) {
    if own.place.is_some() {
        let resource = own.what.finding.resource.or(finding.resource);
        let finding = Box::new(Finding { resource, ..own.what.finding });
        emit_line((line, finding), place, emit);
    }
}

fn emit_line<P>((line, finding): Logged, place: Option<P>, emit: &mut dyn FnMut(Failure<P>)) {
    if let Some(place) = place {
        emit(Failure { line, finding, place });
    }
}

fn emit_own<P>(own: Own, place: Option<P>, emit: &mut dyn FnMut(Failure<P>)) {
    emit_line((Box::new(own.line), Box::new(own.finding)), place, emit);
}

impl<T, P> Default for Kept<T, P> {
    fn default() -> Self {
        Self { by_time: BTreeMap::new(), next: 0 }
    }
}

impl<T, P> Kept<T, P> {
    fn keep(&mut self, time: i64, what: T, place: Option<P>) {
        self.by_time.insert((time, self.next), Held { what, place, age: 0 });
        self.next = self.next.wrapping_add(1);
    }

    /// Takes out the one that fits and is nearest in time; of equals the first.
    fn take(
        &mut self,
        time: i64,
        within: RangeInclusive<i64>,
        fits: impl Fn(&T) -> bool,
    ) -> Option<Held<T, P>> {
        let candidates =
            self.by_time.range((*within.start(), 0)..=(*within.end(), u64::MAX)).take(MOST_TRIED);
        let fitting = candidates.filter(|(_, held)| fits(&held.what));
        let key = *fitting.min_by_key(|((other, _), _)| other.abs_diff(time))?.0;
        self.by_time.remove(&key)
    }

    /// Takes out one that is further away in time.
    fn far_from(&mut self, time: i64, most: u64) -> Option<(i64, Held<T, P>)> {
        let is_far = |key: &(i64, u64)| key.0.abs_diff(time) > most;
        let first = self.by_time.first_key_value().map(|(key, _)| *key).filter(is_far);
        let last = || self.by_time.last_key_value().map(|(key, _)| *key).filter(is_far);
        let key = first.or_else(last)?;
        Some((key.0, self.by_time.remove(&key)?))
    }

    /// Takes out the oldest, if there are more.
    fn oldest_beyond(&mut self, most: usize) -> Option<(i64, Held<T, P>)> {
        let ((time, _), held) = (self.by_time.len() > most).then(|| self.by_time.pop_first()).flatten()?;
        Some((time, held))
    }

    /// Makes all of them older; returns those that have waited this long and were not reported.
    fn tired(&mut self, patience: u8) -> Vec<(i64, u64)> {
        let mut tired = Vec::new();
        for (key, held) in &mut self.by_time {
            held.age = held.age.saturating_add(1);
            if held.age > patience && held.place.is_some() {
                tired.push(*key);
            }
        }
        tired
    }
}

#[cfg(test)]
mod tests;
