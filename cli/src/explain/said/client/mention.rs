//! Texts that mention such a failure and report none: source code, settings, tests, changes, counters of nothing, and what the words mean.

use memchr::memmem;
use meshwhy::evidence::Flags;

use super::change;

/// Whether what a text says with these words is no failure of a request.
pub(super) fn is_one(text: &str, words: &str) -> bool {
    let own = without_signs(text);
    is_code(own, words)
        || is_of_a_diff(text)
        || is_test(own)
        || change::is_one(own, words)
        || is_setting(text, own, words)
        || is_explained(own)
        || is_listed(own, words)
        || is_elsewhere(text, words)
}

/// Whether it is of a program, of a test or of a list of changes.
pub(super) fn is_written(text: &str) -> bool {
    let own = without_signs(text);
    is_code(own, "") || is_of_a_diff(text) || is_test(own) || change::is_one(own, "")
}

/// Whether the number that goes with the words at this place of a text is nought.
pub(super) fn is_counted_none(text: &str, start: usize, end: usize) -> bool {
    let (before, behind) = (before(text, start), behind(text, end));
    // `connection reset count 0`
    let named = [" count", " total", "s_total", "_total", "_count"];
    let behind = named.iter().find_map(|name| behind.strip_prefix(name)).unwrap_or(behind);
    let is_nought = |number: &str| number.trim_end_matches(['0', '.']).is_empty() && number.starts_with('0');
    // `0 connection refused`
    let number = before.trim_end_matches([' ', '"']).rsplit([' ', '(', ',']).next().unwrap_or_default();
    let counted = before.ends_with(' ') && is_nought(number);
    // `connection refused: 0`, `{reason="connection refused"} 0`
    let value =
        behind.trim_start_matches(['s', '"', '\'', '}', ')', ' ']).trim_start_matches([':', '=', ' ']);
    let digits = value.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    let unit = value.get(digits.len()..).unwrap_or_default();
    let ends = ["", ",", ";", " ", ")", "}"]
        .iter()
        .any(|end| unit == *end || (!end.is_empty() && unit.starts_with(end)));
    counted || (is_nought(digits) && ends)
}

/// How far around words is looked: a text may have them at each of its bytes.
const NEAR: usize = 64;

/// What stands right before a place of a text.
pub(super) fn before(text: &str, at: usize) -> &str {
    text.get(text.ceil_char_boundary(at.saturating_sub(NEAR))..at).unwrap_or_default()
}

/// What stands right behind a place of a text.
pub(super) fn behind(text: &str, at: usize) -> &str {
    text.get(at..text.floor_char_boundary(at.saturating_add(NEAR))).unwrap_or_default()
}

/// Without the signs of lists, quotations and changed lines.
fn without_signs(text: &str) -> &str {
    text.trim().trim_start_matches(['+', '-', '*', '>', '•', ' ', '\t'])
}

/// Whether it is a changed line that is indented, as a program's are.
fn is_of_a_diff(text: &str) -> bool {
    let changed = ["+\t", "-\t", "+    "].iter().find_map(|sign| text.strip_prefix(sign));
    // Node sets a stack in as well.
    changed.is_some_and(|line| !line.trim_start().starts_with("at ") || !change::reports(line))
}

/// Whether it is a line of a program: what it looks for, or would say.
fn is_code(own: &str, words: &str) -> bool {
    const CALLS: &[&str] = &[
        "ontains(",
        "syscall.E",
        "errno.E",
        "ErrorKind::",
        "errors.Is(",
        "errors.As(",
        ".includes(",
        ".indexOf(",
        "asPrefix(",
        "asSuffix(",
        ".startsWith(",
        ".endsWith(",
        "assert_eq!(",
        "assertEquals(",
        ".toBe(",
        ".toEqual(",
        ".to.equal(",
        ".toMatchObject(",
        ".toThrow(",
        "inline_string: ",
        "inlineString: ",
        ".match(",
        "isinstance(",
        "instanceof ",
        "errors.New(",
        ".Errorf(",
        ".Warn(\"",
        ".Error(\"",
        ".Info(\"",
        ".warn(\"",
        ".error(\"",
        ".info(\"",
        ".Printf(\"",
        ".Println(\"",
        "println!(\"",
        "new Error(",
        "=== '",
        "=== \"",
        "== \"",
        "== '",
        "!= \"",
        "!= '",
    ];
    const BEGINS: &[&str] = &[
        "const ",
        "let ",
        "var ",
        "val ",
        "final ",
        "static ",
        "private ",
        "public ",
        "return ",
        "throw ",
        "throws ",
        "raise ",
        "import ",
        "use ",
        "catch ",
        "catch(",
        "} catch",
        "rescue ",
        "except ",
        "except(",
        "case ",
        "func ",
        "fn ",
        "def ",
        "if (",
        "} else if (",
        "while (",
    ];
    let has = |what: &&str| memmem::find(own.as_bytes(), what.as_bytes()).is_some();
    let begins = BEGINS.iter().any(|word| own.starts_with(word))
        && own.ends_with([';', '{', ':', '(', ')', '[', ',', '}']);
    // An element of a list of words.
    let element = own.strip_suffix(',').filter(|_| !words.is_empty()).unwrap_or_default();
    let is_element = ['"', '\'', '`'].iter().any(|quote| {
        let inside = element.strip_prefix(*quote).and_then(|rest| rest.strip_suffix(*quote));
        inside.is_some_and(|inside| inside.eq_ignore_ascii_case(words))
    });
    // `rescue Errno::ECONNREFUSED => e`, `#define ECONNREFUSED 111`
    let is_rescue =
        own.starts_with("rescue ") && own.rsplit_once(" => ").is_some_and(|(_, name)| !name.contains(' '));
    let is_comment = is_rescue
        || own.starts_with("#define ")
        || own.starts_with("//")
        || own.starts_with("/*")
        || own.starts_with("@throws ");
    is_comment || begins || is_element || CALLS.iter().any(has)
}

/// Whether it says how a test went that ended well, or that one begins.
fn is_test(own: &str) -> bool {
    const BEGINS: &[&str] = &[
        "✓ ",
        "✔ ",
        "√ ",
        "PASS ",
        "PASS: ",
        "PASSED ",
        "PASS:",
        "-- PASS",
        "=== RUN",
        "=== CONT",
        "=== PAUSE",
        "[ RUN      ] ",
        "[       OK ] ",
        "Scenario: ",
        "Scenario Outline: ",
    ];
    // TAP's: `ok 5 - retries on ECONNREFUSED`.
    let is_taps = own.strip_prefix("ok ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    BEGINS.iter().any(|word| own.starts_with(word))
        || own.ends_with(" ... ok")
        || own.contains(" PASSED")
        || (own.contains("::test_") && !own.contains(' '))
        || is_taps
        || is_named_test(own)
}

/// Whether it gives a test its name: `it('retries on ECONNREFUSED', () => {`, `describe "connection refused" do`.
fn is_named_test(own: &str) -> bool {
    const CALLS: &[&str] = &["it", "test", "describe", "context", "specify", "t.Run", "@DisplayName"];
    const SORTS: &[&str] = &[".only", ".skip", ".todo", ".concurrent"];
    CALLS.iter().filter_map(|call| own.strip_prefix(call)).any(|rest| {
        let rest = SORTS.iter().find_map(|sort| rest.strip_prefix(sort)).unwrap_or(rest);
        let is_call = ["('", "(\"", "(`"].iter().any(|begin| rest.starts_with(begin));
        is_call || ([" '", " \""].iter().any(|begin| rest.starts_with(begin)) && own.ends_with(" do"))
    })
}

/// Whether it is of a list or a table of such words and what they mean: `| ECONNREFUSED | nobody listens |`, `<li>ECONNRESET: ...</li>`.
fn is_listed(own: &str, words: &str) -> bool {
    const ITEMS: &[&str] = &["<li>", "<td>", "<dt>", "<th>", "<tr><td>"];
    const SIGNS: &[&str] = &["<code>", "<b>", "<strong>", "**", "`", "*"];
    let cell = own.strip_prefix('|').filter(|rest| rest.ends_with('|') && rest.matches('|').count() > 1);
    let Some(first) = cell.or_else(|| ITEMS.iter().find_map(|item| own.strip_prefix(item))) else {
        return false;
    };
    let first = first.trim_start();
    let first = SIGNS.iter().find_map(|sign| first.strip_prefix(sign)).unwrap_or(first);
    let is_first = first.get(..words.len()).is_some_and(|first| first.eq_ignore_ascii_case(words));
    // What failed has an address, a time or a number.
    is_first && !words.is_empty() && !own.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether it sets what a program does about such failures, or names a metric of them.
fn is_setting(text: &str, own: &str, words: &str) -> bool {
    // A template fills it in.
    if own.contains("{{ $")
        || own.contains("{{ .")
        || own.starts_with("# HELP ")
        || own.starts_with("# TYPE ")
    {
        return true;
    }
    // nginx's, and an alert's name.
    let is_directive = || {
        own.split(' ').next().is_some_and(|word| {
            word.contains('_') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        })
    };
    if (own.ends_with(';') && is_directive()) || own.starts_with("alert: ") {
        return true;
    }
    // `- java.net.ConnectException`: what was thrown has a message, and no sign in front.
    let is_listed = own.len() < text.trim().len();
    if is_listed && own.eq_ignore_ascii_case(words) && own.contains('.') {
        return true;
    }
    let Some(at) = own.to_ascii_lowercase().find(&words.to_ascii_lowercase()) else { return false };
    let before = own.get(..at).unwrap_or_default();
    let Some((before, _)) = before.rsplit_once([':', '=']) else { return false };
    // `retryExceptions[0]`, too.
    let before = before.trim_end_matches(|c: char| c.is_ascii_digit() || "\"' []".contains(c));
    let key =
        before.rsplit(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c)).next().unwrap_or_default();
    let key: String =
        key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let is_of_retries = key.ends_with("retryon")
        || (key.contains("retr") && ["exceptions", "errors", "codes"].iter().any(|end| key.ends_with(end)));
    is_of_retries || (key.ends_with("exceptions") && key.len() > "exceptions".len())
}

/// Whether it explains what such words mean, or what to do about them.
fn is_explained(own: &str) -> bool {
    // What is to be done, what is looked for, and what Git does with it.
    const OTHERS: &[&str] = &[
        "NOTE: In case ",
        "[x] ",
        "[X] ",
        "[ ] ",
        "TODO: ",
        "TODO(",
        "FIXME: ",
        "grep ",
        "$ grep ",
        "diff --git ",
        "Switched to ",
        "On branch ",
        "[new branch] ",
    ];
    if OTHERS.iter().any(|begin| own.starts_with(begin)) || own.contains(" | grep ") {
        return true;
    }
    // Who reports what became of it speaks of oneself.
    const ONES: &[&str] = &["I", "we", "We", "my", "My", "our", "Our", "me", "us"];
    // What a change does, and what a setting is for.
    const DOES: &[&str] = &[
        "ensures ",
        "handles ",
        "adds ",
        "introduces ",
        "improves ",
        "allows ",
        "change ensures ",
        "change handles ",
        "change adds ",
        "change introduces ",
        "change improves ",
        "change allows ",
        "PR ensures ",
        "PR handles ",
        "PR adds ",
        "PR introduces ",
        "PR improves ",
        "PR allows ",
    ];
    let does =
        |this: &str| own.split(this).skip(1).any(|behind| DOES.iter().any(|words| behind.starts_with(words)));
    if does("This ")
        || does("this ")
        || does("It ")
        || own.contains("Default value is ")
        || own.contains(" Default is ")
        || own.contains("Maximum number of ")
    {
        return true;
    }
    let is_ones = || own.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| ONES.contains(&word));
    if ["If you ", "If the ", "If a ", "If an "].iter().any(|begin| own.starts_with(begin)) && !is_ones() {
        return true;
    }
    if own.contains(" in addition to ") && own.contains(" response code") {
        return true;
    }
    // A table of flags: `| 102503 | UF | Upstream connection failed |`, `UC: Upstream connection termination`.
    let mut words = own.split([' ', '|', '`', ':', '\t']).filter(|word| !word.is_empty());
    let first = words.by_ref().find(|word| !word.bytes().all(|b| b.is_ascii_digit()));
    let is_flag = first.is_some_and(|word| !Flags::from_short(word).is_empty());
    let begins = |word: &str| {
        let names = ["Upstream", "Downstream", "Connection", "Local"].contains(&word);
        names || (own.contains('|') && word.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    is_flag && words.next().is_some_and(begins) && words.all(|word| !word.bytes().any(|b| b.is_ascii_digit()))
}

/// Whether what it is about isn't a request: volumes, conditions, tests, logins.
fn is_elsewhere(text: &str, words: &str) -> bool {
    const OTHERS: &[&str] = &[
        "timed out waiting for the condition",
        "Lock wait timeout",
        "lock timeout",
        "Exceeded timeout of ",
        "unmounted volumes=[",
        "process volumes=[",
        "For async tests and hooks",
        "Waiting for selector",
        "Waiting failed: ",
        "test timed out after",
        " sshd[",
    ];
    // `0/3 nodes are available`, of the scheduler.
    let is_scheduling = || {
        let (before, _) = text.split_once(" nodes are available")?;
        let (_, of) = before.rsplit_once('/')?;
        Some(!of.is_empty() && of.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if is_scheduling() == Some(true) {
        return true;
    }
    const REQUESTS: &[&str] = &[
        "http", "rpc", "dial", "tcp", "Get ", "Post ", "equest", "stream", "prox", "pstream", "lient",
        "erver", "onnect", "lookup",
    ];
    let has = |what: &&str| memmem::find(text.as_bytes(), what.as_bytes()).is_some();
    // Go's words for anything that was called off.
    let is_called_off = words == ": context canceled" && !REQUESTS.iter().any(has);
    is_called_off || OTHERS.iter().any(has)
}

#[cfg(test)]
mod tests;
