//! A child process that never outlives the test.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, ExitStatus};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long anything may take to get ready; generous, because machines can be slow.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running program, killed when dropped, and by the kernel when this process dies.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts it in a process group of its own.
    #[allow(unsafe_code, reason = "pre_exec")]
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        // SAFETY: only an async-signal-safe system call is made between fork and exec.
        unsafe {
            command.pre_exec(|| {
                let signal = Some(rustix::process::Signal::KILL);
                rustix::process::set_parent_process_death_signal(signal).map_err(Into::into)
            });
        }
        let child = command.process_group(0).spawn().with_context(|| format!("can't start {name}"))?;
        Ok(Self(child))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Its standard output, if that is piped and nobody has it.
    pub fn output(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.0.wait()?)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // The whole group: nginx and others have workers.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Polls until `ready` says so.
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(done) = ready()? {
            return Ok(done);
        }
        if Instant::now() > deadline {
            bail!("{what}: not within {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until somebody listens on this port of the loopback.
pub fn wait_for_port(port: u16, process: &mut Process) -> Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    wait_for(&format!("a listener on {address}"), || {
        if !process.is_running() {
            bail!("the server for {address} ended at once");
        }
        Ok(TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok().map(drop))
    })
}

/// A port for programs that can't pick one themselves. Each is handed out once in this process, and lies
/// below the range from which the kernel takes its own.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 12_000 + u16::try_from(std::process::id() % 100).unwrap_or_default() * 150;
    loop {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed) % 5_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A port at which nobody listens, and nobody can as long as this is held.
pub fn reserved_port() -> Result<(u16, OwnedFd)> {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
    let held = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&held, &SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = SocketAddr::try_from(getsockname(&held)?)?;
    Ok((address.port(), held))
}
