//! Playing a story on the rig, and comparing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::outcome::{Marks, lines_since};
use super::{Counted, Outcome, Says, Story, Yaml, counters, difference};
use crate::harness::rig::Rig;
use crate::istio::explained;

impl Story {
    /// Plays it without judging; the configuration is gone afterwards.
    pub fn play(&self, rig: &Rig) -> Result<Outcome> {
        // Before the configuration: a proxy looks a name up when it gets it.
        for (name, pod) in &self.names {
            rig.resolve(name, Some(pod))?;
        }
        let result = self.apply(rig).and_then(|()| self.ask(rig));
        let cleaned = self.clean(rig);
        for (name, _) in &self.names {
            rig.resolve(name, None)?;
        }
        let outcome = result?;
        cleaned?;
        Ok(outcome)
    }

    /// Plays it and compares.
    pub fn check(&self, rig: &Rig) -> Result<Outcome> {
        let mut outcome = self.play(rig)?;
        // Nothing shows when a proxy's old connections and listeners are gone. Only a mistake that nobody felt
        // is made again: what went wrong or was said without being expected stands.
        if self.broken && outcome.counted.is_empty() && self.gets.check(&outcome.seen).is_err() {
            eprintln!("{}: the mistake was not in force, and is made again: {outcome}", self.name);
            outcome = self.play(rig)?;
        }
        self.compare(&outcome)
            .and_then(|()| explained::check(&outcome))
            .with_context(|| outcome.to_string())?;
        // What may be said or not is in no document.
        outcome.counted.retain(|counted, _| !self.allows(counted));
        Ok(outcome)
    }

    fn apply(&self, rig: &Rig) -> Result<()> {
        if self.yaml.is_empty() {
            return Ok(());
        }
        let mut whole = Vec::new();
        for yaml in &self.yaml {
            let Some((resource, namespace, patch)) = yaml.patch()? else {
                whole.push(yaml.text()?);
                continue;
            };
            self.apply_whole(rig, &mut whole)?;
            rig.put(&["patch", resource, "-n", namespace, "--type", "merge", "-p", &patch], "")?;
        }
        self.apply_whole(rig, &mut whole)?;
        rig.settle()
    }

    fn apply_whole(&self, rig: &Rig, whole: &mut Vec<String>) -> Result<()> {
        if !whole.is_empty() {
            let yaml = std::mem::take(whole).join("\n---\n");
            rig.put(&["apply", "-f", "-"], &yaml).with_context(|| self.name)?;
        }
        Ok(())
    }

    fn clean(&self, rig: &Rig) -> Result<()> {
        let all = self.yaml.iter().chain(self.later.iter().map(|(_, yaml)| yaml));
        let texts: Result<Vec<String>> = all.map(Yaml::text).collect();
        let whole: Vec<String> = texts?.into_iter().filter(|text| !text.is_empty()).collect();
        if whole.is_empty() { Ok(()) } else { rig.delete(&whole.join("\n---\n")) }
    }

    fn ask(&self, rig: &Rig) -> Result<Outcome> {
        rig.until_drained();
        let before = counters(rig)?;
        let marks = Marks::now(rig);
        let pod = rig.pod(self.from)?;
        let mut seen = None;
        for (done, command) in self.commands.iter().enumerate() {
            for (_, yaml) in self.later.iter().filter(|(after, _)| *after == done) {
                rig.apply(&yaml.text()?)?;
            }
            seen = Some(pod.exec(command)?);
        }
        let seen = seen.context("the story has no client")?;
        let shown = self.is_shown();
        let analyze = shown
            .then(|| rig.plane.istioctl(&["analyze", "-A", "--color=false"], "").map(|(_, said)| said))
            .transpose()?;
        let asked = Instant::now();
        let deadline = asked + Duration::from_secs(4);
        // Envoy writes its access log once a second. What is shown to people is complete, and what no filter saw is compared with
        // the log as well.
        let unlogged = self.says.iter().any(|says| !says.soft && says.logged.is_none());
        let earliest = if shown || unlogged { asked + Duration::from_millis(1300) } else { asked };
        loop {
            let lines = lines_since(rig, &marks);
            let late = Instant::now() > deadline;
            let complete = Instant::now() > earliest
                && lines.values().any(|l| !l.json.is_empty() && !l.text.is_empty())
                && lines.values().all(explained::is_whole);
            // The counters take longer to ask for.
            if complete || late {
                let counted = difference(&before, &counters(rig)?);
                let outcome = Outcome { seen: seen.clone(), lines, counted, analyze: analyze.clone() };
                if late || self.compare(&outcome).is_ok() {
                    return Ok(outcome);
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn compare(&self, outcome: &Outcome) -> Result<()> {
        self.gets.check(&outcome.seen)?;
        let expected: BTreeMap<Counted, &Says> = self.says.iter().map(|s| (s.counted(), s)).collect();
        for counted in outcome.counted.keys().filter(|counted| !self.allows(counted)) {
            ensure!(expected.contains_key(counted), "nobody was to say: {counted}");
        }
        for (counted, says) in expected {
            ensure!(outcome.counted.contains_key(&counted), "nobody said: {counted}");
            says.check_log(outcome)?;
        }
        Ok(())
    }

    fn allows(&self, counted: &Counted) -> bool {
        self.may_say.iter().any(|says| says.counted() == *counted)
    }
}
