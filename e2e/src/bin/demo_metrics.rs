//! `make demo-metrics`: failures are counted, alerts fire, their links lead to the causes' pages.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::monitoring::clock::Clock;
use e2e::monitoring::stage::Stage;
use e2e::monitoring::{links, stage};

/// An hour takes 24 s.
const CLOCK: Clock = Clock(150);

fn main() -> Result<()> {
    println!("Four Envoys, their clients, and a Prometheus with the shipped rules; an hour takes 24 s.");
    let stage = Stage::start(CLOCK)?;
    let base = format!("http://{}", stage.prometheus.address());
    println!("  alerts:    {base}/alerts");
    println!(
        "  queries:   {base}/graph?g0.expr=sum%20by%20(cause)%20(rate(meshwhy_failures_total%5B5s%5D))&g0.tab=0"
    );
    println!("  dashboard: import envoyfilter/monitoring/dashboard.json into a Grafana and choose {base}");
    let (ended, end) = std::sync::mpsc::channel();
    // The receiver lives until the first signal; a second one changes nothing.
    ctrlc::set_handler(move || ended.send(()).unwrap_or_default())?;
    let (began, mut shown, mut broken) = (Instant::now(), BTreeSet::new(), false);
    let change_after = Duration::from_millis(CLOCK.millis(3_600) + 2_000);
    while end.recv_timeout(Duration::from_secs(1)).is_err() {
        if !broken && began.elapsed() > change_after {
            broken = true;
            println!(
                "{:>4} s  new configuration for shop/cart: its cluster is gone",
                began.elapsed().as_secs()
            );
            stage.take_cart_away()?;
        }
        for alert in stage.prometheus.firing()? {
            let said = &alert["annotations"];
            if shown.insert(format!("{}{}", alert["labels"], said["runbook_url"])) {
                let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
                println!(
                    "{:>4} s  {} {}",
                    began.elapsed().as_secs(),
                    alert["labels"]["alertname"].as_str().unwrap_or_default(),
                    text("summary")
                );
                let section = links::section(&text("runbook_url"), stage::DOCS_URL)?;
                let title = section.lines().find(|line| line.starts_with("**")).unwrap_or_default();
                println!("        {} {title}", text("runbook_url").replace(stage::DOCS_URL, "docs"));
            }
        }
    }
    Ok(())
}
