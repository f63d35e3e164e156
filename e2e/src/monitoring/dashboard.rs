//! The dashboard's panels and queries, and what a Prometheus answers to them.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::clock::Clock;
use super::{items, links, read};
use crate::harness::prometheus::Prometheus;

/// The units that its panels use, in Grafana's words.
pub const UNITS: &[&str] = &["short", "reqps", "percentunit"];

/// Grafana's data source variable.
const DATASOURCE: &str = "${datasource}";

/// One query of a panel, or of the annotations.
#[derive(Debug, Clone)]
pub struct Target {
    /// The expression as Grafana has it, with its variables.
    pub expr: String,
    /// What each series is called: text with `{{label}}`.
    pub legend: String,
    /// Asked for one moment, not for a time range.
    pub instant: bool,
}

/// The dashboard.
pub fn dashboard() -> Result<Value> {
    Ok(serde_json::from_str(&read("dashboard.json")?)?)
}

/// The queries of a panel.
pub fn targets(panel: &Value) -> Vec<Target> {
    let text = |target: &Value, key: &str| target[key].as_str().unwrap_or_default().to_owned();
    items(&panel["targets"])
        .map(|target| Target {
            expr: text(target, "expr"),
            legend: text(target, "legendFormat"),
            instant: target["instant"] == true,
        })
        .collect()
}

/// The queries of the annotations.
pub fn annotations(dashboard: &Value) -> Vec<Target> {
    let list = items(&dashboard["annotations"]["list"]);
    list.filter_map(|a| a["expr"].as_str())
        .map(|expr| Target { expr: expr.to_owned(), legend: String::new(), instant: false })
        .collect()
}

impl Target {
    /// With Grafana's variables filled in as for "All" and the last six hours.
    pub fn filled(&self, clock: Clock) -> String {
        let query = self.expr.replace("$__rate_interval", "5m").replace("$__range", "6h");
        clock.query(&query.replace("$namespace", ".*").replace("$confidence", ".*"))
    }

    /// Its series from `start` to `end` (seconds).
    pub fn ask(&self, prometheus: &Prometheus, clock: Clock, (start, end): (f64, f64)) -> Result<Vec<Value>> {
        let query = self.filled(clock);
        match self.instant {
            true => prometheus.query(&query),
            false => prometheus.query_range(&query, (start, end), ((end - start) / 300.0).max(0.2)),
        }
    }

    /// A series' name in the legend.
    pub fn named(&self, series: &Value) -> Result<String> {
        let mut name = self.legend.clone();
        while let Some((before, (label, after))) =
            name.split_once("{{").and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
        {
            let value = series["metric"][label.trim()]
                .as_str()
                .with_context(|| format!("{}: its series have no {label}", self.expr))?;
            name = format!("{before}{value}{after}");
        }
        Ok(name)
    }
}

/// The numbers of a series.
pub fn points(series: &Value) -> Vec<(f64, f64)> {
    let values: Vec<&Value> = match series["values"].as_array() {
        Some(values) => values.iter().collect(),
        None => vec![&series["value"]],
    };
    let point = |pair: &Value| Some((pair[0].as_f64()?, pair[1].as_str()?.parse().ok()?));
    values.into_iter().filter_map(point).collect()
}

/// Every query finds something in this time, and what the legends name is there; so do the variables.
pub fn fills(prometheus: &Prometheus, clock: Clock, range: (f64, f64)) -> Result<()> {
    let dashboard = dashboard()?;
    let of_panels = items(&dashboard["panels"]).flat_map(targets);
    for target in of_panels.chain(annotations(&dashboard)) {
        let found = target.ask(prometheus, clock, range)?;
        let shows = |series: &Value| points(series).iter().any(|(_, value)| *value > 0.0);
        ensure!(found.iter().any(shows), "{} shows nothing: {found:?}", target.filled(clock));
        found.iter().try_for_each(|series| target.named(series).map(drop))?;
    }
    for variable in items(&dashboard["templating"]["list"]).filter(|v| v["type"] == "query") {
        let definition = variable["definition"].as_str().unwrap_or_default();
        let inner = definition.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let (metric, label) =
            inner.and_then(|inner| inner.split_once(", ")).context(definition.to_owned())?;
        ensure!(!prometheus.label_values(label, metric)?.is_empty(), "{definition} has no values");
    }
    Ok(())
}

/// What Grafana would trip over: ids, data sources, units, places, links.
pub fn check() -> Result<()> {
    let dashboard = dashboard()?;
    let variables: BTreeSet<&str> =
        items(&dashboard["templating"]["list"]).filter_map(|v| v["name"].as_str()).collect();
    ensure!(variables.contains("datasource"), "no variable for the data source");
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in items(&dashboard["panels"]) {
        let title = panel["title"].as_str().filter(|title| !title.is_empty()).context("an untitled panel")?;
        ensure!(ids.insert(panel["id"].as_u64().context("a panel without id")?), "{title}: its id is taken");
        for_each_cell(&panel["gridPos"], |cell| {
            ensure!(cell.0 < 24 && places.insert(cell), "{title}: its place is taken, or there is none");
            Ok(())
        })?;
        let defaults = &panel["fieldConfig"]["defaults"];
        let unit = defaults["unit"].as_str().unwrap_or_default();
        ensure!(UNITS.contains(&unit), "{title}: the unit {unit:?}");
        ensure!(!targets(panel).is_empty(), "{title} has no query");
        let mut refs = BTreeSet::new();
        for target in items(&panel["targets"]) {
            ensure!(refs.insert(target["refId"].as_str()), "{title}: a refId twice");
            ensure!(target["datasource"]["uid"] == DATASOURCE, "{title}: another data source");
        }
        ensure!(panel["datasource"]["uid"] == DATASOURCE, "{title}: another data source");
        let by_cause = targets(panel).iter().any(|target| {
            target.expr.starts_with("sum by (cause") || target.expr.contains("sum by (namespace, cause")
        });
        ensure!(
            !by_cause || items(&defaults["links"]).count() > 0,
            "{title} shows causes without links to them"
        );
        for link in items(&defaults["links"]) {
            let url = link["url"].as_str().unwrap_or_default();
            let of_series = panel["type"] == "timeseries";
            let label = if of_series { "${__field.labels.cause}" } else { "${__data.fields.cause}" };
            ensure!(url == format!("{}/causes.md#{label}", links::DOCS), "{title}: the link {url}");
        }
    }
    let own = ["namespace", "confidence", "__rate_interval", "__range"];
    for target in items(&dashboard["panels"]).flat_map(targets).chain(annotations(&dashboard)) {
        for name in target.expr.split('$').skip(1) {
            let name: String = name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            ensure!(own.contains(&name.as_str()), "{}: no variable ${name}", target.expr);
            ensure!(name.starts_with("__") || variables.contains(name.as_str()), "no variable {name}");
        }
    }
    Ok(())
}

fn for_each_cell(place: &Value, mut take: impl FnMut((u64, u64)) -> Result<()>) -> Result<()> {
    let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| place[key].as_u64().unwrap_or_default());
    ensure!(w > 0 && h > 0, "a panel without size");
    (x..x + w).try_for_each(|x| (y..y + h).try_for_each(|y| take((x, y))))
}
