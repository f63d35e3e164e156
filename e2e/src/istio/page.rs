//! The YAML of Istio's page, verbatim: it is our test data.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::tools::root;

/// The titles of its sections, in its order.
pub fn titles() -> Result<Vec<String>> {
    Ok(page()?.lines().filter(|line| line.starts_with("## ") || line.starts_with("###")).map(title).collect())
}

fn title(heading: &str) -> String {
    let title = heading.trim_start_matches('#').split(" {#").next().unwrap_or_default();
    title.trim().to_owned()
}

fn page() -> Result<String> {
    let file = root().join("../shared/traffic-management-problems.md");
    fs::read_to_string(&file).with_context(|| format!("the page {}", file.display()))
}

/// The page's code blocks of one section: those between its heading and the next.
pub fn blocks(section: &str) -> Result<Vec<String>> {
    let blocks = blocks_in(&page()?, section);
    ensure!(!blocks.is_empty(), "the page has no code in a section {section:?}");
    Ok(blocks)
}

/// Every block of YAML: its section and number.
pub fn yaml_blocks() -> Result<Vec<(String, usize)>> {
    let mut all = Vec::new();
    let (mut section, mut number) = (String::new(), 0);
    for line in page()?.lines() {
        if line.starts_with('#') {
            (section, number) = (title(line), 0);
        } else if let Some(kind) = line.strip_prefix("{{< text ") {
            if kind.starts_with("yaml") {
                all.push((section.clone(), number));
            }
            number += 1;
        }
    }
    Ok(all)
}

/// Block number `index` (from 0) of a section.
pub fn block(section: &str, index: usize) -> Result<String> {
    blocks(section)?.into_iter().nth(index).with_context(|| format!("{section:?} has no block {index}"))
}

/// The same with what the page leaves open filled in: each text stands for one of the page's.
pub fn filled(section: &str, index: usize, fill: &[(&str, &str)]) -> Result<String> {
    let mut text = block(section, index)?;
    for (from, to) in fill {
        ensure!(text.contains(from), "{section:?}: no {from:?} in block {index}");
        text = text.replacen(from, to, 1);
    }
    Ok(text)
}

fn blocks_in(page: &str, section: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut inside = false;
    let mut block: Option<String> = None;
    for line in page.lines() {
        if let Some(code) = &mut block {
            if line.starts_with("{{< /text >}}") {
                blocks.extend(block.take());
            } else {
                code.push_str(line);
                code.push('\n');
            }
        } else if line.starts_with('#') {
            inside = title(line) == section;
        } else if inside && line.starts_with("{{< text") {
            block = Some(String::new());
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::blocks_in;

    #[test]
    fn blocks_belong_to_their_section() {
        let page = "# A {#a}\n{{< text yaml >}}\nx: 1\n# no heading\n{{< /text >}}\n## B\ntext\n{{< text bash >}}\n$ ls\n{{< /text >}}\n";
        assert_eq!(blocks_in(page, "A"), ["x: 1\n# no heading\n"]);
        assert_eq!(blocks_in(page, "B"), ["$ ls\n"]);
        assert!(blocks_in(page, "C").is_empty());
    }
}
