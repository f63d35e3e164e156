//! What `docs/access-logs.md` says of access logs, and the overlay that has nothing else.

#[test]
fn each_format_has_the_diagnosed_requests_and_no_other() {
    e2e::logs::access_logs::check().unwrap();
}

#[test]
fn a_failure_in_both_logs_of_a_container_is_reported_once() {
    e2e::logs::reported_once::check().unwrap();
}

#[test]
fn without_counters_the_log_has_every_cause_and_failures_cost_no_errors() {
    e2e::logs::log_only::check().unwrap();
}

#[test]
fn a_client_cannot_write_a_verdict_into_the_log_nor_hide_its_failure() {
    e2e::logs::forged::check().unwrap();
}

#[test]
fn spans_of_failed_requests_have_the_cause() {
    e2e::logs::traces::check().unwrap();
}

#[test]
fn the_configuration_for_a_plain_envoy_counts_each_failure_once() {
    e2e::logs::plain_envoy::check().unwrap();
}
