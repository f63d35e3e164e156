//! Plugins whose names and places could make the SDK's dispatcher panic, on a real Envoy.
//!
//! Envoy keeps one root context for each name and configuration, and the dispatcher knows the type
//! of a root's streams once and for all. The same name *and* configuration at an HTTP and at a
//! network filter is the one mistake that costs the VM.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::client::status_in;
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{direct, vhost};
use crate::harness::tools;

const REQUESTS: usize = 20;

/// With different names the same configuration at both places does no harm, even where Envoy fails
/// closed.
pub fn different_names() -> Result<()> {
    let (mut envoy, asked) = play("FAIL_CLOSED", "meshwhy-http", "meshwhy-connection")?;
    ensure!(asked.iter().all(|status| *status == Some(200)), "{asked:?}");
    let log = envoy.own_log();
    ensure!(log.contains("`role`: expected \"connection\" for a network filter"), "{log}");
    envoy.check_health()
}

/// With the same name and configuration the VM traps at the first response; with `FAIL_OPEN` all
/// later traffic flows.
pub fn same_name_and_configuration() -> Result<()> {
    let (envoy, asked) = play("FAIL_OPEN", "meshwhy", "meshwhy")?;
    ensure!(asked[1..].iter().all(|status| *status == Some(200)), "{asked:?}");
    let log = envoy.own_log();
    ensure!(log.contains("dispatcher.rs") && log.contains("panicked"), "the VM did not trap: {log}");
    let (envoy, asked) = play("FAIL_CLOSED", "meshwhy", "meshwhy")?;
    ensure!(asked.iter().all(|status| *status != Some(200)), "{asked:?}");
    ensure!(envoy.own_log().contains("panicked"), "the VM did not trap");
    Ok(())
}

/// What requests get where a filter of each kind has this name, and both the same configuration.
fn play(policy: &str, http: &str, network: &str) -> Result<(Envoy, Vec<Option<u16>>)> {
    let module = tools::module()?.display().to_string();
    let hosts = json!([vhost("any", &["*"], vec![direct("/", 200, "ok")])]);
    let listener = Listener::http("web", hosts)
        .raw_http_filter(plugin("http", http, policy, &module))
        .raw_network_filter(plugin("network", network, policy, &module));
    let envoy = Envoy::start(&Proxy::new([listener], []).roles(Roles::none()).bootstrap(""))?;
    let port = envoy.port("web")?;
    let asked = (0..REQUESTS).map(|_| ask(port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    let asked = asked.collect::<Result<_>>()?;
    Ok((envoy, asked))
}

/// A plugin of the HTTP role.
fn plugin(kind: &str, name: &str, policy: &str, module: &str) -> Value {
    json!({"name": name, "typed_config": {
        "@type": format!("type.googleapis.com/envoy.extensions.filters.{kind}.wasm.v3.Wasm"),
        "config": {
            "name": name,
            "failure_policy": policy,
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "{}"},
            "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": module}}},
        },
    }})
}

/// The status that these bytes get; `None` where the connection was closed without any.
pub(crate) fn ask(port: u16, bytes: &[u8]) -> Result<Option<u16>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    // Not to the end: after an error Envoy waits for the client to close.
    let mut answer = [0; 1024];
    let _ = stream.write_all(bytes).context("send");
    let size = stream.read(&mut answer).unwrap_or(0);
    Ok(status_in(&String::from_utf8_lossy(&answer[..size])))
}
