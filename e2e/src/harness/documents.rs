//! Files, and tables in documents, that tests write and compare; and the commands in documents, which they run.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::harness::tools::root;

/// Whether this run writes anew what it would compare (`MESHWHY_BLESS=1`).
pub fn blessed() -> bool {
    std::env::var("MESHWHY_BLESS").is_ok_and(|value| value == "1")
}

/// Compares the file with what was made, or writes it anew where that is asked for (`MESHWHY_BLESS=1`).
pub fn check_file(path: &Path, text: &str) -> Result<()> {
    if blessed() {
        fs::write(path, text)?;
    }
    let written = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    ensure!(written == text, "{} is old (MESHWHY_BLESS=1 writes it anew):\n{text}", path.display());
    Ok(())
}

/// Compares what stands between `<!-- NAME -->` and `<!-- /NAME -->`, or writes it anew where that is asked for
/// (`MESHWHY_BLESS=1`).
pub fn check(document: &str, name: &str, text: &str) -> Result<()> {
    let file = root().join(document);
    let whole = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let marks = [format!("<!-- {name} -->\n"), format!("<!-- /{name} -->")];
    let no_marks = || format!("{document} has no {name}");
    let (before, rest) = whole.split_once(&marks[0]).with_context(no_marks)?;
    let (written, after) = rest.split_once(&marks[1]).with_context(no_marks)?;
    if blessed() {
        return Ok(fs::write(file, format!("{before}{}{text}{}{after}", marks[0], marks[1]))?);
    }
    ensure!(
        written == text,
        "{document} says of {name}:\n{written}but seen was:\n{text}(MESHWHY_BLESS=1 writes it anew)"
    );
    Ok(())
}

/// A document's text.
pub fn read(document: &str) -> Result<String> {
    fs::read_to_string(root().join(document)).with_context(|| document.to_owned())
}

/// What stands under a heading (`## Name`), up to the next one like it.
pub fn section<'a>(text: &'a str, heading: &str) -> Result<&'a str> {
    let (_, rest) = text.split_once(&format!("\n{heading}\n")).with_context(|| format!("no {heading:?}"))?;
    Ok(rest.split_once("\n## ").map_or(rest, |(own, _)| own))
}

/// The commands of indented blocks: a line each, and the next ones where a quote is still open.
pub fn commands(text: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("    ")) {
        match commands.last_mut().filter(|command| command.matches('\'').count() % 2 == 1) {
            Some(open) => open.extend(["\n", line]),
            None => commands.push(line.to_owned()),
        }
    }
    commands
}

/// What stands between backticks in the text.
pub fn inline(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_whole_and_of_their_section() {
        let text = "# A\n\n## One\n\n    a 'b\n      c' d\n    e # f\n\nSay `g h`.\n\n## Two\n\n    i\n";
        let one = section(text, "## One").unwrap();
        assert_eq!(commands(one), ["a 'b\n  c' d", "e # f"]);
        assert_eq!(inline(one), ["g h"]);
        assert!(section(text, "## Three").is_err());
    }
}
