//! The scenarios, a table for each group of the contract.

mod client_bytes;

use crate::scenario::Scenario;

/// All of them.
pub fn all() -> Vec<Scenario> {
    [client_bytes::table()].into_iter().flatten().collect()
}
