//! Envoy's own rate limit service, with Redis behind it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::real;
use crate::harness::process::{Process, free_port, wait_for_port};
use crate::harness::programs;

/// Starts both; `limits` is the service's configuration of one domain.
pub(super) fn start(folder: &Path, limits: &str) -> Result<(u16, Vec<Process>)> {
    let binary = programs::ratelimit()?;
    let arguments = &["--bind", "127.0.0.1", "--port", "{port}", "--save", "", "--appendonly", "no"];
    let (store, redis) = real::program(folder, folder, "redis-server", "redis-server", arguments)?;
    let config = folder.join("runtime/ratelimit/config");
    fs::create_dir_all(&config)?;
    fs::write(config.join("limits.yaml"), limits)?;
    let log = File::create(folder.join("ratelimit.log"))?;
    let port = free_port();
    let mut service = Process::start(
        Command::new(binary)
            .current_dir(folder)
            .env("REDIS_SOCKET_TYPE", "tcp")
            .env("REDIS_URL", format!("127.0.0.1:{store}"))
            .env("RUNTIME_ROOT", folder.join("runtime"))
            .env("RUNTIME_SUBDIRECTORY", "ratelimit")
            .env("RUNTIME_WATCH_ROOT", "false")
            .env("USE_STATSD", "false")
            .envs(["HOST", "GRPC_HOST", "DEBUG_HOST"].map(|name| (name, "127.0.0.1")))
            .env("GRPC_PORT", port.to_string())
            .envs(["PORT", "DEBUG_PORT"].map(|name| (name, free_port().to_string())))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log),
    )?;
    wait_for_port(port, &mut service)?;
    Ok((port, vec![redis, service]))
}
