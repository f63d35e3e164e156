//! `capability_restriction_config` on a real Envoy: what the manifests allow is enough, and
//! whatever is missing costs no traffic.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};
use xtask::module::{KEPT_EXPORTS, KEPT_IMPORTS};

use crate::harness::client::client_hello;
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{direct, vhost};
use crate::harness::releases;
use crate::harness::tools::{self, root};
use crate::hostile::plug_points::ask;
use crate::logs::log_only::REFUSED;

/// The setting is new in 1.40.
const SINCE: u32 = 40;

const FINE: &[u8] = b"GET / HTTP/1.1\r\nHost: known.example\r\nConnection: close\r\n\r\n";
const UNKNOWN_HOST: &[u8] = b"GET / HTTP/1.1\r\nHost: unknown.example\r\nConnection: close\r\n\r\n";

/// Access loggers as `envoyfilter-access-log.yaml` has them count what they should, and ask for
/// nothing that they may not have.
pub fn shipped() -> Result<()> {
    let mut loggers = shipped_loggers()?.into_iter();
    let (at_listener, at_streams) = (loggers.next().context("none")?, loggers.next().context("one")?);
    let chain = json!({"filter_chain_match": {"server_names": ["known.example"]}});
    let by_name = Listener::http("sni", json!([])).tls_inspector().chain(chain);
    let web = Listener::http("web", hosts()).filter(json!({"access_log": [at_streams]}));
    let listeners = [by_name.patch(json!({"access_log": [at_listener]})), web];
    let mut envoy = Envoy::start(&Proxy::new(listeners, []).roles(Roles::none()).bootstrap(""))?;
    ensure!(ask(envoy.port("web")?, FINE)? == Some(200), "a healthy request");
    ensure!(ask(envoy.port("web")?, UNKNOWN_HOST)? == Some(404), "an unknown host");
    ask(envoy.port("sni")?, &client_hello(b"other.example", b"h2"))?;
    std::thread::sleep(Duration::from_millis(300));
    let log = envoy.own_log();
    ensure!(!log.contains(REFUSED), "{log}");
    let samples = envoy.meshwhy_samples()?;
    for cause in ["route_host_unknown", "no_filter_chain_for_sni"] {
        let counted = samples.iter().filter(|s| s.labels.get("cause").is_some_and(|label| label == cause));
        ensure!(counted.map(|s| s.value).sum::<f64>() > 0.5, "{cause}: {samples:?}");
    }
    envoy.check_health()
}

/// Without any one of the host functions that the module calls, requests and connections pass, and
/// the VM lives on.
pub fn one_left_out() -> Result<()> {
    if releases::minor()? < SINCE {
        return Ok(());
    }
    for left_out in KEPT_IMPORTS {
        one(left_out).with_context(|| format!("without {left_out}"))?;
    }
    Ok(())
}

fn one(left_out: &str) -> Result<()> {
    let callbacks = KEPT_EXPORTS.into_iter().filter(|name| name.starts_with("proxy_on_"));
    let allowed = callbacks.chain(KEPT_IMPORTS).filter(|name| *name != left_out);
    let allowed: Map<String, Value> = allowed.map(|name| (name.to_owned(), json!({}))).collect();
    let logger = plugin("access_loggers.wasm.v3.WasmAccessLog", "access_log", &allowed)?;
    let listener = Listener::http("web", hosts())
        .raw_http_filter(plugin("filters.http.wasm.v3.Wasm", "http", &allowed)?)
        .raw_network_filter(plugin("filters.network.wasm.v3.Wasm", "connection", &allowed)?)
        .patch(json!({"access_log": [logger]}));
    let mut envoy = Envoy::start(&Proxy::new([listener], []).roles(Roles::none()).bootstrap(""))?;
    for _ in 0..3 {
        for (bytes, status) in
            [(FINE, 200), (UNKNOWN_HOST, 404), (&client_hello(b"known.example", b"http/1.1")[..], 400)]
        {
            let got = ask(envoy.port("web")?, bytes)?;
            ensure!(got == Some(status), "{got:?} instead of {status}");
        }
    }
    std::thread::sleep(Duration::from_millis(100));
    let log = envoy.own_log();
    ensure!(log.contains(REFUSED), "nothing was refused: does the VM have its restriction? {log}");
    envoy.check_health()
}

/// A plugin that may call this, in a VM for which Envoy fails closed.
fn plugin(kind: &str, role: &str, allowed: &Map<String, Value>) -> Result<Value> {
    let configuration = json!({"role": role, "log": "all", "response_header": "x-meshwhy-cause"}).to_string();
    Ok(json!({"name": role, "typed_config": {
        "@type": format!("type.googleapis.com/envoy.extensions.{kind}"),
        "config": {
            "name": role,
            "failure_policy": "FAIL_CLOSED",
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration,
            },
            "vm_config": {
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": tools::module()?.display().to_string()}},
                "capability_restriction_config": {"allowed_capabilities": allowed},
            },
        },
    }}))
}

fn hosts() -> Value {
    json!([vhost("known", &["known.example"], vec![direct("/", 200, "ok")])])
}

/// The listener's and the connection manager's, each with its native filter.
fn shipped_loggers() -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(root().join("envoyfilter/base/envoyfilter-access-log.yaml"))?;
    let module = tools::module()?.display().to_string();
    let documents = text.split("\n---\n").map(|document| -> Result<Value> {
        let filter: Value = serde_norway::from_str(document)?;
        let value = &filter["spec"]["configPatches"][0]["patch"]["value"];
        let mut logger = [&value["access_log"][0], &value["typed_config"]["access_log"][0]]
            .into_iter()
            .find(|l| l.is_object());
        let logger = logger.as_mut().context("no access log")?;
        let mut logger = logger.clone();
        let vm = &mut logger["typed_config"]["config"]["vm_config"];
        vm["code"]["local"]["filename"] = json!(module);
        ensure!(vm["capability_restriction_config"].is_object() && vm["vm_id"].is_string(), "{vm}");
        if releases::minor()? < SINCE {
            vm.as_object_mut().context("a map")?.remove("capability_restriction_config");
        }
        Ok(logger)
    });
    documents.collect()
}
