//! Garbage at every kind of listener of one real Envoy, dying upstreams, and configuration that changes: the VM lives on, healthy
//! requests are served as before, and failures are named.

mod changes;
mod load;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::client::{Places, status_in};
use crate::envoy::Envoy;
use crate::envoy::config::{Listener, Proxy, Roles};
use crate::envoy::discovery::Discovery;
use crate::envoy::parts::{all_to, cluster, originate_tls, trusting, with};
use crate::peers::process::wait_for;
use crate::peers::{Habit, Running, Server};
use crate::pki::Pki;
use crate::sinks::client_hello;
use crate::tools;
use changes::{Changes, PAUSE, Ports};
use load::{Load, Pace, Record};

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

/// Every kind: plaintext HTTP, HTTP behind a TLS inspector, terminated TLS, a server name that must fit, TCP.
const LISTENERS: &[&str] = &["http", "inspected", "tls", "sni", "tcp"];

const HEALTHY: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";

/// What gets mutated.
const BEGINNINGS: &[&[u8]] = &[
    HEALTHY,
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x04\x01\x05\0\0\0\x01\x82\x84\x86\x41",
    b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0",
    b"\0\0\0\x08\x04\xd2\x16\x2f",
    b"*1\r\n$4\r\nPING\r\n",
    b"\x15\x03\x01\0\x02\x02\x46",
];

/// A proxy with all roles, and what it takes to ask it.
struct Stage {
    envoy: Envoy,
    random: Random,
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
        load.enter(load::QUIET);
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
    let kinds: [(&str, Change); 4] = [
        ("plugin changed (ECDS)", |stage| stage.changes.plugin()),
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
    let (paces, record) = load.finish()?;
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

/// Other work takes time from a proxy, too: only what is slow for anybody counts.
fn fast_enough(paces: &[Pace]) -> Result<()> {
    let quiet = paces.first().context("no phases")?;
    for pace in paces {
        let median = pace.median < Duration::from_millis(30) || pace.median < quiet.median * 8;
        let p99 = pace.p99 < Duration::from_millis(300) || pace.p99 < quiet.p99 * 8;
        // Of a few requests the slowest says nothing.
        ensure!(
            pace.requests < 50 || (median && p99),
            "healthy requests were slow: {pace:?}, and quiet {quiet:?}"
        );
    }
    Ok(())
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
        let envoy = Envoy::start(&bootstrap)?;
        Ok(Self { envoy, random: Random(seed), changes, _servers: servers, folder })
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

    /// Envoy saw the files change, and refused nothing. Some changes it may have seen as one.
    fn took_the_changes(&self, changes: u32) -> Result<()> {
        let stats = self.envoy.admin("/stats")?;
        let value = |part: &str| {
            let lines = stats
                .lines()
                .filter_map(|line| line.split_once(": "))
                .filter(|(name, _)| name.contains(part));
            lines.filter_map(|(_, value)| value.parse::<u64>().ok()).sum::<u64>()
        };
        for (what, refused) in [
            ("lds.update_success", "lds.update_rejected"),
            ("config_reload", "config_fail"),
            ("sds.certificate.update_success", "sds.certificate.update_rejected"),
        ] {
            ensure!(value(what) >= u64::from(changes / 2), "{what} is {}", value(what));
            ensure!(value(refused) == 0, "{refused} is {}", value(refused));
        }
        Ok(())
    }

    /// Every failure that was sent stands in the access log under its cause; and what stands there, with what garbage added, is
    /// counted once. Returns what garbage added.
    fn named(&self, record: &Record) -> Result<BTreeMap<&'static str, u64>> {
        let mut added = BTreeMap::new();
        for (cause, sent) in &record.failures {
            let figures = || -> Result<[u64; 3]> {
                let logged = self.logged(cause)?;
                let of_the_load = logged.iter().filter(|line| line["port"] == self.changes.front);
                Ok([of_the_load.count() as u64, logged.len() as u64, self.counted(cause)?])
            };
            // Envoy writes its logs every second.
            let fits = |[of_the_load, logged, counted]: [u64; 3]| of_the_load == *sent && logged == counted;
            wait_for(cause, || Ok(fits(figures()?).then_some(()))).with_context(|| {
                let names = "of the load logged, of all logged, counted";
                format!("{cause}: {sent} sent; {names}: {:?}", figures())
            })?;
            added.insert(*cause, self.counted(cause)? - sent);
        }
        Ok(added)
    }

    fn logged(&self, cause: &str) -> Result<Vec<Value>> {
        let log = std::fs::read_to_string(self.folder.path().join("http.log"))?;
        // The last line may be half written.
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(lines.filter(|line| line["cause"] == cause).collect())
    }

    fn counted(&self, cause: &str) -> Result<u64> {
        let samples =
            self.envoy.meshwhy_samples()?.into_iter().filter(|s| s.name == "meshwhy_failures_total");
        let of_it = samples.filter(|s| s.labels.get("cause").is_some_and(|of| of == cause));
        Ok(of_it.map(|sample| sample.value as u64).sum())
    }

    fn all_garbage(&mut self, connections: u64) -> Result<()> {
        for number in 0..connections {
            let (listener, bytes) = self.garbage();
            self.send(listener, &bytes, Duration::from_millis(2))?;
            if number % 1_000 == 999 {
                self.is_healthy().with_context(|| format!("after {number} connections"))?;
            }
        }
        Ok(())
    }

    fn cut_hellos(&self) -> Result<()> {
        let hello = client_hello(b"a.example.com", b"h2");
        for listener in LISTENERS {
            for end in 0..=hello.len() {
                self.send(listener, &hello[..end], Duration::from_millis(1))?;
            }
        }
        Ok(())
    }

    fn header_floods(&self) -> Result<()> {
        let many: String = (0..5_000).map(|n| format!("x-{n}: {n}\r\n")).collect();
        let one = format!("x-long: {}\r\n", "y".repeat(200_000));
        let endless = "x".repeat(500_000);
        for listener in LISTENERS {
            for headers in [many.as_str(), &one, &endless] {
                let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
                self.send(listener, request.as_bytes(), Duration::from_millis(100))?;
            }
        }
        Ok(())
    }

    /// Connections that begin something and stay.
    fn half_open(&self) -> Result<Vec<TcpStream>> {
        let mut held = Vec::new();
        for listener in LISTENERS {
            for begun in
                [&b""[..], b"GET / HT", b"\x16\x03\x01\x02\0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x04"]
            {
                for _ in 0..8 {
                    let mut stream = self.connect(listener)?;
                    stream.write_all(begun)?;
                    held.push(stream);
                }
            }
        }
        Ok(held)
    }

    fn garbage(&mut self) -> (&'static str, Vec<u8>) {
        let random = &mut self.random;
        let listener = LISTENERS[random.below(LISTENERS.len())];
        let mut bytes = match random.below(4) {
            0 => (0..random.below(600)).map(|_| random.byte()).collect(),
            1 => client_hello(b"a.example.com", b"http/1.1"),
            _ => BEGINNINGS[random.below(BEGINNINGS.len())].to_vec(),
        };
        for _ in 0..random.below(8) {
            let at = random.below(bytes.len() + 1);
            match random.below(3) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, random.byte()),
                _ => bytes.extend_from_within(..at),
            }
        }
        (listener, bytes)
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
        runtime_failure_policy: crate::envoy::config::FailurePolicy::Closed,
    })
}

/// The same for the same seed (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }

    fn byte(&mut self) -> u8 {
        (self.next() >> 24) as u8
    }
}
