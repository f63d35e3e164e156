//! Anybody's sentence, or the name of an exception: what became of a connection, where no client's words are known.
//!
//! `Connection to 10.0.0.1:9042 was closed`, `ConnectionShutdown`, `{:error, :connect_timeout}`, `no hosts available in the pool`. A setting's name and a
//! counter that stands at nothing have the same words, so what stands around them is looked at, too.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::calm::{is_below_warning, is_calm};
use super::load;
use super::mention;
use super::other;
use super::symptom::Symptom::{self, *};

/// No sentence is so long.
const MOST_WORDS: usize = 400;
/// Nor has one more bytes.
const LONGEST: usize = 4096;
/// How far apart the two may stand.
const NEAR: usize = 4;

const CONNECTIONS: &[&str] = &[
    "connection",
    "connections",
    "conn",
    "socket",
    "sockets",
    "channel",
    "peer",
    "connect",
    "transport",
    "tcp",
    "upstream",
];
const CONNECTS: &[&str] =
    &["connect", "connecting", "connection", "connections", "dial", "dialing", "tcp", "hosts"];
const HOSTS: &[&str] =
    &["host", "server", "broker", "node", "upstream", "endpoint", "address", "peer", "service"];
const MANY: &[&str] = &["hosts", "nodes", "brokers", "servers", "endpoints", "peers", "replicas"];
const ANSWERS: &[&str] = &[
    "request",
    "response",
    "read",
    "reading",
    "query",
    "call",
    "command",
    "operation",
    "heartbeat",
    "reply",
    "receive",
    "received",
    "client",
    "server",
    "transport",
    "rpc",
];
const NAMES: &[&str] =
    &["dns", "host", "hostname", "domain", "name", "address", "addresses", "server", "bootstrap"];
const HANDSHAKES: &[&str] = &["handshake", "tls", "ssl"];
const GREETINGS: &[&str] =
    &["receive", "received", "send", "sends", "sent", "waiting", "wait", "reading", "read", "initial", "got"];
const GETS: &[&str] =
    &["failed", "fails", "failing", "error", "errors", "got", "gets", "getting", "received", "returns"];
const FAILS: &[&str] =
    &["failed", "fails", "failure", "failures", "error", "errors", "unable", "cannot", "failing"];

/// What happened, to what, and what that is; without a subject the word alone says it.
const SAID: &[(&[&str], &[&str], Symptom)] = &[
    (&["econnrefused"], &[], Refused),
    (&["econnreset"], &[], Reset),
    (&["etimedout"], &[], NoConnection),
    (&["ehostunreach", "enetunreach", "hostunreach"], &[], NoRoute),
    (&["nxdomain", "enotfound"], &[], NoName),
    (&["emfile", "enfile"], &[], NoDescriptors),
    (&["resolve", "resolved", "resolution", "lookup", "resolvable", "unresolved"], NAMES, NoName),
    (&["refused", "refuses", "refusing"], CONNECTIONS, Refused),
    (&["alert"], HANDSHAKES, NoAgreement),
    (&["available", "reachable", "alive"], MANY, Refused),
    (&["unreachable"], HOSTS, NoRoute),
    (&["reset", "resets"], CONNECTIONS, Reset),
    (&["timeout", "timeouts", "timed", "elapsed"], CONNECTS, NoConnection),
    (&["timeout", "timeouts", "timed", "elapsed"], ANSWERS, NoAnswer),
    (&["times"], &["out"], NoAnswer),
    (&["greeting", "banner"], GREETINGS, NoGreeting),
    (&["exceeded", "expired", "elapsed", "reached"], &["deadline", "timeout"], NoAnswer),
    (&["lost", "broken", "stale", "invalid", "bad", "unusable"], CONNECTIONS, Pooled),
    (
        &["closed", "closes", "shutdown", "aborted", "terminated", "disconnected", "dropped", "hangup"],
        CONNECTIONS,
        Dropped,
    ),
    (&["eof"], GETS, Dropped),
    (FAILS, HANDSHAKES, NoAgreement),
    (FAILS, CONNECTIONS, Dropped),
];

/// Once through a text for all verbs.
static VERBS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let verbs = SAID.iter().copied().flat_map(|(verbs, ..)| verbs);
    AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(verbs).ok()
});

/// Whether there is any of the verbs: a quick look at what is in no format.
pub(super) fn may_say(text: &str) -> bool {
    VERBS.as_ref().is_some_and(|verbs| verbs.is_match(text))
}

/// A word, without the case that names have.
struct Word {
    text: String,
    begin: usize,
    end: usize,
}

/// What such words say, and the two that say it.
pub(super) fn read(text: &str) -> Option<(Symptom, String)> {
    let text = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
    // An object's keys are names.
    let is_object = text.contains("{\"") || text.contains("{\\\"") || is_metric(text);
    if is_calm(text) || is_below_warning(text) || is_setting(text) || is_object || load::is_row(text) {
        return None;
    }
    let words = words(text);
    let context = Context::of(text);
    SAID.iter().find_map(|(verbs, subjects, symptom)| {
        let said = words.iter().enumerate().filter(|(_, word)| verbs.contains(&word.text.as_str()));
        said.filter(|(at, _)| happened(text, &context, &words, *at, *symptom)).find_map(|(at, verb)| {
            if subjects.is_empty() {
                return Some((*symptom, verb.text.clone()));
            }
            let around = at.saturating_sub(NEAR)..at.saturating_add(NEAR).saturating_add(1).min(words.len());
            let subject = words.get(around)?.iter().find(|word| subjects.contains(&word.text.as_str()))?;
            // An unreachable server is anybody's.
            let is_first = subject.begin < verb.begin;
            let is_told = (*symptom != NoRoute || is_first)
                && are_together(text, subject, verb)
                && !is_another(text, subject, verb, *symptom);
            let (first, second) = if subject.begin < verb.begin { (subject, verb) } else { (verb, subject) };
            let counts = is_told && !mention::is_counted_none(text, first.begin, second.end);
            text.get(first.begin..second.end).filter(|_| counts).map(|said| (*symptom, said.to_owned()))
        })
    })
}

/// What such words say besides, where others said no more than that there was no connection or no answer.
pub(super) fn narrower(symptom: Symptom, text: &str) -> Option<(Symptom, String)> {
    if symptom == NoAnswer {
        return timed_out_connecting(text).map(|said| (NoConnection, said.to_owned()));
    }
    let is_narrower = |other: &Symptom| matches!(other, NoConnection | NoAnswer | NoName | NoRoute);
    read(text).filter(|(other, _)| symptom == Dropped && is_narrower(other))
}

/// `connection #103 to a.shop:24224 timed out after 10 seconds`
fn timed_out_connecting(text: &str) -> Option<&str> {
    let (before, _) = text.split_once(" timed out")?;
    let clause = before.rsplit([',', ';', '|']).next().unwrap_or_default();
    let (_, to) = clause.split_once("connection ")?;
    let is_to = to.starts_with("to ") || (to.starts_with('#') && to.contains(" to "));
    is_to.then_some("timed out")
}

/// What the whole of a text says beside the words, looked for once.
struct Context {
    orderly: bool,
    of_certificates: bool,
    schedules: bool,
    unknown: bool,
    no_greeting: bool,
    no_answer: bool,
    failed: bool,
}

impl Context {
    fn of(text: &str) -> Self {
        const FAILED: &[&str] = &[
            "error",
            "fail",
            "exception",
            "reached",
            "unable",
            "cannot",
            "reason",
            "caused",
            "warn",
            "timed out",
            "times out",
            "timedout",
            "expired",
            "exceeded",
            "elapsed",
            "got ",
            "getting",
            "seeing",
            "receiv",
            "throw",
            "while",
        ];
        let lower = text.to_ascii_lowercase();
        let has = |said: &[&str]| said.iter().any(|said| lower.contains(said));
        Self {
            orderly: other::is_orderly(text),
            of_certificates: has(&["renew", "issuance", "rotat", "certificate request", "certificate order"]),
            schedules: has(&["schedul"]),
            unknown: has(&["fail", "error", "unable", "cannot", "couldn", "unknown"]),
            no_greeting: has(&["fail", "error", "timed out", "timeout"]),
            no_answer: has(&["no response", "not receive"]),
            failed: has(FAILED),
        }
    }
}

/// Whether it is said to have happened: nothing denies it, it is no setting and no counter.
fn happened(text: &str, context: &Context, words: &[Word], at: usize, symptom: Symptom) -> bool {
    const NOT: &[&str] = &[
        "not", "no", "never", "nothing", "without", "zero", "0", "none", "isn", "wasn", "doesn", "won", "don",
    ];
    const CONDITIONS: &[&str] = &["if", "before", "unless", "until", "how", "should"];
    const CLEANLY: &[&str] =
        &["cleanly", "gracefully", "normally", "successfully", "properly", "idle", "max", "avoid", "if"];
    let word = |at: usize| words.get(at).map_or("", |word| word.text.as_str());
    let before = || at.saturating_sub(NEAR)..at;
    let denied = before().any(|at| NOT.contains(&word(at)) && word(at.saturating_add(1)) != "able");
    let right = match symptom {
        // These are said so.
        NoName => denied || context.unknown,
        NoGreeting => context.no_greeting || words.iter().any(|word| NOT.contains(&word.text.as_str())),
        Refused if matches!(word(at), "available" | "reachable" | "alive") => denied && !context.schedules,
        NoAgreement => !denied && !context.of_certificates,
        NoConnection | NoAnswer => {
            let is_out = word(at.saturating_add(1)) == "out";
            let timed = match word(at) {
                "timed" => is_out,
                "times" => is_out && !words.iter().any(|word| CONDITIONS.contains(&word.text.as_str())),
                _ => true,
            };
            let denied = denied && !context.no_answer;
            // An exception's name may stand alone.
            let is_name =
                !text.trim().contains(char::is_whitespace) && text.trim().starts_with(char::is_uppercase);
            timed && !denied && (is_name || context.failed)
        }
        Dropped | Pooled => {
            !denied && !context.orderly && !words.iter().any(|word| CLEANLY.contains(&word.text.as_str()))
        }
        _ => !denied,
    };
    right && (symptom == NoName || !words.get(at).is_some_and(|word| is_named_as_one(text, word)))
}

/// Whether both are of something else: `socket file`, `lookup table`, `#general`, `refused the parcel`.
fn is_another(text: &str, subject: &Word, verb: &Word, symptom: Symptom) -> bool {
    let behind = |word: &Word| text.get(word.end..).unwrap_or_default().trim_start_matches(' ');
    let begins = |word: &Word, with: &[&str]| with.iter().any(|with| behind(word).starts_with(with));
    // `connection string`, `TLS secret`, `address book`
    const THINGS: &[&str] = &[
        "string",
        "url",
        "uri",
        "config",
        "setting",
        "parameter",
        "option",
        "list",
        "review",
        "activation",
        "secret",
        "book",
        "dir",
        "file",
        "path",
    ];
    // `failed to parse connection`, `failed to remove socket`
    const DONE: &[&str] = &["to parse ", "to remove ", "to delete ", "to unlink ", "to save ", "to rename "];
    let between = text.get(verb.end..subject.begin).unwrap_or_default().trim_start();
    if begins(subject, THINGS) || DONE.iter().any(|done| between.starts_with(done)) {
        return true;
    }
    match symptom {
        NoName => verb.text == "lookup" && begins(verb, &["table", "cache", "key"]),
        Refused => {
            // What was refused stands behind it.
            let refused = behind(verb).strip_prefix("the ").or_else(|| behind(verb).strip_prefix("a "));
            let is_ours = |word: &str| {
                let word = word.to_ascii_lowercase();
                [CONNECTIONS, CONNECTS, ANSWERS, HANDSHAKES]
                    .iter()
                    .any(|words| words.contains(&word.as_str()))
            };
            let mut what = refused.unwrap_or_default().split(|c: char| !c.is_ascii_alphanumeric()).take(NEAR);
            subject.begin < verb.begin && refused.is_some() && !what.any(is_ours)
        }
        Dropped => {
            let is_chats = behind(subject)
                .strip_prefix('#')
                .is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()));
            is_chats || begins(verb, &["from the list"])
        }
        _ => false,
    }
}

/// Whether both are of one clause: a colon may stand behind the subject.
fn are_together(text: &str, subject: &Word, verb: &Word) -> bool {
    let is_first = subject.begin < verb.begin;
    let (begin, end) = if is_first { (subject.end, verb.begin) } else { (verb.end, subject.begin) };
    let between = text.get(begin..end).unwrap_or_default();
    !between.contains([',', ';', '|', '"', '/'])
        && !between.contains(". ")
        && (is_first || !between.contains(": "))
}

/// Whether a word is the end of a setting's or a counter's name: `connect_timeout: 5s`, `connection errors: 0`, `proxy_connect_timeout 60s`.
fn is_named_as_one(text: &str, word: &Word) -> bool {
    const GOES_ON: &[&str] =
        &["is ", "set ", "must ", "should ", "of ", "count", "total", "rate", "policy", "handler", "budget"];
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let before = text.get(..word.begin).unwrap_or_default();
    let run = before.len().saturating_sub(before.trim_end_matches(is_part).len());
    let behind = text.get(word.end..).unwrap_or_default();
    let rest = behind.trim_start_matches(is_part);
    let name =
        text.get(word.begin.saturating_sub(run)..text.len().saturating_sub(rest.len())).unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default();
    // An exception's begins with a capital.
    let is_compound = name.contains(['-', '_', '.']) && !last.starts_with(|c: char| c.is_ascii_uppercase());
    // A policy's: `connect-failure`.
    if name.contains('-') && !name.contains(|c: char| c.is_ascii_uppercase()) {
        return true;
    }
    let rest = rest.trim_start_matches('"').trim_start();
    // `Connect timeout of 10 seconds expired`
    let goes_on = |word: &str| rest.starts_with(word) && !(word == "of " && rest.contains("expired"));
    let value = rest.strip_prefix([':', '=']).map(|rest| rest.trim_start_matches(['=', ' ', '"', '.']));
    let is_value = |value: &str| {
        value.starts_with(|c: char| c.is_ascii_digit())
            || ["true", "false", "null", "nil", "[]"].iter().any(|word| value.starts_with(word))
    };
    (is_compound && value.is_some())
        || value.is_some_and(is_value)
        || rest.starts_with(|c: char| c.is_ascii_digit())
        || rest.starts_with("..")
        || GOES_ON.iter().any(|word| goes_on(word))
}

/// Whether it is a metric with labels: `requests_total{code="503"} 5`.
fn is_metric(text: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    let named =
        text.trim_start().split_once('{').filter(|(name, _)| !name.is_empty() && name.chars().all(is_name));
    named
        .and_then(|(_, labels)| labels.split_once('='))
        .is_some_and(|(label, value)| label.chars().all(is_name) && value.starts_with('"'))
}

/// Whether all of it is a policy's.
fn is_setting(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["retryon", "retry_on", "retry-on", "retry_policy", "retrypolicy"].iter().any(|name| lower.contains(name))
}

/// The words of a text, those of a name in camel case and with underscores apart.
fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut begin: Option<usize> = None;
    let mut last = ' ';
    let end_word = |begin: &mut Option<usize>, end: usize, words: &mut Vec<Word>| {
        if let Some(begin) = begin.take()
            && let Some(word) = text.get(begin..end)
        {
            words.push(Word { text: word.to_ascii_lowercase(), begin, end });
        }
    };
    for (at, c) in text.char_indices() {
        let is_hump = last.is_ascii_lowercase() && c.is_ascii_uppercase();
        if !c.is_ascii_alphanumeric() || is_hump {
            end_word(&mut begin, at, &mut words);
        }
        if c.is_ascii_alphanumeric() && begin.is_none() {
            begin = Some(at);
        }
        last = c;
        if words.len() >= MOST_WORDS {
            return words;
        }
    }
    end_word(&mut begin, text.len(), &mut words);
    words
}

#[cfg(test)]
mod tests;
