//! The soak: everything that real meshes carry through one real Envoy with all of meshwhy. Healthy traffic for a long
//! time must leave no trace; failures among it must be counted exactly, in flat memory and a bounded log.

mod calls;
mod curl;
mod judge;
mod others;
mod stage;
mod summary;
mod tally;
mod turns;

use std::cell::RefCell;
use std::time::Duration;

use anyhow::Result;

use stage::Stage;
pub use turns::Enough;
use turns::Load;

use super::memory::{Look, Trend, resident, trend};

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Soak {
    /// Whether failures are mixed in.
    pub failing: bool,
    /// When it is enough.
    pub enough: Enough,
    /// Requests a second; as fast as it goes without.
    pub rate: Option<f64>,
    /// Lines a minute for each cause.
    pub log_per_minute: u32,
    /// Whether it says how far it is.
    pub talks: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// In words and figures.
    pub summary: String,
    /// What is not as it must be.
    pub deviations: Vec<String>,
}

/// Growth that counts as flat, in KB a minute, where the run is long enough to measure it.
const FLAT: f64 = 100.0;

/// Minutes of measurement after which a slope says something.
const LONG_ENOUGH: f64 = 10.0;

/// What a short run may take after its warm-up, in KB.
const MOST_GROWTH: f64 = 40_000.0;

/// Time between two looks at the memory.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

impl Soak {
    /// Plays it and judges.
    pub fn play(&self) -> Result<Outcome> {
        let mut stage = Stage::set_up(self.log_per_minute)?;
        let vms = stage.envoy.vms()?;
        let pid = stage.envoy.pid();
        let looks: RefCell<Vec<Look>> = RefCell::new(Vec::new());
        let mut progress = summary::Progress::new(self.talks);
        let progress = RefCell::new(&mut progress);
        let load = Load::new(&stage.places, self.failing, self.enough, self.rate);
        let started = std::time::Instant::now();
        let sent = load.play(|load| {
            let mut looks = looks.borrow_mut();
            let due = BETWEEN_LOOKS * u32::try_from(looks.len()).unwrap_or(u32::MAX);
            if load.elapsed() < due {
                return;
            }
            // A proxy that is gone is found below.
            let resident = resident(pid).unwrap_or_default();
            let look = Look {
                minutes: load.elapsed().as_secs_f64() / 60.0,
                requests: load.done() as f64 / 1e6,
                resident,
            };
            looks.push(look);
            progress.borrow_mut().show(load, resident);
        })?;
        let minutes = started.elapsed().as_secs_f64() / 60.0;
        progress.borrow_mut().end();
        stage.envoy.check_health()?;
        let mut found = judge::judge(&stage.envoy, &sent, minutes, self.log_per_minute)?;
        let after = stage.envoy.vms()?;
        if vms != after {
            found.deviations.push(format!("the VM was made anew: {vms:?}, and then {after:?}"));
        }
        let trend = trend(&looks.borrow());
        found.deviations.extend(trend.and_then(|trend| grows(&trend)));
        let summary = summary::table(self, &sent, &found, minutes, trend);
        Ok(Outcome { summary, deviations: found.deviations })
    }
}

fn grows(trend: &Trend) -> Option<String> {
    if trend.minutes >= LONG_ENOUGH {
        let steep = trend.per_minute > FLAT;
        return steep.then(|| format!("memory grows by {:.0} KB a minute", trend.per_minute));
    }
    let growth = trend.last - trend.first;
    (growth > MOST_GROWTH).then(|| format!("memory grew by {growth:.0} KB"))
}
