//! YAML (and so JSON) as a tree that knows its lines.
//!
//! On the parser of `serde-saphyr`, without its serde layer: that loses a scalar's text in a dynamic value (`version: 1.10`
//! becomes 1.1) and with types refuses the resource for one field of another type, of which `check` reads the rest.

mod node;
mod tree;

use self::tree::{MAX_NODES, Tree};

pub use self::node::{Entry, Node};

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// Where.
    pub line: usize,
    /// What the parser says.
    pub message: String,
}

/// Room for the nodes of all texts that are read together.
#[derive(Debug)]
pub struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(MAX_NODES)
    }
}

/// What a text holds.
#[derive(Debug, Default)]
pub struct Documents {
    /// The documents.
    pub nodes: Vec<Node>,
    /// What could not be read.
    pub errors: Vec<YamlError>,
    /// Keys that a map has twice, and their lines.
    pub duplicates: Vec<(usize, String)>,
}

/// The documents of a text. One that is malformed doesn't hide the others.
pub fn documents(text: &str, room: &mut Room) -> Documents {
    let mut all = Documents::default();
    for (first_line, chunk) in chunks(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        let lines_before = first_line.saturating_sub(1);
        let read = Tree::read(&chunk, lines_before, &mut room.0);
        // Documentation leaves parts out with a line of dots, which is no YAML.
        let read = read.or_else(|error| match without_dots(&chunk) {
            Some(chunk) => Tree::read(&chunk, lines_before, &mut room.0).map_err(|_| error),
            None => Err(error),
        });
        let read = read.or_else(|error| with_deeper_quotes(&chunk, lines_before, error, room));
        match read {
            Ok(mut read) => {
                all.nodes.append(&mut read.nodes);
                all.duplicates.append(&mut read.duplicates);
            }
            Err(error) if chunk.contains("{{") => {
                let message = format!("{} (a template? Render it first)", error.message);
                all.errors.push(YamlError { message, ..error });
            }
            Err(error) => all.errors.push(error),
        }
    }
    all
}

/// Lines of a quoted text that don't go deeper than their key: YAML 1.2 forbids it, kubectl takes it. What indents them means nothing.
fn with_deeper_quotes(
    chunk: &str,
    lines_before: usize,
    error: YamlError,
    room: &mut Room,
) -> Result<Documents, YamlError> {
    const MOST_LINES: usize = 64;
    const DEEPER: &str = "                                ";
    let mut lines: Vec<String> = chunk.lines().map(str::to_owned).collect();
    let mut last = error;
    for _ in 0..MOST_LINES {
        let at = last.line.checked_sub(lines_before.saturating_add(1));
        let line =
            at.filter(|_| last.message.contains("multiline quoted scalar")).and_then(|at| lines.get_mut(at));
        let Some(line) = line.filter(|line| !line.starts_with(DEEPER)) else { break };
        line.insert_str(0, DEEPER);
        match Tree::read(&lines.join("\n"), lines_before, &mut room.0) {
            Ok(documents) => return Ok(documents),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The text with empty lines for those that are an indented `...`, if there are any.
fn without_dots(chunk: &str) -> Option<String> {
    let dots = |line: &str| line.starts_with([' ', '\t']) && line.trim() == "...";
    let lines = || chunk.lines();
    lines()
        .any(dots)
        .then(|| lines().map(|line| if dots(line) { "" } else { line }).collect::<Vec<_>>().join("\n"))
}

/// The text between `---` lines, each with the number of its first line: what kubectl splits at.
fn chunks(text: &str) -> Vec<(usize, String)> {
    let mut chunks: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1_usize..).zip(text.split_inclusive('\n')) {
        let separator = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        match chunks.last_mut() {
            Some((_, chunk)) if !separator => chunk.push_str(line),
            _ => chunks.push((number, line.to_owned())),
        }
    }
    // Directives (`%YAML 1.2`) and comments before the first separator are no document.
    chunks.retain(|(_, chunk)| {
        chunk.lines().map(str::trim).any(|line| !(line.is_empty() || line.starts_with(['%', '#'])))
    });
    chunks
}
