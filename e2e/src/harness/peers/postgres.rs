//! PostgreSQL, which refuses to run as root.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::harness::process::{Process, free_port, wait_for_port};
use crate::harness::tools::Needed;

/// A program in `PATH` of the package that brings the server.
pub(super) const NEEDED: Needed = ("pg_ctlcluster", "postgresql");

/// The user `nobody` and its group: servers of root's run as it.
const NOBODY: u32 = 65_534;

/// Starts a new one; whoever connects is let in.
pub(super) fn start(folder: &Path) -> Result<(u16, Process)> {
    let programs = programs()?;
    let data = folder.join("data");
    fs::create_dir_all(&data)?;
    if is_root() {
        chown(&data, Some(NOBODY), Some(NOBODY))?;
        // It has to get there.
        let temporary = std::env::temp_dir();
        let ours = |folder: &&Path| folder.starts_with(&temporary) && **folder != temporary;
        for folder in folder.ancestors().take_while(ours) {
            fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        }
    }
    let log = File::create(folder.join("postgres.log"))?;
    let mut initdb = command(&programs.join("initdb"), &data, &log)?;
    let made = initdb.args(["-A", "trust", "-U", "postgres", "--no-sync", "-D"]).arg(&data).status()?;
    ensure!(made.success(), "initdb: {made}");
    let port = free_port();
    let mut server = command(&programs.join("postgres"), &data, &log)?;
    server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-k", "", "-c", "fsync=off"]);
    let mut server = Process::start(&mut server)?;
    wait_for_port(port, &mut server)?;
    Ok((port, server))
}

/// Debian keeps each version's apart.
fn programs() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql")?.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = versions.filter(|version| version.join("bin/initdb").is_file()).max();
    Ok(newest.context("no PostgreSQL in /usr/lib/postgresql")?.join("bin"))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// In an IPC namespace of its own, where it can be: it leaves shared memory behind when it is killed.
fn command(program: &Path, folder: &Path, log: &File) -> Result<Command> {
    let mut command = if is_root() {
        let mut as_nobody = Command::new("unshare");
        let id = NOBODY.to_string();
        as_nobody.args(["--ipc", "setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"]);
        as_nobody.args(["--pdeathsig", "KILL"]).arg(program);
        as_nobody
    } else {
        Command::new(program)
    };
    command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
    Ok(command)
}
