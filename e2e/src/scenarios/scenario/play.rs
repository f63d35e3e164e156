//! Playing a scenario: its servers, its proxy, its client, and what they leave behind.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use meshwhy::causes::Cause;
use serde_json::Value;
use tempfile::TempDir;

use super::Scenario;
use crate::harness::client::{Places, Seen};
use crate::harness::envoy::{Envoy, Sample};
use crate::harness::peers::{Running, Server};
use crate::harness::pki::Pki;
use crate::harness::tools;

/// What really happened.
#[derive(Debug)]
pub struct Outcome {
    /// What the client saw.
    pub seen: Seen,
    /// The decisive access log's lines.
    pub lines: Vec<Value>,
    /// meshwhy's samples.
    pub samples: Vec<Sample>,
    /// The proxy, still running.
    pub envoy: Envoy,
    /// Ports that were free: those of the servers, then the listeners'.
    pub ports: Vec<u16>,
    _stage: Stage,
}

/// What has to live as long as the scenario.
#[derive(Debug)]
struct Stage {
    places: Places,
    folder: TempDir,
    servers: Vec<Running>,
}

impl Stage {
    fn start_front(&self, server: &Server, places: &Places) -> Result<Running> {
        let own = self.folder.path().join("front");
        std::fs::create_dir(&own)?;
        server.filled(&|text| places.fill(text)).start(&own, &self.folder.path().join("pki"))
    }
}

impl Outcome {
    /// Whether the access log has this cause.
    pub(super) fn names(&self, cause: Cause) -> bool {
        self.lines.iter().any(|line| line["cause"] == cause.id())
    }
}

impl Scenario {
    /// Plays it without judging.
    pub fn play(&self) -> Result<Outcome> {
        let stage = self.set_up()?;
        let module = if self.bare { String::new() } else { tools::module()?.display().to_string() };
        let bootstrap = stage.places.fill(&self.proxy.bootstrap(&module).to_string());
        let bootstrap = serde_json::from_str(&bootstrap)?;
        let envoy = if self.discovered {
            Envoy::start_discovering(bootstrap)?
        } else {
            Envoy::start_with(&bootstrap, self.proxy.limits())?
        };
        let mut places = stage.places.clone();
        places.values.push(("{lds}".into(), envoy.path("lds.json").display().to_string()));
        places.values.push(("{admin}".into(), envoy.admin_address().into()));
        for (name, port) in envoy.ports() {
            places.values.push((format!("{{listener:{name}}}"), port.to_string()));
        }
        let front = self.front.as_ref().map(|server| stage.start_front(server, &places)).transpose()?;
        if let Some(front) = &front {
            places.values.push(("{front}".into(), front.port.to_string()));
        }
        let client = self.client.as_ref().context("the scenario has no client")?;
        let seen = client.run(&places)?;
        let lines = self.wait_for_lines(&envoy)?;
        let samples = envoy.meshwhy_samples()?;
        let servers = stage.servers.iter().chain(&front).map(|server| server.port);
        let ports = servers.chain(envoy.ports().values().copied()).collect();
        Ok(Outcome { seen, lines, samples, envoy, ports, _stage: stage })
    }

    fn set_up(&self) -> Result<Stage> {
        let folder = tempfile::Builder::new().prefix("meshwhy-e2e-").tempdir()?;
        let pki_folder = folder.path().join("pki");
        std::fs::create_dir(&pki_folder)?;
        Pki::create(&pki_folder)?;
        let mut places = Places { values: vec![("{pki}".into(), pki_folder.display().to_string())] };
        let mut servers = Vec::new();
        for (name, server) in &self.servers {
            let own = folder.path().join(name);
            std::fs::create_dir(&own)?;
            // A server may name those before it.
            let server = server.filled(&|text| places.fill(text));
            let running = server.start(&own, &pki_folder).with_context(|| format!("server {name}"))?;
            places.values.push((format!("{{server:{name}}}"), running.port.to_string()));
            servers.push(running);
        }
        Ok(Stage { places, folder, servers })
    }

    /// The log is complete when the expected cause has come as often as expected, or, where none is, when
    /// the first line is there and no other follows for a while.
    fn wait_for_lines(&self, envoy: &Envoy) -> Result<Vec<Value>> {
        let deadline = Instant::now() + Duration::from_secs(8);
        let mut lines = Vec::new();
        while Instant::now() < deadline {
            lines = envoy.log(self.log_name())?;
            let due = match &self.diagnosis {
                Some(diagnosis) => count(&lines, diagnosis.cause.id()),
                None if self.bare || self.undecided => {
                    lines.iter().filter(|line| self.check_fields(line).is_ok()).count()
                }
                None => lines.len(),
            };
            if due >= self.times.max(1) {
                std::thread::sleep(Duration::from_millis(60));
                return envoy.log(self.log_name());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(lines)
    }
}

fn count(lines: &[Value], cause: &str) -> usize {
    let named = lines.iter().filter(|line| line["cause"] == cause).count();
    // Where an access logger reports, only the counter names the cause.
    if named == 0 && lines.iter().all(|line| line["cause"].is_null()) {
        usize::from(!lines.is_empty())
    } else {
        named
    }
}
