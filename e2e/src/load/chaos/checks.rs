//! What must hold when it is over.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::Stage;
use super::background::{self, Pace, Requests};
use crate::harness::process::wait_for;

/// Statistics of what was taken, and of what was refused.
const PUSHED: &[(&str, &str)] = &[
    ("config_reload", "config_fail"),
    ("rds.routes.update_success", "rds.routes.update_rejected"),
    ("cds.update_success", "cds.update_rejected"),
    ("sds.certificate.update_success", "sds.certificate.update_rejected"),
];
const LISTENERS: (&str, &str) = ("lds.update_success", "lds.update_rejected");

impl Stage {
    /// Envoy saw the files change, and refused nothing. Some changes it may have seen as one.
    pub(super) fn took_the_changes(&self, changes: u32) -> Result<()> {
        self.took(changes / 2)?;
        self.took_of(&[LISTENERS], changes / 2)
    }

    /// Envoy took at least so often each thing that is pushed without an end of listeners.
    pub(super) fn took(&self, least: u32) -> Result<()> {
        self.took_of(PUSHED, least)
    }

    fn took_of(&self, pushed: &[(&str, &str)], least: u32) -> Result<()> {
        let stats = self.envoy.admin("/stats")?;
        let value = |part: &str| {
            let lines = stats
                .lines()
                .filter_map(|line| line.split_once(": "))
                .filter(|(name, _)| name.contains(part));
            lines.filter_map(|(_, value)| value.parse::<u64>().ok()).sum::<u64>()
        };
        for (what, refused) in pushed {
            ensure!(value(what) >= u64::from(least), "{what} is {}", value(what));
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

    /// The last failures of the load in the access log that nobody sent, and the proxy's own log.
    pub(super) fn what_went_wrong(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("http.log")).unwrap_or_default();
        let sent = background::causes();
        let unsent = |line: &Value| {
            let failed = line["flags"] != "-" || line["code"] != 200;
            failed && !line["cause"].as_str().is_some_and(|cause| sent.contains(&cause))
        };
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines = lines.filter(|line| line["port"] == self.changes.front && unsent(line));
        let lines: Vec<String> = lines.map(|line| line.to_string()).collect();
        let last = &lines[lines.len().saturating_sub(5)..];
        format!("{}\n{}", last.join("\n"), self.envoy.own_log())
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

/// A SYN that a full queue drops comes again after a second: with other work on the machine one in a hundred does.
const SLOW: Duration = Duration::from_millis(1_500);

/// Other work takes time from a proxy, too: only what is slow for anybody counts.
pub(super) fn fast_enough(paces: &[Pace]) -> Result<()> {
    let quiet = paces.first().context("no phases")?;
    for pace in paces {
        let median = pace.median < Duration::from_millis(30) || pace.median < quiet.median * 8;
        let p99 = pace.p99 < SLOW || pace.p99 < quiet.p99 * 8;
        // Of a few requests the slowest says nothing.
        ensure!(
            pace.requests < 50 || (median && p99),
            "healthy requests were slow: {pace:?}, and quiet {quiet:?}"
        );
    }
    Ok(())
}
