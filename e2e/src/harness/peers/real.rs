//! Real servers, each with a configuration of its own in a folder of its own.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::harness::process::{Process, free_port, wait_for_port};
use crate::harness::tools::{Needed, program as install};

/// Tries another port when somebody was faster with this one.
fn on_a_free_port(start: impl Fn(u16) -> Result<Process>) -> Result<(u16, Process)> {
    let mut last = None;
    for _ in 0..3 {
        let port = free_port();
        let mut process = start(port)?;
        match wait_for_port(port, &mut process) {
            Ok(()) => return Ok((port, process)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| anyhow::anyhow!("no free port")))
}

fn fill(text: &str, port: u16, folder: &Path, pki: &Path) -> String {
    text.replace("{port}", &port.to_string())
        .replace("{pki}", &pki.display().to_string())
        .replace("{folder}", &folder.display().to_string())
}

fn start(command: &mut Command, folder: &Path) -> Result<Process> {
    let log = File::options().create(true).append(true).open(folder.join("server.log"))?;
    Process::start(command.current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log))
}

/// nginx in the foreground, one worker.
pub(super) fn nginx(folder: &Path, pki: &Path, block: &str) -> Result<(u16, Process)> {
    let binary = install("nginx", "nginx")?;
    on_a_free_port(|port| {
        let config = format!(
            "daemon off; master_process off; pid {{folder}}/nginx.pid; error_log {{folder}}/error.log;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log off; client_body_temp_path {{folder}}/body; proxy_temp_path {{folder}}/proxy;\n\
             fastcgi_temp_path {{folder}}/f; uwsgi_temp_path {{folder}}/u; scgi_temp_path {{folder}}/s;\n\
             map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}\n\
             server {{ server_name _; {block} }} }}\n"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, fill(&config, port, folder, pki))?;
        start(
            Command::new(&binary).arg("-p").arg(folder).arg("-c").arg(&file).args(["-e", "error.log"]),
            folder,
        )
    })
}

/// Caddy without its admin interface.
pub(super) fn caddy(folder: &Path, pki: &Path, site: &str, block: &str) -> Result<(u16, Process)> {
    let binary = install("caddy", "caddy")?;
    on_a_free_port(|port| {
        let config = format!("{{\nadmin off\nauto_https off\n}}\n{site} {{\n{block}\n}}\n");
        let file = folder.join("Caddyfile");
        std::fs::write(&file, fill(&config, port, folder, pki))?;
        let mut command = Command::new(&binary);
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file).env("HOME", folder);
        start(&mut command, folder)
    })
}

/// Apache httpd in the foreground.
pub(super) fn apache(folder: &Path, pki: &Path, block: &str) -> Result<(u16, Process)> {
    let binary = install("apache2", "apache2")?;
    on_a_free_port(|port| {
        let modules: String = ["mpm_event", "authz_core", "ssl", "socache_shmcb"]
            .iter()
            .map(|m| format!("LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n"))
            .collect();
        let config = format!(
            "{modules}ServerName localhost\nPidFile {{folder}}/httpd.pid\nErrorLog {{folder}}/httpd.log\n\
             DefaultRuntimeDir {{folder}}\nDocumentRoot {{folder}}\nListen 127.0.0.1:{{port}}\n\
             <VirtualHost *:{{port}}>\n{block}\n</VirtualHost>\n"
        );
        let file = folder.join("httpd.conf");
        std::fs::write(&file, fill(&config, port, folder, pki))?;
        start(Command::new(&binary).args(["-D", "FOREGROUND", "-f"]).arg(&file), folder)
    })
}

/// Any program that listens on a port that it is given.
pub(super) fn program(
    folder: &Path,
    pki: &Path,
    name: &str,
    package: &str,
    arguments: &[&str],
) -> Result<(u16, Process)> {
    let binary = install(name, package)?;
    on_a_free_port(|port| {
        let arguments = arguments.iter().map(|argument| fill(argument, port, folder, pki));
        start(Command::new(&binary).args(arguments), folder)
    })
}

/// The same, which reads a file with this name and text.
pub(super) fn reading(
    folder: &Path,
    pki: &Path,
    (file, text): (&str, &str),
    (name, package): Needed,
    arguments: &[&str],
) -> Result<(u16, Process)> {
    let binary = install(name, package)?;
    on_a_free_port(|port| {
        std::fs::write(folder.join(file), fill(text, port, folder, pki))?;
        let arguments = arguments.iter().map(|argument| fill(argument, port, folder, pki));
        start(Command::new(&binary).args(arguments), folder)
    })
}
