//! Which texts are read: files, folders, standard input.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::check::Source;
use crate::input::{self, Streams};

/// What is standard input called on the command line.
const STDIN: &str = "-";
/// The longest text that is read, and the most of all: a dump of a large cluster has some ten megabytes.
const LONGEST: u64 = 64 << 20;
const MOST: u64 = 128 << 20;
/// Folders within folders.
const DEEPEST: usize = 64;

/// Files and folders that are passed over, by path or by name alone.
#[derive(Debug, Default)]
pub struct Excluded(GlobSet);

impl Excluded {
    /// `*` stays within a folder, `**` doesn't.
    pub fn new(globs: &[String]) -> anyhow::Result<Self> {
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            let built = GlobBuilder::new(glob).literal_separator(true).build();
            set.add(built.with_context(|| format!("--exclude {glob}"))?);
        }
        Ok(Self(set.build()?))
    }

    /// `path` as it is printed, and below the folder that was named.
    fn has(&self, path: &Path, below: &Path) -> bool {
        let own = path.strip_prefix(below).unwrap_or(path);
        let name = path.file_name().map(Path::new);
        [Some(path), Some(own), name].into_iter().flatten().any(|path| self.0.is_match(path))
    }
}

/// The texts, and whether one could not be had.
#[derive(Debug, Default)]
pub struct Input {
    /// The texts.
    pub sources: Vec<Source>,
    /// Whether some text could not be had.
    pub failed: bool,
    /// The files that were named themselves.
    pub named: Vec<String>,
    /// What was passed over that may have been meant, and why.
    pub passed_over: Vec<(String, &'static str)>,
    taken: u64,
    excluded: Excluded,
}

impl Input {
    /// Reads all of them.
    pub fn read(paths: &[PathBuf], excluded: Excluded) -> Self {
        let mut input = Self { excluded, ..Self::default() };
        for path in paths {
            if path == Path::new(STDIN) {
                let result = input.text(io::stdin().lock()).and_then(|text| {
                    // What was to write it may have failed.
                    let empty = || io::Error::new(io::ErrorKind::UnexpectedEof, "nothing on standard input");
                    if text.trim().is_empty() { Err(empty()) } else { Ok(text) }
                });
                input.add(STDIN.to_owned(), result);
            } else if path.is_dir() {
                let before = input.sources.len();
                input.folder(path, path, 0);
                if input.sources.len() == before && !input.failed {
                    let empty = io::Error::new(io::ErrorKind::NotFound, "no .yaml, .yml or .json file in it");
                    input.add(path.display().to_string(), Err(empty));
                }
            } else if !input.excluded.has(path, path) {
                input.named.push(path.display().to_string());
                input.file(path);
            }
        }
        input
    }

    /// Of texts that are no files.
    pub fn of(sources: Vec<Source>) -> Self {
        Self { sources, ..Self::default() }
    }

    fn folder(&mut self, folder: &Path, top: &Path, depth: usize) {
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
            if entry.file_name().to_string_lossy().starts_with('.') || self.excluded.has(&path, top) {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.folder(&path, top, depth + 1);
            } else if path.is_dir() {
                // It could lead back to where it came from.
                self.passed_over.push((path.display().to_string(), "a link to a folder is not followed"));
            } else if is_yaml(&path) && path.is_file() {
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
                warn!("{name}: {error}");
                self.failed = true;
            }
        }
    }
}

/// By its name, in capitals or not.
fn is_yaml(path: &Path) -> bool {
    let end = path.extension().map(|end| end.to_string_lossy().to_ascii_lowercase());
    end.is_some_and(|end| matches!(end.as_str(), "yaml" | "yml" | "json"))
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
        let read = |path: &Path| Input::read(&[path.to_owned()], Excluded::default());
        let input = read(&top);
        assert!(input.failed, "it is one folder too deep");
        assert_eq!(input.sources.len(), 1, "a link to a folder leads nowhere");
        assert_eq!(input.passed_over.len(), 1, "and that is said");
        fs::remove_dir(deep).unwrap();
        assert!(!read(&top).failed);
        fs::remove_dir_all(top).unwrap();
    }
}
