//! What the other side may send to do harm, on the real Envoy.

#[test]
fn hostile_names_stay_names_in_every_sink() {
    e2e::sinks::check().unwrap();
}
