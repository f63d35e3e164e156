//! What the other side may send to do harm, on the real Envoy.

/// Connections of garbage in `make test`, from the same seed each time; `make chaos` makes more.
const CONNECTIONS: u64 = 1_500;

#[test]
fn hostile_names_stay_names_in_every_sink() {
    e2e::sinks::check().unwrap();
}

#[test]
fn garbage_at_every_listener_leaves_the_vm_alive() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect(name));
    let connections = number("MESHWHY_CHAOS_CONNECTIONS");
    let seed = number("MESHWHY_CHAOS_SEED").filter(|seed| *seed != 0).unwrap_or(1);
    e2e::chaos::play(connections.unwrap_or(CONNECTIONS), seed).unwrap();
}
