//! Plays one scenario and prints all there is to see: for those who write rules.

use anyhow::{Context as _, Result, ensure};

fn main() -> Result<()> {
    let name = std::env::args().nth(1).context("usage: observe PART-OF-A-NAME")?;
    let mut scenarios = e2e::scenarios::all();
    scenarios.retain(|scenario| scenario.name.contains(&name));
    ensure!(
        !scenarios.is_empty(),
        "no scenario is called {name} (`cargo test -p e2e --test scenarios -- --list`)"
    );
    for scenario in scenarios {
        println!("== {}: {}", scenario.name, scenario.about);
        let outcome = scenario.play()?;
        println!("client: {:?}", outcome.seen);
        for log in ["http.log", "tcp.log", "listener.log"] {
            for line in outcome.envoy.log(log)? {
                println!("{log}: {line}");
            }
        }
        for log in ["http.txt", "tcp.txt", "listener.txt", "http.json", "tcp.json"] {
            let text = std::fs::read(outcome.envoy.path(log)).unwrap_or_default();
            String::from_utf8_lossy(&text).lines().for_each(|line| println!("{log}: {line}"));
        }
        for sample in &outcome.samples {
            println!("{} {:?} {}", sample.name, sample.labels, sample.value);
        }
        let own = outcome.envoy.own_log();
        own.lines().filter(|line| line.contains("meshwhy")).for_each(|line| println!("envoy: {line}"));
    }
    Ok(())
}
