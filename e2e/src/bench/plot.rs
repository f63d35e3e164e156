//! The growth of costs as an SVG document: a panel for each axis, two lines in each.

use std::fmt::Write as _;

/// One axis.
#[derive(Debug)]
pub(super) struct Panel {
    pub(super) title: &'static str,
    pub(super) points: Vec<Point>,
}

/// Microseconds of CPU for a request, without a filter and with ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) at: usize,
    pub(super) none: f64,
    pub(super) ours: f64,
}

/// A panel, and the space around its axes.
const WIDTH: usize = 400;
const HEIGHT: usize = 260;
const MARGIN: f64 = 40.0;
const NONE: &str = "#888888";
const OURS: &str = "#c2410c";

/// Two panels beside each other. Steps are evenly spaced: they grow by factors.
pub(super) fn svg(panels: &[Panel]) -> String {
    let rows = panels.len().div_ceil(2);
    let (width, height) = (WIDTH * 2, HEIGHT * rows + 30);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"{MARGIN}\" y=\"18\">Microseconds of CPU a request: <tspan fill=\"{NONE}\">no filter</tspan>, \
         <tspan fill=\"{OURS}\">connection + http</tspan></text>\n"
    );
    for (index, panel) in panels.iter().enumerate() {
        let (x, y) = (index % 2 * WIDTH, index / 2 * HEIGHT + 30);
        let _ = writeln!(out, "<g transform=\"translate({x} {y})\">\n{}</g>", draw(panel));
    }
    out += "</svg>\n";
    out
}

#[allow(clippy::cast_precision_loss, reason = "a handful of pixels")]
fn draw(panel: &Panel) -> String {
    let (right, bottom) = (WIDTH as f64 - MARGIN / 2.0, HEIGHT as f64 - MARGIN);
    let most = panel.points.iter().map(|p| p.ours.max(p.none)).fold(1.0, f64::max);
    let steps = panel.points.len().saturating_sub(1).max(1) as f64;
    let x = |index: usize| MARGIN + (right - MARGIN) * index as f64 / steps;
    let y = |value: f64| bottom - (bottom - MARGIN) * value / most;
    let mut out = format!("<text x=\"{MARGIN}\" y=\"24\" font-weight=\"bold\">{}</text>\n", panel.title);
    for part in 0..=2_u8 {
        let value = most * f64::from(part) / 2.0;
        let _ = writeln!(
            out,
            "<path d=\"M{MARGIN} {at:.1}H{right}\" stroke=\"#dddddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.0}</text>",
            MARGIN - 5.0,
            y(value) + 4.0,
            at = y(value),
        );
    }
    for (colour, value) in [(NONE, (|p| p.none) as fn(&Point) -> f64), (OURS, |p| p.ours)] {
        let line = panel.points.iter().enumerate();
        let line: Vec<String> = line.map(|(i, p)| format!("{:.1},{:.1}", x(i), y(value(p)))).collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            line.join(" ")
        );
    }
    for (index, point) in panel.points.iter().enumerate() {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x(index),
            bottom + 16.0,
            point.at
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_drawn() {
        let point = |at, none| Point { at, none, ours: none + 5.0 };
        let panel = Panel { title: "workers", points: vec![point(1, 10.0), point(2, 20.0)] };
        let svg = svg(&[panel]);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains(">workers<") && svg.contains("40.0,148.0 380.0,76.0"), "{svg}");
    }
}
