//! Lines of which only the front is known: cut off, shortened by hand, without their time, or of a format that begins as usual and has other
//! columns behind.
//!
//! What shows a failure stands in front, behind the request's quotes, where a client can choose the path alone.

use std::borrow::Cow;

use memchr::memmem;
use meshwhy::diagnosis::Confidence;
use meshwhy::evidence::{ClusterName, Detail, Details, Flags};

use super::readings;
use super::readings::Parsed;
use crate::explain::around::prefix;
use crate::explain::outcome::{explain, finding};
use crate::explain::{Column, Finding, Format, Line, Reading};

/// The longest method that is taken for one.
const LONGEST_METHOD: usize = 16;
/// No more places are looked at where a request may end.
const MOST_ENDS: usize = 32;

/// Reads what begins with a request in quotes, its status and its flags; `known` are formats of whole lines, of which the time or the last
/// columns may be missing.
pub(in crate::explain) fn read(text: &str, known: &[Format], keep: bool) -> Option<Reading> {
    let Front { before, request } = Front::of(text)?;
    let ends = Ends::of(request);
    let [end] = ends.as_slice() else {
        return ambiguous(&ends, request);
    };
    let has_time = prefix::bracketed_time(text).is_some();
    if let Some(mut line) = whole(request, known, has_time) {
        place(&mut line, before);
        return Some(explain(&line, keep));
    }
    let mut line = end.line(request);
    end.others(&mut line);
    place(&mut line, before);
    Some(at_most(Confidence::Possible, explain(&line, keep)))
}

/// The same of a line of a known format that a client's quotes make ambiguous: whatever it wrote stands behind.
pub(in crate::explain) fn read_doubtful(text: &str, keep: bool) -> Option<Reading> {
    let Front { before, request } = Front::of(text)?;
    let ends = Ends::of(request);
    let [end] = ends.as_slice() else { return None };
    let mut line = end.line(request);
    place(&mut line, before);
    Some(at_most(Confidence::Likely, explain(&line, keep)))
}

/// The line with all its columns, if only its time or the last two are missing.
fn whole(request: &str, known: &[Format], has_time: bool) -> Option<Line<'static>> {
    let one = |format: &Format, text: &str| match format.read(text) {
        Parsed::One(line) => Some(line.to_owned_line()),
        _ => None,
    };
    let text = format!("[-] \"{}", request.trim_end());
    let cut = || {
        // Behind the last quote Istio's has six words, and these two at the end.
        let (missing, columns): (_, &[Column]) =
            match request.rsplit('"').next().unwrap_or_default().split_whitespace().count() {
                5 => (" -", &[Column::Route]),
                4 => (" - -", &[Column::Sni, Column::Route]),
                _ => return None,
            };
        let mut line = one(known.first()?, &format!("{text}{missing}"))?;
        columns.iter().for_each(|column| line.forget(*column));
        Some(line)
    };
    // With its time it was tried.
    let timeless = known.iter().filter(|_| !has_time).find_map(|format| one(format, &text));
    timeless.or_else(cut)
}

/// Whether it is a line of a known format without its last columns, or its time.
pub(in crate::explain) fn lacks_its_end(text: &str, known: &[Format]) -> bool {
    let has_time = prefix::bracketed_time(text).is_some();
    Front::of(text).is_some_and(|front| whole(front.request, known, has_time).is_some())
}

/// A path that looks like the columns behind it.
fn ambiguous(ends: &[Ends<'_>], request: &str) -> Option<Reading> {
    (!ends.is_empty()).then_some(())?;
    let fails = ends.iter().any(|end| finding(&end.line(request)).is_some());
    if !fails && ends.len() < MOST_ENDS {
        return Some(Reading::Ambiguous);
    }
    Some(Reading::Failed(Box::default(), Box::new(Finding::ambiguous(readings::QUOTES))))
}

/// Whether it is a request in its quotes alone, as a line has it whose columns stand one under the other.
pub(in crate::explain) fn is_request(text: &str) -> bool {
    let inner = text.trim().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.is_some_and(|inner| {
        let mut words = inner.split(' ');
        let has_method = words.next().is_some_and(is_method);
        has_method
            && words.next_back().is_some_and(|protocol| protocol.starts_with("HTTP/"))
            && !inner.contains('"')
    })
}

/// Whether somebody broke a line before this: a row that begins with a column in quotes, an address or a cluster.
pub(in crate::explain) fn is_cut_before(row: &str) -> bool {
    let is_address = |word: &str| {
        word.rsplit_once(':').is_some_and(|(host, port)| {
            let numbers = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            numbers(port) && (host.starts_with('[') || host.split('.').all(numbers))
        })
    };
    let first = row.split(' ').next().unwrap_or_default();
    let is_quoted = row.starts_with('"') && row.split('"').count() > 2 && !begins(row) && !is_request(row);
    is_quoted || is_cluster(first) || is_address(first)
}

/// Whether a line begins so.
pub(in crate::explain) fn begins(text: &str) -> bool {
    Front::of(text).is_some_and(|front| !Ends::of(front.request).is_empty())
}

/// Of columns that aren't shown nobody knows that they would not say something else.
pub(in crate::explain) fn at_most(most: Confidence, reading: Reading) -> Reading {
    match reading {
        Reading::Failed(line, mut finding) => {
            finding.confidence = finding.confidence.min(most);
            Reading::Failed(line, finding)
        }
        other => other,
    }
}

/// Sets who wrote it and when.
pub(in crate::explain) fn place(line: &mut Line<'_>, before: &str) {
    let words = || before.split_whitespace().map(|word| word.trim_matches(['[', ']']));
    if let Some(time) = words().rfind(|word| prefix::date_and(word, "T")) {
        line.set(Column::Time, Cow::Owned(time.to_owned()));
    }
    let (before, _) = before.rsplit_once('[').unwrap_or((before, ""));
    line.proxy = prefix::proxy(before);
}

/// A line up to the request's quote, and from there.
struct Front<'a> {
    before: &'a str,
    request: &'a str,
}

impl<'a> Front<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (before, request) = text.split_once('"')?;
        // Whose it is, as people write it: `Server - "GET ..."`.
        let before = before.trim_end_matches(' ').trim_end_matches([' ', '-', '\u{2013}', '\u{2014}']);
        if is_method(request.split(' ').next()?) && prefix::is_prefix(before) {
            return Some(Self { before, request });
        }
        // The quote was lost with what stood in front of it; or all of the request but its protocol.
        let (words, protocol) = before.rsplit_once(' ').unwrap_or(("", before));
        const PROTOCOLS: [&str; 4] = ["HTTP/1.1", "HTTP/1.0", "HTTP/2", "HTTP/3"];
        let is_cut = words.is_empty() && PROTOCOLS.iter().any(|whole| whole.ends_with(protocol));
        (protocol.starts_with("HTTP/") || (is_cut && protocol.contains('/'))).then_some(())?;
        let is_request =
            words.split_once(' ').is_some_and(|(method, path)| is_method(method) && path.starts_with('/'));
        // Scrolled out of a terminal: the end of a method and a path, or of a path.
        let is_rest = match words.split_once(' ') {
            Some((method, path)) => {
                method.bytes().all(|byte| byte.is_ascii_uppercase())
                    && path.starts_with('/')
                    && !path.contains(' ')
            }
            None => words.starts_with('/'),
        };
        let at = match () {
            () if is_request => 0,
            () if protocol.starts_with("HTTP/") => before.len().saturating_sub(protocol.len()),
            () => before.len(),
        };
        (is_request || is_rest || matches!(words, "" | "$"))
            .then_some(Self { before: "", request: text.get(at..)? })
    }
}

fn is_method(word: &str) -> bool {
    let proper = word.bytes().all(|byte| byte.is_ascii_uppercase());
    word == "-" || (proper && (3..=LONGEST_METHOD).contains(&word.len()))
}

/// Where a request may end: behind it stand a status and flags.
struct Ends<'a> {
    /// Up to its closing quote.
    at: usize,
    code: &'a str,
    flags: &'a str,
    /// What stands behind the flags.
    rest: &'a str,
}

impl<'a> Ends<'a> {
    /// Where the first quote is none, a path has quotes of its own.
    fn of(request: &'a str) -> Vec<Self> {
        let Some(first) = request.find('"').and_then(|at| Self::at(request, at)) else { return Vec::new() };
        let behind = first.at.saturating_add(1);
        let later = request.get(behind..).unwrap_or_default();
        let others = memmem::find_iter(later.as_bytes(), "\" ");
        let others = others.filter_map(|at| Self::at(request, at.saturating_add(behind)));
        std::iter::once(first).chain(others).take(MOST_ENDS).collect()
    }

    fn at(request: &'a str, at: usize) -> Option<Self> {
        // Whoever shows it to others may have put a space in.
        let behind = request.get(at.checked_add(1)?..)?.strip_prefix(' ')?.trim_start_matches(' ');
        let (code, behind) = behind.split_once(' ')?;
        let is_code = code == "0" || (code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()));
        let (flags, rest) = behind.split_once(' ').unwrap_or((behind, ""));
        let known = |name: &str| !Flags::from_short(name).is_empty();
        let is_flags = flags == "-" || flags.split(',').all(known);
        (is_code && is_flags).then_some(Self { at, code, flags, rest })
    }

    fn line(&self, request: &'a str) -> Line<'a> {
        let mut line = Line::default();
        let mut set = |column: Column, value: &'a str| {
            if column.takes(value) {
                line.set(column, Cow::Borrowed(value));
            }
        };
        set(Column::Code, self.code);
        set(Column::Flags, self.flags);
        let asked = request.get(..self.at).unwrap_or_default();
        let (method, path) = asked.split_once(' ').unwrap_or(("-", asked));
        let (path, protocol) = match path.rsplit_once(' ') {
            Some((path, protocol)) if protocol.starts_with("HTTP/") || protocol == "-" => {
                (path, Some(protocol))
            }
            None if path.starts_with("HTTP/") => ("-", Some(path)),
            _ => (path, None),
        };
        set(Column::Method, method);
        set(Column::Path, path);
        if let Some(protocol) = protocol {
            set(Column::Protocol, protocol);
        }
        behind_flags(self.rest, &mut set);
        line
    }

    /// Columns from further behind, where a client's words may be: those that stand in no quotes.
    fn others(&self, line: &mut Line<'a>) {
        let mut clusters: Vec<&str> = outside(self.rest).filter(|word| is_cluster(word)).collect();
        clusters.dedup();
        if let [cluster] = clusters.as_slice() {
            line.set(Column::Cluster, Cow::Borrowed(cluster));
        }
        if let Some(route) =
            outside(self.rest).last().filter(|word| matches!(*word, "block_all" | "allow_any"))
        {
            line.set(Column::Route, Cow::Borrowed(route));
        }
    }
}

/// The columns that Istio's formats have next, as far as the words can be nothing else.
fn behind_flags<'a>(rest: &'a str, set: &mut impl FnMut(Column, &'a str)) {
    let is_known = |word: &str| !matches!(Details::new(word).detail(), Detail::None | Detail::Other);
    let (first, behind) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut numbers = rest;
    let has_termination =
        behind.split_once(" \"").is_some_and(|(second, _)| second == "-" || is_known(second));
    if is_known(first) || (first == "-" && has_termination) {
        set(Column::Details, first);
        numbers = behind;
        let (second, behind) = behind.split_once(' ').unwrap_or((behind, ""));
        if let Some((reason, behind)) = behind.strip_prefix('"').and_then(|rest| rest.split_once("\" "))
            && (second == "-" || is_known(second))
            && !reason.starts_with(' ')
        {
            set(Column::Termination, second);
            set(Column::UpstreamFailure, reason);
            numbers = behind;
        }
    }
    // Istio 1.4 to 1.7: Mixer's word and the reason; and Envoy's own reply, where somebody put it here.
    if let Some(behind) = rest.strip_prefix("\"-\" \"") {
        let (reason, behind) = behind.split_once('"').unwrap_or((behind, ""));
        set(Column::UpstreamFailure, reason);
        numbers = behind.trim_start();
    } else if let Some((_, reason)) = rest.split_once("transport failure reason: ") {
        set(Column::UpstreamFailure, reason.split('"').next().unwrap_or(reason).trim_end());
    }
    let mut words = numbers.split(' ');
    let is_number = |word: Option<&str>| {
        word.is_some_and(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()))
    };
    if is_number(words.next())
        && let Some(sent) = words.next()
        && is_number(Some(sent))
        && let Some(duration) = words.next()
        && is_number(Some(duration))
    {
        set(Column::BytesSent, sent);
        set(Column::Duration, duration);
    }
}

/// The words that stand in no quotes.
fn outside(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').step_by(2).flat_map(str::split_whitespace)
}

/// Whether istiod names clusters so.
fn is_cluster(word: &str) -> bool {
    let named = word.split('|').count() == 4
        && ["outbound|", "inbound|", "inbound-vip|"].iter().any(|start| word.starts_with(start));
    let known = ClusterName::new(word).is_some_and(|name| name.is_passthrough() || name.is_black_hole());
    named || known
}
