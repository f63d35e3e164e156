//! What happens to traffic when a module is broken, by Envoy's failure policy: measured, and written into
//! `docs/deployment-safety.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::harness::client::status_in;
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::discovery::Discovery;
use crate::harness::envoy::parts::{all_to, cluster};
use crate::harness::peers::{Habit, Server};
use crate::harness::{documents, tools};

/// A module that every proxy loads, and that traps when a request or a connection begins. In text:
/// `(memory (export "memory") 1)`, `proxy_on_memory_allocate` returns 1024, and `proxy_on_request_headers` and
/// `proxy_on_new_connection` are `unreachable`.
pub const TRAPS: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x10\x03\x60\0\0\x60\x01\x7f\x01\x7f\x60\x03\x7f\x7f\x7f\x01\x7f\
    \x03\x05\x04\x00\x01\x02\x01\
    \x05\x03\x01\0\x01\
    \x07\x74\x05\x06memory\x02\x00\
    \x17proxy_abi_version_0_2_1\x00\x00\
    \x18proxy_on_memory_allocate\x00\x01\
    \x18proxy_on_request_headers\x00\x02\
    \x17proxy_on_new_connection\x00\x03\
    \x0a\x12\x04\x02\0\x0b\x05\0\x41\x80\x08\x0b\x03\0\0\x0b\x03\0\0\x0b";

const POLICIES: &[&str] = &["FAIL_OPEN", "FAIL_RELOAD", "FAIL_CLOSED"];

/// What may be wrong with a module, and what Envoy's log then says.
const BROKEN: &[(&str, &str, &str)] = &[
    ("traps", "traps when a request or connection begins", "Uncaught RuntimeError: unreachable"),
    ("truncated", "is cut off", "Failed to load Wasm code"),
    ("absent", "is not there (`local.filename`)", "Invalid path"),
    ("not_found", "answers 404 (`remote.http_uri`)", "Retry limit exceeded"),
    ("other", "has another hash (`remote.sha256`)", "Retry limit exceeded"),
];

/// Where a module can be plugged in.
const PLUGS: &[&str] = &["http", "network"];

/// Plays everything on one proxy, and compares the table.
pub fn check() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("meshwhy-broken-").tempdir()?;
    let module = fs::read(tools::module()?)?;
    fs::write(folder.path().join("traps.wasm"), TRAPS)?;
    fs::write(folder.path().join("truncated.wasm"), &module[..module.len() / 2])?;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let web = Server::Made(Habit::AnswerAndKeep(answer)).start(folder.path(), folder.path())?;
    let gone = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    let gone = Server::Made(Habit::Answer(gone)).start(folder.path(), folder.path())?;
    let discovery = Discovery::new(folder.path());
    let listeners: Vec<Listener> =
        all_cases().map(|(kind, policy, plug)| listener(folder.path(), kind, policy, plug)).collect();
    let proxy =
        Proxy::new(listeners, [cluster("web", "web"), cluster("gone", "gone"), cluster("other", "web")])
            .roles(Roles::none());
    let text = proxy
        .bootstrap("")
        .to_string()
        .replace("{server:web}", &web.port.to_string())
        .replace("{server:gone}", &gone.port.to_string())
        .replace("{folder}", &folder.path().display().to_string());
    let mut bootstrap: Value = serde_json::from_str(&text)?;
    discovery.listeners(&discovery.take_listeners(&mut bootstrap))?;
    let envoy = Envoy::start(&bootstrap)?;
    let mut seen = BTreeMap::new();
    for (kind, policy, plug) in all_cases() {
        seen.insert((kind, policy, plug), outcome(&envoy, &name(kind, policy, plug))?);
    }
    let log = envoy.own_log();
    for (kind, _, says) in BROKEN {
        ensure!(log.contains(says), "{kind}: Envoy's log doesn't say {says:?}: {log}");
    }
    documents::check("docs/deployment-safety.md", "envoy", &table(&seen))
}

fn all_cases() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let plugs = |kind, policy| PLUGS.iter().map(move |plug| (kind, policy, *plug));
    BROKEN.iter().flat_map(move |(kind, ..)| POLICIES.iter().flat_map(move |policy| plugs(*kind, *policy)))
}

fn name(kind: &str, policy: &str, plug: &str) -> String {
    format!("{kind}-{policy}-{plug}")
}

fn listener(folder: &Path, kind: &str, policy: &str, plug: &str) -> Listener {
    let remote = |cluster: &str| {
        let uri = json!({"uri": "http://modules.example/meshwhy.wasm", "cluster": cluster, "timeout": "5s"});
        json!({"remote": {"http_uri": uri, "sha256": "0".repeat(64), "retry_policy": {"num_retries": 0}}})
    };
    let code = match kind {
        "not_found" => remote("gone"),
        "other" => remote("other"),
        local => json!({"local": {"filename": folder.join(format!("{local}.wasm"))}}),
    };
    let filter = |kind: &str| {
        json!({"name": "broken", "typed_config": {
            "@type": format!("type.googleapis.com/envoy.extensions.filters.{kind}.wasm.v3.Wasm"),
            "config": {
                "name": "broken",
                "failure_policy": policy,
                // A trap ends the VM for all that share it.
                "vm_config": {"vm_id": name(kind, policy, plug), "runtime": "envoy.wasm.runtime.v8", "code": code},
            },
        }})
    };
    let listener = Listener::http("broken", all_to("web")).patch(json!({"name": name(kind, policy, plug)}));
    if plug == "http" {
        listener.raw_http_filter(filter("http"))
    } else {
        listener.raw_network_filter(filter("network"))
    }
}

/// What requests get, one after the other.
fn outcome(envoy: &Envoy, listener: &str) -> Result<String> {
    let Ok(port) = envoy.port(listener) else { return Ok("the listener is refused".into()) };
    let mut asked: Vec<String> = (0..4).map(|_| ask(port).map(outcome_of)).collect::<Result<_>>()?;
    asked.dedup();
    Ok(asked.join(", then "))
}

fn outcome_of(status: Option<u16>) -> String {
    match status {
        Some(200) => "served".into(),
        Some(status) => status.to_string(),
        None => "closed".into(),
    }
}

fn ask(port: u16) -> Result<Option<u16>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    // Not to the end: after an error Envoy waits for the client to close.
    let mut answer = [0; 1024];
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let size = stream.read(&mut answer).unwrap_or(0);
    Ok(status_in(&String::from_utf8_lossy(&answer[..size])))
}

fn table(seen: &BTreeMap<(&str, &str, &str), String>) -> String {
    let mut text =
        "| the module | as | `FAIL_OPEN` | `FAIL_RELOAD` | `FAIL_CLOSED` |\n|---|---|---|---|---|\n"
            .to_owned();
    for (kind, about, _) in BROKEN {
        for plug in PLUGS {
            let cells: Vec<&str> =
                POLICIES.iter().map(|policy| seen[&(*kind, *policy, *plug)].as_str()).collect();
            let _ = writeln!(text, "| {about} | {plug} filter | {} |", cells.join(" | "));
        }
    }
    text
}
