//! `meshwhy check`: reads files, prints the mistakes in them.

use std::fs;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use meshwhy::diagnosis::Confidence;

use super::outcome::Outcome;
use super::text::counted;
use crate::check::{Checked, Source, check, json, text, visible_json};
use crate::input::{self, Streams};

/// What is standard input called on the command line.
const STDIN: &str = "-";
/// The longest text that is read, and the most of all: a dump of a large cluster has some ten megabytes.
const LONGEST: u64 = 64 << 20;
const MOST: u64 = 128 << 20;
/// Folders within folders.
const DEEPEST: usize = 64;

/// What to check.
#[derive(Debug, Args)]
pub struct Check {
    /// YAML or JSON files, folders (recursively), or `-` for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    paths: Vec<PathBuf>,
    /// One JSON object a line for each finding
    #[arg(long)]
    json: bool,
    /// Exit with 1 from this confidence on
    #[arg(long, value_enum, default_value_t = FailOn::Certain, value_name = "CONFIDENCE")]
    fail_on: FailOn,
    /// What is given is all there is: whatever it doesn't have doesn't exist
    #[arg(long)]
    complete: bool,
}

/// From which confidence on the exit code is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Certain,
    Likely,
    Possible,
    Never,
}

/// Reads, checks, prints.
pub fn run(options: &Check) -> anyhow::Result<Outcome> {
    let Input { sources, mut failed, .. } = Input::read(&options.paths);
    let checked = check(&sources, options.complete);
    failed |= !checked.unreadable.is_empty() || !checked.templates.is_empty();
    print(&checked, options.json)?;
    let found = checked.findings.iter().any(|finding| options.fail_on.includes(finding.confidence));
    Ok(match (failed, found) {
        (true, _) => Outcome::Unreadable,
        (false, true) => Outcome::Failures,
        (false, false) => Outcome::Nothing,
    })
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
}

fn print(checked: &Checked, as_json: bool) -> io::Result<()> {
    for unreadable in &checked.unreadable {
        let error = &unreadable.error;
        complain!("{}:{}: no YAML: {}", unreadable.file, error.line, error.message);
    }
    for origin in &checked.templates {
        complain!(
            "{}:{}: {} has placeholders: not checked (render the template first)",
            origin.file,
            origin.line,
            origin.id()
        );
    }
    for origin in &checked.redefined {
        let place = format!("{}:{}", origin.file, origin.line);
        complain!("{place}: {} is defined more than once; this definition was checked", origin.id());
    }
    let mut out = anstream::stdout().lock();
    for finding in &checked.findings {
        if as_json {
            writeln!(out, "{}", visible_json(&json(finding).to_string()))?;
        } else {
            writeln!(out, "{}", text(finding))?;
        }
    }
    if !as_json {
        let resources = counted(checked.resources as u64, "resource");
        writeln!(out, "{resources} checked, {}", counted(checked.findings.len() as u64, "finding"))?;
    }
    out.flush()
}

/// The texts, and whether one could not be had.
#[derive(Debug, Default)]
struct Input {
    sources: Vec<Source>,
    taken: u64,
    failed: bool,
}

impl Input {
    fn read(paths: &[PathBuf]) -> Self {
        let mut input = Self::default();
        for path in paths {
            if path == Path::new(STDIN) {
                let result = input.text(io::stdin().lock());
                input.add(STDIN.to_owned(), result);
            } else if path.is_dir() {
                input.folder(path, 0);
            } else {
                input.file(path);
            }
        }
        input
    }

    fn folder(&mut self, folder: &Path, depth: usize) {
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.and_then(|entries| {
            let deep = || io::Error::other(format!("more than {DEEPEST} folders deep"));
            if depth < DEEPEST { Ok(entries) } else { Err(deep()) }
        });
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.add(folder.display().to_string(), Err(error)),
        };
        // The order in which `kubectl apply -R` takes them.
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let name = entry.file_name();
            // A link to a folder could lead back to where it came from.
            let real_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if real_folder && !name.to_string_lossy().starts_with('.') {
                self.folder(&path, depth + 1);
            } else if path
                .extension()
                .is_some_and(|end| matches!(end.to_str(), Some("yaml" | "yml" | "json")))
                && path.is_file()
            {
                self.file(&path);
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let result = input::regular(path, Streams::Pipes).and_then(|file| self.text(file));
        self.add(path.display().to_string(), result);
    }

    /// A text that is not too long, nor all of them together.
    fn text(&self, stream: impl Read) -> io::Result<String> {
        let room = LONGEST.min(MOST.saturating_sub(self.taken));
        let mut text = String::new();
        let read = stream.take(room + 1).read_to_string(&mut text)?;
        if read as u64 <= room {
            return Ok(text);
        }
        let (longest, most) = (LONGEST >> 20, MOST >> 20);
        let error = match room {
            LONGEST => format!("longer than {longest} MiB"),
            _ => format!("more than {most} MiB in all"),
        };
        Err(io::Error::new(io::ErrorKind::FileTooLarge, error))
    }

    fn add(&mut self, name: String, text: io::Result<String>) {
        match text {
            Ok(text) => {
                self.taken += text.len() as u64;
                self.sources.push(Source { name, text });
            }
            Err(error) => {
                complain!("{name}: {error}");
                self.failed = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_texts_together_are_bounded() {
        let input = Input { taken: MOST - 5, ..Input::default() };
        assert_eq!(input.text(&b"a: 12"[..]).unwrap(), "a: 12");
        assert_eq!(input.text(&b"a: 123"[..]).unwrap_err().to_string(), "more than 128 MiB in all");
        // Of what has no end no more is read than shows it.
        let mut endless = io::repeat(b' ').take(MOST);
        assert!(input.text(&mut endless).is_err());
        assert_eq!(endless.limit(), MOST - 6);
    }

    #[cfg(unix)]
    #[test]
    fn folders_end() {
        let top = std::env::temp_dir().join(format!("meshwhy-folders-{}", std::process::id()));
        let deep = (0..DEEPEST).fold(top.clone(), |path, _| path.join("d"));
        fs::create_dir_all(&deep).unwrap();
        fs::write(top.join("a.yaml"), "").unwrap();
        std::os::unix::fs::symlink(&top, top.join("again")).unwrap();
        let read = |path: &Path| Input::read(&[path.to_owned()]);
        let input = read(&top);
        assert!(input.failed, "it is one folder too deep");
        assert_eq!(input.sources.len(), 1, "a link to a folder leads nowhere");
        fs::remove_dir(deep).unwrap();
        assert!(!read(&top).failed);
        fs::remove_dir_all(top).unwrap();
    }
}
