//! Configuration that changes under load: extension configs (ECDS), listeners (LDS), certificates (SDS).

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::background;
use crate::harness::envoy::config::{Listener, merge};
use crate::harness::envoy::discovery::Discovery;
use crate::harness::envoy::parts::{all_to, direct, route, vhost};
use crate::harness::process::{free_port, wait_for};

/// What can change, and how it began.
#[derive(Debug)]
pub struct Changes {
    discovery: Discovery,
    listeners: Vec<Value>,
    plugin: Value,
    /// Where the load goes.
    pub front: u16,
    passing: u16,
    turn: u32,
}

/// The ports that stay, whatever happens to the listeners.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    front: u16,
    tls: u16,
    passing: u16,
}

impl Ports {
    /// Free ones.
    pub fn pick() -> Self {
        Self { front: free_port(), tls: free_port(), passing: free_port() }
    }

    /// The listeners that change: in front, behind it with TLS, and one that comes and goes.
    pub fn listeners(self, discovery: &Discovery) -> [Listener; 3] {
        let routes = ["ok", "refused", "dies", "tls"].map(|name| route(&format!("/{name}"), name));
        let at = |port: u16| json!({"address": {"socket_address": {"port_value": port}}});
        let certificate = json!({"common_tls_context": {
            "tls_certificates": null,
            "tls_certificate_sds_secret_configs": [{"name": "certificate", "sds_config": discovery.source("sds")}],
        }});
        [
            Listener::http("front", json!([vhost("front", &["*"], routes.to_vec())])).patch(at(self.front)),
            Listener::http("behind", json!([vhost("behind", &["*"], vec![direct("/", 200, "ok")])]))
                .tls_with("server", certificate)
                .patch(at(self.tls)),
            Listener::http("passing", all_to("ok")).patch(at(self.passing)),
        ]
    }

    /// Where TLS is terminated.
    pub fn tls(self) -> u16 {
        self.tls
    }
}

impl Changes {
    /// Takes the listeners out of the bootstrap, and the front's plugin out of its listener.
    pub fn begin(discovery: Discovery, ports: Ports, bootstrap: &mut Value, pki: &str) -> Result<Self> {
        let mut listeners = discovery.take_listeners(bootstrap);
        let front = listeners.iter_mut().find(|l| l["name"] == "front").context("no front")?;
        let chain = &mut front["filter_chains"][0]["filters"];
        let manager = chain.as_array_mut().and_then(|filters| filters.last_mut()).context("no filters")?;
        let filter = &mut manager["typed_config"]["http_filters"][0];
        let plugin = filter["typed_config"].take();
        *filter = json!({"name": "meshwhy", "config_discovery": {
            "config_source": discovery.source("ecds"),
            "type_urls": [plugin["@type"]],
        }});
        let changes =
            Self { discovery, listeners, plugin, front: ports.front, passing: ports.passing, turn: 0 };
        changes.write_plugin(1, "meshwhy")?;
        changes.write_certificate(pki, "server")?;
        changes.discovery.listeners(&changes.listeners)?;
        Ok(changes)
    }

    /// Another configuration of the plugin; every third time one for which a VM is made and the old one ends.
    pub fn plugin(&mut self) -> Result<()> {
        self.turn += 1;
        let vm = if self.turn.is_multiple_of(3) { "meshwhy-other" } else { "meshwhy" };
        self.write_plugin(1 + self.turn % 7, vm)
    }

    /// Other listeners: the front in its chain alone, or as a whole; old ones drain.
    pub fn listeners(&mut self) -> Result<()> {
        self.turn += 1;
        let turn = self.turn;
        let mut listeners = self.listeners.clone();
        for listener in listeners
            .iter_mut()
            .filter(|l| ["front", "behind"].contains(&l["name"].as_str().unwrap_or_default()))
        {
            if turn.is_multiple_of(2) {
                merge(listener, &json!({"per_connection_buffer_limit_bytes": 1_000_000 + turn}));
            } else {
                merge(
                    &mut listener["filter_chains"][0],
                    &json!({"transport_socket_connect_timeout": format!("{}s", 10 + turn)}),
                );
            }
        }
        self.discovery.listeners(&listeners)
    }

    /// A listener goes while connections are open and a request has begun, and comes back.
    pub fn removed(&mut self) -> Result<()> {
        let port = self.passing;
        let held = TcpStream::connect(("127.0.0.1", port))?;
        let mut begun = TcpStream::connect(("127.0.0.1", port))?;
        std::io::Write::write_all(&mut begun, b"GET /ok HTTP/1.1\r\nHo")?;
        let left: Vec<Value> = self.listeners.iter().filter(|l| l["name"] != "passing").cloned().collect();
        self.discovery.listeners(&left)?;
        wait_for("the listener's end", || {
            Ok(TcpStream::connect(("127.0.0.1", port)).is_err().then_some(()))
        })?;
        self.discovery.listeners(&self.listeners)?;
        wait_for("the listener", || Ok(TcpStream::connect(("127.0.0.1", port)).ok()))?;
        let status = background::ask(port, "/ok")?;
        ensure!(status == Some(200), "the listener that came back answers {status:?}");
        drop((held, begun));
        Ok(())
    }

    /// The other certificate.
    pub fn certificate(&mut self, pki: &str) -> Result<()> {
        self.turn += 1;
        self.write_certificate(pki, if self.turn.is_multiple_of(2) { "server" } else { "wildcard" })
    }

    fn write_plugin(&self, observe_every: u32, vm: &str) -> Result<()> {
        let mut plugin = self.plugin.clone();
        let value = json!({"observe_every": observe_every}).to_string();
        merge(
            &mut plugin,
            &json!({"config": {"configuration": {"value": value}, "vm_config": {"vm_id": vm}}}),
        );
        let resource = json!({"name": "meshwhy", "typed_config": plugin});
        self.discovery.write("ecds", "envoy.config.core.v3.TypedExtensionConfig", &[resource])
    }

    fn write_certificate(&self, pki: &str, name: &str) -> Result<()> {
        let file = |kind: &str| json!({"filename": format!("{pki}/{name}.{kind}")});
        let secret = json!({"name": "certificate", "tls_certificate": {
            "certificate_chain": file("pem"), "private_key": file("key"),
        }});
        self.discovery.write("sds", "envoy.extensions.transport_sockets.tls.v3.Secret", &[secret])
    }
}

/// Between two changes.
pub const PAUSE: Duration = Duration::from_millis(60);
