//! `envoyfilter/monitoring`: the rules as promtool reads them, and what they and the dashboard refer to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::harness::documents;
use e2e::harness::tools::{self, root};
use e2e::load::flood;
use e2e::load::rapid_reset;
use e2e::monitoring::clock::Clock;
use e2e::monitoring::exposition;
use e2e::monitoring::links::{self, DOCS};
use e2e::monitoring::scrape;
use e2e::monitoring::{self, dashboard, items, scan, walk};
use libtest_mimic::{Arguments, Failed, Trial};
use meshwhy::causes::Cause;
use serde_json::{Value, json};

const OPERATOR: &str = "\
# For the Prometheus Operator. Generated from rules.yaml: MESHWHY_BLESS=1 cargo test -p e2e --test metrics
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: meshwhy
  namespace: istio-system
spec:
";

/// Hosts that nobody knows, and as many hostile names of resources.
const RESOURCES: usize = 10_000;

/// Streams that their client resets as soon as they are there.
const RESETS: usize = 20_000;

/// Failures of one cause as fast as they go.
const FLOOD: usize = 50_000;

fn main() {
    let arguments = Arguments::from_args();
    let missing = if arguments.list {
        BTreeSet::new()
    } else {
        tools::install([("promtool", "prometheus"), ("prometheus", "prometheus")])
    };
    let lacks = (!missing.is_empty()).then_some("promtool");
    let clients =
        if arguments.list { BTreeSet::new() } else { tools::install(scan::CLIENTS.iter().copied()) };
    let missing_client = clients.first().copied();
    let promtool = |name: &str, check: fn() -> Result<()>| {
        e2e::harness::tools::unless_lacking(trial(name, check), lacks)
    };
    let mut trials = vec![
        promtool("rules_are_valid", rules_are_valid),
        promtool("alerts_fire_and_do_not", alerts_fire_and_do_not),
        promtool("dashboard_queries_are_valid", dashboard_queries_are_valid),
        trial("the_operators_rules_are_the_same", the_operators_rules_are_the_same),
        promtool("the_scrape_config_is_the_podmonitors", the_scrape_config_is_the_podmonitors),
        trial("every_alert_is_tested_and_explained", every_alert_is_tested_and_explained),
        trial("runbooks_exist", runbooks_exist),
        trial("causes_exist", causes_exist),
        trial("dashboard_is_whole", dashboard::check),
        trial("alerts_are_all_walked", walk::is_whole),
        promtool("from_failure_to_dashboard_alert_and_manual", walk::walk),
        e2e::harness::tools::unless_lacking(
            trial("a_port_scan_raises_no_alert_and_a_mistake_does", scan::play),
            lacks.or(missing_client),
        ),
        trial("series_are_bounded", || flood::series(RESOURCES)),
        trial("series_are_shared_out_fairly", flood::tenants),
        trial("log_is_bounded", log_is_bounded),
        trial("resets_are_counted_and_cheap", || rapid_reset::check(RESETS)),
    ];
    trials.extend(exposition::ROLES.iter().map(|role| {
        let trial = Trial::test(format!("exposition/{role}"), move || {
            exposition::check(role).map_err(|error| Failed::from(format!("{error:#}")))
        });
        e2e::harness::tools::unless_lacking(trial, lacks)
    }));
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(name: &str, check: fn() -> Result<()>) -> Trial {
    Trial::test(name, move || check().map_err(|error| Failed::from(format!("{error:#}"))))
}

fn folder() -> PathBuf {
    root().join("envoyfilter/monitoring")
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn promtool(arguments: &[&str], file: &Path) -> Result<()> {
    let output =
        Command::new(tools::program("promtool", "prometheus")?).args(arguments).arg(file).output()?;
    let printed = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    ensure!(output.status.success(), "{}", printed.concat());
    Ok(())
}

fn rules_are_valid() -> Result<()> {
    promtool(&["check", "rules"], &folder().join("rules.yaml"))
}

fn alerts_fire_and_do_not() -> Result<()> {
    promtool(&["test", "rules"], &folder().join("rules_test.yaml"))
}

/// Each as a recording rule: promtool 2.42 has no check for an expression alone.
fn dashboard_queries_are_valid() -> Result<()> {
    let dashboard = dashboard::dashboard()?;
    let panels = items(&dashboard["panels"]).flat_map(dashboard::targets);
    let queries = panels.chain(dashboard::annotations(&dashboard)).map(|target| target.filled(Clock(1)));
    let rules: Vec<Value> = queries
        .enumerate()
        .map(|(i, query)| json!({ "record": format!("dashboard:query:{i}"), "expr": query }))
        .collect();
    ensure!(rules.len() >= 8, "the dashboard has only {} queries", rules.len());
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("queries.json");
    fs::write(&file, json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string())?;
    promtool(&["check", "rules"], &file)
}

fn the_operators_rules_are_the_same() -> Result<()> {
    let path = folder().join("prometheusrule.yaml");
    let rules = read(&folder().join("rules.yaml"))?;
    let start = rules.find("groups:").context("rules.yaml has no groups")?;
    let indented = rules[start..]
        .lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") });
    let current = OPERATOR.to_owned() + &indented.collect::<String>();
    documents::check_file(&path, &current)?;
    let (plain, operator): (Value, Value) =
        (serde_norway::from_str(&rules)?, serde_norway::from_str(&current)?);
    ensure!(plain["groups"] == operator["spec"]["groups"], "the indented rules mean something else");
    Ok(())
}

fn the_scrape_config_is_the_podmonitors() -> Result<()> {
    let path = root().join("envoyfilter/scrape-config.yaml");
    let current = scrape::plain()?;
    documents::check_file(&path, &current)?;
    // The rig's Envoy is not Istio's, and has no such metric.
    ensure!(current.contains("|istio_requests_total|"), "the rules' own total of requests is dropped");
    // Debian's Prometheus knows no Kubernetes.
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("prometheus.json");
    fs::write(&file, scrape::config_for(&[("a", "10.0.0.1")])?.to_string())?;
    promtool(&["check", "config"], &file)
}

fn every_alert_is_tested_and_explained() -> Result<()> {
    let tests: Value = serde_norway::from_str(&read(&folder().join("rules_test.yaml"))?)?;
    let cases: Vec<&Value> =
        items(&tests["tests"]).flat_map(|test| items(&test["alert_rule_test"])).collect();
    for alert in alerts()? {
        let name = alert["alert"].as_str().context("an alert without a name")?;
        for fires in [true, false] {
            let tested = cases
                .iter()
                .any(|case| case["alertname"] == name && (items(&case["exp_alerts"]).count() > 0) == fires);
            ensure!(tested, "no case where {name} {}", if fires { "fires" } else { "does not fire" });
        }
        for text in ["summary", "description", "runbook_url"] {
            ensure!(alert["annotations"][text].is_string(), "{name} has no {text}");
        }
        let severity = alert["labels"]["severity"].as_str().unwrap_or_default();
        ensure!(["info", "warning", "critical"].contains(&severity), "{name} has the severity {severity:?}");
    }
    Ok(())
}

fn runbooks_exist() -> Result<()> {
    for alert in alerts()? {
        let url = alert["annotations"]["runbook_url"].as_str().unwrap_or_default();
        match url.strip_suffix("{{ $labels.cause }}") {
            Some(page) => Cause::ALL
                .iter()
                .try_for_each(|cause| links::explains(&format!("{page}{}", cause.id()), DOCS, cause.id()))?,
            None => drop(links::section(url, DOCS)?),
        }
    }
    Ok(())
}

/// Causes that a rule names exist.
fn causes_exist() -> Result<()> {
    for alert in alerts()? {
        let query = alert["expr"].as_str().unwrap_or_default();
        for matcher in query.split("cause!~\"").skip(1) {
            let causes = matcher.split('"').next().unwrap_or_default();
            for cause in causes.split('|') {
                ensure!(Cause::from_id(cause).is_some(), "{cause} is no cause");
            }
        }
    }
    Ok(())
}

/// `make flood` waits for the minute in which the log says how much was left out.
fn log_is_bounded() -> Result<()> {
    flood::log(FLOOD, std::env::var_os("MESHWHY_FLOOD").is_some())
}

fn alerts() -> Result<Vec<Value>> {
    let alerts: Vec<Value> =
        monitoring::rules()?.into_iter().filter(|rule| rule["alert"].is_string()).collect();
    ensure!(!alerts.is_empty(), "no alerts");
    Ok(alerts)
}
