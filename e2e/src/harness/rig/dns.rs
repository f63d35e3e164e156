//! Names: dnsmasq, which rereads its folder of hosts by itself.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use super::netns::HOST;
use super::sandbox;
use crate::harness::process::Process;
use crate::harness::tools;

/// The name server of all pods.
#[derive(Debug)]
pub struct Dns {
    hosts: PathBuf,
    _process: Process,
}

impl Dns {
    /// Starts it and points every process of the sandbox at it.
    pub fn start(folder: &Path) -> Result<Self> {
        let hosts = folder.join("hosts");
        fs::create_dir_all(&hosts)?;
        let log = File::create(folder.join("dns.log"))?;
        let process = Process::start(
            Command::new(tools::program("dnsmasq", "dnsmasq-base")?)
                .args([
                    "--keep-in-foreground",
                    "--no-resolv",
                    "--no-hosts",
                    "--bind-interfaces",
                    "--user=root",
                ])
                .args(["--pid-file=", "--log-facility=-", "--listen-address", HOST])
                // A name nobody knows is unknown at once.
                .args(["--local=/#/", "--neg-ttl=1"])
                .arg(format!("--hostsdir={}", hosts.display()))
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log),
        )?;
        let resolv = folder.join("resolv.conf");
        fs::write(
            &resolv,
            format!(
                "nameserver {HOST}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5 timeout:2\n"
            ),
        )?;
        sandbox::cover("/etc/resolv.conf", &resolv)?;
        Ok(Self { hosts, _process: process })
    }

    /// A name and its address, instead of the one that it had.
    pub fn add(&self, name: &str, address: &str) -> Result<()> {
        Ok(fs::write(self.hosts.join(name), format!("{address} {name}\n"))?)
    }
}
