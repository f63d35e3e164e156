//! The applications in a pod.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use meshwhy::causes::manual::PageSection;

use super::{Pod, Surroundings};
use crate::harness::process::{Process, wait_for};
use crate::harness::rig::netns;
use crate::harness::{page, tools};

/// An application in a pod.
#[derive(Debug, Clone)]
pub(super) enum Application {
    /// nginx with the inside of a `server` block.
    Nginx(String),
    /// nginx with a configuration of the page: section, file, and what fills its gaps.
    NginxPage(PageSection, &'static str, &'static [(&'static str, &'static str)]),
    /// A program that listens on this port.
    Program(u16, &'static [&'static str]),
}

impl Application {
    pub(super) fn start(&self, pod: &Pod, folder: &Path, around: &Surroundings<'_>) -> Result<Process> {
        match self {
            Self::Nginx(block) => {
                let block = block.replace("{pki}", &around.pki.display().to_string());
                start_nginx(pod, folder, &format!("server {{ server_name _; {block} }}"))
            }
            Self::NginxPage(section, file, fill) => {
                start_nginx(pod, folder, &page::filled(*section, file, fill)?)
            }
            Self::Program(port, command) => {
                fs::write(folder.join("index.html"), format!("{}\n", pod.name))?;
                let (program, arguments) = command.split_first().context("no program")?;
                let mut command = netns::command(pod.name, program);
                command.args(arguments).current_dir(folder);
                start_application(pod, folder, *port, &mut command)
            }
        }
    }
}

fn start_nginx(pod: &Pod, folder: &Path, servers: &str) -> Result<Process> {
    let here = folder.display();
    let config = format!(
        "daemon off; master_process off; pid {here}/pid; error_log {here}/error.log;\n\
         events {{ worker_connections 512; }}\n\
         http {{ access_log {here}/access.log; client_body_temp_path {here}/b; proxy_temp_path {here}/p;\n\
         fastcgi_temp_path {here}/f; uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;\n\
         {servers} }}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, config)?;
    let port = servers
        .split_once("listen ")
        .and_then(|(_, rest)| rest.split([' ', ';']).next())
        .and_then(|listen| listen.rsplit(':').next()?.parse().ok())
        .context("no port in the server block")?;
    let mut command = netns::command(pod.name, tools::program("nginx", "nginx")?);
    command.arg("-p").arg(folder).arg("-c").arg(&file).args(["-e", "error.log"]);
    start_application(pod, folder, port, &mut command)
}

/// Starts a server and waits until it listens.
fn start_application(pod: &Pod, folder: &Path, port: u16, command: &mut Command) -> Result<Process> {
    let log = File::create(folder.join("output"))?;
    let mut process = Process::start(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log))?;
    wait_for(&format!("port {port} in {}", pod.name), || {
        if !process.is_running() {
            bail!("it ended: {}", fs::read_to_string(folder.join("output")).unwrap_or_default());
        }
        Ok(netns::within(pod.name, || Ok(TcpStream::connect(("127.0.0.1", port))?)).ok())
    })?;
    Ok(process)
}
