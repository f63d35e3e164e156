//! `kubectl meshwhy explain`.

use anyhow::ensure;

use super::arguments::{Explain, Reach};
use crate::cluster::{Kubectl, Pod};
use crate::command::explain;
use crate::command::outcome::Outcome;
use crate::command::text::counted;
use crate::input::Input;

/// No more logs are followed at once: each is a connection to the API server.
const MOST_FOLLOWED: usize = 50;

/// Runs it.
pub fn run(reach: &Reach, options: Explain) -> anyhow::Result<Outcome> {
    let kubectl = reach.kubectl();
    let namespace = reach.namespace(&kubectl)?;
    let mut pods = with_proxy(Pod::of(&kubectl, &options.what, &namespace)?, &options.what, &namespace)?;
    if options.with_gateway {
        pods.extend(gateways(&kubectl)?);
        pods.sort_by_key(Pod::id);
        pods.dedup();
    }
    ensure!(
        !options.follow || pods.len() <= MOST_FOLLOWED,
        "{} to follow, more than {MOST_FOLLOWED}: name one pod, or leave -f out",
        counted(pods.len() as u64, "pod")
    );
    let since = options.since.map(|since| format!("--since={since}"));
    let given: Vec<&str> = since
        .iter()
        .map(String::as_str)
        .chain(options.follow.then_some("-f"))
        .chain(options.previous.then_some("--previous"))
        .collect();
    let inputs = pods.iter().map(|pod| Input::Program(pod.log(&kubectl, &given))).collect();
    explain::report(inputs, options.reporting, options.follow)
}

/// The pods that have a proxy.
fn with_proxy(pods: Vec<Pod>, what: &str, namespace: &str) -> anyhow::Result<Vec<Pod>> {
    let all = pods.len();
    let proxies: Vec<Pod> = pods.into_iter().filter(|pod| pod.proxy.is_some()).collect();
    ensure!(
        !proxies.is_empty(),
        "{what} in {namespace} has no sidecar ({}, none with the container istio-proxy): is the namespace labelled for injection, and was \
        the pod restarted since? In ambient mode the logs are those of the waypoint and of ds/ztunnel -n istio-system",
        counted(all as u64, "pod")
    );
    if proxies.len() < all {
        warn!(
            "meshwhy: {} of {what} without a proxy passed over",
            counted((all - proxies.len()) as u64, "pod")
        );
    }
    Ok(proxies)
}

/// The gateways' pods.
pub fn gateways(kubectl: &Kubectl) -> anyhow::Result<Vec<Pod>> {
    let pods: Vec<Pod> = Pod::gateways(kubectl)?.into_iter().filter(|pod| pod.proxy.is_some()).collect();
    if pods.is_empty() {
        warn!("meshwhy: no Gateway selects a pod");
    }
    Ok(pods)
}
