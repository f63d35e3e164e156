//! What a story expects the client to get.

use anyhow::{Result, ensure};

use crate::harness::client::Seen;

/// What the client gets.
#[derive(Debug, Clone, Copy)]
pub enum Gets {
    /// This status.
    Status(u16),
    /// An answer that holds this text.
    Answer(&'static str),
    /// Answers that hold each of these texts.
    Answers(&'static [&'static str]),
    /// Answers that hold the first text and never the second.
    Only(&'static str, &'static str),
    /// No answer; what curl makes of that depends on when it learns.
    NoAnswer,
    /// No answer, and this exit code of curl.
    Nothing(i32),
}

impl Gets {
    /// Whether the client got what it should.
    pub(super) fn check(self, seen: &Seen) -> Result<()> {
        match self {
            Self::Status(status) => ensure!(seen.status == Some(status), "the client got no {status}"),
            Self::Answer(text) => ensure!(seen.text.contains(text), "the client got no {text:?}"),
            Self::Answers(texts) => {
                for text in texts {
                    ensure!(seen.text.contains(text), "the client got no {text:?}");
                }
            }
            Self::Only(text, other) => {
                ensure!(seen.text.contains(text), "the client got no {text:?}");
                ensure!(!seen.text.contains(other), "the client got {other:?}");
            }
            Self::NoAnswer => {
                ensure!(seen.status.is_none() && seen.exit != 0, "the client got an answer");
            }
            Self::Nothing(exit) => {
                ensure!(seen.status.is_none() && seen.exit == exit, "the client got something else");
            }
        }
        Ok(())
    }
}
