//! What kube-proxy does on every node: a service's address leads to its pods, for traffic that no sidecar takes there.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::Result;

use super::plan::Plan;
use crate::harness::tools::run;

/// Rewrites the addresses of all services, on the bridge that pods have as their gateway.
pub fn start(plan: &Plan, addresses: &BTreeMap<&str, String>) -> Result<()> {
    run(Command::new("sysctl").args(["-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0"]))?;
    for (service, ip) in plan.services_with_addresses() {
        for (_, port, target) in &service.ports {
            let behind: Vec<&String> = plan.pods_of(service).map(|pod| &addresses[pod.name]).collect();
            for (number, pod) in behind.iter().enumerate() {
                // Each in turn: of those that are left, every so manieth connection.
                let turn = (behind.len() - number).to_string();
                let (port, to) = (port.to_string(), format!("{pod}:{target}"));
                iptables(&[
                    &["PREROUTING", "-d", &ip, "-p", "tcp", "--dport", &port],
                    &["-m", "statistic", "--mode", "nth", "--every", &turn, "--packet", "0"][..],
                    &["-j", "DNAT", "--to-destination", &to],
                ])?;
            }
        }
    }
    // Answers have to come back this way.
    iptables(&[&["POSTROUTING", "-m", "conntrack", "--ctstate", "DNAT", "-j", "MASQUERADE"]])
}

fn iptables(rule: &[&[&str]]) -> Result<()> {
    run(Command::new("iptables").args(["-w", "-t", "nat", "-A"]).args(rule.concat()))
}
