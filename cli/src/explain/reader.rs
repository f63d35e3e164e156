//! Bytes of one line → what it is and what it says.

mod loose;

use std::borrow::Cow;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence;
use meshwhy::report::{LONGEST_FACT, escape};

use super::around::{pasted, prefix};
use super::formats::json::Wrapped;
use super::formats::readings;
use super::formats::readings::{Parsed, Readings};
use super::formats::{front, grid, json, logfmt};
use super::outcome::{Reading, explain, finding, judged};
use super::said::own::Logged;
use super::said::{agentgateway, client, control, lead, own, transcript, ztunnel};
use super::{Column, Finding, Format, Line, formats};
use crate::input::colours::without_colours;

/// Wrappers around a line, at the most: a collector's, a node agent's, a container engine's.
const MOST_WRAPPED: u8 = 4;

/// Reads lines; knows the formats.
#[derive(Debug, Clone)]
pub struct Reader {
    given: Vec<Format>,
    pub(super) known: Vec<Format>,
    /// Whether JSON may be looked at by its usual keys alone.
    usual_json: bool,
}

impl Reader {
    /// Knows Envoy's and Istio's defaults and these formats.
    pub fn new(given: Vec<Format>) -> Self {
        let grpc = [Column::GrpcStatus, Column::GrpcTrailer, Column::GrpcHeader];
        let usual_json = !given.iter().any(|format| grpc.iter().any(|column| format.has(*column)));
        Self { given, known: formats::known(), usual_json }
    }

    /// Says what a line is, and why its request failed.
    pub fn read(&self, bytes: &[u8]) -> Reading {
        self.read_whole(bytes, false)
    }

    /// The same, keeping the columns of lines about nothing that failed, too.
    pub fn read_all(&self, bytes: &[u8]) -> Reading {
        self.read_whole(bytes, true)
    }

    pub(super) fn read_whole(&self, bytes: &[u8], keep: bool) -> Reading {
        match self.read_strictly(bytes, keep) {
            Reading::Unreadable => self.read_front(bytes, keep),
            reading => reading,
        }
    }

    /// A line of which all columns are known.
    pub(super) fn read_strictly(&self, bytes: &[u8], keep: bool) -> Reading {
        let bytes = bytes.trim_ascii_end();
        if bytes.is_empty() {
            return Reading::Blank;
        }
        if !keep && self.usual_json && bytes.first() == Some(&b'{') && json::is_fine(bytes) {
            return Reading::Fine(None);
        }
        let text = text(bytes);
        match self.read_plain(&text, keep) {
            Reading::Unreadable if pasted::is_fence(&text) || grid::is_rule(&text) => Reading::Blank,
            Reading::Unreadable => {
                pasted::restored(&text).map_or(Reading::Unreadable, |line| self.read_plain(&line, keep))
            }
            reading => reading,
        }
    }

    fn read_plain(&self, text: &str, keep: bool) -> Reading {
        match self.read_text(text, keep, MOST_WRAPPED) {
            Reading::Unreadable => self.read_quoted(text, keep),
            reading => reading,
        }
    }

    /// A line as a string of JSON, with or without its quotes (`jq .textPayload`), and one behind logcli's labels.
    fn read_quoted(&self, text: &str, keep: bool) -> Reading {
        if let Some((line, pod)) = prefix::without_labels(text) {
            let mut reading = self.read_text(line, keep, MOST_WRAPPED);
            if let Reading::Failed(line, _) | Reading::Fine(Some(line)) = &mut reading {
                line.set_proxy(pod.map(str::to_owned), "");
            }
            return reading;
        }
        // A line as Envoy writes it has quotes of its own.
        let escaped = text.matches("\\\"").count();
        let is_inner = escaped > 0 && escaped == text.matches('"').count();
        let quoted = if is_inner { format!("\"{text}\"") } else { text.to_owned() };
        if !quoted.starts_with('"') {
            return Reading::Unreadable;
        }
        match serde_json::from_str::<String>(quoted.trim_end_matches(',')) {
            Ok(line) => self.read_text(&line, keep, MOST_WRAPPED),
            Err(_) => Reading::Unreadable,
        }
    }

    fn read_text(&self, text: &str, keep: bool, wrapped: u8) -> Reading {
        // An access log first: whatever its values hold, they are values.
        match self.line(text) {
            Parsed::One(line) => return explain(&line, keep),
            Parsed::Several(readings) => return self.doubt(&readings, text, keep),
            Parsed::No => {}
        }
        if let Some((line, finding)) = ztunnel::in_text(text).or_else(|| ztunnel::in_json(text)) {
            return judged(line, finding, keep);
        }
        if let Some((line, finding)) = agentgateway::read(text) {
            return judged(line, finding, keep);
        }
        if let Some(finding) = ztunnel::of_tunnel(text) {
            return Reading::Lead(Box::default(), Box::new(finding), String::new());
        }
        match own::in_proxy_log(text, false) {
            Some(own @ Logged::Failure(_)) => return own.into(),
            Some(Logged::Other) => {
                let (before, message) = prefix::own_log(text).unwrap_or_default();
                return own_message(message, prefix::says_bad(before));
            }
            None => {}
        }
        if prefix::is_logged_header(text) {
            return Reading::ProxyLog;
        }
        if let Some(message) = prefix::ciliums(text) {
            return lead(&message);
        }
        if let Some(wrapped) = wrapped.checked_sub(1)
            && let Some(at) = prefix::object(text)
            && let Some((before, object)) = text.split_at_checked(at)
            && let Some(inside) = json::unwrapped(object)
        {
            return self.read_wrapped(inside, before, keep, wrapped);
        }
        Reading::Unreadable
    }

    /// What is within is what can be read of it.
    fn read_wrapped(&self, wrapped: Wrapped, before: &str, keep: bool, deeper: u8) -> Reading {
        let is_envoys = wrapped.is_own_log && wrapped.is_envoys;
        let inside = wrapped.inside.iter().map(|text| match own::in_proxy_log(text, is_envoys) {
            Some(own @ Logged::Failure(_)) if is_envoys => own.into(),
            _ => self.read_text(text, keep, deeper),
        });
        let mut reading =
            inside.into_iter().find(|reading| *reading != Reading::Unreadable).unwrap_or(Reading::Unreadable);
        match &mut reading {
            Reading::Failed(line, _) | Reading::Fine(Some(line)) => line.set_proxy(wrapped.pod, before),
            Reading::Own(own) => {
                own::set_time(&mut own.line, &wrapped.time);
                own.line.set_proxy(wrapped.pod, before);
            }
            Reading::Unreadable if wrapped.is_own_log && wrapped.is_envoys => {
                return wrapped.inside.first().map_or(Reading::ProxyLog, |message| lead(message));
            }
            Reading::Unreadable if wrapped.is_own_log => {
                let message = wrapped.inside.first().map_or("", String::as_str);
                return own_message(message, wrapped.is_bad);
            }
            _ => {}
        }
        reading
    }

    /// Of a line that can be read in several ways nothing is trusted but what stands in front, where there is one way; and a failure in it
    /// isn't hidden.
    fn doubt(&self, readings: &Readings<'_>, text: &str, keep: bool) -> Reading {
        let owned = || Box::new(readings.sure.to_owned_line());
        if let Some(finding) = own::in_line(&readings.sure) {
            return Reading::Failed(owned(), Box::new(finding));
        }
        if self.given.is_empty()
            && let Some(reading) = front::read_doubtful(text, keep)
        {
            return reading;
        }
        if !readings.complete || readings.lines.iter().any(|line| finding(line).is_some()) {
            return Reading::Failed(owned(), Box::new(Finding::ambiguous(readings.reason)));
        }
        Reading::Ambiguous
    }

    fn line<'a>(&self, text: &'a str) -> Parsed<'a> {
        let readings = self.given.iter().map(|format| given_line(format, text));
        if let Some(parsed) = readings.into_iter().find(|parsed| !matches!(parsed, Parsed::No)) {
            return parsed;
        }
        match self.known_line(text) {
            Parsed::No => self.object(text).or_else(|| logfmt::read(text)).map_or(Parsed::No, Parsed::One),
            parsed => parsed,
        }
    }

    /// A line in JSON by its usual keys.
    fn object<'a>(&self, text: &'a str) -> Option<Line<'a>> {
        let at = prefix::object(text)?;
        let (before, object) = text.split_at_checked(at)?;
        if object.starts_with("{\"event\":\"meshwhy") {
            return None; // the filter's own, which is known by what stands before it
        }
        let mut line = json::read_usual(object)?;
        let decisive = [Column::Code, Column::Flags, Column::Details, Column::Cause, Column::Meshwhy];
        decisive.iter().any(|column| line.shows(*column)).then_some(())?;
        line.proxy = prefix::proxy(before);
        Some(line)
    }

    fn known_line<'a>(&self, text: &'a str) -> Parsed<'a> {
        let Some((before, text)) = prefix::bracketed_time(text).and_then(|at| text.split_at_checked(at))
        else {
            return Parsed::No;
        };
        let mut doubtful = Parsed::No;
        for (number, format) in self.known.iter().enumerate() {
            match format.read(text) {
                Parsed::No => {}
                Parsed::One(mut line) => {
                    line.proxy = prefix::proxy(before);
                    return self.unless_another_fits(number, line, text);
                }
                Parsed::Several(mut readings) if matches!(doubtful, Parsed::No) => {
                    readings.sure.proxy = prefix::proxy(before);
                    doubtful = Parsed::Several(readings);
                }
                Parsed::Several(readings) => {
                    if let Parsed::Several(first) = &mut doubtful {
                        if readings.sure.get(Column::Cause).is_some() {
                            let proxy = first.sure.proxy.take();
                            first.sure = readings.sure;
                            first.sure.proxy = proxy;
                        }
                        first.lines.extend(readings.lines);
                        first.complete &= readings.complete;
                    }
                }
            }
        }
        doubtful
    }

    /// With a few quotes in a header, a line of one old format may look like one of another.
    fn unless_another_fits<'a>(&self, number: usize, line: Line<'a>, text: &'a str) -> Parsed<'a> {
        // Of the usual ones, no other can be made with the number of words behind the last quote.
        if number < formats::USUAL {
            return Parsed::One(line);
        }
        let others = self.known.iter().enumerate().filter(|(other, _)| *other != number);
        let fit: Vec<Readings<'a>> = others
            .filter_map(|(_, format)| match format.read(text) {
                Parsed::Several(readings) => Some(readings),
                _ => None,
            })
            .collect();
        if fit.is_empty() {
            return Parsed::One(line);
        }
        let mut sure = Line::default();
        sure.proxy.clone_from(&line.proxy);
        let complete = fit.iter().all(|readings| readings.complete);
        let lines =
            std::iter::once(line).chain(fit.into_iter().flat_map(|readings| readings.lines)).collect();
        Parsed::Several(Readings { lines, complete, sure, reason: readings::FORMATS })
    }
}

/// The same of a line of which the level is known: in a warning a client of its own may speak, the agent's or istiod's.
fn own_message(message: &str, is_bad: bool) -> Reading {
    // The other side goes, and is asked again.
    let is_usual = || message.contains("code: NO_ERROR");
    match lead(message) {
        Reading::ProxyLog if (is_bad || control::is_failure(message)) && !is_usual() => {
            if let Some((line, finding)) = client::read(message) {
                return Reading::Lead(Box::new(line), Box::new(finding), String::new());
            }
            let fails = control::agent_fails(message);
            fails.map_or(Reading::ProxyLog, |(reason, causes)| says(reason, causes))
        }
        reading => reading,
    }
}

/// What the message of a line of the proxy's own log is.
pub(super) fn lead(message: &str) -> Reading {
    if let Some((rows, stream)) = lead::head(message) {
        return match transcript::read(rows.iter().map(String::as_str), false) {
            Some((Reading::Failed(mut line, finding) | Reading::Symptom(mut line, finding), _)) => {
                // What a status and a length look like, Envoy hasn't said.
                line.forget(Column::Details);
                Reading::Lead(line, finding, stream)
            }
            _ if lead::is_applications(&rows) => {
                let causes = (Cause::ApplicationError, Confidence::Possible);
                let mut finding = Finding::of_line(causes, vec![Cause::ConfiguredErrorReply], None, None);
                finding.evidence = rows
                    .first()
                    .map(|row| row.replace("HTTP/1.1 ", "code=").replace(" -", ""))
                    .unwrap_or_default();
                Reading::Lead(Box::default(), Box::new(finding), stream)
            }
            _ => Reading::ProxyLog,
        };
    }
    if let Some((reason, causes)) = control::not_configured(message) {
        return says(reason, causes);
    }
    if let Some(reason) = control::missing_secret(message) {
        return says(reason, &[Cause::ProxyCertificateMissing]);
    }
    if let Some((reason, causes)) = lead::handshake_ended(message) {
        return says(reason, causes);
    }
    let said = lead::read(message).and_then(|(line, stream)| match explain(&line, false) {
        Reading::Failed(line, finding) => Some((line, finding, stream)),
        _ => None,
    });
    said.map_or(Reading::ProxyLog, |(line, mut finding, stream)| {
        finding.confidence = finding.confidence.min(Confidence::Likely);
        if finding.cause == Cause::Unclassified && lead::is_reply(message) {
            // Details that Envoy doesn't have are a filter's of its own.
            finding.cause = Cause::FilterRejected;
            finding.confidence = Confidence::Possible;
        }
        if lead::is_of_either_side(message) {
            let is_clients = line.shows(Column::DownstreamFailure);
            let other = if is_clients { Cause::UpstreamTlsFailed } else { Cause::DownstreamTlsFailed };
            finding.confidence = Confidence::Possible;
            finding.alternatives.push(other);
            finding.side = None;
        }
        Reading::Lead(line, finding, stream)
    })
}

/// What a message says in its own words of what comes of it, the most probable first.
fn says(reason: &str, causes: &[Cause]) -> Reading {
    let Some((cause, others)) = causes.split_first() else { return Reading::ProxyLog };
    let mut finding = Finding::of_line((*cause, Confidence::Possible), others.to_vec(), None, None);
    finding.evidence = format!("says={}", escape(reason, LONGEST_FACT));
    Reading::Lead(Box::default(), Box::new(finding), String::new())
}

/// In a format that was given the beginning can't be known: it is looked for behind each word of a prefix.
fn given_line<'a>(format: &Format, text: &'a str) -> Parsed<'a> {
    let starts =
        prefix::surely_without(text).into_iter().chain(std::iter::once(text)).chain(prefix::without(text));
    for rest in starts {
        let proxy = || prefix::proxy(text.get(..text.len().saturating_sub(rest.len()))?);
        match format.read(rest) {
            Parsed::No => {}
            Parsed::One(mut line) => {
                line.proxy = proxy();
                return Parsed::One(line);
            }
            Parsed::Several(mut readings) => {
                readings.sure.proxy = proxy();
                return Parsed::Several(readings);
            }
        }
    }
    Parsed::No
}

impl From<Logged> for Reading {
    fn from(logged: Logged) -> Self {
        match logged {
            Logged::Failure(own) => Self::Own(own),
            Logged::Other => Self::ProxyLog,
        }
    }
}

/// A header may hold any bytes; what is wrong with them doesn't matter here.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    let text = match without_colours(bytes) {
        Some(plain) => Cow::Owned(String::from_utf8_lossy(&plain).into_owned()),
        None => String::from_utf8_lossy(bytes),
    };
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => Cow::Owned(rest.to_owned()),
        None => text,
    };
    let text = match pasted::without_written_colours(&text) {
        Some(plain) => Cow::Owned(plain),
        None => text,
    };
    match pasted::unescaped(&text) {
        Some(plain) => Cow::Owned(plain),
        None => text,
    }
}
