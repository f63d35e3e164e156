//! Texts as the proxy gave them.

use core::ops::Deref;

/// A text that is compared with earlier ones, which are often the same: by words, not by bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Text(String);

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Text {}
