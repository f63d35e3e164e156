//! `meshwhy check` as it is run: on mistakes, on healthy configuration, beside `istioctl analyze`,
//! and on Istio's own samples.

#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod command;
mod formats;
mod istio;
mod istioctl;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a run came to.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs `meshwhy check` from the folder of these tests.
fn check(arguments: &[&str], stdin: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_meshwhy"))
        .arg("check")
        .args(arguments)
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Where nobody reads standard input, writing to it fails, and that is fine.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The findings in some files or folders.
fn findings(paths: &[&str]) -> Vec<Value> {
    let run = check(&[&["--json"], paths].concat(), "");
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'value>(finding: &'value Value, key: &str) -> &'value str {
    finding[key].as_str().unwrap_or_else(|| panic!("no {key} in {finding}"))
}

/// Where the examples are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check")
}

/// The examples of a folder, sorted.
fn examples(kind: &str) -> Vec<String> {
    let entries = fs::read_dir(folder().join(kind)).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| format!("{kind}/{}", entry.unwrap().file_name().to_string_lossy())).collect();
    names.sort();
    names
}

/// Says which test could not run, and why.
fn skip(test: &str, reason: &str) {
    eprintln!("skipped: {test}: {reason}");
}
