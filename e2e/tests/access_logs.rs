//! What `docs/access-logs.md` says of access logs.

#[test]
fn each_format_has_the_diagnosed_requests_and_no_other() {
    e2e::access_logs::check().unwrap();
}
