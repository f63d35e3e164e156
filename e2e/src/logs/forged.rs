//! A client that writes columns and meshwhy's own words into its headers, a real Envoy that logs them, and the program that reads the log.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::client::client_hello;
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::config_log::other_logs;
use crate::harness::envoy::parts::{cluster_at, direct, route, vhost};
use crate::harness::process::wait_for;
use crate::harness::tools::{self, root};
use crate::logs::access_logs::logger;

const CLUSTER: &str = "outbound|9080||reviews.default.svc.cluster.local";
/// What a request to `/refused` ends as.
const TRUE_CAUSE: &str = "upstream_refused";
/// What clients claim instead.
const CLAIMED: &str = "tls_on_plaintext_port";

/// What goes into a header.
const TEXTS: &[&str] = &[
    r#"{"event":"meshwhy","cause":"tls_on_plaintext_port","confidence":"certain","side":"mesh","evidence":"x=y","fix":"z"}"#,
    r#"x" {"event":"meshwhy","cause":"tls_on_plaintext_port","confidence":"certain","side":"mesh","evidence":"x=y","fix":"z"}"#,
    r#"[2026-11-20 10:00:01.123][20][warning][wasm] [a:1] wasm log m: {"event":"meshwhy","cause":"tls_on_plaintext_port","confidence":"certain","evidence":"x=y"}"#,
    r#"{"event":"meshwhy_observation","#,
    "[2026-11-20 10:00:01.123][20][warning][wasm] passed over",
    r#"x" "id" "a" "10.0.0.9:80" o - - - - - tls_on_plaintext_port certain mesh - "x=y" "z"#,
    r#"x HTTP/1.1" 200 - via_upstream - "-" 0 0 0 - "-" "-" "-" "-" "10.0.0.9:80" o - - - - -"#,
    r#"x HTTP/1.1" 400 DPE http1.codec_error - "-" 0 0 0 - "-"#,
    r#"x HTTP/1.1" 400 DPE http1.codec_error - "-" 0 0 0 - "-" "-" "-" "-" "10.0.0.9:80" o - - - - - tls_on_plaintext_port certain mesh - "x=y" "z"#,
    r#"{"cause":"tls_on_plaintext_port","confidence":"certain","response_code":400,"response_flags":"DPE"}"#,
];

/// The headers that reach a column of the logs.
const HEADERS: &[&str] = &["user-agent", "x-request-id", "x-forwarded-for", "x-envoy-original-path"];

/// The logs: Istio's formats, and ours.
const LOGS: &[&str] = &["web.txt", "web.json", "meshwhy-text", "meshwhy"];

/// Plays each text in each header, in a request that goes well and in one that fails.
pub fn check() -> Result<()> {
    let program = program()?;
    let mut envoy = Envoy::start(&proxy()?.bootstrap(&tools::module()?.display().to_string()))?;
    let mut seen = Logs::default();
    for header in HEADERS {
        for text in TEXTS {
            let attack = format!("{header}: {text}");
            for (path, status) in [("/healthy", "200"), ("/refused", "503")] {
                let answer = ask(&envoy, path, &attack)?;
                ensure!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{attack}: {answer}");
                for (log, line) in seen.new_lines(&envoy)? {
                    judged(&program, log, &line, status != "200")
                        .with_context(|| format!("{log}: {line}"))?;
                }
            }
        }
    }
    characters(&envoy, &mut seen)?;
    envoy.check_health()
}

/// What the texts rest on: which characters get into which column.
fn characters(envoy: &Envoy, seen: &mut Logs) -> Result<()> {
    let mut text_line = |request: &[u8]| -> Result<String> {
        send(envoy, request)?;
        let lines = seen.new_lines(envoy)?;
        Ok(lines.into_iter().find(|(log, _)| *log == "web.txt").context("no line")?.1)
    };
    // A path with a quote gets through, one with a space doesn't; in a host neither.
    ensure!(
        text_line(b"GET /a\"b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?
            .contains("GET /a\"b HTTP/1.1")
    );
    for refused in
        ["GET /a\" 503 HTTP/1.1\r\nHost: a", "GET / HTTP/1.1\r\nHost: a\"b", "GET / HTTP/1.1\r\nHost: a b"]
    {
        let line = text_line(format!("{refused}\r\nConnection: close\r\n\r\n").as_bytes())?;
        ensure!(line.contains("\"- - HTTP/1.1\" 400 DPE"), "{refused}: {line}");
    }
    // All but letters, digits, dots and dashes of a server name is replaced.
    let line = text_line(&client_hello(b"a\" tls_on_plaintext_port certain", b"h2"))?;
    ensure!(line.contains(" invalid:a__tls_on_plaintext_port_certain "), "{line}");
    Ok(())
}

/// The program on this one line. In JSON it is the truth, and in our own text where it failed; in other text it may be that it can't be
/// known. A failure is never hidden, and no claim repeated.
fn judged(program: &PathBuf, log: &str, line: &str, failed: bool) -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), format!("{line}\n"))?;
    let run = |arguments: &[&str]| -> Result<(Option<i32>, String)> {
        let output = Command::new(program).args(arguments).arg(file.path()).output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    let (quiet, _) = run(&["explain", "--quiet"])?;
    let (code, out) = run(&["explain", "--json"])?;
    let (joined, story) = run(&["correlate"])?;
    let claims = |line: &str| line.starts_with("  cause") && line.contains(CLAIMED);
    let claimed = out.contains(&format!("\"cause\":\"{CLAIMED}\"")) || story.lines().any(claims);
    ensure!(!claimed, "{out} {story}");
    ensure!(quiet == code && joined == code, "exit {quiet:?} {code:?} {joined:?}, {out} {story}");
    let out: Option<Value> = if out.is_empty() { None } else { Some(serde_json::from_str(&out)?) };
    let open = out.as_ref().is_some_and(|out| out["cause"] == "unclassified" && out["source"] == "ambiguous");
    let known = out.as_ref().is_some_and(|out| out["cause"] == TRUE_CAUSE && out["confidence"] != "possible");
    let is_json = !matches!(log, "web.txt" | "meshwhy-text");
    let right = match failed {
        true => code == Some(1) && (known || (open && log == "web.txt")),
        false => (code == Some(0) && out.is_none()) || (code == Some(1) && open && !is_json),
    };
    ensure!(right, "exit {code:?}, {out:?}");
    Ok(())
}

/// How far each log was read.
#[derive(Default)]
struct Logs {
    lines: usize,
}

impl Logs {
    /// The line that each log has more.
    fn new_lines(&mut self, envoy: &Envoy) -> Result<Vec<(&'static str, String)>> {
        let at = self.lines;
        self.lines = at + 1;
        wait_for("the access logs", || {
            let lines = LOGS.iter().map(|log| {
                let text = std::fs::read_to_string(envoy.path(log)).unwrap_or_default();
                let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
                Some((*log, whole.lines().nth(at)?.to_owned()))
            });
            Ok(lines.collect::<Option<Vec<_>>>())
        })
    }
}

fn ask(envoy: &Envoy, path: &str, header: &str) -> Result<String> {
    send(
        envoy,
        format!("GET {path} HTTP/1.1\r\nHost: reviews\r\n{header}\r\nConnection: close\r\n\r\n").as_bytes(),
    )
}

fn send(envoy: &Envoy, bytes: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", envoy.port("web")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(bytes)?;
    let mut answer = Vec::new();
    // It may hang up.
    let _ = stream.read_to_end(&mut answer);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn proxy() -> Result<Proxy> {
    let [text, json, _] = other_logs("web");
    let logs = [text, json, logger("meshwhy-text")?, logger("meshwhy")?];
    let nowhere = json!({ "socket_address": { "address": "127.0.0.1", "port_value": 1 } });
    // A proxy in the mesh keeps the header by which another one says what the path was.
    let routes = vec![direct("/healthy", 200, "ok"), route("/", CLUSTER)];
    let web = Listener::http("web", json!([vhost("reviews", &["*"], routes)]))
        .tls_inspector()
        // Hanging up after a reply would take a second.
        .filter(json!({ "access_log": logs, "use_remote_address": false, "delayed_close_timeout": "0.05s" }));
    Ok(Proxy::new([web], [cluster_at(CLUSTER, nowhere)]))
}

/// The command-line tool, as built by the test's own cargo (`MESHWHY_PROGRAM` names another).
fn program() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("MESHWHY_PROGRAM") {
        return Ok(program.into());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "-q", "-p", "meshwhy-cli", "--bin", "meshwhy", "--message-format", "json"])
        .current_dir(root())
        .output()?;
    ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8(built.stdout)?;
    let programs = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program =
        programs.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
    program.context("cargo names no program")
}
