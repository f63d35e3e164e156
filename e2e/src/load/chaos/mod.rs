//! Garbage at every kind of listener of one real Envoy, dying upstreams, and configuration that changes: the VM lives on, healthy
//! requests are served as before, and failures are named.

mod background;
mod changes;
mod checks;
mod garbage;
mod pushes;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::client::{Places, status_in};
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::discovery::Discovery;
use crate::harness::envoy::parts::{all_to, cluster, originate_tls, trusting, with};
use crate::harness::peers::{Habit, Running, Server};
use crate::harness::pki::Pki;
use crate::harness::tools;
use background::{Load, Pace};
use changes::{Changes, PAUSE, Ports};
use checks::fast_enough;
pub use pushes::{Pushes, live};

/// One change of configuration under load.
type Change = fn(&mut Stage) -> Result<()>;

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Connections of garbage.
    pub connections: u64,
    /// How often ClientHellos are cut and headers are flooded.
    pub rounds: u32,
    /// Changes of each kind of configuration.
    pub changes: u32,
    /// How long nothing goes on before each kind of chaos.
    pub quiet: Duration,
}

/// Seconds that a listener that was replaced has for its connections. A worker that waits for the processor as long still takes new ones,
/// which end with it: in one second that happened, with much other work on the machine.
const DRAIN: u32 = 5;

const HEALTHY: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";

/// A proxy with all roles, and what it takes to ask it.
struct Stage {
    envoy: Envoy,
    /// The same for the same seed.
    random: fastrand::Rng,
    changes: Changes,
    _servers: Vec<Running>,
    folder: tempfile::TempDir,
}

/// Plays all of it under a load of healthy requests and known failures; returns how fast the healthy ones were.
pub fn play(effort: Effort, seed: u64) -> Result<String> {
    let mut stage = Stage::set_up(seed)?;
    let before = stage.envoy.vms()?;
    stage.is_healthy()?;
    let mut load = Load::start(stage.changes.front);
    let mut held = Vec::new();
    let quiet = |load: &mut Load| {
        load.enter(background::QUIET);
        std::thread::sleep(effort.quiet);
    };
    let mut phase =
        |name: &'static str, stage: &mut Stage, what: &mut dyn FnMut(&mut Stage) -> Result<()>| {
            quiet(&mut load);
            load.enter(name);
            println!("{name}");
            what(stage).with_context(|| format!("{name}, seed {seed}"))?;
            stage.is_healthy().with_context(|| format!("after {name}, seed {seed}"))
        };
    phase("ClientHellos cut short", &mut stage, &mut |stage| {
        (0..effort.rounds).try_for_each(|_| stage.cut_hellos())
    })?;
    phase("header floods", &mut stage, &mut |stage| {
        (0..effort.rounds).try_for_each(|_| stage.header_floods())
    })?;
    phase("half-open connections", &mut stage, &mut |stage| {
        held = stage.half_open()?;
        std::thread::sleep(effort.quiet);
        Ok(())
    })?;
    phase("garbage", &mut stage, &mut |stage| stage.all_garbage(effort.connections))?;
    drop(held);
    let same = stage.envoy.vms()?;
    ensure!(before == same, "the VM was made anew: {before:?}, and then {same:?}");
    let kinds: [(&str, Change); 6] = [
        ("plugin changed (ECDS)", |stage| stage.changes.plugin()),
        ("routes changed (RDS)", |stage| stage.changes.routes()),
        ("clusters changed (CDS)", |stage| stage.changes.clusters()),
        ("listeners changed (LDS)", |stage| stage.changes.listeners()),
        ("a listener removed and added", |stage| stage.changes.removed()),
        ("certificate changed (SDS)", |stage| {
            stage.changes.certificate(&stage.folder.path().display().to_string())
        }),
    ];
    for (name, change) in kinds {
        let times = if name.contains("removed") { effort.changes.div_ceil(4) } else { effort.changes };
        phase(name, &mut stage, &mut |stage| {
            (0..times).try_for_each(|_| {
                std::thread::sleep(PAUSE);
                change(stage)
            })
        })?;
    }
    let (paces, record) = load.finish().with_context(|| stage.what_went_wrong())?;
    stage.took_the_changes(effort.changes)?;
    let added = stage.named(&record)?;
    let reloads: Vec<String> = stage
        .envoy
        .vms()?
        .into_iter()
        .filter(|(name, value)| name.contains("reload") && *value > 0.0)
        .map(|(name, _)| name)
        .collect();
    ensure!(reloads.is_empty(), "VMs were made anew: {reloads:?}");
    stage.envoy.check_health()?;
    fast_enough(&paces)?;
    let named = format!(
        "failures sent, and all of them named: {:?}; garbage made, and was named: {added:?}\n",
        record.failures
    );
    Ok(table(&paces) + &named)
}

fn table(paces: &[Pace]) -> String {
    let quiet = paces[0];
    let ratio = |time: Duration, base: Duration| time.as_secs_f64() / base.as_secs_f64().max(1e-6);
    let mut text = format!(
        "{:30} {:>8} {:>10} {:>7} {:>10} {:>7}\n",
        "while", "requests", "median", "ratio", "p99", "ratio"
    );
    for pace in paces {
        let (median, p99) = (ratio(pace.median, quiet.median), ratio(pace.p99, quiet.p99));
        let _ = writeln!(
            text,
            "{:30} {:>8} {:>10.2?} {median:>7.2} {:>10.2?} {p99:>7.2}",
            pace.name, pace.requests, pace.median, pace.p99
        );
    }
    text
}

impl Stage {
    fn set_up(seed: u64) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("meshwhy-chaos-").tempdir()?;
        Pki::create(folder.path())?;
        let mut places = Places { values: vec![("{pki}".into(), folder.path().display().to_string())] };
        let mut servers = Vec::new();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        let servers_behind = [
            ("web", Server::Made(Habit::AnswerAndKeep(answer))),
            ("echo", Server::Made(Habit::Echo)),
            (
                "ok",
                Server::Made(Habit::Answer(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
                )),
            ),
            ("dies", Server::Made(Habit::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"))),
        ];
        for (name, server) in servers_behind {
            let own = folder.path().join(name);
            std::fs::create_dir(&own)?;
            let running = server.start(&own, folder.path())?;
            places.values.push((format!("{{server:{name}}}"), running.port.to_string()));
            servers.push(running);
        }
        let (ports, discovery) = (Ports::pick(), Discovery::new(folder.path()));
        // Nobody will listen there while this goes on for minutes.
        places.values.push(("{server:refused}".into(), "1".into()));
        places.values.push(("{server:tls}".into(), ports.tls().to_string()));
        let bootstrap =
            proxy(ports, &discovery).bootstrap(&tools::module()?.display().to_string()).to_string();
        // The paths of logs are filled in where listeners are written.
        let log = folder.path().display().to_string();
        let mut bootstrap: Value = serde_json::from_str(&places.fill(&bootstrap).replace("{folder}", &log))?;
        let changes = Changes::begin(discovery, ports, &mut bootstrap, &log)?;
        let envoy = Envoy::start_draining(&bootstrap, DRAIN)?;
        Ok(Self { envoy, random: fastrand::Rng::with_seed(seed), changes, _servers: servers, folder })
    }

    /// Sends, waits that long for an answer, and leaves. That the proxy hangs up is its right.
    fn send(&self, listener: &str, bytes: &[u8], patience: Duration) -> Result<Vec<u8>> {
        let mut stream = self.connect(listener)?;
        stream.set_read_timeout(Some(patience))?;
        let mut answer = vec![0; 4096];
        let _ = stream.write_all(bytes);
        let size = stream.read(&mut answer).unwrap_or(0);
        answer.truncate(size);
        Ok(answer)
    }

    fn connect(&self, listener: &str) -> Result<TcpStream> {
        TcpStream::connect(("127.0.0.1", self.envoy.port(listener)?))
            .with_context(|| format!("{listener} takes no connection any more"))
    }

    /// Healthy requests are served, on HTTP and over TCP.
    fn is_healthy(&mut self) -> Result<()> {
        for listener in ["http", "inspected", "tcp"] {
            let answer = self.send(listener, HEALTHY, Duration::from_secs(10))?;
            let text = String::from_utf8_lossy(&answer);
            let served = if listener == "tcp" { answer == HEALTHY } else { status_in(&text) == Some(200) };
            ensure!(served, "{listener} answers a healthy request with {text:?}");
        }
        self.envoy.check_health()
    }
}

fn proxy(ports: Ports, discovery: &Discovery) -> Proxy {
    let role = |role: &str| {
        Some(
            json!({"role": role, "log": "limited", "observe_every": 1, "response_header": "x-meshwhy-cause"}),
        )
    };
    let attacked = [
        Listener::http("http", all_to("web")),
        Listener::http("inspected", all_to("web")).tls_inspector(),
        Listener::http("tls", all_to("web")).tls("server"),
        Listener::http("sni", all_to("web"))
            .tls("server")
            .tls_inspector()
            .chain(json!({"filter_chain_match": {"server_names": ["known.example"]}})),
        Listener::tcp("tcp", "echo"),
    ];
    let clusters = ["web", "echo", "ok", "dies", "refused"].map(|name| cluster(name, name));
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    // A handshake for each request.
    let once = json!({"typed_extension_protocol_options": {options: {
        "@type": format!("type.googleapis.com/{options}"),
        "explicit_http_config": {"http_protocol_options": {}},
        "common_http_protocol_options": {"max_requests_per_connection": 1},
    }}});
    let tls = with(with(cluster("tls", "tls"), originate_tls(trusting("ca"))), once);
    Proxy::new(
        attacked.into_iter().chain(ports.listeners(discovery)).collect::<Vec<_>>(),
        clusters.into_iter().chain([tls]).collect::<Vec<_>>(),
    )
    // A VM that traps would take traffic along: nothing may go unseen.
    .roles(Roles {
        http: role("http"),
        connection: role("connection"),
        access_log: role("access_log"),
        runtime_failure_policy: crate::harness::envoy::config::FailurePolicy::Closed,
    })
}
