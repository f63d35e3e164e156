//! Titles of changes, and lists of them: what a failure is done about.

/// What Git and GitHub begin the title of a merge with.
const MERGES: &[&str] = &[
    "Merge pull request #",
    "Merge branch '",
    "Merge remote-tracking branch '",
    "Merge commit '",
    "Revert \"",
];

/// Whether it says what a commit or a release changed: `fix: ...`, `[BUGFIX] ...`, `1a2b3c4 Fix ...`.
pub(super) fn is_one(own: &str) -> bool {
    let own = own.trim_start_matches(['#', ' ']);
    let own = own.strip_prefix("commit ").unwrap_or(own);
    let is_hash = |word: &str| {
        (7..=40).contains(&word.len())
            && word.bytes().all(|b| b.is_ascii_hexdigit())
            && word.bytes().any(|b| b.is_ascii_digit())
    };
    let own = own.split_once(' ').filter(|(word, _)| is_hash(word)).map_or(own, |(_, rest)| rest);
    let is_merge = MERGES.iter().any(|begin| own.starts_with(begin));
    if is_merge || is_order(own) {
        return true;
    }
    let in_brackets = own.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    if in_brackets.is_some_and(|(word, _)| ["BUGFIX", "ENHANCEMENT", "FEATURE", "CHANGE"].contains(&word)) {
        return true;
    }
    const KINDS: &[&str] =
        &["fix", "feat", "chore", "docs", "refactor", "perf", "test", "ci", "build", "revert"];
    let lower = own.get(..own.len().min(24)).unwrap_or_default().to_ascii_lowercase();
    let kind = |kind: &&str| {
        // `feat!: ...`, `chore(deps)!: ...` break something.
        let rest = lower.strip_prefix(kind);
        let in_scope = || own.contains("): ") || own.contains(")!: ");
        rest.is_some_and(|rest| {
            rest.starts_with(": ") || rest.starts_with("!: ") || (rest.starts_with('(') && in_scope())
        })
    };
    KINDS.iter().any(kind) || ["fix ", "fixes ", "fixed "].iter().any(|word| lower.starts_with(word))
}

/// Whether it begins as a change's title does, by what is to be done: `handle ECONNRESET properly`, `# Feature: retry on 503`.
fn is_order(own: &str) -> bool {
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
    // What failed says so, or what it was.
    const REPORTS: &[&str] = &[": ", " failed", "failure", " after ", " attempt", "could not", "unable to"];
    let (verb, rest) = own.split_once(' ').unwrap_or_default();
    let verb = verb.trim_end_matches(':').to_ascii_lowercase();
    let said = format!(" {rest}");
    let rest_is_words = rest.starts_with(|c: char| c.is_ascii_alphabetic());
    VERBS.contains(&verb.as_str())
        && rest_is_words
        && !rest.contains("://")
        && !REPORTS.iter().any(|words| said.contains(words))
}
