//! What each role counts, as a real Envoy exposes it: compared with a golden file, and checked by promtool.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::client::Places;
use crate::harness::client::client_hello;
use crate::harness::documents;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{all_by, cluster, direct, istio_config, route, vhost, with};
use crate::harness::envoy::{Envoy, parse};
use crate::harness::peers::{Habit, Running, Server};
use crate::harness::pki::Pki;
use crate::harness::process::wait_for;
use crate::harness::tools::{self, root};

/// The roles, in the order of the documentation.
pub const ROLES: &[&str] = &["http", "connection", "access_log"];

/// HTTP to it on a TCP proxy's chain is a soft cause.
const SERVICE: &str = "outbound|9000||web.shop.svc.cluster.local";

/// Listener, and what is sent to it.
type Asked = (&'static str, Vec<u8>);

/// Plays some failures with this role alone, and compares.
pub fn check(role: &str) -> Result<()> {
    let (text, requests) = played(role)?;
    let counted = |name: &str| parse(&text).iter().filter(|s| s.name == name).map(|s| s.value).sum::<f64>();
    let sum = counted("meshwhy_failures_total") + counted("meshwhy_observations_total");
    ensure!((sum - f64::from(requests)).abs() < f64::EPSILON, "{sum} of {requests} are counted:\n{text}");
    lint(&text)?;
    // A release changes the version and nothing else.
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    let current = text.replace(&version, "version=\"VERSION\"");
    let path = root().join(format!("e2e/golden/exposition-{role}.txt"));
    documents::check_file(&path, &current)
}

/// meshwhy's part of the exposition, and how many of what was asked it has to count.
fn played(role: &str) -> Result<(String, u32)> {
    let folder = tempfile::Builder::new().prefix("meshwhy-exposition-").tempdir()?;
    Pki::create(folder.path())?;
    let mut places = Places { values: vec![("{pki}".into(), folder.path().display().to_string())] };
    let mut servers: Vec<Running> = Vec::new();
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    for (name, server) in [("web", Server::Made(Habit::AnswerAndKeep(answer))), ("nobody", Server::Nobody)] {
        let running = server.start(folder.path(), folder.path())?;
        places.values.push((format!("{{server:{name}}}"), running.port.to_string()));
        servers.push(running);
    }
    let (proxy, asked) = stage(role)?;
    let bootstrap = places.fill(&proxy.bootstrap(&tools::module()?.display().to_string()).to_string());
    let mut envoy = Envoy::start(&serde_json::from_str(&bootstrap)?)?;
    for (listener, bytes) in &asked {
        send(envoy.port(listener)?, bytes)?;
    }
    let requests = u32::try_from(asked.len())?;
    let total = |text: &str| -> f64 {
        let counts = |name: &str| name == "meshwhy_failures_total" || name == "meshwhy_observations_total";
        parse(text).iter().filter(|s| counts(&s.name)).map(|s| s.value).sum()
    };
    let mut text = String::new();
    wait_for("all failures to be counted", || {
        text = own(&envoy.admin("/stats/prometheus")?);
        Ok((total(&text) >= f64::from(requests)).then_some(()))
    })
    .with_context(|| text.clone())?;
    envoy.check_health()?;
    Ok((text, requests))
}

fn stage(role: &str) -> Result<(Proxy, Vec<Asked>)> {
    let get = |host: &str, path: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes()
    };
    let resource = |path: &str, cluster: &str, name: &str| {
        with(route(path, cluster), istio_config("virtual-service", "shop", name))
    };
    let hosts = json!([vhost(
        "known",
        &["known.example"],
        vec![
            resource("/a", "missing", "a"),
            resource("/b", "missing", "b"),
            resource("/c", "missing", "c"),
            route("/refused", "nobody"),
        ]
    )]);
    let config = |more: Value| Some(with(json!({ "role": role, "log": "off", "observe_every": 1 }), more));
    let hello = || client_hello(b"unknown.example", b"http/1.1");
    Ok(match role {
        // Two series with a resource, and no room for the third.
        "http" => (
            Proxy::new([Listener::http("http", hosts)], [cluster("nobody", "nobody")])
                .roles(Roles { http: config(json!({ "max_series": 2 })), ..Roles::default() }),
            ["/a", "/b", "/a", "/c", "/c", "/refused"]
                .map(|path| ("http", get("known.example", path)))
                .into_iter()
                .chain([("http", get("unknown.example", "/")), ("http", b"GET / HTTP/1.0\r\n\r\n".to_vec())])
                .collect(),
        ),
        "connection" => (
            Proxy::new(
                [Listener::tcp("web", SERVICE), Listener::tcp("refused", "nobody").direction("OUTBOUND")],
                [cluster(SERVICE, "web"), cluster("nobody", "nobody")],
            )
            .roles(Roles { connection: config(json!({})), ..Roles::default() }),
            vec![("web", get("a", "/")), ("refused", b"hello".to_vec()), ("refused", b"again".to_vec())],
        ),
        "access_log" => (
            Proxy::new(
                [
                    Listener::http("tls", all_by(direct("/", 200, "ok"))).tls("server"),
                    Listener::http("sni", all_by(direct("/", 200, "ok")))
                        .tls("server")
                        .tls_inspector()
                        .chain(json!({ "filter_chain_match": { "server_names": ["known.example"] } })),
                ],
                [],
            )
            .roles(Roles { access_log: config(json!({})), ..Roles::default() }),
            vec![("tls", get("a", "/")), ("sni", hello()), ("sni", hello())],
        ),
        other => anyhow::bail!("{other} is no role"),
    })
}

/// That the proxy hangs up is its right.
fn send(port: u16, bytes: &[u8]) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_millis(300)))?;
    let _ = stream.write_all(bytes);
    let _ = stream.read(&mut [0; 4096]);
    Ok(())
}

/// The lines about meshwhy's metrics, word for word.
pub fn own(exposition: &str) -> String {
    let is_own = |line: &&str| line.trim_start_matches("# TYPE ").starts_with("meshwhy_");
    exposition.lines().filter(is_own).map(|line| format!("{line}\n")).collect()
}

/// promtool finds nothing but missing help texts: Envoy writes none for any metric.
fn lint(text: &str) -> Result<()> {
    let mut promtool = Command::new(tools::program("promtool", "prometheus")?)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    promtool.stdin.take().context("no stdin")?.write_all(text.as_bytes())?;
    let output = promtool.wait_with_output()?;
    let findings =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    let others: Vec<&str> = findings.lines().filter(|line| !line.ends_with(" no help text")).collect();
    ensure!(others.is_empty(), "promtool: {others:#?}");
    // Else it did not read them at all.
    let metrics = text.lines().filter(|line| line.starts_with("# TYPE ")).count();
    ensure!(findings.lines().count() == metrics, "promtool found {findings:?} in {metrics} metrics");
    Ok(())
}
