//! A pod that runs: its network namespace, its servers, its proxy, and what they log.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{Pod, ztunnel};
use crate::harness::client::{Seen, status_in};
use crate::harness::envoy::{Sample, parse};
use crate::harness::process::{Process, wait_for};
use crate::harness::programs::Programs;
use crate::harness::rig::netns;
use crate::harness::rig::pki::MeshCa;
use crate::harness::tools::run;

/// What all pods share.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The rig's folder; each pod gets one of its own in it.
    pub folder: &'a Path,
    /// Where certificates of servers lie.
    pub pki: &'a Path,
    /// The programs.
    pub programs: &'a Programs,
    /// Where every user can reach the agent and Envoy.
    pub agent: &'a Path,
    /// Envoy.
    pub envoy: &'a Path,
    /// The mesh's authority.
    pub ca: &'a MeshCa,
}

/// A pod that runs.
#[derive(Debug)]
pub struct Running {
    /// What it is.
    pub pod: Pod,
    /// Its address.
    pub address: String,
    pub(super) folder: PathBuf,
    _servers: Vec<Process>,
    proxy: Option<Process>,
}

impl Running {
    /// Starts what is in it, as this object of the API server has it; the proxy may still be on its way ([`Self::wait`]).
    pub fn start(pod: &Pod, address: &str, object: &Value, around: &Surroundings<'_>) -> Result<Self> {
        netns::add(pod.name, address)?;
        let folder = around.folder.join(pod.name);
        fs::create_dir_all(&folder)?;
        // As in Kubernetes: any user may listen on any port.
        run(netns::command(pod.name, "sysctl").args(["-qw", "net.ipv4.ip_unprivileged_port_start=0"]))?;
        let mut servers = Vec::new();
        for (number, application) in pod.serves.iter().enumerate() {
            let folder = folder.join(format!("application-{number}"));
            fs::create_dir_all(&folder)?;
            servers.push(application.start(pod, &folder, around)?);
        }
        servers.extend(ztunnel::start(pod, &folder, around)?);
        let mut running =
            Self { pod: pod.clone(), address: address.into(), folder, _servers: servers, proxy: None };
        if pod.has_proxy() {
            running.intercept(object, around)?;
            running.proxy = Some(running.start_agent(object, around)?);
        }
        Ok(running)
    }

    /// Waits until its proxy is ready.
    pub fn wait(&mut self) -> Result<()> {
        let Some(mut proxy) = self.proxy.take() else { return Ok(()) };
        let ready = wait_for(&format!("the proxy of {}", self.pod.name), || {
            if !proxy.is_running() {
                bail!("the agent of {} ended: {}", self.pod.name, self.tail());
            }
            let ready = self.get(15021, "/healthz/ready").is_ok();
            if !ready {
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(ready.then_some(()))
        });
        self.proxy = Some(proxy);
        ready.with_context(|| self.tail())
    }

    /// Runs a program in it.
    pub fn exec(&self, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Result<Seen> {
        let (program, rest) = arguments.split_first().context("no program")?;
        let output = netns::command(self.pod.name, program).args(rest).stdin(Stdio::null()).output()?;
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Ok(Seen { status: status_in(&text), exit: output.status.code().unwrap_or(-1), text })
    }

    /// `GET path` on the proxy's admin interface.
    pub fn admin(&self, path: &str) -> Result<String> {
        self.get(15000, path)
    }

    /// `POST path` on the proxy's admin interface.
    pub fn admin_post(&self, path: &str) -> Result<String> {
        let url = format!("http://127.0.0.1:15000{path}");
        netns::within(self.pod.name, || Ok(ureq::post(&url).send_empty()?.body_mut().read_to_string()?))
    }

    /// Whether a cluster or listener that it has acknowledged is not in use yet.
    pub fn is_warming(&self) -> Result<bool> {
        let stats = self.admin("/stats?filter=warming")?;
        Ok(stats.lines().any(|line| line.rsplit_once(": ").is_some_and(|(_, count)| count != "0")))
    }

    /// meshwhy's samples, without the thousands of others that Prometheus gets from the agent.
    pub fn meshwhy_samples(&self) -> Result<Vec<Sample>> {
        let samples = parse(&self.admin("/stats/prometheus?filter=meshwhy")?);
        Ok(samples.into_iter().filter(|s| s.name.starts_with("meshwhy_")).collect())
    }

    /// `GET` on a port of the pod itself.
    pub fn get(&self, port: u16, path: &str) -> Result<String> {
        let url = format!("http://127.0.0.1:{port}{path}");
        netns::within(self.pod.name, || {
            Ok(ureq::get(&url).call()?.body_mut().with_config().limit(1 << 30).read_to_string()?)
        })
    }

    /// What its proxy's container was started with.
    pub fn command_line(&self) -> Result<Vec<String>> {
        let pid = self.proxy.as_ref().context("no proxy")?.pid();
        let words = fs::read_to_string(format!("/proc/{pid}/cmdline"))?;
        Ok(words.split('\0').map(str::to_owned).collect())
    }

    /// What the proxy's container has printed: the agent's and Envoy's own log, and the access log.
    pub fn output(&self) -> String {
        self.output_after(0)
    }

    /// What it has printed after so many bytes.
    pub fn output_after(&self, mark: u64) -> String {
        let read = || {
            let mut file = File::open(self.folder.join("output"))?;
            file.seek(SeekFrom::Start(mark))?;
            let mut output = Vec::new();
            file.read_to_end(&mut output)?;
            std::io::Result::Ok(String::from_utf8_lossy(&output).into_owned())
        };
        read().unwrap_or_default()
    }

    /// How many bytes it has printed.
    pub fn printed(&self) -> u64 {
        fs::metadata(self.folder.join("output")).map_or(0, |file| file.len())
    }

    /// The last lines in which its proxy spoke of trouble.
    pub fn troubles(&self) -> Option<String> {
        let output = self.output();
        let troubled = |line: &&str| {
            ["\twarning\t", "\twarn\t", "\terror\t", "\tcritical\t"].iter().any(|l| line.contains(l))
        };
        let lines: Vec<&str> = output.lines().filter(troubled).collect();
        let last = lines[lines.len().saturating_sub(4)..].join("\n  ");
        (!last.is_empty()).then(|| format!("{}:\n  {last}", self.pod.name))
    }

    fn tail(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.proxy.take();
        self._servers.clear();
        let _ = netns::remove(self.pod.name);
    }
}
