//! `meshwhy check`: reads files, prints the mistakes in them.

mod baseline;
mod formats;
mod github;
mod input;
mod junit;
mod sarif;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use meshwhy::diagnosis::Confidence;

use self::baseline::Baseline;
use self::input::{Excluded, Input};
use super::outcome::Outcome;
use crate::check::{Checked, Finding, Given, Source, check};

/// What to check.
#[derive(Debug, Args)]
pub struct Check {
    /// YAML or JSON files, folders (recursively), or `-` for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    paths: Vec<PathBuf>,
    /// The namespace of resources that name none
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Pass over files and folders with such a path or name (`**/charts`, `*.tmpl.yaml`); may be repeated
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// What comes of them.
    #[command(flatten)]
    reporting: Reporting,
}

/// What is said of the findings, and what of them counts.
#[derive(Debug, Args)]
pub struct Reporting {
    /// How to print what is found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format jsonl
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Exit with 1 from this confidence on
    #[arg(long, value_enum, default_value_t = FailOn::Certain, value_name = "CONFIDENCE")]
    fail_on: FailOn,
    /// What is given is all there is: whatever it doesn't have doesn't exist
    #[arg(long)]
    complete: bool,
    /// Leave out the findings that this file holds
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the findings there are into the baseline, and succeed
    #[arg(long, requires = "baseline")]
    update_baseline: bool,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object: findings, what was not checked, and a summary
    Json,
    /// One JSON object a line for each finding
    Jsonl,
    /// SARIF 2.1.0, which code scanning takes
    Sarif,
    /// Annotations of GitHub's workflows
    Github,
    /// JUnit's XML
    Junit,
}

/// From which confidence on the exit code is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Certain ones
    Certain,
    /// Likely ones, too
    Likely,
    /// All
    Possible,
    /// None
    Never,
}

/// What a run came to, for whoever prints it.
#[derive(Debug)]
struct Report {
    checked: Checked,
    fail_on: FailOn,
    /// How many findings the baseline holds.
    known: usize,
}

/// Reads, checks, prints.
pub fn run(options: &Check) -> anyhow::Result<Outcome> {
    let input = Input::read(&options.paths, Excluded::new(&options.exclude)?);
    let given = Given { namespace: options.namespace.as_deref(), ..Given::default() };
    report(&input, given, &options.reporting, |_| true)
}

/// What a cluster holds, as `kubectl get -o yaml` prints it: all of some kinds. Of the findings those that are asked for.
pub fn of_cluster(
    texts: Vec<String>,
    all_of: &[(&str, &str)],
    reporting: &Reporting,
    is_asked: impl Fn(&Finding) -> bool,
) -> anyhow::Result<Outcome> {
    let sources = texts.into_iter().map(|text| Source { name: CLUSTER.to_owned(), text }).collect();
    report(&Input::of(sources), Given { all_of, ..Given::default() }, reporting, is_asked)
}

impl Reporting {
    /// All findings for people, and none that fails anything.
    pub const PLAIN: Self = Self {
        format: Format::Text,
        json: false,
        fail_on: FailOn::Never,
        complete: false,
        baseline: None,
        update_baseline: false,
    };
}

/// What a cluster's objects are called: they have no file.
const CLUSTER: &str = "cluster";

fn report(
    input: &Input,
    given: Given<'_>,
    options: &Reporting,
    is_asked: impl Fn(&Finding) -> bool,
) -> anyhow::Result<Outcome> {
    let given = Given { complete: options.complete, ..given };
    let mut checked = check(&input.sources, given);
    checked.findings.retain(is_asked);
    let failed = input.failed || !checked.unreadable.is_empty();
    if let Some(file) = options.baseline.as_ref().filter(|_| options.update_baseline) {
        Baseline::of(&checked.findings).write(file)?;
    }
    let mut known = 0;
    if let Some(file) = &options.baseline {
        let findings = std::mem::take(&mut checked.findings);
        let all = findings.len();
        checked.findings = Baseline::read(file)?.without(findings);
        known = all.saturating_sub(checked.findings.len());
    }
    let report = Report { checked, fail_on: options.fail_on, known };
    formats::notes(&report.checked, input);
    formats::print(&report, if options.json { Format::Jsonl } else { options.format })?;
    Ok(match (failed, report.fails()) {
        (true, _) => Outcome::Unreadable,
        (false, true) => Outcome::Failures,
        (false, false) => Outcome::Nothing,
    })
}

impl Report {
    /// Whether a finding counts.
    fn fails(&self) -> bool {
        self.checked.findings.iter().any(|finding| self.fail_on.includes(finding.confidence))
    }

    /// How many findings have this confidence.
    fn count(&self, confidence: Confidence) -> usize {
        self.checked.findings.iter().filter(|finding| finding.confidence == confidence).count()
    }
}

impl FailOn {
    fn includes(self, confidence: Confidence) -> bool {
        match self {
            Self::Certain => confidence == Confidence::Certain,
            Self::Likely => confidence >= Confidence::Likely,
            Self::Possible => true,
            Self::Never => false,
        }
    }

    /// The option for findings of a confidence to count.
    const fn of(confidence: Confidence) -> &'static str {
        match confidence {
            Confidence::Certain => "certain",
            Confidence::Likely => "likely",
            Confidence::Possible => "possible",
        }
    }
}
