//! The formats of `envoyfilter/mesh-config.yaml` on a real Envoy, with real receivers, and the lines of them that `docs/access-logs.md` shows.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use meshwhy::diagnosis::Confidence;
use meshwhy_cli::explain::{Reader, Reading};
use serde_json::{Value, json};

use crate::harness::client::{Client, Places};
use crate::harness::documents;
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::config_log::file_log;
use crate::harness::envoy::parts::{cluster_at, direct, http2, route, vhost, with};
use crate::harness::manifests;
use crate::harness::peers::log_receiver::LogReceiver;
use crate::harness::tools::{self, root};

/// The providers, and what each is called in the document.
pub const PROVIDERS: [(&str, &str); 4] =
    [("meshwhy-text", "text"), ("meshwhy", "json"), ("meshwhy-otel", "otel"), ("meshwhy-als", "als")];

/// Where the request that fails goes, named as Istio does.
const CLUSTER: &str = "outbound|9080||reviews.default.svc.cluster.local";

/// How a side can be compared with in an expression, and whether a request of that side (`upstream`) is then logged.
const COMPARED: [(&str, bool); 3] = [("b'upstream'", true), ("b'mesh'", false), ("'upstream'", false)];

/// What the request that fails ends as.
const CAUSE: &str = "upstream_refused";

/// What the document says for those who choose further.
const CHOOSING: &str = "'wasm.meshwhy.cause' in filter_state && filter_state['wasm.meshwhy.side'] == b'mesh'";

const HEALTHY: Client = Client::Curl(&["-H", "host: reviews", "http://127.0.0.1:{listener:web}/healthy"]);
const FAILING: Client =
    Client::Curl(&["-H", "host: reviews", "http://127.0.0.1:{listener:web}/reviews/7?token=secret"]);

/// Plays a healthy request and a failed one: each log has the failed one alone, as the document shows it.
pub fn check() -> Result<()> {
    let lines = play()?;
    let path = root().join("docs/access-logs.md");
    let mut document = std::fs::read_to_string(&path)?;
    if documents::blessed() {
        for (name, line) in &lines {
            let old = shown(&document, name)?.to_owned();
            document = document.replace(&old, line);
        }
        std::fs::write(&path, &document)?;
    }
    ensure!(document.contains(CHOOSING), "docs/access-logs.md lacks {CHOOSING}");
    for (name, line) in &lines {
        let shown = shown(&document, name)?;
        ensure!(
            essence(shown) == essence(line),
            "docs/access-logs.md is old (MESHWHY_BLESS=1 writes it anew): {name} is\n{line}"
        );
    }
    Ok(())
}

/// The line below its mark.
fn shown<'a>(document: &'a str, name: &str) -> Result<&'a str> {
    let mark = format!("<!-- a line of {name} -->");
    let (_, rest) = document.split_once(&mark).with_context(|| format!("the document lacks {mark}"))?;
    rest.lines().map(str::trim).find(|line| !line.is_empty()).context("no line")
}

/// Of JSON the keys and meshwhy's values, of text meshwhy's part.
fn essence(line: &str) -> BTreeMap<String, Option<Value>> {
    let Ok(object) = serde_json::from_str::<Value>(line) else {
        let own = line.find(CAUSE).and_then(|at| line[at..].split(" \"GET ").next()).map(Value::from);
        return [(String::new(), own)].into();
    };
    let mut fields = BTreeMap::new();
    collect(&object, "", &mut fields);
    fields
}

fn collect(value: &Value, path: &str, fields: &mut BTreeMap<String, Option<Value>>) {
    if let Some(object) = value.as_object() {
        for (key, value) in object {
            collect(value, &format!("{path}/{key}"), fields);
        }
        return;
    }
    let own = ["cause", "confidence", "side", "resource", "evidence", "fix"];
    let key = path.rsplit(['/', '.']).next().unwrap_or_default();
    fields.insert(path.to_owned(), own.contains(&key).then(|| value.clone()));
}

fn play() -> Result<BTreeMap<&'static str, String>> {
    let receiver = LogReceiver::start(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let bootstrap = proxy(receiver.port())?.bootstrap(&tools::module()?.display().to_string());
    let mut envoy = Envoy::start(&bootstrap)?;
    let places = Places { values: vec![("{listener:web}".into(), envoy.port("web")?.to_string())] };
    for (ask, status) in [(HEALTHY, 200), (FAILING, 503), (HEALTHY, 200)] {
        let seen = ask.run(&places)?;
        ensure!(seen.status == Some(status), "{ask:?}: {seen:?}");
    }
    let logged = |envoy: &Envoy| -> BTreeMap<&'static str, Vec<String>> {
        let file = |name: &str| std::fs::read_to_string(envoy.path(name)).unwrap_or_default();
        let lines = |name: &str| file(name).lines().map(str::to_owned).collect::<Vec<_>>();
        let received = receiver.entries();
        let of = |kind: &str| received.iter().filter_map(|e| e.get(kind)).map(Value::to_string).collect();
        [
            ("text", lines("meshwhy-text")),
            ("json", lines("meshwhy")),
            ("otel", of("otel")),
            ("als", of("als")),
        ]
        .into()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while logged(&envoy).values().any(Vec::is_empty) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    // Envoy flushes to the receivers once a second: a healthy request would be there by then.
    std::thread::sleep(Duration::from_millis(1100));
    envoy.check_health()?;
    for (side, logged) in COMPARED {
        let lines = envoy.log(&format!("{side}.log"))?;
        ensure!(lines.len() == usize::from(logged), "compared with {side}: {lines:#?}");
    }
    // The tool knows both formats, and hears in them what the filter said.
    let reader = Reader::new(Vec::new());
    let logged = logged(&envoy);
    for line in [&logged["text"], &logged["json"]].into_iter().flatten() {
        let Reading::Failed(_, finding) = reader.read(line.as_bytes()) else { bail!("not read: {line}") };
        ensure!(finding.cause.id() == CAUSE && finding.confidence == Confidence::Certain, "{line}");
    }
    for (name, lines) in &logged {
        ensure!(
            lines.len() == 1,
            "{name} has {} lines, not that of the failure alone: {lines:#?}",
            lines.len()
        );
        ensure!(lines[0].contains(CAUSE), "{name}: {}", lines[0]);
    }
    Ok(logged.into_iter().map(|(name, mut lines)| (name, lines.remove(0))).collect())
}

fn proxy(receiver: u16) -> Result<Proxy> {
    let logs: Result<Vec<Value>> = PROVIDERS
        .iter()
        .map(|(name, _)| Ok(behind(&diagnosed_only()?, logger(name)?)))
        .chain(COMPARED.iter().map(|(side, _)| Ok(compared(side))))
        .collect();
    let routes = vec![direct("/healthy", 200, "ok"), route("/", CLUSTER)];
    let at = |port: u16| json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    Ok(Proxy::new(
        [Listener::http("web", json!([vhost("reviews", &["*"], routes)]))
            .filter(json!({ "access_log": logs? }))],
        [cluster_at(CLUSTER, at(1)), with(cluster_at("logs", at(receiver)), http2())],
    ))
}

/// A provider as istiod makes it an access log of Envoy's.
pub fn logger(name: &str) -> Result<Value> {
    let mesh = manifests::mesh_config()?;
    let providers = mesh["extensionProviders"].as_array().context("no providers")?;
    let provider = providers.iter().find(|p| p["name"] == name).with_context(|| format!("no {name}"))?;
    let common = json!({
        "log_name": name, "transport_api_version": "V3",
        "grpc_service": { "envoy_grpc": { "cluster_name": "logs" } },
        "buffer_flush_interval": "0.1s",
    });
    let kind = |of: &str| format!("type.googleapis.com/envoy.extensions.access_loggers.{of}");
    let formatter = json!({ "name": "envoy.formatter.req_without_query", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery" } });
    let (own, config) = if let Some(file) = provider.get("envoyFileAccessLog") {
        let format = &file["logFormat"];
        let format = match format.get("labels") {
            Some(labels) => json!({ "json_format": labels, "formatters": [formatter] }),
            None => json!({ "text_format_source": { "inline_string": format["text"] } }),
        };
        let config = json!({ "@type": kind("file.v3.FileAccessLog"),
            "path": format!("{{folder}}/{name}"), "log_format": format });
        ("envoy.access_loggers.file", config)
    } else if let Some(otel) = provider.get("envoyOtelAls") {
        let text = |value: &Value| json!({ "string_value": value });
        let labels = otel["logFormat"]["labels"].as_object().context("no labels")?;
        let attributes: Vec<Value> =
            labels.iter().map(|(key, value)| json!({ "key": key, "value": text(value) })).collect();
        let config = json!({ "@type": kind("open_telemetry.v3.OpenTelemetryAccessLogConfig"),
            "common_config": common, "disable_builtin_labels": true,
            "formatters": [formatter], "body": text(&otel["logFormat"]["text"]), "attributes": { "values": attributes } });
        ("envoy.access_loggers.open_telemetry", config)
    } else {
        let states = &provider["envoyHttpAls"]["filterStateObjectsToLog"];
        let common = with(common, json!({ "filter_state_objects_to_log": states }));
        let config = json!({ "@type": kind("grpc.v3.HttpGrpcAccessLogConfig"), "common_config": common });
        ("envoy.access_loggers.http_grpc", config)
    };
    Ok(json!({ "name": own, "typed_config": config }))
}

fn diagnosed_only() -> Result<String> {
    let telemetry = manifests::diagnosed_only()?;
    let expression = telemetry["spec"]["accessLogging"][0]["filter"]["expression"].as_str();
    Ok(expression.context("no expression")?.to_owned())
}

fn behind(expression: &str, mut logger: Value) -> Value {
    logger["filter"] = json!({ "extension_filter": {
        "name": "envoy.access_loggers.extension_filters.cel",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            "expression": expression,
        },
    } });
    logger
}

/// The document's other expression, with this in place of its side.
fn compared(side: &str) -> Value {
    behind(&CHOOSING.replace("b'mesh'", side), file_log(&format!("{side}.log")))
}
