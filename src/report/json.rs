//! One flat JSON object, its keys in the order given.

use serde::{Serialize, Serializer};

/// A key and its value.
pub(super) type Member<'a> = (&'a str, Value<'a>);

/// A value of the object.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Number(u64),
}

/// Members in order, which a `serde_json::Map` would sort.
struct Object<I>(I);

impl<'a, I: Iterator<Item = Member<'a>> + Clone> Serialize for Object<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.clone())
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
        }
    }
}

/// The object as text.
pub(super) fn object<'a>(members: impl Iterator<Item = Member<'a>> + Clone) -> String {
    // Texts and numbers always can be written.
    serde_json::to_string(&Object(members)).unwrap_or_default()
}
