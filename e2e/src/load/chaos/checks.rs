//! What must hold when it is over.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::Stage;
use super::background::{Pace, Requests};
use crate::harness::process::wait_for;

impl Stage {
    /// Envoy saw the files change, and refused nothing. Some changes it may have seen as one.
    pub(super) fn took_the_changes(&self, changes: u32) -> Result<()> {
        let stats = self.envoy.admin("/stats")?;
        let value = |part: &str| {
            let lines = stats
                .lines()
                .filter_map(|line| line.split_once(": "))
                .filter(|(name, _)| name.contains(part));
            lines.filter_map(|(_, value)| value.parse::<u64>().ok()).sum::<u64>()
        };
        for (what, refused) in [
            ("lds.update_success", "lds.update_rejected"),
            ("config_reload", "config_fail"),
            ("sds.certificate.update_success", "sds.certificate.update_rejected"),
        ] {
            ensure!(value(what) >= u64::from(changes / 2), "{what} is {}", value(what));
            ensure!(value(refused) == 0, "{refused} is {}", value(refused));
        }
        Ok(())
    }

    /// Every failure that was sent stands in the access log under its cause; and what stands there, with what garbage added, is
    /// counted once. Returns what garbage added.
    pub(super) fn named(&self, record: &Requests) -> Result<BTreeMap<&'static str, u64>> {
        let mut added = BTreeMap::new();
        for (cause, sent) in &record.failures {
            let figures = || -> Result<[u64; 3]> {
                let logged = self.logged(cause)?;
                let of_the_load = logged.iter().filter(|line| line["port"] == self.changes.front);
                Ok([of_the_load.count() as u64, logged.len() as u64, self.counted(cause)?])
            };
            // Envoy writes its logs every second.
            let fits = |[of_the_load, logged, counted]: [u64; 3]| of_the_load == *sent && logged == counted;
            wait_for(cause, || Ok(fits(figures()?).then_some(()))).with_context(|| {
                let names = "of the load logged, of all logged, counted";
                format!("{cause}: {sent} sent; {names}: {:?}", figures())
            })?;
            added.insert(*cause, self.counted(cause)? - sent);
        }
        Ok(added)
    }

    fn logged(&self, cause: &str) -> Result<Vec<Value>> {
        let log = std::fs::read_to_string(self.folder.path().join("http.log"))?;
        // The last line may be half written.
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(lines.filter(|line| line["cause"] == cause).collect())
    }

    fn counted(&self, cause: &str) -> Result<u64> {
        let samples =
            self.envoy.meshwhy_samples()?.into_iter().filter(|s| s.name == "meshwhy_failures_total");
        let of_it = samples.filter(|s| s.labels.get("cause").is_some_and(|of| of == cause));
        Ok(of_it.map(|sample| sample.value as u64).sum())
    }
}

/// Other work takes time from a proxy, too: only what is slow for anybody counts.
pub(super) fn fast_enough(paces: &[Pace]) -> Result<()> {
    let quiet = paces.first().context("no phases")?;
    for pace in paces {
        let median = pace.median < Duration::from_millis(30) || pace.median < quiet.median * 8;
        let p99 = pace.p99 < Duration::from_millis(300) || pace.p99 < quiet.p99 * 8;
        // Of a few requests the slowest says nothing.
        ensure!(
            pace.requests < 50 || (median && p99),
            "healthy requests were slow: {pace:?}, and quiet {quiet:?}"
        );
    }
    Ok(())
}
