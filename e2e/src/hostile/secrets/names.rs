//! The names of details that meshwhy knows, compared with Envoy's binary.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use meshwhy::evidence::Detail;

use crate::harness::releases;

/// The longest text that Envoy's compiler may build in registers, eight bytes at a time.
const IN_REGISTERS: usize = 22;

/// Each name that this version is said to have is in its binary.
pub fn check() -> Result<()> {
    let minor = releases::minor()?;
    let binary = std::fs::read(releases::envoy()?)?;
    let texts: BTreeSet<&[u8]> = binary
        .split(|byte| !byte.is_ascii_graphic())
        .filter(|text| text.len() >= 8 && text[0].is_ascii_lowercase())
        .collect();
    let has = |name: &[u8]| texts.range(name..).next().is_some_and(|text| text.starts_with(name));
    let said: Vec<&Detail> = Detail::KNOWN.iter().filter(|detail| detail.seen().contains(&minor)).collect();
    // Other versions than those two are not said to have any.
    ensure!(!said.is_empty() || !matches!(minor, 36 | 40), "no name is said to be in 1.{minor}");
    for name in said.iter().map(|detail| detail.name().as_bytes()) {
        let pieces = name.len() <= IN_REGISTERS && has(&name[..name.len().min(8)]);
        ensure!(has(name) || pieces, "{} is not in Envoy 1.{minor}", String::from_utf8_lossy(name));
    }
    Ok(())
}
