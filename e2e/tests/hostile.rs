//! What the other side may send to do harm, on the real Envoy, and what becomes of traffic when the module itself is broken.

use std::time::Duration;

use e2e::load::chaos::{Effort, Pushes};

/// Connections of garbage in `make test`, from the same seed each time; `make chaos` makes more.
const CONNECTIONS: u64 = 1_500;

#[test]
fn hostile_names_stay_names_in_every_sink() {
    e2e::hostile::sinks::check().unwrap();
}

#[test]
fn chaos_leaves_the_vm_alive_and_healthy_requests_fast() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect(name));
    let seed = number("MESHWHY_CHAOS_SEED").filter(|seed| *seed != 0).unwrap_or(1);
    let effort = match number("MESHWHY_CHAOS_CONNECTIONS") {
        Some(connections) => Effort { connections, rounds: 20, changes: 200, quiet: Duration::from_secs(3) },
        None => {
            Effort { connections: CONNECTIONS, rounds: 1, changes: 12, quiet: Duration::from_millis(300) }
        }
    };
    println!("{}", e2e::load::chaos::play(effort, seed).unwrap());
}

#[test]
fn a_proxy_that_lives_takes_what_is_pushed() {
    let pushes = std::env::var("MESHWHY_PUSHES").map_or(60, |value| value.parse().expect("MESHWHY_PUSHES"));
    let effort = Pushes { pushes, pause: Duration::from_millis(100) };
    println!("{}", e2e::load::chaos::live(effort).unwrap());
}

#[test]
fn one_configuration_at_two_plug_points_needs_two_names() {
    e2e::hostile::plug_points::different_names().unwrap();
    e2e::hostile::plug_points::same_name_and_configuration().unwrap();
}

#[test]
fn a_restricted_vm_costs_no_traffic() {
    e2e::hostile::restrictions::shipped().unwrap();
    e2e::hostile::restrictions::one_left_out().unwrap();
}

#[test]
fn a_broken_module_does_to_traffic_what_the_document_says() {
    e2e::hostile::fail_policy::check().unwrap();
}
