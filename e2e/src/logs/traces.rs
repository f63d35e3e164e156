//! The cause on spans: the tags of `envoyfilter/components/traces` on a real Envoy, with OpenTelemetry's tracer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::client::{Client, Places};
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{cluster_at, direct, http2, route, vhost, with};
use crate::harness::manifests;
use crate::harness::peers::log_receiver::LogReceiver;
use crate::harness::tools;

const ASKED: &[(Client, u16)] = &[
    (Client::Curl(&["http://127.0.0.1:{listener:web}/healthy"]), 200),
    (Client::Curl(&["http://127.0.0.1:{listener:web}/refused"]), 503),
    (Client::Curl(&["http://127.0.0.1:{listener:web}/unrouted"]), 404),
];

/// What fails is named on its span, with all keys; what works has none of them.
pub fn check() -> Result<()> {
    let receiver = LogReceiver::start(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let mut envoy =
        Envoy::start(&proxy(receiver.port())?.bootstrap(&tools::module()?.display().to_string()))?;
    let places = Places { values: vec![("{listener:web}".into(), envoy.port("web")?.to_string())] };
    for (ask, status) in ASKED {
        let seen = ask.run(&places)?;
        ensure!(seen.status == Some(*status), "{ask:?}: {seen:?}");
    }
    let deadline = Instant::now() + Duration::from_secs(15);
    while receiver.entries().len() < 3 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    envoy.check_health()?;
    let spans = receiver.entries();
    let span = |path: &str| {
        let is_it =
            |entry: &&Value| entry["span"]["http.url"].as_str().is_some_and(|url| url.ends_with(path));
        spans.iter().find(is_it).map(|entry| &entry["span"]).with_context(|| format!("no span: {spans:#?}"))
    };
    let refused = span("/refused")?;
    ensure!(refused["meshwhy.cause"] == "upstream_refused", "{refused}");
    ensure!(refused["meshwhy.confidence"] == "certain" && refused["meshwhy.side"] == "upstream", "{refused}");
    for key in ["meshwhy.evidence", "meshwhy.fix"] {
        ensure!(refused[key].as_str().is_some_and(|text| text.contains("127.0.0.1:1")), "{key}: {refused}");
    }
    ensure!(span("/unrouted")?["meshwhy.cause"] == "route_no_match", "{spans:#?}");
    let healthy = span("/healthy")?.as_object().context("no tags")?;
    ensure!(healthy.keys().all(|key| !key.starts_with("meshwhy")), "{healthy:#?}");
    Ok(())
}

fn proxy(receiver: u16) -> Result<Proxy> {
    let routes = vec![direct("/healthy", 200, "ok"), route("/refused", "nobody")];
    let at = |port: u16| json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    let tracing = json!({ "tracing": {
        "custom_tags": tags()?,
        "provider": { "name": "envoy.tracers.opentelemetry", "typed_config": {
            "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
            "service_name": "web",
            "grpc_service": { "envoy_grpc": { "cluster_name": "collector" } },
        } },
    } });
    let header = manifests::traces("WasmPlugin")?;
    let roles = Roles { http: Some(json!({ "role": "http", "response_header": header })), ..Roles::none() };
    let listener = Listener::http("web", json!([vhost("web", &["*"], routes)])).filter(tracing);
    let collector = with(cluster_at("collector", at(receiver)), http2());
    Ok(Proxy::new([listener], [cluster_at("nobody", at(1)), collector]).roles(roles))
}

/// The custom tags as istiod makes them Envoy's.
fn tags() -> Result<Vec<Value>> {
    let tracing = manifests::traces("Telemetry")?;
    let tags = tracing[0]["customTags"].as_object().context("no tags")?;
    Ok(tags.iter().map(|(tag, value)| json!({ "tag": tag, "value": value["formatter"]["value"] })).collect())
}
