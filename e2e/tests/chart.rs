//! The Helm chart of `envoyfilter/chart`, by the real Helm: it comes to what the overlays come to, and its values do what they say.
//! That proxies take it is tested on the rig (`e2e/src/istio/helm.rs`).

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use e2e::harness::manifests::{self, AS_VALUES, OVERLAYS, objects};
use e2e::harness::programs;
use e2e::harness::tools::{self, Needed, root};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use xtask::files::sha256_hex;
use xtask::manifests::{Place, packed_chart};

const KUBECTL: Needed = ("kubectl", "kubernetes-client");
const URL: &str = "https://files.test/meshwhy.wasm";

type Check = fn() -> Result<()>;

fn main() {
    let arguments = Arguments::from_args();
    let mut lacks = None;
    if !arguments.list {
        if !tools::install([KUBECTL]).is_empty() {
            lacks = Some(KUBECTL.0);
        } else if let Err(error) = programs::helm() {
            eprintln!("no Helm: {error:#}");
            lacks = Some("Helm");
        }
    }
    let checks: [(&str, Check); 9] = [
        ("lints", lints),
        ("every_overlay_has_values", every_overlay),
        ("values_reach_the_module", configuration),
        ("scopes", scopes),
        ("the_access_log_and_traces", telemetry),
        ("monitoring", monitoring),
        ("what_is_wrong_is_refused", refused),
        ("helm_test_knows_the_module", helm_test),
        ("as_make_manifests_leaves_it", packed),
    ];
    let overlays = AS_VALUES.iter().map(|(name, values)| {
        let check = move || same_as_overlay(name, values).map_err(|error| Failed::from(format!("{error:#}")));
        tools::unless_lacking(Trial::test(format!("same_as_overlay/{name}"), check), lacks)
    });
    let others = checks.map(|(name, check)| {
        let check = move || check().map_err(|error| Failed::from(format!("{error:#}")));
        tools::unless_lacking(Trial::test(name, check), lacks)
    });
    libtest_mimic::run(&arguments, overlays.chain(others).collect()).exit();
}

fn helm(arguments: &[String]) -> Result<Output> {
    Ok(Command::new(programs::helm()?).args(arguments).stdin(Stdio::null()).output()?)
}

/// What the chart comes to with these values.
fn template(values: &[&str]) -> Result<String> {
    let command = ["template", "meshwhy", "-n", "istio-system"].map(str::to_owned);
    let output = helm(&[&command[..], &manifests::chart(URL, &hash(), values)].concat())?;
    ensure!(output.status.success(), "{values:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn hash() -> String {
    "a".repeat(64)
}

fn lints() -> Result<()> {
    for (_, values) in AS_VALUES {
        let output = helm(
            &[&["lint".to_owned(), "--strict".to_owned()][..], &manifests::chart(URL, &hash(), values)]
                .concat(),
        )?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success() && !said.contains("[WARNING]"), "{values:?}: {said}");
    }
    let chart: Value =
        serde_norway::from_str(&std::fs::read_to_string(root().join("envoyfilter/chart/Chart.yaml"))?)?;
    ensure!(
        chart["version"] == env!("CARGO_PKG_VERSION") && chart["appVersion"] == chart["version"],
        "{chart}"
    );
    Ok(())
}

fn every_overlay() -> Result<()> {
    let with_values: Vec<&str> = AS_VALUES.iter().map(|(name, _)| *name).collect();
    ensure!(with_values == OVERLAYS, "{OVERLAYS:?}");
    Ok(())
}

/// Object for object; only the chart labels what is its own.
fn same_as_overlay(name: &str, values: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let place = Place { url: URL.into(), namespace: Some("shop".into()) };
    let overlay = manifests::overlay(name, &place, &hash(), folder.path())?;
    let expected = objects(&kustomize(&overlay)?)?;
    let mut rendered = objects(&template(values)?)?;
    rendered.retain(|_, object| object["metadata"]["annotations"]["helm.sh/hook"].is_null());
    for object in rendered.values_mut() {
        let metadata = object["metadata"].as_object_mut().context("no metadata")?;
        let labels = metadata.remove("labels").context("no labels")?;
        ensure!(labels["app.kubernetes.io/name"] == "meshwhy", "{labels}");
    }
    ensure!(rendered.keys().eq(expected.keys()), "{:?}, not {:?}", rendered.keys(), expected.keys());
    for (id, object) in &rendered {
        ensure!(*object == expected[id], "{id}: {object:#}\nnot {:#}", expected[id]);
    }
    Ok(())
}

fn kustomize(overlay: &Path) -> Result<String> {
    let output =
        Command::new(tools::program(KUBECTL.0, KUBECTL.1)?).arg("kustomize").arg(overlay).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// The configuration of each plugin: an object in a WasmPlugin, JSON in an EnvoyFilter.
fn configurations(yaml: &str) -> Result<Vec<(String, Value)>> {
    fn search(value: &Value, found: &mut Vec<Value>) {
        match value {
            Value::Object(members) => {
                let text =
                    members.get("configuration").and_then(|configuration| configuration["value"].as_str());
                found.extend(text.and_then(|text| serde_json::from_str(text).ok()));
                members.values().for_each(|value| search(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| search(item, found)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    for (id, object) in objects(yaml)? {
        let mut found = Vec::new();
        search(&object, &mut found);
        let own = &object["spec"]["pluginConfig"];
        found.extend((!own.is_null()).then(|| own.clone()));
        all.extend(found.into_iter().map(|config| (id.clone(), config)));
    }
    Ok(all)
}

fn configuration() -> Result<()> {
    let all = [
        "config.http.observe_every=10",
        "config.http.response_header=x-why",
        "config.connection.max_series=32",
        "config.accessLog.log=all",
        "roles.accessLog=true",
        "failStrategy=FAIL_RELOAD",
    ];
    let yaml = template(&all)?;
    let found = configurations(&yaml)?;
    let of =
        |part: &'static str| found.iter().filter(move |(id, _)| id.contains(part)).map(|(_, config)| config);
    let http = json!({ "role": "http", "observe_every": 10, "response_header": "x-why" });
    ensure!(of("WasmPlugin/istio-system/meshwhy-http").eq([&http]), "{found:?}");
    ensure!(of("meshwhy-connection").eq([&json!({ "role": "connection", "max_series": 32 })]), "{found:?}");
    let passthrough = json!({ "role": "connection", "max_series": 32, "observe_every": 1 });
    ensure!(of("meshwhy-passthrough").eq([&passthrough]), "{found:?}");
    let access_log = json!({ "role": "access_log", "log": "all" });
    ensure!(of("meshwhy-access-log").eq([&access_log, &access_log]), "{found:?}");
    ensure!(yaml.matches("failStrategy: FAIL_RELOAD").count() == 2 && !yaml.contains("FAIL_OPEN"), "{yaml}");
    ensure!(yaml.matches("failure_policy: FAIL_RELOAD").count() == 3, "{yaml}");
    // Envoy's word is another than Istio's.
    let closed = template(&["failStrategy=FAIL_CLOSE"])?;
    ensure!(
        closed.contains("failStrategy: FAIL_CLOSE\n") && closed.contains("failure_policy: FAIL_CLOSED\n"),
        "{closed}"
    );
    let found = configurations(&template(&["counters=false", "config.http.response_header=x-why"])?)?;
    ensure!(
        found.iter().any(|(_, config)| *config
            == json!({ "role": "http", "observe_every": 0, "response_header": "x-why" })),
        "{found:?}"
    );
    Ok(())
}

fn scopes() -> Result<()> {
    let namespaces = template(&["scope.mode=namespaces", "scope.namespaces={shop,bank,shop}"])?;
    let ids: BTreeSet<String> =
        objects(&namespaces)?.into_keys().filter(|id| id.starts_with("WasmPlugin")).collect();
    let expected = ["bank", "shop"].iter().flat_map(|namespace| {
        ["connection", "http"].map(|role| format!("WasmPlugin/{namespace}/meshwhy-{role}"))
    });
    ensure!(ids == expected.collect(), "{ids:?}");
    let gateways = [
        "scope.mode=gateways",
        "scope.gateways[0].namespace=edge",
        "scope.gateways[0].labels.istio=public",
        "scope.gateways[1].namespace=edge",
        "scope.gateways[1].labels.istio=private",
    ];
    let found = objects(&template(&gateways)?)?;
    for (id, label) in [
        ("WasmPlugin/edge/meshwhy-http", "public"),
        ("WasmPlugin/edge/meshwhy-http-1", "private"),
        ("Telemetry/edge/meshwhy-1", "private"),
    ] {
        let selector =
            &found.get(id).with_context(|| format!("no {id}: {:?}", found.keys()))?["spec"]["selector"];
        ensure!(*selector == json!({ "matchLabels": { "istio": label } }), "{id}: {selector}");
    }
    // EnvoyFilters select in their own way.
    let found = objects(&template(&[&gateways[..3], &["counters=false", "roles.accessLog=true"]].concat())?)?;
    let labels = |id: &str| found[id]["spec"]["workloadSelector"]["labels"].clone();
    ensure!(labels("EnvoyFilter/edge/meshwhy-log-only") == json!({ "istio": "public" }), "{found:?}");
    let mounted = json!({ "istio": "public", "meshwhy": "mounted" });
    ensure!(labels("EnvoyFilter/edge/meshwhy-access-log") == mounted, "{found:?}");
    let private = template(&["module.imagePullSecret=pull"])?;
    ensure!(private.matches("imagePullSecret: pull").count() == 2, "{private}");
    Ok(())
}

fn telemetry() -> Result<()> {
    let of = |values: &[&str]| -> Result<Value> {
        let mut found = objects(&template(values)?)?;
        Ok(found.remove("Telemetry/istio-system/meshwhy").unwrap_or_default())
    };
    let diagnosed = of(&["telemetry.diagnosedOnly=true"])?;
    ensure!(diagnosed["spec"] == manifests::diagnosed_only()?["spec"], "{diagnosed}");
    ensure!(of(&["telemetry.accessLog=false"])?.is_null());
    let several = of(&["telemetry.providers={meshwhy-text,meshwhy-otel}"])?;
    ensure!(
        several["spec"]["accessLogging"][0]["providers"]
            == json!([{ "name": "meshwhy-text" }, { "name": "meshwhy-otel" }]),
        "{several}"
    );
    let values = ["telemetry.tracing.enabled=true", "telemetry.tracing.providers={zipkin}"];
    let sampled =
        of(&[&values[..], &["telemetry.tracing.randomSamplingPercentage=0"]].concat())?["spec"]["tracing"]
            .take();
    ensure!(sampled[0]["randomSamplingPercentage"] == 0, "{sampled}");
    let traced = of(&values)?;
    // The same tags and header as those of the overlays' component.
    let tags = manifests::traces("Telemetry")?[0]["customTags"].clone();
    ensure!(
        traced["spec"]["tracing"] == json!([{ "providers": [{ "name": "zipkin" }], "customTags": tags }]),
        "{traced}"
    );
    let http = |header: Value| json!({ "role": "http", "response_header": header });
    let configured = |values: &[&str], expected: Value| -> Result<()> {
        let found = configurations(&template(values)?)?;
        ensure!(found.iter().any(|(_, config)| *config == expected), "{found:?}");
        Ok(())
    };
    configured(&values, http(manifests::traces("WasmPlugin")?))?;
    configured(&[&values[..], &["config.http.response_header=x-why"]].concat(), http("x-why".into()))?;
    Ok(())
}

fn monitoring() -> Result<()> {
    let values = [
        "monitoring.podMonitor.enabled=true",
        "monitoring.prometheusRule.enabled=true",
        "monitoring.prometheusRule.labels.release=prometheus",
        "monitoring.dashboard.enabled=true",
        "monitoring.namespace=observability",
        "docsUrl=https://docs.test/",
    ];
    let found = objects(&template(&values)?)?;
    let file = |name: &str| -> Result<String> {
        let text = std::fs::read_to_string(root().join("envoyfilter").join(name))?;
        Ok(text.replace("https://example.com/REPLACE-ME/docs", "https://docs.test"))
    };
    for (kind, name) in
        [("PodMonitor", "podmonitor.yaml"), ("PrometheusRule", "monitoring/prometheusrule.yaml")]
    {
        let shipped: Value = serde_norway::from_str(&file(name)?)?;
        let object = &found[&format!("{kind}/observability/meshwhy")];
        ensure!(object["spec"] == shipped["spec"], "{kind}: {object}");
    }
    let labels = &found["PrometheusRule/observability/meshwhy"]["metadata"]["labels"];
    ensure!(labels["release"] == "prometheus", "{labels}");
    let dashboard = &found["ConfigMap/observability/meshwhy-dashboard"];
    ensure!(dashboard["metadata"]["labels"]["grafana_dashboard"] == "1", "{dashboard}");
    let json: Value =
        serde_json::from_str(dashboard["data"]["meshwhy.json"].as_str().context("no dashboard")?)?;
    ensure!(json == serde_json::from_str::<Value>(&file("monitoring/dashboard.json")?)?, "another dashboard");
    ensure!(objects(&template(&[])?)?.keys().all(|id| !id.contains("Monitor") && !id.contains("ConfigMap")));
    Ok(())
}

fn refused() -> Result<()> {
    for (values, says) in [
        (&["rolls.http=true"][..], "rolls"),
        (&["failStrategy=OPEN"], "failStrategy"),
        (&["module.url=ftp://a/b"], "url"),
        (&["module.sha256=abc"], "sha256"),
        (
            &["module.url=https://example.com/REPLACE-ME/meshwhy.wasm"],
            "say where the proxies fetch the module",
        ),
        (&["config.http.observe_evry=1"], "observe_evry"),
        (&["config.http.role=connection"], "role"),
        (&["scope.mode=namespaces"], "no namespace"),
        (&["scope.mode=gateways", "scope.gateways=null"], "gateways"),
        (&["counters=false", "roles.http=false"], "together"),
        (&["telemetry.providers={}"], "providers"),
    ] {
        let output = helm(&[&["template".to_owned()][..], &manifests::chart(URL, &hash(), values)].concat())?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success() && said.contains(says), "{values:?}: {said}");
    }
    // As it is checked in, it has no module.
    let chart = root().join("envoyfilter/chart").display().to_string();
    ensure!(!helm(&["template".to_owned(), chart])?.status.success(), "a module of nowhere");
    Ok(())
}

/// The test's own script, with a file in place of the web.
fn helm_test() -> Result<()> {
    let test = |yaml: &str| -> Result<Option<Value>> {
        Ok(objects(yaml)?
            .into_values()
            .find(|object| object["metadata"]["annotations"]["helm.sh/hook"] == "test"))
    };
    let pod = test(&template(&[])?)?.context("no test")?;
    let container = &pod["spec"]["containers"][0];
    let words: Vec<&str> =
        container["command"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("module");
    std::fs::write(&file, b"module")?;
    let (program, rest) = words.split_first().context("no command")?;
    for (hash, succeeds) in [(sha256_hex(b"module"), true), (hash(), false)] {
        let run = Command::new(program)
            .args(rest)
            .env("URL", format!("file://{}", file.display()))
            .env("SHA256", &hash)
            .output()?;
        ensure!(run.status.success() == succeeds, "{hash}: {run:?}");
    }
    let names: Vec<&str> =
        container["env"].as_array().into_iter().flatten().filter_map(|env| env["name"].as_str()).collect();
    ensure!(names == ["URL", "SHA256"], "{names:?}");
    // The script for an image runs on the rig, with a registry.
    let image = ["module.url=oci://registry.test/meshwhy:1", "module.imagePullSecret=pull"];
    let pod = test(&template(&image)?)?.context("no test of an image")?;
    let accounts = &pod["spec"]["containers"][0]["env"][2]["valueFrom"]["secretKeyRef"];
    ensure!(*accounts == json!({ "name": "pull", "key": ".dockerconfigjson" }), "{pod}");
    Ok(())
}

/// Folder and archive need no values: the module's are in them.
fn packed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let place = Place { url: URL.into(), namespace: None };
    let chart = manifests::rendered_chart(&place, &hash(), &folder.path().join("chart"))?;
    let archive = folder.path().join("meshwhy.tgz");
    let files = xtask::manifests::chart(&root().join("envoyfilter/chart"), &place, &hash(), None)?;
    std::fs::write(&archive, packed_chart(files)?.1)?;
    let expected = template(&[])?;
    for chart in [chart, archive] {
        let command = ["template", "meshwhy", "-n", "istio-system"].map(str::to_owned);
        let output = helm(&[&command[..], &[chart.display().to_string()]].concat())?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && said.is_empty(), "{said}");
        ensure!(String::from_utf8(output.stdout)? == expected, "{}: something else", chart.display());
    }
    Ok(())
}
