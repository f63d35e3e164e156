//! Where links in alerts and on the dashboard lead.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use meshwhy::causes::Cause;

use crate::harness::tools::root;

/// What stands for the address of `docs/` until `make manifests DOCS_URL=...` puts it in.
pub const DOCS: &str = "https://example.com/REPLACE-ME/docs";

/// The section that a link leads to, below this address of `docs/`.
pub fn section(url: &str, docs: &str) -> Result<String> {
    let place = url.strip_prefix(docs).and_then(|rest| rest.strip_prefix('/'));
    let place = place.with_context(|| format!("{url:?} is not below {docs}"))?;
    let (page, anchor) = place.split_once('#').with_context(|| format!("{url} has no anchor"))?;
    sections(page)?.remove(anchor).with_context(|| format!("{page} has no section {anchor}"))
}

/// Fails unless the section that a link leads to is this cause's.
pub fn explains(url: &str, docs: &str, cause: &str) -> Result<()> {
    let section = section(url, docs)?;
    let known = Cause::from_id(cause).with_context(|| format!("{cause} is no cause"))?;
    ensure!(section.starts_with(&format!("### {cause}\n")), "{url} leads to another section: {section}");
    let side = format!("**Side**: `{}`", known.side().id());
    ensure!(section.contains(&side), "the section of {cause} names another side: {section}");
    Ok(())
}

/// The sections of a page by GitHub's anchors; all headings are plain words.
pub fn sections(page: &str) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(root().join("docs").join(page)).with_context(|| page.to_owned())?;
    let mut sections = BTreeMap::new();
    let (mut anchor, mut fenced) = (String::new(), false);
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        if line.starts_with('#') && !fenced {
            anchor = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        }
        let section: &mut String = sections.entry(anchor.clone()).or_default();
        section.push_str(line);
        section.push('\n');
    }
    Ok(sections)
}
