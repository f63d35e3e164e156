//! The plugins of `overlays/log-only` on a real Envoy: the access log has every cause, there is no counter, and failures cost no
//! line of the proxy's own log.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::client::client_hello;
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{direct, vhost};
use crate::harness::process::wait_for;
use crate::harness::tools::{self, root};

/// Requests of each kind: failures of two causes, and healthy ones.
const EACH: usize = 100;

/// What Envoy writes for each call that the VM may not make.
pub(crate) const REFUSED: &str = "Attempted call to restricted proxy-wasm capability: ";

/// Starts it with two workers, each with a VM of its own.
pub fn check() -> Result<()> {
    const WORKERS: usize = 2;
    let hosts = json!([vhost("known", &["known.example"], vec![direct("/", 200, "ok")])]);
    let listener = Listener::http("web", hosts)
        .raw_http_filter(plugin("meshwhy-log-only-http")?)
        .raw_network_filter(plugin("meshwhy-log-only-connection")?);
    let mut envoy =
        Envoy::start_workers(&Proxy::new([listener], []).roles(Roles::none()).bootstrap(""), WORKERS)?;
    let port = envoy.port("web")?;
    let loading = refusals(&envoy);
    ensure!(!loading.is_empty(), "nothing was refused: does the VM have its restriction?");
    for _ in 0..EACH {
        ask(port, b"GET / HTTP/1.1\r\nHost: known.example\r\nConnection: close\r\n\r\n", "200")?;
        ask(port, b"GET / HTTP/1.1\r\nHost: unknown.example\r\nConnection: close\r\n\r\n", "404")?;
        ask(port, &client_hello(b"known.example", b"http/1.1"), "400")?;
    }
    let named = |cause: Option<&str>| -> Result<usize> {
        let lines = envoy.log("http.log")?;
        Ok(lines.iter().filter(|line| line["cause"].as_str() == cause).count())
    };
    for cause in [None, Some("route_host_unknown"), Some("tls_on_plaintext_port")] {
        wait_for(&format!("{EACH} lines with {cause:?}"), || Ok((named(cause)? == EACH).then_some(())))?;
    }
    let all = refusals(&envoy);
    ensure!(all.iter().all(|call| call.ends_with("_metric")), "refused: {all:?}");
    let more = all.len() - loading.len();
    // Each plugin of each worker asks once.
    ensure!(more <= 2 * WORKERS, "{} failures: {more} calls were refused: {all:#?}", 2 * EACH);
    let samples = envoy.meshwhy_samples()?;
    ensure!(samples.is_empty(), "counted: {samples:?}");
    envoy.check_health()
}

fn refusals(envoy: &Envoy) -> Vec<String> {
    let log = envoy.own_log();
    let calls = log.lines().filter_map(|line| Some(line.split_once(REFUSED)?.1.trim().to_owned()));
    calls.collect()
}

/// A plugin as the overlay has it; only the module comes from a file.
fn plugin(name: &str) -> Result<Value> {
    let text = std::fs::read_to_string(root().join("envoyfilter/overlays/log-only/envoyfilter.yaml"))?;
    let overlay: Value = serde_norway::from_str(&text)?;
    let patches = overlay["spec"]["configPatches"].as_array().context("no patches")?;
    let added =
        |patch: &&Value| patch["applyTo"] == "EXTENSION_CONFIG" && patch["patch"]["value"]["name"] == name;
    let mut plugin =
        patches.iter().find(added).with_context(|| format!("no {name}"))?["patch"]["value"].clone();
    plugin["typed_config"]["config"]["vm_config"]["code"] =
        json!({ "local": { "filename": tools::module()?.display().to_string() } });
    Ok(plugin)
}

fn ask(port: u16, bytes: &[u8], status: &str) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(bytes)?;
    // Not to the end: after an error Envoy waits for the client to close.
    let mut answer = [0; 1024];
    let size = stream.read(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer[..size]);
    ensure!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer:?} instead of {status}");
    Ok(())
}
