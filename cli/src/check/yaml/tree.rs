//! Nodes from the events of the YAML parser, within bounds.

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::node::{Entry, Node, Value};
use super::{Documents, YamlError};

/// Deeper than any Kubernetes resource; keeps hostile input off the stack.
const MAX_DEPTH: usize = 128;
/// What aliases may expand to in one document.
const MAX_ALIASED: usize = 100_000;
/// The most nodes of all that is read: some hundred megabytes.
pub(super) const MAX_NODES: usize = 4_000_000;

/// Builds nodes from the parser's events.
#[derive(Default)]
pub(super) struct Tree {
    lines_before: usize,
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: Vec<(usize, Node)>,
    aliased: usize,
    room: usize,
    duplicates: Vec<(usize, String)>,
}

/// A list or map that has not ended yet.
struct Open {
    anchor: usize,
    node: Node,
    /// In a map: the key whose value comes next.
    key: Option<(String, usize)>,
}

impl Tree {
    /// The documents of a text that begins behind `lines_before`, with at most `room` nodes; what they take is subtracted.
    pub(super) fn read(text: &str, lines_before: usize, room: &mut usize) -> Result<Documents, YamlError> {
        let mut tree = Self { lines_before, room: *room, ..Self::default() };
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| YamlError {
                line: lines_before.saturating_add(error.marker().line()),
                message: error.info(),
            })?;
            tree.event(event, span)?;
        }
        *room = tree.room;
        Ok(Documents { nodes: tree.documents, errors: Vec::new(), duplicates: tree.duplicates })
    }

    fn take(&mut self, nodes: usize, line: usize) -> Result<(), YamlError> {
        let rest = self.room.checked_sub(nodes);
        self.room = rest.ok_or_else(|| refused(line, "more than is read at once"))?;
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlError> {
        let line = self.lines_before.saturating_add(span.start.line());
        self.take(1, line)?;
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let null =
                    style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if null { Value::Null } else { Value::Scalar(text.into_owned()) };
                self.place(Node { line, value }, anchor)?;
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Value::List(Vec::new()), line, anchor)?,
            Event::MappingStart(_, anchor, _) => self.begin(Value::Map(Vec::new()), line, anchor)?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { anchor, node, .. }) = self.open.pop() {
                    self.place(merged(node), anchor)?;
                }
            }
            Event::Alias(anchor) => {
                let node =
                    self.anchors.iter().rev().find(|(id, _)| *id == anchor).map(|(_, node)| node.clone());
                self.aliased = self.aliased.saturating_add(node.as_ref().map_or(0, Node::size));
                if self.aliased > MAX_ALIASED {
                    return Err(refused(line, "aliases expand to too much"));
                }
                if let Some(node) = node {
                    self.take(node.size(), line)?;
                    self.place(node, 0)?;
                }
            }
            Event::DocumentStart(..) => {
                self.anchors.clear();
                self.aliased = 0;
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, value: Value, line: usize, anchor: usize) -> Result<(), YamlError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(refused(line, "nested too deeply"));
        }
        self.open.push(Open { anchor, node: Node { line, value }, key: None });
        Ok(())
    }

    fn place(&mut self, node: Node, anchor: usize) -> Result<(), YamlError> {
        if anchor != 0 {
            // Anchors within anchors are kept again and again.
            self.take(node.size(), node.line)?;
            self.anchors.push((anchor, node.clone()));
        }
        let Some(Open { node: parent, key, .. }) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match (&mut parent.value, key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some((key, line))) => {
                // The last of them counts. In a long map the look at the others would take its time.
                if entries.len() < 256 && key != "<<" && entries.iter().any(|entry| entry.key == key) {
                    self.duplicates.push((line, key.clone()));
                }
                entries.push(Entry { key, line, node });
            }
            // A list or map as a key means nothing to Kubernetes.
            (Value::Map(_), None) => *key = Some((node.as_text().unwrap_or_default().to_owned(), node.line)),
            (Value::Null | Value::Scalar(_), _) => {}
        }
        Ok(())
    }
}

/// A map with what its merge key (`<<`) brings in.
fn merged(mut node: Node) -> Node {
    let Value::Map(entries) = &mut node.value else { return node };
    let Some(at) = entries.iter().position(|entry| entry.key == "<<") else { return node };
    let source = entries.remove(at).node;
    let maps = if source.items().is_empty() { std::slice::from_ref(&source) } else { source.items() };
    for entry in maps.iter().flat_map(Node::entries) {
        if !entries.iter().any(|own| own.key == entry.key) {
            entries.push(entry.clone());
        }
    }
    node
}

fn refused(line: usize, message: &str) -> YamlError {
    YamlError { line, message: message.to_owned() }
}
