//! The manual: of each cause, what happened, how to be sure, and how to put it right.
//!
//! A page is the Markdown file beside the cause's facts: a title, what happened, and the sections
//! below. Commands are shell, with `#` lines that say what to look for. Words in capitals
//! (`POD`, `HOST`) are for the reader to fill in.

use std::sync::LazyLock;

use super::Cause;
pub use super::PageSection;

/// The headings of a page, in order. The last one stands where a cause has look-alikes.
pub(super) const SECTIONS: [&str; 4] = ["Looks like", "Confirm", "Fix", "Tell apart"];

static ENTRIES: LazyLock<Vec<Entry>> =
    LazyLock::new(|| Cause::ALL.iter().map(|cause| Entry::parse(cause.page())).collect());

/// What the manual says of one cause.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// A headline.
    pub title: String,
    /// What went wrong, and why the proxy did what it did.
    pub happened: String,
    /// What the client gets and what Envoy's default access log shows.
    pub looks_like: String,
    /// Commands that prove it, with comments on what to look for.
    pub confirm: String,
    /// What to know when changing it. [`Cause::fix`] comes first, in one sentence.
    pub fix: String,
    /// The change as YAML, to apply or to merge.
    pub fix_yaml: Option<String>,
    /// How to tell it from its look-alikes; empty if there are none.
    pub tell_apart: String,
}

/// The manual's entry for a cause.
pub fn entry(cause: Cause) -> &'static Entry {
    static NONE: LazyLock<Entry> = LazyLock::new(Entry::default);
    ENTRIES.get(cause as usize).unwrap_or(&NONE)
}

impl Entry {
    /// What a page lacks stays empty; a test asks for all of it.
    fn parse(page: &str) -> Self {
        let (head, _) = page.split_once("\n## ").unwrap_or((page, ""));
        let (title, happened) = head.split_once('\n').unwrap_or((head, ""));
        let [looks_like, confirm, fix, tell_apart] = SECTIONS.map(|heading| section(page, heading));
        Self {
            title: title.trim_start_matches("# ").to_owned(),
            happened: prose(happened),
            looks_like: prose(looks_like),
            confirm: block(confirm, "sh").unwrap_or_default().trim_end().to_owned(),
            fix: prose(fix.split("```").next().unwrap_or_default()),
            fix_yaml: block(fix, "yaml").map(str::to_owned),
            tell_apart: prose(tell_apart),
        }
    }
}

/// What stands between this heading and the next.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, behind) = page.split_once(&format!("\n## {heading}\n")).unwrap_or_default();
    behind.split("\n## ").next().unwrap_or_default()
}

/// The first fenced block of this language, without its fences.
fn block<'a>(section: &'a str, language: &str) -> Option<&'a str> {
    let (_, behind) = section.split_once(&format!("```{language}\n"))?;
    Some(behind.split("```").next().unwrap_or_default())
}

/// A paragraph without its line breaks.
fn prose(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
