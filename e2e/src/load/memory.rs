//! A proxy's resident memory, and what it does over time.

use std::path::Path;

use anyhow::{Context as _, Result};

/// One look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Minutes since the start.
    pub minutes: f64,
    /// Millions of requests since the start.
    pub requests: f64,
    /// Resident memory in KB.
    pub resident: f64,
}

/// Before this part of the run is over, caches and pools fill.
const WARM_UP: f64 = 0.2;

/// What the looks say.
#[derive(Debug, Clone, Copy)]
pub struct Trend {
    /// KB at the end of the warm-up, and at the end.
    pub first: f64,
    /// The same at the end.
    pub last: f64,
    /// How many minutes lie between.
    pub minutes: f64,
    /// KB a minute, by least squares.
    pub per_minute: f64,
    /// KB for a million requests, by least squares.
    pub per_million: f64,
}

/// Resident memory of a process in KB.
pub fn resident(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"))?;
    let resident = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(resident.trim().trim_end_matches(" kB").parse()?)
}

/// The trend after the warm-up.
pub fn trend(looks: &[Look]) -> Option<Trend> {
    let start = looks.last()?.minutes * WARM_UP;
    let warm: Vec<Look> = looks.iter().copied().filter(|look| look.minutes >= start).collect();
    let (first, last) = (warm.first()?, warm.last()?);
    Some(Trend {
        first: first.resident,
        last: last.resident,
        minutes: last.minutes - first.minutes,
        per_minute: slope(&warm, |look| look.minutes),
        per_million: slope(&warm, |look| look.requests),
    })
}

/// Least squares.
fn slope(looks: &[Look], x: impl Fn(&Look) -> f64) -> f64 {
    let mean = |value: &dyn Fn(&Look) -> f64| looks.iter().map(value).sum::<f64>() / looks.len() as f64;
    let (middle, level) = (mean(&x), mean(&|look| look.resident));
    let spread: f64 = looks.iter().map(|look| (x(look) - middle).powi(2)).sum();
    let together: f64 = looks.iter().map(|look| (x(look) - middle) * (look.resident - level)).sum();
    if spread > 0.0 { together / spread } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::{Look, trend};

    #[test]
    fn the_warm_up_is_left_out_and_the_slope_is_that_of_a_line() {
        let looks: Vec<Look> = (0..=100)
            .map(f64::from)
            .map(|minutes| Look {
                minutes,
                requests: minutes / 10.0,
                resident: if minutes < 20.0 { 0.0 } else { 1_000.0 + 3.0 * minutes },
            })
            .collect();
        let trend = trend(&looks).unwrap();
        assert!((trend.per_minute - 3.0).abs() < 1e-9, "{trend:?}");
        assert!((trend.per_million - 30.0).abs() < 1e-9, "{trend:?}");
        assert!((trend.first - 1_060.0).abs() < 1e-9 && (trend.minutes - 80.0).abs() < 1e-9);
    }
}
