//! Configuration that changes under load: extension configs (ECDS), routes (RDS), clusters (CDS), listeners (LDS),
//! certificates (SDS).

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::background;
use crate::harness::envoy::config::{Listener, merge};
use crate::harness::envoy::discovery::Discovery;
use crate::harness::envoy::parts::{all_to, direct, empty_cluster, istio_config, route, vhost, with};
use crate::harness::process::{free_port, wait_for};

/// What can change, and how it began.
#[derive(Debug)]
pub struct Changes {
    discovery: Discovery,
    listeners: Vec<Value>,
    clusters: Vec<Value>,
    plugin: Value,
    routes: Value,
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
        let routes = ["ok", "refused", "dies", "tls", "missing"].map(|name| route(&format!("/{name}"), name));
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
    /// Takes listeners and clusters out of the bootstrap, and the front's plugin and routes out of its listener.
    pub fn begin(discovery: Discovery, ports: Ports, bootstrap: &mut Value, pki: &str) -> Result<Self> {
        let mut listeners = discovery.take_listeners(bootstrap);
        let clusters = discovery.take_clusters(bootstrap);
        let front = listeners.iter_mut().find(|l| l["name"] == "front").context("no front")?;
        let chain = &mut front["filter_chains"][0]["filters"];
        let manager = chain.as_array_mut().and_then(|filters| filters.last_mut()).context("no filters")?;
        let filter = &mut manager["typed_config"]["http_filters"][0];
        let plugin = filter["typed_config"].take();
        *filter = json!({"name": "meshwhy", "config_discovery": {
            "config_source": discovery.source("ecds"),
            "type_urls": [plugin["@type"]],
        }});
        let routes = manager["typed_config"]["route_config"].take();
        let from_file =
            json!({"route_config_name": routes["name"], "config_source": discovery.source("rds")});
        merge(&mut manager["typed_config"], &json!({"route_config": null, "rds": from_file}));
        let (front, passing) = (ports.front, ports.passing);
        let changes = Self { discovery, listeners, clusters, plugin, routes, front, passing, turn: 0 };
        changes.write_plugin(&json!({"observe_every": 1}), "meshwhy")?;
        changes.write_routes(0)?;
        changes.write_clusters(0)?;
        changes.write_certificate(pki, "server")?;
        changes.discovery.listeners(&changes.listeners)?;
        Ok(changes)
    }

    /// Another configuration of the plugin; every third time one for which a VM is made and the old one ends.
    pub fn plugin(&mut self) -> Result<()> {
        self.turn += 1;
        let vm = if self.turn.is_multiple_of(3) { "meshwhy-other" } else { "meshwhy" };
        self.write_plugin(&json!({"observe_every": 1 + self.turn % 7}), vm)
    }

    /// A configuration of the plugin that was not there before, in the VM that there is.
    pub fn plugin_in_its_vm(&mut self) -> Result<()> {
        self.turn += 1;
        self.write_plugin(&json!({"observe_every": 1, "log_per_minute": 10 + self.turn}), "meshwhy")
    }

    /// One more route, and other resources that all of them come from.
    pub fn routes(&mut self) -> Result<()> {
        self.turn += 1;
        self.write_routes(self.turn)
    }

    /// Each cluster is made anew, and another one comes.
    pub fn clusters(&mut self) -> Result<()> {
        self.turn += 1;
        self.write_clusters(self.turn)
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

    fn write_plugin(&self, value: &Value, vm: &str) -> Result<()> {
        let mut plugin = self.plugin.clone();
        let value = value.to_string();
        merge(
            &mut plugin,
            &json!({"config": {"configuration": {"value": value}, "vm_config": {"vm_id": vm}}}),
        );
        let resource = json!({"name": "meshwhy", "typed_config": plugin});
        self.discovery.write("ecds", "envoy.config.core.v3.TypedExtensionConfig", &[resource])
    }

    fn write_routes(&self, turn: u32) -> Result<()> {
        let mut routes = self.routes.clone();
        let own = routes["virtual_hosts"][0]["routes"].as_array_mut().context("no routes")?;
        let resource = istio_config("virtual-service", "default", &format!("pushed-{turn}"));
        own.iter_mut().for_each(|route| merge(route, &resource));
        own.push(with(direct(&format!("/pushed-{turn}"), 200, "ok"), resource));
        self.discovery.write("rds", "envoy.config.route.v3.RouteConfiguration", &[routes])
    }

    fn write_clusters(&self, turn: u32) -> Result<()> {
        let timeout = json!({"connect_timeout": format!("{}s", 5 + turn % 50)});
        let mut clusters: Vec<Value> =
            self.clusters.iter().map(|cluster| with(cluster.clone(), timeout.clone())).collect();
        clusters.push(empty_cluster(&format!("pushed-{turn}")));
        self.discovery.write("cds", "envoy.config.cluster.v3.Cluster", &clusters)
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
