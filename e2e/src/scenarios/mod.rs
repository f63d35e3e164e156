//! The scenarios, a table for each group of causes.

mod answer;
mod attacks;
mod changes;
mod client_bytes;
mod common;
pub mod demo;
mod downstream_tls;
mod healthy;
mod leaving;
mod limits;
pub mod look_alikes;
mod passthrough;
mod policy;
mod reaching;
mod reported;
mod response_header;
mod routes;
pub mod scenario;
mod soft;
mod tcp_ends;
mod upstream_tls;

use self::scenario::Scenario;

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
        tcp_ends::table(),
        passthrough::table(),
        soft::table(),
        healthy::table(),
        response_header::table(),
        attacks::table(),
        reported::table(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
