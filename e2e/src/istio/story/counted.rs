//! meshwhy's counters, over all proxies.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result, ensure};
use meshwhy::causes::{Cause, Side};
use meshwhy::evidence::Direction;

use crate::harness::rig::Rig;

/// A counter's labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    pub(in crate::istio) pod: String,
    pub(in crate::istio) soft: bool,
    pub(in crate::istio) cause: String,
    pub(in crate::istio) confidence: String,
    pub(super) direction: String,
    pub(super) resource: String,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let soft = if self.soft { " (soft)" } else { "" };
        write!(
            f,
            "{}: {}{soft} {} {} {:?}",
            self.pod, self.cause, self.confidence, self.direction, self.resource
        )
    }
}

/// meshwhy's counters of every proxy, each with the side of its cause in its direction.
pub(in crate::istio) fn counters(rig: &Rig) -> Result<BTreeMap<Counted, u64>> {
    let mut counters = BTreeMap::new();
    for proxy in rig.proxies() {
        for sample in proxy.meshwhy_samples()? {
            let soft = sample.name == "meshwhy_observations_total";
            if !soft && sample.name != "meshwhy_failures_total" {
                continue;
            }
            let label = |name: &str| sample.labels.get(name).cloned().unwrap_or_default();
            let counted = Counted {
                pod: proxy.pod.name.into(),
                soft,
                cause: label("cause"),
                confidence: label("confidence"),
                direction: label("direction"),
                resource: label("resource"),
            };
            let side = label("side");
            let expected = sides(&counted)?;
            ensure!(expected.iter().any(|expected| expected.id() == side), "{counted} is of the side {side}");
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter")]
            counters.insert(counted, sample.value as u64);
        }
    }
    Ok(counters)
}

/// Who may have to act: at gateways whoever sent what anyone can send.
fn sides(counted: &Counted) -> Result<Vec<Side>> {
    let cause = Cause::from_id(&counted.cause).with_context(|| format!("{counted}: no such cause"))?;
    let all = [Direction::Inbound, Direction::Outbound, Direction::Gateway];
    let direction = all.into_iter().find(|direction| direction.id() == counted.direction);
    let mut sides = vec![cause.side_at(direction.with_context(|| format!("{counted}: no such direction"))?)];
    if cause == Cause::RouteHostUnknown {
        // A waypoint that its clients' service isn't attached to.
        sides.push(Side::Mesh);
    }
    if cause == Cause::JwtRejected {
        // Keys that can't be had, and keys that have changed.
        sides.extend([Side::Platform, Side::Mesh]);
    }
    Ok(sides)
}

/// What was counted between two looks.
pub(in crate::istio) fn difference(
    before: &BTreeMap<Counted, u64>,
    after: &BTreeMap<Counted, u64>,
) -> BTreeMap<Counted, u64> {
    let since = |(counted, value): (&Counted, &u64)| {
        let more = value - before.get(counted).unwrap_or(&0);
        (more > 0).then(|| (counted.clone(), more))
    };
    after.iter().filter_map(since).collect()
}
