//! What the rules make of a line.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::{Confidence, Verdict};

/// What a line comes to, apart from its names and addresses.
#[derive(Debug, Clone)]
pub(in crate::explain) struct Judgement {
    pub(in crate::explain) verdict: Verdict,
    pub(in crate::explain) agreed: Agreed,
    pub(in crate::explain) would_tell: Vec<&'static str>,
}

/// What all verdicts agree on, whatever the line doesn't show.
#[derive(Debug, Clone)]
pub(in crate::explain) struct Agreed {
    pub(in crate::explain) cause: Cause,
    pub(in crate::explain) confidence: Confidence,
    pub(in crate::explain) alternatives: Vec<Cause>,
}
