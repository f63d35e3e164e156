//! How a run ended.

use std::process::ExitCode;

/// How it went, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing failed.
    Nothing,
    /// Failures were found.
    Failures,
    /// Something could not be read.
    Unreadable,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}

impl Outcome {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Failures => 1,
            Self::Unreadable => 2,
        }
    }
}
