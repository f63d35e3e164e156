//! The soak in short; `make soak` plays it for long.

use e2e::load::soak::{Enough, Soak};

fn play(failing: bool, requests: u64) {
    // Few lines a minute, so that the limit is reached.
    let soak =
        Soak { failing, enough: Enough::Requests(requests), rate: None, log_per_minute: 5, talks: false };
    let outcome = soak.play().unwrap();
    assert!(outcome.deviations.is_empty(), "{}\n{}", outcome.deviations.join("\n"), outcome.summary);
}

#[test]
fn healthy_traffic_leaves_no_trace() {
    play(false, 1_600);
}

#[test]
fn failures_are_counted_exactly() {
    play(true, 1_600);
}
