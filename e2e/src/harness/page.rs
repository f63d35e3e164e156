//! The manifests of Istio's page, verbatim: it is our test data (`tests/istio-page`).

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use meshwhy::causes::manual::PageSection;

use crate::harness::tools::root;

/// The name of a section's file: `double-tls.broken.yaml`.
pub fn name(section: PageSection, file: &str) -> String {
    format!("{}.{file}", section.anchor())
}

/// A file of a section, by what it is: `broken.yaml`.
pub fn text(section: PageSection, file: &str) -> Result<String> {
    let path = folder().join(name(section, file));
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// The same with what the page leaves open filled in: each text stands for one of the page's.
pub fn filled(section: PageSection, file: &str, fill: &[(&str, &str)]) -> Result<String> {
    let mut text = text(section, file)?;
    for (from, to) in fill {
        ensure!(text.contains(from), "{}: no {from:?}", name(section, file));
        text = text.replacen(from, to, 1);
    }
    Ok(text)
}

/// Every manifest: its section and the name of its file.
pub fn manifests() -> Result<Vec<(PageSection, String)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".yaml") {
            continue;
        }
        let anchor = name.split('.').next().unwrap_or_default();
        let section = PageSection::ALL.iter().find(|section| section.anchor() == anchor);
        all.push((*section.with_context(|| format!("the page has no section {anchor}"))?, name));
    }
    all.sort();
    Ok(all)
}

fn folder() -> PathBuf {
    root().join("tests/istio-page")
}
