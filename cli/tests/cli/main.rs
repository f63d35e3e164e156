//! The command-line tool as a user runs it.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

mod clients;
mod errors;
mod ids;
mod input;
mod joined;
mod output;
#[cfg(unix)]
mod plugin;
mod schemas;
mod summary;

const FINE: &str = r#"[2026-11-20T10:00:02.453Z] "GET / HTTP/1.1" 200 - via_upstream - "-" 0 2 26 24 "-" "curl" "id" "ratings:9080" "10.0.0.8:9080" outbound|9080||ratings 10.0.0.2:1 10.96.1.2:9080 10.0.0.2:2 - default"#;

const TIMEOUT: &str = r#"[2026-11-20T10:00:03.453Z] "GET / HTTP/1.1" 504 UT response_timeout - "-" 0 2 26 24 "-" "curl" "id" "ratings:9080" "10.0.0.8:9080" outbound|9080||ratings 10.0.0.2:1 10.96.1.2:9080 10.0.0.2:2 - default"#;

fn meshwhy(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshwhy"));
    command.args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs"));
    command.stdin(Stdio::null()).env_remove("CLICOLOR_FORCE");
    command
}

fn run(arguments: &[&str]) -> Output {
    meshwhy(arguments).output().unwrap()
}

/// Runs it with this on standard input.
fn fed(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = meshwhy(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It may end before it has read all.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap()
}

/// Compares with a file of `tests/logs`; `MESHWHY_BLESS=1` writes it anew. The files are plain output, which `insta` would put a header
/// on; `trycmd` would bring 27 crates for these six.
fn golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs").join(name);
    if std::env::var_os("MESHWHY_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "{name}; MESHWHY_BLESS=1 writes it anew");
}

/// Without the colours that the program itself uses: `ESC [ digits m`.
fn without_styles(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        let style = rest.strip_prefix('m').filter(|_| part.len() - rest.len() <= 4);
        out.push_str(style.unwrap_or(&format!("\u{1b}[{part}")));
    }
    out
}
