//! One container's output, Envoy's own log and the access log in one, as `kubectl logs` shows it: `meshwhy explain` reports each failure once.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use meshwhy_cli::explain::{Column, Failure, Pairs, Reader, Reading, Source};
use serde_json::{Value, json};

use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{cluster_at, direct, route, vhost};
use crate::harness::pki::Pki;
use crate::harness::process::wait_for;
use crate::harness::tools;

/// Requests at once, and how often; each has a path of its own.
const AT_ONCE: usize = 8;
const ROUNDS: usize = 6;
/// Connections to each of a TCP port that leads nowhere, an HTTP port in TLS, and a TLS port in plaintext.
const OTHERS: usize = 3;

/// One way to have both logs.
#[derive(Debug)]
struct Case {
    roles: Roles,
    /// Milliseconds that Envoy keeps its access log.
    flush: u32,
    /// How many failures the filter's own lines report.
    by_filter: usize,
}

/// In every role, with Istio's flush interval and a short one, and where the filter leaves lines out.
pub fn check() -> Result<()> {
    let all = (AT_ONCE * ROUNDS) + 3 * OTHERS;
    let filters = |log: Value| Roles {
        http: Some(with(&log, "http")),
        connection: Some(with(&log, "connection")),
        access_log: Some(with(&log, "access_log")),
        ..Roles::default()
    };
    let logger = Roles { access_log: Some(with(&json!({"log": "all"}), "access_log")), ..Roles::default() };
    let limited = json!({"log": "limited", "log_per_minute": OTHERS});
    for case in [
        Case { roles: filters(json!({"log": "all"})), flush: 1_000, by_filter: all },
        Case { roles: logger, flush: 1, by_filter: all },
        // One cause has more failures than lines: TCP and HTTP have it, and a limit of their own.
        Case { roles: filters(limited), flush: 1_000, by_filter: 4 * OTHERS },
    ] {
        play(&case).map_err(|error| error.context(format!("{case:?}")))?;
    }
    Ok(())
}

fn with(config: &Value, role: &str) -> Value {
    let mut config = config.clone();
    config["role"] = role.into();
    config
}

fn play(case: &Case) -> Result<()> {
    let pki = tempfile::tempdir()?;
    Pki::create(pki.path())?;
    let envoy = start(case, pki.path())?;
    fail(&envoy)?;
    let counted = || -> Result<usize> {
        let samples = envoy.meshwhy_samples()?;
        let failures = samples.iter().filter(|sample| sample.name == "meshwhy_failures_total");
        Ok(failures.map(|sample| sample.value).sum::<f64>() as usize)
    };
    let expected = AT_ONCE * ROUNDS + 3 * OTHERS;
    wait_for("the counters", || Ok((counted()? >= expected).then_some(())))?;
    // What is in the access log: all but failed handshakes. The last line may still be written.
    let whole = || envoy.own_log().rsplit_once('\n').map(|(whole, _)| whole.to_owned()).unwrap_or_default();
    let output = wait_for("the access log", || {
        let output = whole();
        let logged = output.lines().filter(|line| line.starts_with("[20")).count();
        Ok((logged >= expected - OTHERS).then_some(output))
    })?;
    let reported = reported(&output);
    ensure!(
        reported.len() == counted()? && reported.len() == expected,
        "{} reported\n{}",
        reported.len(),
        output
    );
    let by_filter = reported.iter().filter(|failure| failure.finding.source == Source::Filter).count();
    ensure!(by_filter == case.by_filter, "{by_filter} by the filter\n{output}");
    let mut paths: BTreeMap<&str, usize> = BTreeMap::new();
    for failure in &reported {
        *paths.entry(failure.line.get(Column::Path).unwrap_or("-")).or_default() += 1;
    }
    ensure!(paths.len() == AT_ONCE * ROUNDS + 1 && paths["-"] == 3 * OTHERS, "{paths:?}\n{output}");
    Ok(())
}

fn start(case: &Case, pki: &Path) -> Result<Envoy> {
    let routes = vec![direct("/healthy", 200, "ok"), route("/", "outbound|81||a.b.svc.cluster.local")];
    let nowhere = json!({"socket_address": {"address": "127.0.0.1", "port_value": 1}});
    let listeners = [
        Listener::http("http", json!([vhost("a", &["*"], routes.clone())])),
        Listener::tcp("tcp", "outbound|81||a.b.svc.cluster.local"),
        Listener::http("tls", json!([vhost("a", &["*"], routes)])).tls("server"),
    ];
    let proxy = Proxy::new(listeners, [cluster_at("outbound|81||a.b.svc.cluster.local", nowhere)])
        .roles(case.roles.clone())
        // As Istio has it.
        .patch(json!({"application_log_config": {"log_format": {
            "text_format": "%Y-%m-%dT%T.%fZ\t%l\tenvoy %n %g:%#\t%v\tthread=%t",
        }}}));
    let bootstrap = proxy.bootstrap(&tools::module()?.display().to_string()).to_string();
    // Istio's default log of streams and of TCP connections.
    let bootstrap = ["http", "tcp"]
        .iter()
        .fold(bootstrap, |text, name| text.replace(&format!("{{folder}}/{name}.txt"), "/dev/stdout"));
    let bootstrap = bootstrap.replace("{pki}", &pki.display().to_string());
    Envoy::start_flushing(&serde_json::from_str(&bootstrap)?, case.flush)
}

fn fail(envoy: &Envoy) -> Result<()> {
    let port = envoy.port("http")?;
    for round in 0..ROUNDS {
        let mut streams: Vec<TcpStream> = (0..AT_ONCE).map(|_| connect(port)).collect::<Result<_>>()?;
        for (number, stream) in streams.iter_mut().enumerate() {
            write!(stream, "GET /{round}/{number} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
        }
        streams.iter_mut().try_for_each(end)?;
    }
    const HELLO: &[u8] = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00";
    let others = [("tcp", &b"?"[..]), ("http", HELLO), ("tls", b"GET / HTTP/1.1\r\n\r\n")];
    let mut streams = Vec::new();
    for (listener, bytes) in others.into_iter().flat_map(|other| [other; OTHERS]) {
        let mut stream = connect(envoy.port(listener)?)?;
        // It may be closed by then.
        let _ = stream.write_all(bytes);
        streams.push(stream);
    }
    streams.iter_mut().try_for_each(end)
}

fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

/// Reads until the proxy has nothing more to say, however it ends.
fn end(stream: &mut TcpStream) -> Result<()> {
    let _ = stream.read_to_end(&mut Vec::new());
    Ok(())
}

/// What the tool reports of it.
fn reported(output: &str) -> Vec<Failure<()>> {
    let (reader, mut pairs, mut reported) = (Reader::new(Vec::new()), Pairs::default(), Vec::new());
    let mut emit = |failure| reported.push(failure);
    for line in output.lines() {
        match reader.read(line.as_bytes()) {
            Reading::Failed(line, finding) => pairs.line(line, finding, Some(()), &mut emit),
            Reading::Own(own) => pairs.own(*own, (), &mut emit),
            _ => {}
        }
    }
    pairs.finish(&mut emit);
    reported
}
