//! Lines of an application's log that say of no failure: with a level below a warning's, and in words that go with one.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::served;

/// How far into a line its level may stand.
const FRONT: usize = 160;

/// Levels, as they are written in front of a message.
const CALM: &[&str] =
    &["INFO", "DEBUG", "TRACE", "NOTICE", "VERBOSE", "INF", "DBG", "DBUG", "TRC", "FINE", "FINER"];
const BAD: &[&str] = &[
    "WARN",
    "WARNING",
    "WRN",
    "ERROR",
    "ERR",
    "ERRO",
    "CRITICAL",
    "CRIT",
    "FATAL",
    "FTL",
    "PANIC",
    "SEVERE",
    "ALERT",
    "EMERG",
    "EMERGENCY",
];
/// The same in lower case, which is one only between brackets or behind a key.
const AROUND: &[(&str, &str)] = &[
    ("[", "]"),
    ("<", ">"),
    ("level=", " "),
    ("lvl=", " "),
    ("level\":\"", "\""),
    ("severity\":\"", "\""),
    // Python's has spaces, and other names.
    ("level\": \"", "\""),
    ("severity\": \"", "\""),
    ("levelname\": \"", "\""),
    ("levelname\":\"", "\""),
];
/// What some programs begin a line with.
const BEGINS: &[&str] = &[
    "info: ",
    "dbug: ",
    "trce: ",
    "debug: ",
    "INFO:",
    "DEBUG:",
    "D, [",
    "I, [",
    "Normal  ",
    "%5|",
    "%6|",
    "%7|",
    "=INFO ",
    "=PROGRESS ",
    "npm info ",
    "npm notice ",
    "LOG:  ",
    "http2: Framer ",
    "http2: decoded hpack ",
    "http2: Transport encoding ",
];

/// Envoy's own lines as istio-proxy writes them, without their time.
const ENVOYS: &[&str] = &["trace", "debug", "info"];

/// Words of a failure, as anybody writes them.
const FAILS: &[&str] = &[
    "fail",
    "error",
    "err=",
    "unable",
    "cannot",
    "can't",
    "could not",
    "couldn't",
    "not able",
    "refus",
    "timed out",
    "exception",
    "reject",
    "denied",
    "unavailable",
    "disconnect",
    "unreachable",
    "reset by",
    "was reset",
    "abort",
    "broken",
    "lost",
    "retrying",
    "gave up",
    "giving up",
    "expired",
    "invalid",
    "unhealthy",
    "exceeded",
    "overflow",
    "too many",
    "no route",
    "forbidden",
    "unauthorized",
    "bad gateway",
    "panic",
    "traceback",
    "eof",
    "goaway",
    "rst_stream",
    "unexpected",
    "unknown",
    "mismatch",
    "no healthy",
    "not found",
    "dropped",
    "deadline",
    "reason:",
    "rescue",
    "hung up",
    "hang up",
    "closed by",
    "closed before",
    "closed while",
    "prematurely",
];
/// What looks like one and says that there is none.
const NONE_OF_IT: &[&str] = &[
    "no error",
    "noerror",
    // The names of loggers of all that is no request.
    "gunicorn.error",
    "uvicorn.error",
    "0 error",
    "errors=0",
    "errors: 0",
    "error=null",
    "error=nil",
    "error=<nil>",
    "error: null",
    "\"error\":null",
    "\"error\":\"\"",
    "without error",
    "failed=0",
    "failed: 0",
    "failures=0",
    "0 failed",
    "0 failures",
    "no failure",
    "max_retries",
    "invalidat",
    "not expired",
];

/// Once through a text for the calm levels.
static LEVELS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(CALM).ok());

/// Once through a text for all of these.
static FAILING: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(FAILS).ok()
});

/// Whether a line's level says that nothing is wrong, and its words do as well.
pub(super) fn is_calm(text: &str) -> bool {
    const LEVELS: &[&str] = &["info", "debug", "trace", "notice"];
    const FAILS: &[&str] = &["fail", "error", "unable", "cannot", "could not", "refused", "timed out"];
    let said = text.to_ascii_lowercase();
    let mut words = said.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| LEVELS.contains(&word)) && !FAILS.iter().any(|fails| said.contains(fails))
}

/// Whether it is such a line: what has neither a level nor a failure may be anything.
pub(in crate::explain) fn is_of_a_log(text: &str) -> bool {
    let is_calm = || is_below_warning(text) || is_kubectls(text) || served::has_calm_level(text);
    served::is_good_answer(text) || (is_calm() && says_of_no_failure(text))
}

/// A row of `kubectl get pods` about one that runs, and the row above all of them.
fn is_kubectls(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let columns = (words.next(), words.next(), words.next(), words.next());
    match columns {
        (Some("NAME" | "NAMESPACE"), Some(_), Some(_), _) => !text.contains(|c: char| c.is_ascii_lowercase()),
        (Some(_), Some(ready), Some("Running" | "Completed"), Some(restarts)) => {
            let is_ready = ready.split_once('/').is_some_and(|(some, all)| some == all || all == "1");
            is_ready && restarts.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}

/// Whether nothing in a text reports a failure.
pub(in crate::explain) fn says_of_no_failure(text: &str) -> bool {
    // Most lines have none of the words.
    if !FAILING.as_ref().is_some_and(|words| words.is_match(text)) {
        return !has_bad_status(text) && !has_timeout(text);
    }
    let mut said = text.to_ascii_lowercase();
    for nothing in NONE_OF_IT {
        said = said.replace(nothing, "");
    }
    !FAILS.iter().any(|fails| said.contains(fails)) && !has_bad_status(&said) && !has_timeout(&said)
}

/// A server's access log in a line with a level, any number that is a usual failed status, and any other beside the name of one.
pub(in crate::explain) fn has_bad_status(said: &str) -> bool {
    let words =
        said.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).filter(|word| !word.is_empty());
    let (mut before, mut last) = ("", "");
    for word in words {
        let code = word.trim_end_matches('.');
        let is_status =
            code.len() == 3 && code.starts_with(['4', '5']) && code.bytes().all(|byte| byte.is_ascii_digit());
        // `status=505`, `statusCode: 505`, `HTTP 522`, `HTTP/1.1 522`
        let names = |word: &str| {
            ["status", "code", "http"].iter().any(|end| {
                word.len()
                    .checked_sub(end.len())
                    .and_then(|at| word.get(at..))
                    .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
            })
        };
        let is_named = || names(last) || (last.contains('.') && names(before));
        let is_usual =
            matches!(code, "400" | "401" | "403" | "404" | "408" | "429" | "500" | "502" | "503" | "504");
        if is_status && (is_usual || is_named()) {
            return true;
        }
        (before, last) = (last, word);
    }
    false
}

/// Whether a timeout has run out: with a value behind it, it is set to that.
fn has_timeout(said: &str) -> bool {
    static TIMEOUT: LazyLock<Option<AhoCorasick>> =
        LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(["timeout"]).ok());
    const SETS: &[&str] = &["to ", "of ", "is ", "set", "in ", "value", "config"];
    let Some(finder) = TIMEOUT.as_ref() else { return false };
    finder.find_iter(said).any(|found| {
        let behind = said.get(found.end()..).unwrap_or_default();
        // `timeoutMs`, `timeout-seconds`, `timeout.ms = 5`, `timeout="5s"`, `timeout......5`
        let behind = behind.trim_start_matches('.');
        let is_name =
            behind.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '=' | '"'));
        let value = behind.trim_start_matches([':', ' ', '=', '(', '[', '\'']);
        let is_set = value.starts_with(|c: char| c.is_ascii_digit() || c == '"');
        !is_name && !is_set && !SETS.iter().any(|word| value.starts_with(word))
    })
}

/// Whether the first level that stands in front is below a warning's.
pub(super) fn is_below_warning(text: &str) -> bool {
    let text = text.trim_start();
    // Behind Go's own time: `2026/11/20 10:00:00 http2: Framer ...`.
    let behind_time = text.get(20..).filter(|_| text.get(4..5) == Some("/") && text.get(7..8) == Some("/"));
    if [Some(text), behind_time]
        .into_iter()
        .flatten()
        .any(|text| BEGINS.iter().any(|begin| text.starts_with(begin)))
    {
        return true;
    }
    // An object's keys are in any order.
    let end = if text.starts_with('{') { 4 * FRONT } else { FRONT };
    let front = text.get(..text.floor_char_boundary(end)).unwrap_or_default();
    if is_pinos(front) || is_klogs(front) || is_envoys(front) || is_mosquittos(front) || is_debugs(text) {
        return true;
    }
    // Most lines have no level at all.
    if !LEVELS.as_ref().is_some_and(|levels| levels.is_match(front)) {
        return false;
    }
    let words = front.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-')));
    // Celery's has the process behind it: `DEBUG/MainProcess`.
    let mut levels = words.map(|word| word.split_once('/').map_or(word, |(level, _)| level));
    let alone = levels.find(|word| is_level(word) && word.bytes().all(|byte| byte.is_ascii_uppercase()));
    let said = front.to_ascii_lowercase();
    let named = AROUND.iter().find_map(|(before, behind)| {
        let mut parts = said.split(before).skip(1).filter_map(|rest| rest.split(behind).next());
        parts.find_map(|level| Some(level.trim()).filter(|level| is_level(level)))
    });
    named.or(alone).is_some_and(|level| CALM.contains(&level.to_ascii_uppercase().as_str()))
}

fn is_level(word: &str) -> bool {
    let upper = word.to_ascii_uppercase();
    CALM.contains(&upper.as_str()) || BAD.contains(&upper.as_str())
}

/// `istio-proxy debug envoy upstream\tmessage`
fn is_envoys(front: &str) -> bool {
    let mut words = front.split_whitespace();
    let level = words.find(|word| *word != "istio-proxy");
    level.is_some_and(|level| ENVOYS.contains(&level)) && words.next() == Some("envoy")
}

/// `ioredis:cluster getting slot cache +1ms`, of Node's package of that name.
fn is_debugs(text: &str) -> bool {
    let name = text.split_whitespace().next().unwrap_or_default();
    let passed = text.trim_end().rsplit_once(" +").map_or("", |(_, passed)| passed);
    let number = passed.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = passed.get(number.len()..).unwrap_or_default();
    name.contains(':')
        && !name.contains(['/', '['])
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(unit, "ms" | "s" | "m" | "h")
}

/// `1604142402: New connection from 10.0.0.1 on port 1883.`, which has no level.
fn is_mosquittos(front: &str) -> bool {
    const BEGINS: &[&str] =
        &["New c", "Saving ", "Sending ", "Received ", "Config loaded ", "Opening ", "mosquitto version "];
    front.split_once(": ").is_some_and(|(time, said)| {
        time.len() == 10
            && time.bytes().all(|byte| byte.is_ascii_digit())
            && BEGINS.iter().any(|begin| said.starts_with(begin))
    })
}

/// `{"level":30,"time":1700000000000,"msg":"listening"}`
fn is_pinos(front: &str) -> bool {
    front.starts_with("{\"level\":30,") || front.starts_with("{\"level\":20,")
}

/// `I1120 10:00:00.000000       1 file.go:12] message`
fn is_klogs(front: &str) -> bool {
    let behind = front.strip_prefix('I');
    behind.is_some_and(|behind| {
        let rest = behind.get(5..).unwrap_or_default();
        begins_with_klogs_date(behind)
            && rest.starts_with(|c: char| c.is_ascii_digit())
            && rest.contains("] ")
    })
}

/// `1120 `: the month and the day, and nothing between.
pub(super) fn begins_with_klogs_date(text: &str) -> bool {
    let date = text.get(..5).unwrap_or_default();
    date.ends_with(' ') && date.bytes().take(4).all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
