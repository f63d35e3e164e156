//! What `kubectl logs`, `stern`, container engines and syslog put in front of a line.

use std::borrow::Cow;

use super::syslog;

/// The longest prefix that is looked through.
const LONGEST: usize = 512;
/// The most words that one has.
const MOST_WORDS: usize = 8;

/// Where a line of Envoy's or Istio's default format begins: `[2026-01-01T...`.
pub(in crate::explain) fn bracketed_time(text: &str) -> Option<usize> {
    begins(text, |rest| rest.strip_prefix('[').is_some_and(|rest| date_and(rest, "T")))
}

/// What `logcli` prints by default: the labels of the stream, between a time and the line. Labels are the cluster's own words.
pub(in crate::explain) fn without_labels(text: &str) -> Option<(&str, Option<&str>)> {
    let (time, rest) = text.split_once(' ')?;
    let labels =
        rest.trim_start().strip_prefix('{').filter(|labels| is_time(time) && !labels.starts_with('"'))?;
    let (labels, line) = labels.split_once("} ")?;
    let (_, pod) = labels.split_once("pod=\"").unwrap_or_default();
    let pod = pod.split('"').next().filter(|pod| !pod.is_empty());
    Some((line, pod))
}

/// Where an object begins behind a prefix.
pub(in crate::explain) fn object(text: &str) -> Option<usize> {
    begins(text, |rest| rest.starts_with("{\""))
}

/// Where what is looked for begins: at once, or behind a prefix. A prefix has no quotes and no braces, so that no client's text is taken
/// for a line.
pub(in crate::explain) fn begins(text: &str, is: impl Fn(&str) -> bool) -> Option<usize> {
    let mut at = syslog::header(text).map_or(0, |header| header.length);
    for _ in 0..=MOST_WORDS {
        let rest = text.get(at..).filter(|_| at <= LONGEST)?;
        if is(rest) {
            return Some(at);
        }
        let (word, _) = rest.split_once([' ', '\t'])?;
        if !is_prefix_word(word) {
            return None;
        }
        // compose fills its names up with spaces.
        let behind = rest.get(word.len()..).unwrap_or_default();
        let spaces = behind.len().saturating_sub(behind.trim_start_matches([' ', '\t']).len());
        at = at.saturating_add(word.len()).saturating_add(spaces);
    }
    None
}

/// Whether nothing but a prefix is here, or what stands for what was left out of it.
pub(in crate::explain) fn is_prefix(text: &str) -> bool {
    let proper = |word: &str| is_prefix_word(word) || matches!(word, "\u{2026}" | "[\u{2026}]");
    text.len() <= LONGEST
        && text.split_whitespace().count() <= MOST_WORDS
        && text.split_whitespace().all(proper)
}

/// Names of pods and containers, times, streams, `[pod/NAME/CONTAINER]`, `PROGRAM[PID]:`, `|`. Not a path, a method or a status.
fn is_prefix_word(word: &str) -> bool {
    let proper = |b: u8| b.is_ascii_alphanumeric() || b"-_./:+,[]|@<>".contains(&b);
    let is_status = word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit());
    word.bytes().all(proper) && !word.starts_with(['/', '-']) && !is_status
}

/// Whether the text begins with a date, and this behind it.
pub(in crate::explain) fn date_and(text: &str, then: &str) -> bool {
    let date = text.as_bytes().get(..10).is_some_and(|bytes| {
        bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
    });
    date && text.get(10..).is_some_and(|rest| rest.starts_with(then))
}

/// What may be a prefix is cut off, word by word: `[pod/NAME/CONTAINER]`, a time, stern's `POD CONTAINER`, CRI's `stdout F`. Not the
/// beginning of a line of the proxy's own log, whose words aren't a prefix.
pub(in crate::explain) fn without(text: &str) -> impl Iterator<Item = &str> {
    let is_own_log = own_log(text).is_some();
    let mut rest = text;
    (0..6).map_while(move |_| {
        let (word, after) = rest.split_once([' ', '\t'])?;
        // compose fills its names up with spaces.
        rest = after.trim_start_matches(' ');
        let surely = is_pod(word) || is_time(word) || is_stream(word);
        (!word.is_empty() && word.len() < LONGEST && (!is_own_log || surely)).then_some(rest)
    })
}

/// What is surely a prefix is cut off: kubectl's `[pod/NAME/CONTAINER]`, compose's `NAME |`, CRI's `TIME stdout F`.
pub(in crate::explain) fn surely_without(text: &str) -> Option<&str> {
    let (first, after) = text.split_once(' ')?;
    if is_pod(first) {
        return Some(after);
    }
    let after = after.trim_start_matches(' ');
    let (second, after) = after.split_once(' ')?;
    if second == "|" {
        return Some(after);
    }
    let (third, after) = after.split_once(' ')?;
    let is_cri = is_time(first) && matches!(second, "stdout" | "stderr") && matches!(third, "F" | "P");
    is_cri.then_some(after)
}

fn is_pod(word: &str) -> bool {
    word.starts_with("[pod/") && word.ends_with(']')
}

/// CRI's: the stream, and whether the line is whole.
fn is_stream(word: &str) -> bool {
    matches!(word, "stdout" | "stderr" | "F" | "P")
}

/// The pod that a prefix names.
pub(in crate::explain) fn proxy(prefix: &str) -> Option<String> {
    let name = |word: &str| {
        let proper = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        (!word.is_empty() && word.bytes().all(proper)).then(|| word.to_owned())
    };
    let (host, prefix) = syslog::host(prefix);
    if let Some(host) = host.and_then(name) {
        return Some(host);
    }
    // Emissary puts a word of its own before each line.
    let mut words =
        prefix.split_whitespace().filter(|word| !is_time(word) && !matches!(*word, "ACCESS" | ">"));
    let first = words.next()?;
    if let Some(inside) = first.strip_prefix('[').and_then(|w| w.strip_suffix(']')) {
        // [pod/NAME/CONTAINER]
        return name(inside.split('/').nth(1)?);
    }
    if matches!(first, "stdout" | "stderr") {
        return None;
    }
    // stern: `POD CONTAINER`, or `NAMESPACE POD CONTAINER` with -A. compose: `NAME |`.
    let rest: Vec<&str> = words.collect();
    match rest.as_slice() {
        [pod, _container] => name(pod),
        _ => name(first),
    }
}

fn is_time(word: &str) -> bool {
    // In UTC, or with what the node's clock is ahead or behind.
    let offset = || word.as_bytes().iter().rev().nth(5).is_some_and(|sign| matches!(sign, b'+' | b'-'));
    word.len() >= 20 && date_and(word, "T") && (word.ends_with('Z') || offset())
}

/// A line of the proxy's own log, or its agent's, as what stands before the message and the message:
/// `[2026-01-01 00:00:00.000][1][warning][wasm] [context.cc:1] MESSAGE`, `2026-01-01T00:00:00.000000Z\tinfo\tSCOPE\tMESSAGE`.
pub(in crate::explain) fn own_log(text: &str) -> Option<(&str, &str)> {
    let at = begins(text, |rest| envoys(rest).or_else(|| agents(rest)).is_some())?;
    let rest = text.get(at..)?;
    let message = envoys(rest).or_else(|| agents(rest))?;
    let before = text.get(..text.len().saturating_sub(message.len()))?;
    Some((before, message))
}

pub(in crate::explain) const LEVELS: &[&str] =
    &["trace", "debug", "info", "warning", "warn", "error", "critical", "fatal"];

/// Whether it is the level of a warning, or worse.
pub(in crate::explain) fn is_bad(level: &str) -> bool {
    matches!(level.to_ascii_lowercase().as_str(), "warn" | "warning" | "error" | "critical" | "fatal")
}

/// Whether what stands before a message of such a log says so.
pub(in crate::explain) fn says_bad(before: &str) -> bool {
    before.split(['[', ']', ' ', '\t']).any(is_bad)
}

/// The message of a line of Envoy's own format.
fn envoys(line: &str) -> Option<&str> {
    // Istio's, up to 1.4.
    let epoch = line.strip_prefix("[Envoy (Epoch ").and_then(|rest| rest.split_once(")] "));
    let line = epoch.map_or(line, |(_, line)| line);
    let rest = line.strip_prefix('[').filter(|rest| date_and(rest, " "))?;
    let (_time, rest) = rest.split_once("][")?;
    let (_thread, rest) = rest.split_once("][")?;
    let (level, rest) = rest.split_once("][")?;
    let (_component, message) = rest.split_once("] ")?;
    LEVELS.contains(&level).then_some(())?;
    // The place in the source, where the format has it.
    let place = message.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    // Up to Envoy 1.8 its first bracket was missing.
    let half =
        || message.split_once("] ").filter(|(place, _)| place.contains(".cc:") || place.contains(".h:"));
    let place = place.or_else(half).filter(|(place, _)| !place.contains(['"', '{', ' ']));
    Some(place.map_or(message, |(_, message)| message))
}

/// A header as Envoy logs it at level debug, in a line of its own: `':status', '503'`.
pub(in crate::explain) fn is_logged_header(line: &str) -> bool {
    logged_header(line).is_some()
}

/// Its name and its value.
pub(in crate::explain) fn logged_header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix('\'')?.strip_suffix('\'')?.split_once("', '")?;
    let proper = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b":-_".contains(&b);
    name.bytes().all(proper).then_some((name, value))
}

/// The message of one of Envoy's lines that Cilium's agent logs: `level=debug msg="[[C1] ..." subsys=envoy-router threadID=1`.
pub(in crate::explain) fn ciliums(line: &str) -> Option<Cow<'_, str>> {
    let (before, rest) = line.split_once("level=")?;
    // The names of a pod and a container, and the time.
    let is_front = |word: &str| word.starts_with("time=") || !word.contains(['"', '\'', '/', '=', '`']);
    before.split_whitespace().all(is_front).then_some(())?;
    let (_, message) = rest.split_once(" msg=\"[").filter(|(level, _)| !level.contains(' '))?;
    let (message, subsystem) = message.rsplit_once("\" subsys=")?;
    let plain =
        || if message.contains("\\\"") { message.replace("\\\"", "\"").into() } else { message.into() };
    subsystem.starts_with("envoy-").then(plain)
}

/// The message of one of Envoy's lines that went through Istio's agent, where a terminal made spaces of the tabs.
fn spaced(line: &str) -> Option<&str> {
    let mut rest = line;
    let mut word = || {
        let (word, behind) = rest.split_once(' ')?;
        rest = behind.trim_start();
        Some(word)
    };
    // Whoever shows it to others may leave out the time.
    let mut level = word()?;
    if date_and(level, "T") {
        level = word()?;
    }
    LEVELS.contains(&level).then_some(())?;
    (word()? == "envoy").then_some(())?;
    word()?;
    // The place in the source: `external/envoy/source/.../filter.cc:12`.
    let place = rest.split_once(' ').filter(|(place, _)| place.contains(".cc:"));
    Some(place.map_or(rest, |(_, message)| message.trim_start()))
}

/// The same of the agent's own and of istiod's: in place of each tab there is more than one space.
fn agents_spaced(line: &str) -> Option<&str> {
    // Its time has microseconds: of others more than one space has to stand there.
    const LENGTH: usize = "2026-01-01T00:00:00.000000Z".len();
    let (time, behind) = line.split_at_checked(line.find(' ')?)?;
    (date_and(time, "T") && is_time(time)).then_some(())?;
    let space = if time.len() == LENGTH { " " } else { "  " };
    let column = |text: &str| text.starts_with(space).then(|| text.trim_start().len());
    let rest = behind.get(behind.len().checked_sub(column(behind)?)?..)?;
    let (level, behind) = rest.split_at_checked(rest.find(' ')?)?;
    // The first ztunnels wrote it in capitals, as Rust's programs do.
    let is_ztunnels = || behind.contains("ztunnel::") && LEVELS.iter().any(|l| l.eq_ignore_ascii_case(level));
    (LEVELS.contains(&level) || is_ztunnels()).then_some(())?;
    behind.get(behind.len().checked_sub(column(behind)?)?..)
}

/// The message of a line of Istio's agent, through which Envoy's lines go, too.
fn agents(line: &str) -> Option<&str> {
    if !line.contains('\t') {
        return spaced(line).or_else(|| agents_spaced(line));
    }
    let (time, rest) = line.split_once('\t')?;
    // Whoever shows one of Envoy's to others may leave out the time.
    let is_timeless = LEVELS.contains(&time) && rest.starts_with("envoy ");
    (is_timeless || date_and(time, "T")).then_some(())?;
    let (level, rest) = if is_timeless { (time, rest) } else { rest.split_once('\t')? };
    LEVELS.contains(&level.trim()).then_some(())?;
    // Envoy's have its component and the place in the source before the message.
    let inner = rest.split_once('\t').filter(|(scope, _)| scope.starts_with("envoy"));
    Some(inner.map_or(rest, |(_, message)| message))
}
