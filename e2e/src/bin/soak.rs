//! `make soak`: healthy traffic, then failures mixed in; says what it found, and fails on any deviation.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use e2e::load::soak::{Enough, Soak};

fn main() -> Result<()> {
    let (mut requests, mut minutes, mut rate) = (200_000, 30.0, 500.0);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{argument} needs a number"))?;
        match argument.as_str() {
            "--requests" => requests = value.parse()?,
            "--minutes" => minutes = value.parse()?,
            "--rate" => rate = value.parse()?,
            other => bail!("unknown argument {other}: expected --requests N, --minutes N or --rate N"),
        }
    }
    let soak = |failing, enough| Soak {
        failing,
        enough,
        rate: (rate > 0.0).then_some(rate),
        log_per_minute: 60,
        talks: true,
    };
    let mut runs = Vec::new();
    if requests > 0 {
        runs.push(soak(false, Enough::Requests(requests)));
    }
    if minutes > 0.0 {
        runs.push(soak(true, Enough::Time(Duration::from_secs_f64(minutes * 60.0))));
    }
    let mut deviations = 0;
    for run in runs {
        eprintln!("{}", if run.failing { "failures mixed in" } else { "healthy traffic" });
        let outcome = run.play()?;
        println!("{}", outcome.summary);
        for deviation in &outcome.deviations {
            println!("DEVIATION: {deviation}");
        }
        deviations += outcome.deviations.len();
    }
    if deviations > 0 {
        bail!("{deviations} deviations");
    }
    Ok(())
}
