//! Stacked areas over time.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::picture::escape;

const COLOURS: &[&str] = &[
    "#e02f44", "#ff9830", "#f2cc0c", "#37872d", "#5794f2", "#b877d9", "#8f3bb8", "#1f60c4", "#96d98d",
    "#806eb7",
];

/// Name and points (seconds, value) of each; a dashed line where an alert began to fire.
pub(super) fn stacked(
    lines: &[(String, Vec<(f64, f64)>)],
    alerts: &[f64],
    (start, end): (f64, f64),
    (width, height): (u64, u64),
    amount: impl Fn(f64) -> String,
) -> String {
    let (left, bottom) = (44.0, 18.0);
    let (plot_width, plot_height) = (width as f64 - left, height as f64 - bottom - 20.0);
    // Steps of all series are the same moments.
    let moments: BTreeSet<u64> =
        lines.iter().flat_map(|(_, points)| points.iter().map(|p| millis(p.0))).collect();
    let moments: Vec<u64> = moments.into_iter().collect();
    let mut floor = vec![0.0; moments.len()];
    let mut layers = Vec::new();
    for (name, points) in lines {
        let top: Vec<f64> = moments
            .iter()
            .zip(&floor)
            .map(|(moment, floor)| {
                let here = points.iter().find(|(time, _)| millis(*time) == *moment);
                floor + here.map_or(0.0, |(_, value)| *value)
            })
            .collect();
        layers.push((name, floor.clone(), top.clone()));
        floor = top;
    }
    let highest = floor.iter().copied().fold(0.0, f64::max).max(0.1) * 1.1;
    let x = |time: f64| left + (time - start) / (end - start) * plot_width;
    let y = |value: f64| 9.0 + (plot_height - 5.0) * (1.0 - value / highest);
    let mut out = format!("<svg width={width} height={}>", height - 20);
    for part in 0..=4 {
        let value = highest * f64::from(part) / 4.0;
        let _ = write!(
            out,
            "<line x1={left} x2={width} y1={0:.1} y2={0:.1} stroke='#e6e6e6'/><text x=0 y={1:.1} font-size=10 fill='#666'>{2}</text>",
            y(value),
            y(value) + 3.0,
            amount(value)
        );
        let time = start + (end - start) * f64::from(part) / 4.0;
        let _ = write!(
            out,
            "<text x={:.1} y={} font-size=10 fill='#666' text-anchor='end'>{:.0} s</text>",
            x(time),
            height - 24,
            time - start
        );
    }
    for (number, (_, floor, top)) in layers.iter().enumerate() {
        let forth = moments.iter().zip(top).map(|(m, v)| (x(*m as f64 / 1e3), y(*v)));
        let back = moments.iter().zip(floor).rev().map(|(m, v)| (x(*m as f64 / 1e3), y(*v)));
        let path: String = forth.chain(back).map(|(x, y)| format!("{x:.1},{y:.1} ")).collect();
        let colour = COLOURS[number % COLOURS.len()];
        let _ = write!(
            out,
            "<polygon points='{path}' fill='{colour}' fill-opacity=0.35 stroke='{colour}' stroke-width=1 />"
        );
    }
    for time in alerts.iter().filter(|time| **time > start) {
        let _ = write!(
            out,
            "<line x1={0:.1} x2={0:.1} y1=9 y2={1:.1} stroke='#c4162a' stroke-dasharray='3 3'/>",
            x(*time),
            y(0.0)
        );
    }
    out.push_str("</svg><div class=legend>");
    for (number, (name, ..)) in layers.iter().enumerate() {
        let _ = write!(
            out,
            "<span><b style='background:{}'></b>{}</span>",
            COLOURS[number % COLOURS.len()],
            escape(name)
        );
    }
    out + "</div>"
}

fn millis(time: f64) -> u64 {
    (time * 1e3).round() as u64
}
