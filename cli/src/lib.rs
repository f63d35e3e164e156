//! The command-line tool: what access logs and Istio's YAML let one know of failures, by the rules
//! of the filter.
//!
//! [`input`] reads files and pipes, [`explain`] turns lines of access logs into findings,
//! [`check`] does so with YAML, [`cluster`] asks a running one, and [`command`] is what a user runs.

pub mod check;
pub mod cluster;
pub mod command;
pub mod explain;
pub mod input;
