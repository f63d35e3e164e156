//! The dashboard as a page: its own panels and queries, drawn without Grafana.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::dashboard::{self, Target, points, targets};
use super::items;
use super::links::DOCS;
use super::stage::{DOCS_URL, Stage};
use super::svg;
use crate::tools;

/// Grafana's grid: 24 columns; rows of 30 pixels.
const COLUMN: u64 = 42;
const ROW: u64 = 30;

const STYLE: &str = "\
body { font: 12px sans-serif; background: #f4f5f5; color: #24292e; margin: 0; }
.panel { position: absolute; background: #fff; border: 1px solid #d8d9da; border-radius: 3px; box-sizing: border-box; padding: 6px 10px; overflow: hidden; }
h1 { font-size: 13px; font-weight: 600; margin: 0 0 4px; }
.stat { font-size: 28px; font-weight: 600; color: #1f60c4; } .stat small { font-size: 13px; color: #666; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: 2px 8px; border-bottom: 1px solid #eee; }
a { color: #1f60c4; text-decoration: none; } .legend span { display: inline-block; margin-right: 12px; }
.legend b { display: inline-block; width: 12px; height: 4px; margin-right: 4px; vertical-align: middle; }
";

/// The page; with its height in pixels.
pub fn page(stage: &Stage) -> Result<(String, u64)> {
    let dashboard = dashboard::dashboard()?;
    let range = stage.range();
    let alerts = firing_since(stage, &dashboard, range)?;
    let (mut body, mut height) = (String::new(), 0);
    for panel in items(&dashboard["panels"]) {
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap_or_default());
        let (width, tall) = (w * COLUMN - 6, h * ROW - 6);
        let inside = inside(stage, panel, &alerts, (width - 20, tall - 34))
            .with_context(|| panel["title"].to_string())?;
        let title = escape(panel["title"].as_str().unwrap_or_default());
        let _ = writeln!(
            body,
            "<div class=panel style='left:{}px;top:{}px;width:{width}px;height:{tall}px'><h1>{title}</h1>{inside}</div>",
            x * COLUMN + 6,
            y * ROW + 6
        );
        height = height.max((y + h) * ROW + 6);
    }
    let head = format!("<!doctype html><meta charset=utf-8><title>meshwhy</title><style>{STYLE}</style>");
    Ok((format!("{head}<body style='height:{height}px'>{body}</body>"), height))
}

/// Draws the page into a PNG.
pub fn screenshot(stage: &Stage, folder: &Path, png: &Path) -> Result<()> {
    let (html, height) = page(stage)?;
    let file = folder.join("dashboard.html");
    fs::write(&file, html)?;
    let output = Command::new(tools::program("chromium", "chromium")?)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
        ])
        .arg(format!("--user-data-dir={}", folder.join("chromium").display()))
        .arg(format!("--window-size={},{height}", 24 * COLUMN + 6))
        .arg(format!("--screenshot={}", png.display()))
        .arg(format!("file://{}", file.display()))
        .output()?;
    ensure!(png.is_file(), "chromium drew nothing: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// When each alert began to fire.
fn firing_since(stage: &Stage, dashboard: &Value, range: (f64, f64)) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for target in dashboard::annotations(dashboard) {
        for series in target.ask(&stage.prometheus, stage.clock, range)? {
            times.extend(points(&series).first().map(|(time, _)| *time));
        }
    }
    Ok(times)
}

fn inside(stage: &Stage, panel: &Value, alerts: &[f64], size: (u64, u64)) -> Result<String> {
    let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default();
    let range = stage.range();
    let ask = |target: &Target| target.ask(&stage.prometheus, stage.clock, range);
    match panel["type"].as_str().unwrap_or_default() {
        "stat" => {
            let mut words = Vec::new();
            for target in targets(panel) {
                for series in ask(&target)? {
                    let last = points(&series).last().map_or(0.0, |(_, value)| *value);
                    let name = escape(&target.named(&series)?);
                    words.push(format!("{} <small>{name}</small>", amount(last, unit)));
                }
            }
            Ok(format!("<div class=stat>{}</div>", words.join("<br>")))
        }
        "timeseries" => {
            let mut lines = Vec::new();
            for target in targets(panel) {
                for series in ask(&target)? {
                    lines.push((target.named(&series)?, points(&series)));
                }
            }
            Ok(svg::stacked(&lines, alerts, range, size, |value| amount(value, unit)))
        }
        "table" => table(panel, &ask(targets(panel).first().context("no query")?)?, unit),
        other => anyhow::bail!("no way to draw a {other}"),
    }
}

fn table(panel: &Value, found: &[Value], unit: &str) -> Result<String> {
    let mut rows: Vec<(f64, Vec<(&str, &str)>)> = found
        .iter()
        .map(|series| {
            let labels = series["metric"].as_object().into_iter().flatten();
            let value = points(series).first().map_or(0.0, |(_, value)| *value);
            (value, labels.map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default())).collect())
        })
        .collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let link = items(&panel["fieldConfig"]["defaults"]["links"]).next().and_then(|link| link["url"].as_str());
    let mut out = String::from("<table>");
    let names: Vec<&str> =
        rows.first().map(|(_, labels)| labels.iter().map(|(key, _)| *key).collect()).unwrap_or_default();
    let heads: String = names.iter().map(|name| format!("<th>{name}</th>")).collect();
    let _ = write!(out, "<tr>{heads}<th>failures</th></tr>");
    for (value, labels) in &rows {
        let _ = write!(out, "<tr>");
        for name in &names {
            let text = labels.iter().find(|(key, _)| key == name).map_or("", |(_, value)| *value);
            match link.filter(|_| *name == "cause") {
                Some(link) => {
                    let url = link.replace("${__data.fields.cause}", text).replace(DOCS, DOCS_URL);
                    let _ = write!(out, "<td><a href='{}'>{}</a></td>", escape(&url), escape(text));
                }
                None => {
                    let _ = write!(out, "<td>{}</td>", escape(text));
                }
            }
        }
        let _ = write!(out, "<td>{}</td></tr>", amount(*value, unit));
    }
    Ok(out + "</table>")
}

fn amount(value: f64, unit: &str) -> String {
    match unit {
        "percentunit" => format!("{:.1}%", value * 100.0),
        "reqps" => format!("{value:.1}/s"),
        _ if value.fract().abs() < 0.05 || value > 100.0 => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    }
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;")
}
