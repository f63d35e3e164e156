//! Titles of changes, and lists of them: what a failure is done about.

/// What Git and GitHub begin the title of a merge with.
const MERGES: &[&str] = &[
    "Merge pull request #",
    "Merge branch '",
    "Merge remote-tracking branch '",
    "Merge commit '",
    "Revert \"",
];

/// What failed says so, or what it was.
const REPORTS: &[&str] =
    &[": ", " failed", "failure", " after ", " attempt", "could not", "unable to", " still ", "://"];

/// What a change does, as titles begin.
const VERBS: &[&str] = &[
    "handle",
    "add",
    "adds",
    "retry",
    "improve",
    "improves",
    "improved",
    "better",
    "support",
    "allow",
    "ignore",
    "implement",
    "introduce",
    "introduces",
    "prevent",
    "avoid",
    "draft",
    "feature",
    "ensure",
];

/// Whether it says what a commit or a release changed, and names a failure with these words: `fix: ...`, `[BUGFIX] ...`, `1a2b3c4 Fix ...`.
pub(super) fn is_one(own: &str, words: &str) -> bool {
    let own = own.trim_start_matches(['#', ' ']);
    let own = own.strip_prefix("commit ").unwrap_or(own);
    let is_hash = |word: &str| {
        (7..=40).contains(&word.len())
            && word.bytes().all(|b| b.is_ascii_hexdigit())
            && word.bytes().any(|b| b.is_ascii_digit())
    };
    let own = own.split_once(' ').filter(|(word, _)| is_hash(word)).map_or(own, |(_, rest)| rest);
    let is_merge = MERGES.iter().any(|begin| own.starts_with(begin));
    if is_merge || is_order(own, words) {
        return true;
    }
    let in_brackets = own.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    if let Some((word, rest)) = in_brackets {
        return ["BUGFIX", "ENHANCEMENT", "FEATURE", "CHANGE"].contains(&word) && !reports(rest);
    }
    const KINDS: &[&str] =
        &["fix", "feat", "chore", "docs", "refactor", "perf", "test", "ci", "build", "revert"];
    // `fix: ...`, `fix(client): ...`, `feat!: ...` and `chore(deps)!: ...` break something; programs and steps of a pipeline begin a row so as well.
    let kind = own.split_once(": ").filter(|(kind, rest)| {
        let kind = kind.strip_suffix('!').unwrap_or(kind);
        let name = kind.split_once('(').filter(|_| kind.ends_with(')')).map_or(kind, |(name, _)| name);
        KINDS.iter().any(|known| name.eq_ignore_ascii_case(known)) && !reports(rest)
    });
    let fixed = own.split_once(' ').filter(|(word, rest)| {
        ["fix", "fixes", "fixed"].iter().any(|fixes| word.eq_ignore_ascii_case(fixes)) && !reports(rest)
    });
    kind.is_some() || (fixed.is_some() && is_object(own, words))
}

/// Whether it reports what failed: in such words, or with the address that was asked.
pub(super) fn reports(rest: &str) -> bool {
    let said = format!(" {rest}");
    let mut words = rest.split([' ', '(', ')', '"', '\'', ',']);
    REPORTS.iter().any(|words| said.contains(words)) || words.any(is_address)
}

/// `10.0.0.1:80`, `127.0.0.1`, `[::1]:80`
fn is_address(word: &str) -> bool {
    let of_port = word.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let host = of_port.map_or(word, |(host, _)| host);
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    host.parse::<std::net::Ipv4Addr>().is_ok()
        || inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Whether a failure's words are what is done something about: `handle ECONNRESET`, `retry on ECONNRESET errors`. At the end of a text and
/// behind any other word they are what came of it: `ensure database is up ECONNREFUSED`.
fn is_object(own: &str, words: &str) -> bool {
    const LINKS: &[&str] = &[
        "a", "about", "against", "all", "an", "and", "any", "as", "by", "every", "for", "from", "handling",
        "if", "in", "like", "of", "on", "or", "the", "to", "upon", "when", "where", "while", "with",
    ];
    let said = own.trim_end_matches(['.', '!', ' ', ')', '"', '\'', '`']).to_ascii_lowercase();
    let Some(before) = said.strip_suffix(&words.to_ascii_lowercase()).filter(|_| !words.is_empty()) else {
        return true;
    };
    let mut before = before.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let (first, last) = (before.next(), before.next_back());
    // Behind the verb itself.
    first.is_some() && last.is_none_or(|last| LINKS.contains(&last) || VERBS.contains(&last))
}

/// Whether it begins as a change's title does, by what is to be done: `handle ECONNRESET properly`, `# Feature: retry on 503`.
fn is_order(own: &str, words: &str) -> bool {
    let (verb, rest) = own.split_once(' ').unwrap_or_default();
    let verb = verb.trim_end_matches(':').to_ascii_lowercase();
    let rest_is_words = rest.starts_with(|c: char| c.is_ascii_alphabetic());
    VERBS.contains(&verb.as_str()) && rest_is_words && !reports(rest) && is_object(own, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_names_a_failure_and_who_reports_one_tells_of_it() {
        for (text, words) in [
            ("fix: handle connection refused", "connection refused"),
            ("fix(client): retry on ECONNRESET", "ECONNRESET"),
            ("Fix ECONNRESET", "ECONNRESET"),
            ("1a2b3c4 Fixes the socket hang up", "socket hang up"),
            ("[BUGFIX] retry when connection reset by peer", "connection reset by peer"),
            ("handle ECONNRESET properly", "ECONNRESET"),
            ("Add ECONNREFUSED to what is retried", "ECONNREFUSED"),
            ("# Feature: retry on ECONNREFUSED", "ECONNREFUSED"),
            ("# Feature: retry econnreset", "ECONNRESET"),
            ("Better handling of ECONNREFUSED", "ECONNREFUSED"),
        ] {
            assert!(is_one(text, words), "{text}");
        }
        for (text, words) in [
            ("ci: error: connect ECONNREFUSED 10.0.0.1:80", "connect ECONNREFUSED"),
            ("build: Get \"https://registry/\": connection refused", "connection refused"),
            ("test: dial tcp 10.0.0.1:80: connection refused", "connection refused"),
            ("test: connect ECONNREFUSED 10.0.0.1:80", "connect ECONNREFUSED"),
            ("build(web): ECONNREFUSED http://registry/", "ECONNREFUSED"),
            ("fixed 3 pods, still connection refused", "connection refused"),
            ("fixed the pod but connection refused", "connection refused"),
            ("[CHANGE] deploy failed: connection refused", "connection refused"),
            ("ensure database is up ECONNREFUSED", "ECONNREFUSED"),
            ("Feature flag service ECONNREFUSED", "ECONNREFUSED"),
            ("add user job ECONNREFUSED", "ECONNREFUSED"),
        ] {
            assert!(!is_one(text, words), "{text}");
        }
    }
}
