//! What a client saw.

/// What a user saw.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// The program's exit code.
    pub exit: i32,
    /// What it said.
    pub text: String,
}

/// The first HTTP status in what a program printed.
pub fn status_in(text: &str) -> Option<u16> {
    let (_, after) = text.split_once("HTTP/")?;
    let (_version, after) = after.split_once(' ')?;
    after.get(..3)?.parse().ok()
}
