//! Columns → evidence → causes: what a line shows, what it may have had, and what is the most probable.

mod closed;
pub(super) mod gather;
pub(super) mod hints;
pub(super) mod judgement;
pub(super) mod lengths;
pub(super) mod memory;
mod others;
pub(super) mod rank;
pub(super) mod unseen;
pub(super) mod waypoint;
