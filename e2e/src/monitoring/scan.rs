//! A port scan against a gateway, by real clients: no alert fires and nobody in the mesh is blamed. A mistake in the middle of
//! it does both.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::clock::Clock;
use super::stage::{prometheus, put};
use crate::harness::client::Places;
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy, Roles, loopback};
use crate::harness::envoy::parts::{cluster, demanding_certificate, istio_config, route, vhost, with};
use crate::harness::peers::{Habit, Server};
use crate::harness::pki::Pki;
use crate::harness::tools::{self, Needed, program};

/// An hour takes 12 s.
const CLOCK: Clock = Clock(300);

/// Istio's own kind of gateway.
const GATEWAY: &str = "router~10.0.0.1~gateway.edge~edge.svc.cluster.local";

/// The programs that scan.
pub const CLIENTS: &[Needed] = &[("curl", "curl"), ("openssl", "openssl"), ("ssh", "openssh-client")];

/// What the scan is found to be; without all of these it was none.
const FOUND: &[&str] = &[
    "authorization_policy_denied",
    "client_certificate_missing",
    "connect_to_non_proxy_port",
    "http10_client",
    "idle_timeout",
    "invalid_http_request",
    "no_filter_chain_for_sni",
    "not_http_on_http_port",
    "plaintext_on_tls_port",
    "proxy_protocol_unexpected",
    "request_too_large",
    "route_host_unknown",
    "route_no_match",
    "tls_on_plaintext_port",
    "upgrade_refused",
];

/// What fires when the gateway's route points to a cluster that is gone.
const FIRES: &[&str] = &["MeshwhyCauseAboveRate", "MeshwhyFailuresAfterConfigChange", "MeshwhyNewCause"];

/// Plays it.
pub fn play() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("meshwhy-scan-").tempdir()?;
    Pki::create(folder.path())?;
    let shop = Server::Made(Habit::AnswerAndKeep(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    let shop = shop.start(folder.path(), folder.path())?;
    let places = Places {
        values: vec![
            ("{config}".into(), folder.path().display().to_string()),
            ("{pki}".into(), folder.path().display().to_string()),
            ("{server:shop}".into(), shop.port.to_string()),
        ],
    };
    let clusters = places.fill(&json!({ "resources": [cluster_of_kind()] }).to_string());
    put(folder.path(), "cds.json", &serde_json::from_str(&clusters)?)?;
    put(folder.path(), "lds.json", &json!({ "resources": [] }))?;
    let bootstrap = places.fill(&gateway().bootstrap(&tools::module()?.display().to_string()).to_string());
    let proxies = vec![("edge", "gateway", Envoy::start(&serde_json::from_str(&bootstrap)?)?)];
    let envoy = &proxies[0].2;
    let visitors = Visitors::start(envoy, false)?;
    let prometheus = prometheus(folder.path(), CLOCK, &proxies)?;
    // A cause is new where Prometheus has seen the namespace for longer than an hour.
    std::thread::sleep(Duration::from_millis(CLOCK.millis(3_600) + 1_500));

    // Half an hour of scanning, in which the gateway takes new listeners all the time.
    let scanners = Visitors::start(envoy, true)?;
    let (mut fired, began, mut round) = (BTreeSet::new(), Instant::now(), 0);
    while began.elapsed() < Duration::from_millis(CLOCK.millis(1_800)) || round < 3 {
        change(&folder, round)?;
        real_clients(envoy)?;
        fired.extend(firing(&prometheus)?);
        round += 1;
    }
    ensure!(fired.is_empty(), "a port scan alone raises {fired:?}");
    blames_nobody(envoy)?;

    put(folder.path(), "cds.json", &json!({ "resources": [] }))?;
    let missing = |name: &&str| ((*name).to_owned(), "cluster_missing".to_owned());
    let expected: BTreeSet<_> = FIRES.iter().map(missing).collect();
    let deadline = Instant::now() + Duration::from_secs(15);
    while fired != expected && Instant::now() < deadline {
        change(&folder, round)?;
        std::thread::sleep(Duration::from_millis(150));
        fired.extend(firing(&prometheus)?);
        round += 1;
    }
    ensure!(fired == expected, "the route's cluster is gone, and this fires: {fired:?}");
    drop((scanners, visitors));
    let [(.., mut envoy)] = <[_; 1]>::try_from(proxies).ok().context("one proxy")?;
    envoy.check_health()
}

/// Each alert that fires, and its cause.
fn firing(prometheus: &crate::harness::prometheus::Prometheus) -> Result<BTreeSet<(String, String)>> {
    let label = |alert: &Value, name: &str| alert["labels"][name].as_str().unwrap_or("-").to_owned();
    let alerts = prometheus.firing()?;
    Ok(alerts.iter().map(|alert| (label(alert, "alertname"), label(alert, "cause"))).collect())
}

/// The scan is seen for what it was, and all of it is the clients' doing.
fn blames_nobody(envoy: &Envoy) -> Result<()> {
    let samples = envoy.meshwhy_samples()?;
    let failures = || samples.iter().filter(|s| s.name == "meshwhy_failures_total");
    let found: BTreeSet<&str> = failures().map(|s| s.labels["cause"].as_str()).collect();
    let missed: Vec<_> = FOUND.iter().filter(|cause| !found.contains(*cause)).collect();
    ensure!(missed.is_empty(), "the scan did not lead to {missed:?}, but to {found:?}");
    for sample in failures() {
        let label = |name: &str| sample.labels[name].as_str();
        ensure!(label("direction") == "gateway", "{sample:?}");
        // What no rule knows has no side, and is no more than a lead.
        let unknown = label("cause") == "unclassified" && label("confidence") == "possible";
        ensure!(label("side") == "downstream" || unknown, "a stranger makes the mesh guilty: {sample:?}");
    }
    Ok(())
}

/// A listener more, or one less: new configuration that does no harm.
fn change(folder: &TempDir, round: usize) -> Result<()> {
    let kind = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
    let proxy = json!({ "@type": kind, "stat_prefix": "more", "cluster": "shop" });
    let listener = json!({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": "more", "address": loopback(0),
        "filter_chains": [{ "filters": [{ "name": "tcp", "typed_config": proxy }] }],
    });
    let listeners = if round.is_multiple_of(2) { vec![listener] } else { Vec::new() };
    put(folder.path(), "lds.json", &json!({ "resources": listeners }))
}

fn cluster_of_kind() -> Value {
    with(cluster("shop", "shop"), json!({ "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster" }))
}

/// One host with one path, and an AuthorizationPolicy; plaintext, TLS, TLS by server name, mutual TLS.
fn gateway() -> Proxy {
    let blamed = with(route("/cart", "shop"), istio_config("virtual-service", "edge", "shop"));
    let hosts = || json!([vhost("shop", &["shop.example.com"], vec![blamed.clone()])]);
    let denied = json!({"rules": {"action": "DENY", "policies": {"ns[edge]-policy[no-admin]-rule[0]": {
        "permissions": [{"url_path": {"path": {"prefix": "/cart/admin"}}}], "principals": [{"any": true}],
    }}}});
    let http = |name| {
        Listener::http(name, hosts())
            .http_filter("rbac", "envoy.extensions.filters.http.rbac.v3.RBAC", denied.clone())
            .filter(
                json!({"access_log": [], "request_headers_timeout": "0.5s", "stream_idle_timeout": "0.5s"}),
            )
    };
    let source = |file: &str| json!({ "path_config_source": { "path": format!("{{config}}/{file}") }, "resource_api_version": "V3" });
    Proxy::new(
        [
            http("http"),
            http("https").tls("server"),
            http("sni")
                .tls("server")
                .tls_inspector()
                .chain(json!({"filter_chain_match": {"server_names": ["shop.example.com"]}})),
            http("mutual").tls_with("server", demanding_certificate("ca")),
        ],
        [],
    )
    .node(GATEWAY)
    .patch(json!({ "dynamic_resources": { "cds_config": source("cds.json"), "lds_config": source("lds.json") } }))
    .roles(Roles::all())
}

/// The programs of a person who tries the ports.
fn real_clients(envoy: &Envoy) -> Result<()> {
    let port = |listener: &str| -> Result<String> { Ok(envoy.port(listener)?.to_string()) };
    let (http, https, sni, mutual) = (port("http")?, port("https")?, port("sni")?, port("mutual")?);
    let url = |scheme: &str, port: &str, path: &str| format!("{scheme}://127.0.0.1:{port}{path}");
    let (large, known) = (format!("X-Large: {}", "a".repeat(70_000)), "Host: shop.example.com".to_owned());
    let curls: Vec<Vec<String>> = vec![
        vec![url("https", &http, "/")],
        vec![url("http", &https, "/")],
        vec![url("http", &sni, "/")],
        vec![url("http", &http, "/zzz")],
        vec!["-H".into(), known.clone(), url("http", &http, "/zzz")],
        vec!["-H".into(), known.clone(), url("http", &http, "/cart/admin")],
        vec!["-0".into(), "-H".into(), known.clone(), url("http", &http, "/cart")],
        vec!["-H".into(), known.clone(), "-H".into(), large, url("http", &http, "/cart")],
        vec!["--haproxy-protocol".into(), "-H".into(), known.clone(), url("http", &http, "/cart")],
        vec!["-p".into(), "-x".into(), url("http", &http, ""), "http://elsewhere.example/".into()],
        vec![
            "-H".into(),
            known,
            "-H".into(),
            "Connection: upgrade".into(),
            "-H".into(),
            "Upgrade: x".into(),
            url("http", &http, "/cart"),
        ],
        vec![url("https", &mutual, "/")],
        vec!["--http2".into(), url("https", &https, "/zzz")],
    ];
    for arguments in curls {
        let mut curl = Command::new(program("curl", "curl")?);
        run(curl.args(["-sk", "--max-time", "2"]).args(arguments))?;
    }
    let mut openssl = Command::new(program("openssl", "openssl")?);
    let unknown = ["s_client", "-servername", "unknown.example.com", "-connect"];
    run(openssl.args(unknown).arg(format!("127.0.0.1:{sni}")))?;
    let mut ssh = Command::new(program("ssh", "openssh-client")?);
    let quickly = ["-oBatchMode=yes", "-oConnectTimeout=1", "-oStrictHostKeyChecking=no", "127.0.0.1", "-p"];
    run(ssh.args(quickly).arg(http))
}

/// What comes of it is no concern of a scanner.
fn run(command: &mut Command) -> Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    Ok(())
}

/// What knocks at the ports in the background, until it is dropped: customers, or a scanner that is in a hurry.
struct Visitors(Arc<AtomicBool>);

impl Visitors {
    fn start(envoy: &Envoy, scan: bool) -> Result<Self> {
        let get = |path: &str, host: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes()
        };
        let (http, https, sni) = (envoy.port("http")?, envoy.port("https")?, envoy.port("sni")?);
        let visits: Vec<(u16, Vec<u8>)> = if scan {
            vec![
                (http, b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
                (http, crate::harness::client::client_hello(b"shop.example.com", b"h2")),
                (http, get("/zzz", "shop.example.com")),
                (http, get("/zzz", "127.0.0.1")),
                (http, get("/cart/admin", "shop.example.com")),
                (http, b"GET /cart HTTP/1.0\r\n\r\n".to_vec()),
                // Half a request, whose end never comes.
                (http, b"GET /cart HTTP/1.1\r\nHost: shop".to_vec()),
                (http, b"\x00\x01\x02\x03 nothing that any program says \xff\xfe".to_vec()),
                (http, b"*1\r\n$4\r\nPING\r\n".to_vec()),
                (http, b"GET /cart HTTP/1.1\r\nHost: shop.example.com\r\nno header\r\n\r\n".to_vec()),
                (https, get("/", "shop.example.com")),
                (sni, crate::harness::client::client_hello(b"unknown.example.com", b"h2")),
                (sni, b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
            ]
        } else {
            vec![(http, get("/cart", "shop.example.com"))]
        };
        let ended = Arc::new(AtomicBool::new(false));
        for (port, bytes) in visits {
            let stop = Arc::clone(&ended);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    // A proxy that hangs up is what a scanner expects.
                    let _ = visit(port, &bytes);
                    std::thread::sleep(Duration::from_millis(40));
                }
            });
        }
        Ok(Self(ended))
    }
}

impl Drop for Visitors {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn visit(port: u16, bytes: &[u8]) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_millis(700)))?;
    stream.write_all(bytes)?;
    // Envoy ends connections a second after an error of its own: nobody waits for that.
    let _ = stream.read(&mut [0; 1024])?;
    Ok(())
}
