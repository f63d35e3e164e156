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

/// One table for each load.
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
