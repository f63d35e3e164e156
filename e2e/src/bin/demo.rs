//! `make demo`: the problems of Istio's page, played on a real Envoy and explained.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Result;
use e2e::scenarios::demo::{self, Played};

fn main() -> Result<ExitCode> {
    let (mut keep, mut json) = (false, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--keep" => keep = true,
            "--json" => json = true,
            other => anyhow::bail!("unknown argument {other}: expected --keep or --json"),
        }
    }
    let colours = !json && std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let style = demo::Style { colours };
    let scenarios = demo::page_in_order();
    let mut played: Vec<Played> = Vec::new();
    if !json {
        println!(
            "Most proxies of this demo count as gateways: what anyone can send there is for the downstream side to act on.\n\
             At a sidecar the same is for the mesh's, and the fix names the host (make demo-istio).\n"
        );
    }
    for (number, scenario) in scenarios.iter().enumerate() {
        let title = format!("[{}/{}] {}", number + 1, scenarios.len(), scenario.about);
        let section = scenario.page.unwrap_or_default();
        let new_section = played.last().is_none_or(|last| last.section != section);
        if json {
            eprintln!("{title}");
        } else {
            if new_section {
                println!("{}\n", style.bold(&format!("== {section}")));
            }
            println!("{}", style.bold(&title));
        }
        let result = demo::play(scenario)?;
        if json {
            println!("{}", result.json());
        } else {
            println!("{}", demo::story(&result, style));
        }
        played.push(result);
    }
    let wrong = played.iter().filter(|p| !p.as_expected).count();
    if !json {
        println!("{}", demo::table(&played, width(), style));
        println!("{}", style.bold("Go on with"));
        println!("  make demo KEEP=1   # leaves an Envoy running, for requests of your own");
        println!("  make demo-istio    # a real Istio, with kubectl, to break and to mend");
        println!(
            "  make cli && dist/meshwhy explain access.log   # the causes in the access log of your mesh"
        );
    }
    if keep {
        demo::keep(style)?;
    }
    if wrong > 0 {
        eprintln!("{wrong} not as expected");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Columns of the terminal; 80 where there is none.
fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout()).map_or(80, |size| size.ws_col.into())
}
