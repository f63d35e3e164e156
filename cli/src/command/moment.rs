//! A time as its line has it.

/// Logs of one input may have several forms and zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// As it was written.
    pub text: String,
    /// Milliseconds since 1970, where its form is known.
    pub millis: Option<i64>,
}

impl Moment {
    /// Times in one form compare as text, too.
    pub fn is_before(&self, other: &Self) -> bool {
        match self.millis.zip(other.millis) {
            Some((this, other)) if this != other => this < other,
            _ => self.text < other.text,
        }
    }
}
