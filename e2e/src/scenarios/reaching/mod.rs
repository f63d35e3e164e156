//! Reaching the upstream.

mod circuit_breakers;
mod connecting;
mod descriptors;
mod endpoints;

use crate::scenarios::scenario::Scenario;

pub(super) fn table() -> Vec<Scenario> {
    [endpoints::table(), connecting::table(), circuit_breakers::table(), descriptors::table()]
        .into_iter()
        .flatten()
        .collect()
}
