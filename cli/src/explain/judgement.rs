//! What the rules make of a line.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::{Confidence, Verdict};

/// What a line comes to, apart from its names and addresses.
#[derive(Debug, Clone)]
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    pub(super) agreed: Agreed,
    pub(super) would_tell: Vec<&'static str>,
}

/// What all verdicts agree on, whatever the line doesn't show.
#[derive(Debug, Clone)]
pub(super) struct Agreed {
    pub(super) cause: Cause,
    pub(super) confidence: Confidence,
    pub(super) alternatives: Vec<Cause>,
}
