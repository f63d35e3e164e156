//! The demo: what the client saw, what Envoy logged, what meshwhy says.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use meshwhy::causes::Cause;
use serde_json::{Value, json};

use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{cluster, direct, route, vhost};
use crate::harness::peers::Server;
use crate::harness::tools;
use crate::scenarios;
use crate::scenarios::scenario::Scenario;

/// The page's sections that show at a proxy, in its order.
const PAGE: &[&str] = &[
    "Requests are rejected by Envoy",
    "503 errors after setting destination rule",
    "Envoy is crashing under load",
    "Envoy won't connect to my HTTP/1.0 service",
    "Sending HTTPS to an HTTP port",
    "Gateway with TLS termination",
    "Gateway with TLS passthrough",
    "Double TLS (TLS origination for a TLS request)",
    "404 errors occur when multiple gateways configured with same TLS certificate",
];

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether the terminal takes them and the user wants them.
    pub colours: bool,
}

/// A scenario that was played.
#[derive(Debug)]
pub struct Played {
    section: &'static str,
    about: &'static str,
    client: String,
    envoy: String,
    words: Option<Value>,
    /// Whether meshwhy said what the scenario expects.
    pub as_expected: bool,
}

impl Style {
    /// Bold, where there are colours.
    pub fn bold(self, text: &str) -> String {
        if self.colours { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn cause(self, text: &str) -> String {
        if self.colours { format!("\x1b[33m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The scenarios of the page, in its order.
pub fn page_in_order() -> Vec<Scenario> {
    let position = |scenario: &Scenario| PAGE.iter().position(|title| Some(*title) == scenario.page);
    let mut list: Vec<Scenario> = scenarios::all().into_iter().filter(|s| position(s).is_some()).collect();
    list.sort_by_key(position);
    list
}

/// Plays one.
pub fn play(scenario: &Scenario) -> Result<Played> {
    let outcome = scenario.play().with_context(|| scenario.name)?;
    let client = match (outcome.seen.status, outcome.seen.text.trim()) {
        (Some(status), _) => format!("HTTP {status}"),
        (None, "") => format!("exit code {}", outcome.seen.exit),
        (None, said) => said.lines().next().unwrap_or_default().to_owned(),
    };
    let text = std::fs::read_to_string(outcome.envoy.path(&scenario.text_log())).unwrap_or_default();
    let line = text.lines().last().unwrap_or("(nothing)");
    let words = words(&outcome.lines, &outcome.envoy.own_log());
    let cause = words.as_ref().and_then(|w| w["cause"].as_str());
    Ok(Played {
        section: scenario.page.unwrap_or_default(),
        about: scenario.about,
        client,
        // The time stamp says nothing here.
        envoy: line.split_once("] ").map_or(line, |(_, rest)| rest).to_owned(),
        as_expected: cause == scenario.expected_cause().map(Cause::id),
        words,
    })
}

/// meshwhy's words: from the access log, or, where only an access logger could tell, from Envoy's own log.
fn words(lines: &[Value], own_log: &str) -> Option<Value> {
    let told = lines.iter().filter_map(|line| line["meshwhy"].as_str()).next_back().map(str::to_owned);
    let logged = || {
        let line = own_log.lines().rfind(|line| line.contains(r#"{"event":"meshwhy""#))?;
        Some(line.get(line.find('{')?..)?.to_owned())
    };
    serde_json::from_str(&told.or_else(logged)?).ok()
}

impl Played {
    /// A few lines.
    pub fn story(&self, style: Style) -> String {
        let mut out = String::new();
        let mut line = |label: &str, text: &str| {
            let _ = writeln!(out, "  {label:<9} {text}");
        };
        line("", self.about);
        line("client:", &self.client);
        line("Envoy:", &self.envoy);
        match &self.words {
            None => line("meshwhy:", "no cause: nothing failed"),
            Some(words) => {
                let text = |key: &str| words[key].as_str().unwrap_or("-").to_owned();
                let who = format!(
                    "{} ({}), to act: {}",
                    style.cause(&text("cause")),
                    text("confidence"),
                    text("side")
                );
                line("meshwhy:", &who);
                if words["resource"].is_string() {
                    line("resource:", &text("resource"));
                }
                line("evidence:", &text("evidence"));
                line("fix:", &text("fix"));
            }
        }
        if !self.as_expected {
            line("WRONG:", "not what was expected");
        }
        out
    }
}

/// All of it in a table.
pub fn table(played: &[Played], style: Style) -> String {
    let cut = |text: &str, width: usize| -> String {
        if text.chars().count() <= width {
            text.to_owned()
        } else {
            text.chars().take(width - 3).chain("...".chars()).collect()
        }
    };
    let mut out = format!(
        "{}\n",
        style.bold(&format!("{:<34} {:<22} {:<28} meshwhy says", "problem", "client saw", "Envoy logged"))
    );
    for p in played {
        let says = p.words.as_ref().and_then(|w| w["cause"].as_str()).unwrap_or("-");
        let _ = writeln!(
            out,
            "{:<34} {:<22} {:<28} {}",
            cut(p.section, 34),
            cut(&p.client, 22),
            cut(&short(&p.envoy), 28),
            says
        );
    }
    out
}

/// Code, flags and details of a default log line.
fn short(line: &str) -> String {
    let after =
        line.rsplit_once("\" ").map_or(line, |_| line.split_once("\" ").map_or(line, |(_, rest)| rest));
    after.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Leaves an Envoy running until Ctrl-C.
pub fn keep(style: Style) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let backend = Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 \"it works\\n\"; }")
        .start(folder.path(), folder.path())?;
    let nobody = Server::Nobody.start(folder.path(), folder.path())?;
    let routes = json!([vhost(
        "demo",
        &["demo.example"],
        vec![
            route("/refused", "nobody"),
            route("/nowhere", "missing"),
            direct("/direct", 200, "ok\n"),
            route("/works", "backend"),
        ]
    )]);
    let proxy = Proxy::new(
        [Listener::http("http", routes)],
        [cluster("backend", "backend"), cluster("nobody", "nobody")],
    );
    let bootstrap = proxy.bootstrap(&tools::module()?.display().to_string()).to_string();
    let bootstrap = bootstrap
        .replace("{server:backend}", &backend.port.to_string())
        .replace("{server:nobody}", &nobody.port.to_string());
    let envoy = Envoy::start(&serde_json::from_str(&bootstrap)?)?;
    let port = envoy.port("http")?;
    println!("{}", style.bold("Envoy keeps running. Try it:"));
    println!("  curl -i -H 'Host: demo.example' http://127.0.0.1:{port}/works     # fine");
    println!("  curl -i -H 'Host: demo.example' http://127.0.0.1:{port}/refused   # nobody listens");
    println!("  curl -i -H 'Host: demo.example' http://127.0.0.1:{port}/nowhere   # no such cluster");
    println!("  curl -i -H 'Host: demo.example' http://127.0.0.1:{port}/          # no route");
    println!("  curl -i http://127.0.0.1:{port}/                                  # unknown host");
    println!("  curl -k https://127.0.0.1:{port}/                                 # TLS to an HTTP port");
    println!("  curl -0 -i -H 'Host: demo.example' http://127.0.0.1:{port}/works  # HTTP/1.0");
    println!("Access log:  tail -f {}", envoy.path("http.log").display());
    println!("Metrics:     curl -s http://{}/stats/prometheus | grep ^meshwhy_", envoy.admin_address());
    println!("Ctrl-C ends it; nothing stays behind.");
    let (ended, end) = std::sync::mpsc::channel();
    // The receiver lives until the first signal; a second one changes nothing.
    ctrlc::set_handler(move || ended.send(()).unwrap_or_default())?;
    end.recv()?;
    Ok(())
}
