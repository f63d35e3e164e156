//! A tree of values that know their lines.

/// A value and the line it begins on.
#[derive(Debug, Clone)]
pub struct Node {
    /// Counted from 1.
    pub line: usize,
    pub(super) value: Value,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key, its line, and what it holds.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its line.
    pub line: usize,
    /// Its value.
    pub node: Node,
}

impl Node {
    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// A key of a map, with its line. Of two with the same name the last counts.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().rev().find(|entry| entry.key == key && !matches!(entry.node.value, Value::Null))
    }

    /// What lies under a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The entries, if it is a map.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items, if it is a list.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The items of a list under a key.
    pub fn list(&self, key: &str) -> &[Self] {
        self.get(key).map_or(&[], Self::items)
    }

    /// The text, if it is a scalar.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The text under a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_text()
    }

    /// The port or other small number under a key.
    pub fn number(&self, key: &str) -> Option<u16> {
        self.text(key)?.parse().ok()
    }

    /// Whether a key holds `true`.
    pub fn is_true(&self, key: &str) -> bool {
        self.text(key) == Some("true")
    }

    /// The same content, wherever it stands.
    pub fn same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Scalar(one), Value::Scalar(two)) => one == two,
            (Value::List(one), Value::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.same(two))
            }
            (Value::Map(one), Value::Map(two)) => {
                one.len() == two.len()
                    && one.iter().all(|entry| {
                        two.iter().any(|other| other.key == entry.key && other.node.same(&entry.node))
                    })
            }
            _ => false,
        }
    }

    pub(super) fn size(&self) -> usize {
        let inner: usize = match &self.value {
            Value::Null | Value::Scalar(_) => 0,
            Value::List(items) => items.iter().map(Self::size).sum(),
            Value::Map(entries) => entries.iter().map(|entry| entry.node.size()).sum(),
        };
        inner.saturating_add(1)
    }
}
