//! Files, and tables in documents, that tests write and compare.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::harness::tools::root;

/// Compares the file with what was made, or writes it anew where that is asked for (`MESHWHY_BLESS=1`).
pub fn check_file(path: &Path, text: &str) -> Result<()> {
    if std::env::var_os("MESHWHY_BLESS").is_some() {
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
    if std::env::var_os("MESHWHY_BLESS").is_some() {
        return Ok(fs::write(file, format!("{before}{}{text}{}{after}", marks[0], marks[1]))?);
    }
    ensure!(
        written == text,
        "{document} says of {name}:\n{written}but seen was:\n{text}(MESHWHY_BLESS=1 writes it anew)"
    );
    Ok(())
}
