//! Namespaces of its own for everything the rig starts: when this process dies, however it dies, the kernel
//! takes its processes, interfaces and mounts with it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::netns;
use crate::harness::tools::run;

/// Set in the process that lives inside: the id of the one that started it, outside.
const INSIDE: &str = "MESHWHY_SANDBOX";

/// What was found to be missing outside.
const LACKING: &str = "MESHWHY_LACKING";

/// Whether this process lives in a sandbox.
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// The process outside that holds the sandbox; its child is the sandbox's first process.
pub fn outside() -> Option<u32> {
    std::env::var(INSIDE).ok()?.parse().ok()
}

/// Why no sandbox can be had here, if so.
pub fn obstacle() -> Option<String> {
    if std::env::var_os(crate::harness::tools::WITHOUT_ISTIO).is_some() {
        return Some(format!("{} is set", crate::harness::tools::WITHOUT_ISTIO));
    }
    if !rustix::process::geteuid().is_root() {
        return Some("network namespaces need root".into());
    }
    let tried = run(Command::new("unshare").args(["--net", "--pid", "--mount", "--fork", "true"]));
    tried.err().map(|error| format!("no namespaces here: {error:#}"))
}

/// Starts this program anew inside a sandbox, with the same arguments; returns inside only, with what was found to be
/// lacking outside.
pub fn enter(lacking: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    if is_inside() {
        set_up()?;
        let words = std::env::var(LACKING).unwrap_or_default();
        return Ok(words.split_whitespace().map(str::to_owned).collect());
    }
    let error = command(lacking)?.exec();
    Err(error).context("can't start `unshare`")
}

/// What starts this program anew inside a sandbox, with the same arguments.
pub fn command(lacking: &BTreeSet<String>) -> Result<Command> {
    let words: Vec<&str> = lacking.iter().map(String::as_str).collect();
    let mut command = Command::new("unshare");
    command
        .args(["--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"])
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, std::process::id().to_string())
        .env(LACKING, words.join(" "));
    Ok(command)
}

/// Where the rig's files lie: in memory, gone with the sandbox, and readable for every user.
pub const FOLDER: &str = "/mnt";

fn set_up() -> Result<()> {
    ensure!(std::process::id() == 1, "{INSIDE} is set outside of a sandbox: unset it");
    run(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    // `ip netns` keeps its names in /run/netns, pilot-agent its modules in /var/lib/istio.
    fs::create_dir_all("/run/netns")?;
    for place in ["/run/netns", "/var/lib", FOLDER] {
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=755", "tmpfs"]).arg(place))?;
    }
    for place in ["/var/lib/istio/data", "/var/lib/meshwhy"] {
        fs::create_dir_all(place)?;
    }
    netns::bridge()
}

/// Lies a file over another for all processes of the sandbox.
pub fn cover(file: &str, with: &Path) -> Result<()> {
    run(Command::new("mount").arg("--bind").arg(with).arg(file)).with_context(|| format!("cover {file}"))
}

/// Shows a folder under another name, where every user can reach it.
pub fn show(folder: &Path, at: &Path) -> Result<()> {
    fs::create_dir_all(at)?;
    run(Command::new("mount").arg("--bind").arg(folder).arg(at))
        .with_context(|| format!("show {}", folder.display()))
}
