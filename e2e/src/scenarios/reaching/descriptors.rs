//! File descriptors that are used up.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Likely;
use serde_json::json;

use crate::harness::client::{Client, Places, Seen, status_in};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{direct, route, vhost};
use crate::scenarios::common::{PLAIN, backend};
use crate::scenarios::scenario::{Log, Scenario};

const NO_SOCKET: &str =
    "upstream_reset_before_response_started{local_connection_failure|socket_creation_failure*";

fn under_load(files: &'static str) -> Proxy {
    let routes = json!([vhost("all", &["*"], vec![direct("/held", 200, "ok"), route("/", "backend")])]);
    Proxy::new([Listener::http("http", routes)], [backend()]).ulimit(&["-n", files])
}

pub(super) fn table() -> Vec<Scenario> {
    vec![
        Scenario::new("reaching/no_file_descriptors", "idle clients use up `ulimit -n`", under_load("90"))
            .page("Envoy is crashing under load")
            .server("backend", PLAIN)
            .client(Client::Custom(use_up_descriptors))
            .gets(503)
            .logs(Log::Http, &[("flags", "UF"), ("details", NO_SOCKET)])
            .names(Cause::FileDescriptorsExhausted, Likely),
        Scenario::new(
            "reaching/enough_file_descriptors",
            "fixed: a higher `ulimit -n` under the same idle clients",
            under_load("1024"),
        )
        .page("Envoy is crashing under load")
        .server("backend", PLAIN)
        .client(Client::Custom(use_up_descriptors))
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}

/// Holds idle connections until Envoy takes no more, then asks on one that it took before.
fn use_up_descriptors(places: &Places) -> Result<Seen> {
    let address = ("127.0.0.1", places.listener("http")?);
    let mut first = TcpStream::connect(address)?;
    first.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut ask = |path: &str| -> Result<String> {
        first.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())?;
        let mut buffer = [0; 4096];
        let read = first.read(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..read]).into_owned())
    };
    // Envoy must have taken it before the others come; this path has no route and needs no upstream.
    let _ = ask("/held")?;
    let _others: Vec<TcpStream> = (0..100).filter_map(|_| TcpStream::connect(address).ok()).collect();
    std::thread::sleep(Duration::from_millis(300));
    let text = ask("/")?;
    Ok(Seen { status: status_in(&text), exit: 0, text })
}
