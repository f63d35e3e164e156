//! Findings that were there before and are left out until somebody mends them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::check::{Finding, plain_path};

/// The format's version.
const VERSION: u32 = 1;

/// What a baseline file holds: no lines and no words, which change while the mistake stays.
#[derive(Debug, Serialize, Deserialize)]
pub struct Baseline {
    version: u32,
    findings: Vec<Known>,
}

/// A mistake of a resource, and how often it has it.
#[derive(Debug, Serialize, Deserialize)]
struct Known {
    file: String,
    resource: String,
    cause: String,
    count: usize,
}

impl Baseline {
    /// Of all of these.
    pub fn of(findings: &[Finding]) -> Self {
        let mut counts: BTreeMap<[String; 3], usize> = BTreeMap::new();
        for finding in findings {
            *counts.entry(key(finding)).or_default() += 1;
        }
        let known =
            |([file, resource, cause], count): ([String; 3], usize)| Known { file, resource, cause, count };
        Self { version: VERSION, findings: counts.into_iter().map(known).collect() }
    }

    /// Reads a file.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let name = || format!("--baseline {}", file.display());
        let baseline: Self =
            serde_json::from_slice(&fs::read(file).with_context(name)?).with_context(name)?;
        ensure!(baseline.version == VERSION, "{}: version {} is not known", name(), baseline.version);
        Ok(baseline)
    }

    /// Writes it.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(file, text).with_context(|| format!("--baseline {}", file.display()))
    }

    /// The findings that it doesn't hold.
    pub fn without(self, findings: Vec<Finding>) -> Vec<Finding> {
        let known = self.findings.into_iter().map(|one| ([one.file, one.resource, one.cause], one.count));
        let mut known: BTreeMap<[String; 3], usize> = known.collect();
        let is_new = |finding: &Finding| match known.get_mut(&key(finding)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        };
        findings.into_iter().filter(is_new).collect()
    }
}

fn key(finding: &Finding) -> [String; 3] {
    [plain_path(&finding.origin.file).to_owned(), finding.origin.id(), finding.cause.id().to_owned()]
}
