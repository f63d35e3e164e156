//! Real proxies with traffic that fails, and a real Prometheus with the shipped rules on a faster clock.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::clock::Clock;
use super::links::DOCS;
use super::{failing, read};
use crate::harness::client::Places;
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy, Roles, loopback};
use crate::harness::envoy::parts::{all_by, cluster, direct, istio_config, route, vhost, with};
use crate::harness::peers::{Habit, Running, Server};
use crate::harness::process::free_port;
use crate::harness::prometheus::Prometheus;
use crate::harness::tools;

/// Where the alerts' links lead on this stage, as `make manifests DOCS_URL=...` would have it.
pub const DOCS_URL: &str = "https://docs.example.com/meshwhy";

/// HTTP to it on a TCP proxy's chain is a soft cause.
const SERVICE: &str = "outbound|9000||web.shop.svc.cluster.local";

/// Four proxies (`shop/cart`, `shop/legacy` without meshwhy, `search/search` with room for one series, `billing/broken` whose VM
/// fails), their clients, and Prometheus.
pub struct Stage {
    /// Prometheus.
    pub prometheus: Prometheus,
    /// Its clock.
    pub clock: Clock,
    /// The proxies: namespace, pod.
    pub proxies: Vec<(&'static str, &'static str, Envoy)>,
    began: f64,
    places: Places,
    clients: Clients,
    folder: TempDir,
    _servers: Vec<Running>,
}

impl Stage {
    /// Starts all of it. What fails from the beginning has failed before Prometheus looks for the first time.
    pub fn start(clock: Clock) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("meshwhy-monitoring-").tempdir()?;
        let mut places = Places { values: vec![("{config}".into(), folder.path().display().to_string())] };
        let mut servers = Vec::new();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        for (name, server) in
            [("cart", Server::Made(Habit::AnswerAndKeep(answer))), ("nobody", Server::Nobody)]
        {
            let running = server.start(folder.path(), folder.path())?;
            places.values.push((format!("{{server:{name}}}"), running.port.to_string()));
            servers.push(running);
        }
        put(folder.path(), "lds.json", &json!({ "resources": [] }))?;
        put(folder.path(), "cds.json", &clusters(&places, &["cart", "payment"])?)?;
        let module = tools::module()?.display().to_string();
        let not_again = put_module(folder.path(), "not-again.wasm", &failing::not_again()?)?;
        let silent = put_module(folder.path(), "silent.wasm", &failing::silent()?)?;
        let start = |proxy: Proxy| {
            let bootstrap = places.fill(&proxy.bootstrap(&module).to_string());
            Envoy::start(&serde_json::from_str(&bootstrap)?)
        };
        let proxies = vec![
            ("shop", "cart", start(cart())?),
            ("shop", "legacy", start(legacy(&not_again))?),
            ("billing", "broken", start(broken(&silent))?),
            ("search", "search", start(search())?),
        ];
        let clients = Clients::start(&proxies)?;
        std::thread::sleep(Duration::from_millis(800));
        let prometheus = prometheus(folder.path(), clock, &proxies)?;
        Ok(Self { prometheus, clock, proxies, began: now(), places, clients, folder, _servers: servers })
    }

    /// From the first look until now, in seconds.
    pub fn range(&self) -> (f64, f64) {
        (self.began, now())
    }

    /// New configuration arrives at `shop/cart`: one listener more, and the cluster that most requests go to is gone.
    pub fn take_cart_away(&self) -> Result<()> {
        let kind = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
        let proxy = json!({ "@type": kind, "stat_prefix": "new", "cluster": "payment" });
        let listener = json!({
            "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": "new", "address": loopback(0),
            "filter_chains": [{ "filters": [{ "name": "tcp", "typed_config": proxy }] }],
        });
        put(self.folder.path(), "lds.json", &json!({ "resources": [listener] }))?;
        put(self.folder.path(), "cds.json", &clusters(&self.places, &["payment"])?)
    }

    /// `shop/legacy` gets a request; its VM fails at the first, and at the next it is not to be started again.
    pub fn trap(&self) -> Result<()> {
        let (.., legacy) = self.proxies.iter().find(|(_, pod, _)| *pod == "legacy").context("no such pod")?;
        exchange(legacy.port("http")?, b"GET / HTTP/1.1\r\nHost: legacy\r\nConnection: close\r\n\r\n")
    }

    /// No more requests; Prometheus has seen the last of them when this returns.
    pub fn quiet(&mut self) {
        self.clients.stop();
        std::thread::sleep(Duration::from_millis(600));
    }
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn blamed(prefix: &str, cluster: &str, name: &str) -> Value {
    with(route(prefix, cluster), istio_config("virtual-service", "shop", name))
}

/// Its clusters come from a file, as istiod sends them.
fn cart() -> Proxy {
    let routes = json!([
        vhost("cart", &["cart.shop"], vec![blamed("/", "cart", "cart")]),
        vhost("payment", &["payment.shop"], vec![blamed("/", "payment", "payment")]),
        vhost("reviews", &["reviews.shop"], vec![direct("/", 200, "ok")]),
    ]);
    let source = |file: &str| json!({ "path_config_source": { "path": format!("{{config}}/{file}") }, "resource_api_version": "V3" });
    let role = |role: &str| Some(json!({ "role": role, "observe_every": 1 }));
    Proxy::new([Listener::http("http", routes), Listener::tcp("tcp", SERVICE)], [cluster(SERVICE, "cart")])
        .patch(json!({ "dynamic_resources": { "cds_config": source("cds.json"), "lds_config": source("lds.json") } }))
        .roles(Roles { http: role("http"), connection: role("connection"), ..Roles::all() })
}

/// Without meshwhy: what stands in its place fails at the first request, and Envoy tries to start it again.
fn legacy(module: &str) -> Proxy {
    let backoff = json!({ "base_interval": "0.1s", "max_interval": "0.2s" });
    let policy = json!({ "failure_policy": "FAIL_RELOAD", "reload_config": { "backoff": backoff } });
    instead(module, &policy, direct("/", 200, "ok"))
}

/// What stands in meshwhy's place fails at the first request and is left so, as the manifests have it; all requests end with errors.
fn broken(module: &str) -> Proxy {
    instead(module, &json!({ "failure_policy": "FAIL_OPEN" }), direct("/", 503, "down"))
}

/// Another module, by Istio's name for the filter.
fn instead(module: &str, policy: &Value, answer: Value) -> Proxy {
    let name = "istio-system.meshwhy-http";
    let vm = json!({ "runtime": "envoy.wasm.runtime.v8", "code": { "local": { "filename": module } } });
    let filter = json!({ "name": name, "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": with(json!({ "name": name, "vm_config": vm }), policy.clone()),
    } });
    let hosts = all_by(answer);
    Proxy::new([Listener::http("http", hosts).raw_http_filter(filter)], []).roles(Roles::none())
}

fn put_module(folder: &Path, name: &str, bytes: &[u8]) -> Result<String> {
    let file = folder.join(name);
    fs::write(&file, bytes)?;
    Ok(file.display().to_string())
}

/// More resources than it may tell apart.
fn search() -> Proxy {
    let routes = ["a", "b"].map(|name| {
        with(route(&format!("/{name}"), "missing"), istio_config("virtual-service", "search", name))
    });
    let hosts = json!([vhost("search", &["*"], routes.to_vec())]);
    Proxy::new([Listener::http("http", hosts)], [])
        .roles(Roles { http: Some(json!({ "role": "http", "max_series": 1 })), ..Roles::default() })
}

fn clusters(places: &Places, names: &[&str]) -> Result<Value> {
    let all = [cluster("cart", "cart"), cluster("payment", "nobody")];
    let resources: Vec<Value> = all
        .into_iter()
        .filter(|cluster| names.iter().any(|name| cluster["name"] == *name))
        .map(|cluster| {
            with(cluster, json!({ "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster" }))
        })
        .collect();
    let text = places.fill(&json!({ "resources": resources }).to_string());
    Ok(serde_json::from_str(&text)?)
}

/// Envoy looks when a file takes another's place.
pub(super) fn put(folder: &Path, name: &str, content: &Value) -> Result<()> {
    let neighbour = folder.join(format!("{name}.new"));
    fs::write(&neighbour, content.to_string())?;
    fs::rename(&neighbour, folder.join(name)).with_context(|| name.to_owned())
}

/// A Prometheus with the shipped rules on this clock, which scrapes these.
pub(super) fn prometheus(
    folder: &Path,
    clock: Clock,
    proxies: &[(&'static str, &'static str, Envoy)],
) -> Result<Prometheus> {
    let rules: PathBuf = folder.join("rules.json");
    fs::write(&rules, clock.rules(&read("rules.yaml")?.replace(DOCS, DOCS_URL))?.to_string())?;
    let targets: Vec<Value> = proxies
        .iter()
        .map(|(namespace, pod, envoy)| {
            json!({ "targets": [envoy.admin_address()], "labels": { "namespace": namespace, "pod": pod } })
        })
        .collect();
    let config = json!({
        "global": { "scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms" },
        "rule_files": [rules],
        "scrape_configs": [{
            "job_name": "envoy-stats", "metrics_path": "/stats/prometheus", "static_configs": targets,
        }],
    });
    Prometheus::start(folder, &format!("127.0.0.1:{}", free_port()), &config)
}

/// What asks the proxies, until it is stopped.
struct Clients {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Clients {
    fn start(proxies: &[(&'static str, &'static str, Envoy)]) -> Result<Self> {
        let port = |pod: &str, listener: &str| {
            let (.., envoy) = proxies.iter().find(|(_, name, _)| *name == pod).context("no such pod")?;
            envoy.port(listener)
        };
        let (cart, tcp, search) = (port("cart", "http")?, port("cart", "tcp")?, port("search", "http")?);
        let broken = port("broken", "http")?;
        let get = |host: &str, path: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes()
        };
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        // The period and the phase in steps, the port, the request.
        let plan: Vec<(u64, u64, u16, Vec<u8>)> = vec![
            (1, 0, cart, get("cart.shop", "/")),
            (2, 1, cart, get("reviews.shop", "/")),
            (5, 2, cart, get("payment.shop", "/")),
            (16, 3, cart, get("unknown.example", "/")),
            (20, 4, cart, crate::harness::client::client_hello(b"cart.shop", b"h2")),
            (12, 5, tcp, get("cart.shop", "/")),
            (8, 6, search, get("search", "/a")),
            (10, 7, search, get("search", "/b")),
            (2, 1, broken, get("billing", "/")),
        ];
        let step = Duration::from_millis(25);
        let thread = std::thread::spawn(move || {
            for number in 0_u64.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                for (_, _, port, bytes) in plan.iter().filter(|(every, at, ..)| number % every == at % every)
                {
                    // A proxy that hangs up, or is ending, is no concern of a client.
                    let _ = exchange(*port, bytes);
                }
                std::thread::sleep(step);
            }
        });
        Ok(Self { ended, thread: Some(thread) })
    }

    fn stop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.stop();
    }
}

fn exchange(port: u16, bytes: &[u8]) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    // Whoever leaves earlier is a failure of another kind, of which Envoy has no status.
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(bytes)?;
    let mut answer = [0; 1024];
    let size = stream.read(&mut answer)?;
    ensure!(size > 0, "no answer");
    Ok(())
}
