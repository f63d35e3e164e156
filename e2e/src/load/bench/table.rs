//! Medians, quartiles and ratios, in Markdown.

use std::fmt::Write as _;

/// Microseconds of CPU for a request, of every round.
#[derive(Debug)]
pub(super) struct Row {
    load: &'static str,
    variant: String,
    rounds: Vec<f64>,
    /// The same round without a filter.
    bases: Vec<f64>,
}

impl Row {
    pub(super) fn new(load: &'static str, variant: &str) -> Self {
        Self { load, variant: variant.to_owned(), rounds: Vec::new(), bases: Vec::new() }
    }

    pub(super) fn add(&mut self, cost: f64, base: f64) {
        self.rounds.push(cost);
        self.bases.push(base);
    }

    fn paired(&self, combine: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        self.rounds.iter().zip(&self.bases).map(|(cost, base)| combine(*cost, *base)).collect()
    }
}

/// A quarter's bound: 2 is the median.
pub(super) fn quantile(values: &[f64], quarter: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) * quarter / 4]
}

pub(super) fn median(values: &[f64]) -> f64 {
    quantile(values, 2)
}

/// One table: what each load costs without a filter, and what each variant costs above that.
pub(super) fn matrix(rows: &[Row]) -> String {
    let loads: Vec<&[Row]> = rows.chunk_by(|one, two| one.load == two.load).collect();
    let names: Vec<&str> = loads.first().into_iter().copied().flatten().map(|row| &*row.variant).collect();
    let mut out =
        format!("\n| µs a request | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for load in loads {
        let cells = load.iter().enumerate().map(|(at, row)| match at {
            0 => format!("{:.2}", median(&row.rounds)),
            _ => format!("{:+.2}", median(&row.paired(|cost, base| cost - base))),
        });
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(out, "| {} | {} |", load.first().map_or("", |row| row.load), cells.join(" | "));
    }
    out
}

/// One table for each load, with quartiles.
pub(super) fn costs(rows: &[Row]) -> String {
    let mut out = String::new();
    let mut load = "";
    for row in rows {
        if row.load != load {
            load = row.load;
            let _ = write!(
                out,
                "\n### {load}\n\n| variant | median | quartiles | above no filter (quartiles) | ratio |\n|---|---|---|---|---|\n"
            );
        }
        let (cost, above) = (&row.rounds, row.paired(|cost, base| cost - base));
        let _ = writeln!(
            out,
            "| {} | {:.2} µs | {:.2} to {:.2} | {:+.2} µs ({:+.2} to {:+.2}) | {:.3} |",
            row.variant,
            quantile(cost, 2),
            quantile(cost, 1),
            quantile(cost, 3),
            quantile(&above, 2),
            quantile(&above, 1),
            quantile(&above, 3),
            median(&row.paired(|cost, base| cost / base)),
        );
    }
    out
}
