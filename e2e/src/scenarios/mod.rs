//! The scenarios, a table for each group of causes.

mod answer;
mod attacks;
mod changes;
mod client_bytes;
mod common;
mod databases;
pub mod demo;
mod downstream_tls;
mod field;
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
mod trackers;
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
        databases::table(),
        passthrough::table(),
        soft::table(),
        healthy::table(),
        response_header::table(),
        attacks::table(),
        reported::table(),
        field::table(),
        trackers::table(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Names that more than one scenario has: a filter by name would play both, and a recording would keep one.
pub fn names_twice(scenarios: &[Scenario]) -> Vec<&'static str> {
    let mut seen = std::collections::BTreeSet::new();
    scenarios.iter().map(|scenario| scenario.name).filter(|name| !seen.insert(*name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_one_scenarios() {
        let mut scenarios = all();
        assert_eq!(names_twice(&scenarios), [""; 0]);
        let again = scenarios.first().cloned();
        scenarios.extend(again);
        assert_eq!(names_twice(&scenarios).len(), 1, "a second one is found");
    }
}
