//! Network namespaces: one per pod, on a bridge.

use std::fs::File;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow};

use crate::harness::tools::run;

/// The bridge's own address: where istiod, DNS and the module's server listen.
pub const HOST: &str = "10.89.0.1";

const BRIDGE: &str = "mesh0";

/// Makes the bridge.
pub fn bridge() -> Result<()> {
    // An address of its own: otherwise it takes its ports' lowest, and pods lose it with each new port.
    ip(&["link", "add", BRIDGE, "address", "02:00:00:00:00:01", "type", "bridge"])?;
    ip(&["addr", "add", &format!("{HOST}/24"), "dev", BRIDGE])?;
    ip(&["link", "set", BRIDGE, "up"])?;
    // Addresses for documentation (RFC 5737): what is sent there is lost without a word, as at a firewall.
    ip(&["route", "add", "blackhole", "192.0.2.0/24"])
}

/// A namespace with an address on the bridge.
pub fn add(name: &str, address: &str) -> Result<()> {
    // Interface names are short.
    let veth = format!("v{}", address.rsplit('.').next().unwrap_or_default());
    ip(&["netns", "add", name])?;
    ip(&["link", "add", &veth, "type", "veth", "peer", "name", "eth0", "netns", name])?;
    ip(&["link", "set", &veth, "master", BRIDGE, "up"])?;
    ip(&["-n", name, "addr", "add", &format!("{address}/24"), "dev", "eth0"])?;
    ip(&["-n", name, "link", "set", "eth0", "up"])?;
    ip(&["-n", name, "link", "set", "lo", "up"])?;
    ip(&["-n", name, "route", "add", "default", "via", HOST])
}

/// Removes a namespace and what hangs on it.
pub fn remove(name: &str) -> Result<()> {
    ip(&["netns", "del", name])
}

/// A command that will run in a namespace.
pub fn command(name: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", name]).arg(program);
    command
}

/// Does something in a namespace, in a thread of its own.
pub fn within<T: Send>(name: &str, what: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let namespace = File::open(format!("/run/netns/{name}")).with_context(|| format!("pod {name}"))?;
    std::thread::scope(|scope| {
        scope
            .spawn(move || {
                use std::os::fd::AsFd as _;
                let kind = rustix::thread::LinkNameSpaceType::Network;
                rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(kind))?;
                what()
            })
            .join()
            .map_err(|_| anyhow!("a thread in {name} panicked"))?
    })
}

fn ip(arguments: &[&str]) -> Result<()> {
    run(Command::new("ip").args(arguments)).with_context(|| format!("ip {}", arguments.join(" ")))
}
