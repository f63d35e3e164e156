//! The scenarios, a table for each group of causes.

mod answer;
mod attacks;
mod client_bytes;
mod common;
mod downstream_tls;
pub mod healthy;
mod leaving;
mod limits;
mod passthrough;
mod policy;
mod reaching;
mod response_header;
mod routes;
mod soft;
mod upstream_tls;

use crate::scenario::Scenario;

/// All of them.
pub fn all() -> Vec<Scenario> {
    [
        client_bytes::table(),
        downstream_tls::table(),
        routes::table(),
        reaching::table(),
        upstream_tls::table(),
        answer::table(),
        policy::table(),
        leaving::table(),
        limits::table(),
        passthrough::table(),
        soft::table(),
        healthy::table(),
        response_header::table(),
        attacks::table(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
