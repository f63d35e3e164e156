//! `make demo`: the problems of Istio's page, played on a real Envoy and explained.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Result;
use e2e::scenarios::demo::{self, Played};

fn main() -> Result<ExitCode> {
    let keep = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--keep") => true,
        Some(other) => anyhow::bail!("unknown argument {other}: expected --keep"),
    };
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let style = demo::Style { colours };
    let scenarios = demo::page_in_order();
    let mut played: Vec<Played> = Vec::new();
    for (number, scenario) in scenarios.iter().enumerate() {
        println!(
            "{}",
            style.bold(&format!(
                "[{}/{}] {}",
                number + 1,
                scenarios.len(),
                scenario.page.unwrap_or_default()
            ))
        );
        let result = demo::play(scenario)?;
        println!("{}", result.story(style));
        played.push(result);
    }
    println!("{}", demo::table(&played, style));
    let wrong = played.iter().filter(|p| !p.as_expected).count();
    if keep {
        demo::keep(style)?;
    }
    if wrong > 0 {
        eprintln!("{wrong} not as expected");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
