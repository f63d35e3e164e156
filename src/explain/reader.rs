//! Bytes of one line → what it is and what it says.

use super::{Column, Finding, Format, Line, Own, formats, gather, json, own, prefix, unseen};

/// Reads lines; knows the formats.
#[derive(Debug, Clone)]
pub struct Reader {
    given: Vec<Format>,
    known: Vec<Format>,
    /// Whether JSON may be looked at by its usual keys alone.
    usual_json: bool,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// Nothing is on it.
    Blank,
    /// A request or connection, and nothing failed as far as the line shows.
    Fine(Option<Box<Line<'static>>>),
    /// A request or connection that failed.
    Failed(Box<Line<'static>>, Box<Finding>),
    /// A failure that meshwhy's filter wrote into the proxy's own log.
    Own(Box<Own>),
    /// Any other line of the proxy's own log.
    ProxyLog,
    /// None of these.
    Unreadable,
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

    fn read_whole(&self, bytes: &[u8], keep: bool) -> Reading {
        let bytes = bytes.trim_ascii_end();
        if bytes.is_empty() {
            return Reading::Blank;
        }
        if !keep && self.usual_json && bytes.first() == Some(&b'{') && json::is_fine(bytes) {
            return Reading::Fine(None);
        }
        // A header may hold any bytes; what is wrong with them is nobody's business here.
        let text = String::from_utf8_lossy(bytes);
        self.read_text(&text, keep, true)
    }

    fn read_text(&self, text: &str, keep: bool, may_be_wrapped: bool) -> Reading {
        if let Some(own) = own::in_proxy_log(text) {
            return Reading::Own(Box::new(own));
        }
        if own::is_observation(text) {
            return Reading::ProxyLog;
        }
        if let Some(line) = self.line(text) {
            return explain(&line, keep);
        }
        if may_be_wrapped
            && let Some(at) = prefix::object(text)
            && let Some((before, object)) = text.split_at_checked(at)
            && let Some(wrapped) = json::unwrapped(object)
        {
            let mut reading = self.read_text(&wrapped.inner, keep, false);
            if let Reading::Own(own) = &mut reading {
                own::set_time(&mut own.line, &wrapped.time);
            }
            match &mut reading {
                Reading::Failed(line, _) | Reading::Fine(Some(line)) => line.set_proxy(wrapped.pod, before),
                Reading::Own(own) => own.line.set_proxy(wrapped.pod, before),
                Reading::Unreadable if wrapped.is_own_log => return Reading::ProxyLog,
                _ => {}
            }
            return reading;
        }
        if prefix::is_own_log(text) { Reading::ProxyLog } else { Reading::Unreadable }
    }

    fn line<'a>(&self, text: &'a str) -> Option<Line<'a>> {
        self.given_line(text).or_else(|| self.known_line(text)).or_else(|| {
            let at = prefix::object(text)?;
            let (before, object) = text.split_at_checked(at)?;
            let mut line = json::read(object, Column::of_key)?;
            let tells = [Column::Code, Column::Flags, Column::Details, Column::Cause, Column::Meshwhy];
            tells.iter().any(|column| line.shows(*column)).then_some(())?;
            line.proxy = prefix::proxy(before);
            Some(line)
        })
    }

    fn known_line<'a>(&self, text: &'a str) -> Option<Line<'a>> {
        let at = prefix::bracketed_time(text)?;
        let (before, line) = text.split_at_checked(at)?;
        let mut line = self.known.iter().find_map(|format| format.read(line))?;
        line.proxy = prefix::proxy(before);
        Some(line)
    }

    /// In a format that was given the beginning can't be known: it is looked for behind each word of a prefix.
    fn given_line<'a>(&self, text: &'a str) -> Option<Line<'a>> {
        self.given.iter().find_map(|format| {
            if let Some(line) = format.read(text) {
                return Some(line);
            }
            prefix::without(text).find_map(|rest| {
                let mut line = format.read(rest)?;
                line.proxy = prefix::proxy(text.get(..text.len().saturating_sub(rest.len()))?);
                Some(line)
            })
        })
    }
}

fn explain(line: &Line<'_>, keep: bool) -> Reading {
    let owned = || Box::new(line.to_owned_line());
    if let Some(finding) = own::in_line(line) {
        return Reading::Failed(owned(), Box::new(finding));
    }
    let finding = if line.is_fine() { None } else { unseen::judge(&gather::evidence(line), line) };
    match finding {
        Some(finding) => Reading::Failed(owned(), Box::new(finding)),
        None => Reading::Fine(keep.then(owned)),
    }
}
