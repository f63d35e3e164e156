//! Module, image and bill of materials are the same wherever they are built, and only known crates are in the module.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    Path::new(&package).join("..").canonicalize().unwrap()
}

/// What cargo and git print.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The SDK's functions that call the host: `hostcalls::NAME` and `traits::TRAIT::NAME`.
fn host_calls_of_the_sdk() -> BTreeSet<String> {
    let metadata = output(Command::new(env!("CARGO")).current_dir(root()).args([
        "metadata",
        "--quiet",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        "wasm32-unknown-unknown",
    ]));
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let sdk = packages.iter().find(|package| package["name"] == "proxy-wasm").unwrap();
    let sources = Path::new(sdk["manifest_path"].as_str().unwrap()).with_file_name("src");
    let read = |name: &str| fs::read_to_string(sources.join(name)).unwrap();
    let name = |line: &str| line.split('(').next().unwrap().to_owned();
    let mut found: BTreeSet<String> = read("hostcalls.rs")
        .lines()
        .filter_map(|line| Some(format!("hostcalls::{}", name(line.strip_prefix("pub fn ")?))))
        .collect();
    let (mut of, mut method) = (String::new(), String::new());
    for line in read("traits.rs").lines() {
        if let Some(rest) = line.strip_prefix("pub trait ") {
            of = rest.split([':', ' ']).next().unwrap().to_owned();
        } else if let Some(rest) = line.strip_prefix("    fn ") {
            method = name(rest);
        } else if line.contains("hostcalls::") && !method.is_empty() {
            found.insert(format!("traits::{of}::{method}"));
        }
    }
    found
}

#[test]
fn every_host_call_of_the_sdk_but_one_is_disallowed() {
    let clippy = fs::read_to_string(root().join("clippy.toml")).unwrap();
    let disallowed: BTreeSet<String> = clippy
        .lines()
        .filter_map(|line| Some(line.split_once("\"proxy_wasm::")?.1.split_once('"')?.0.to_owned()))
        .collect();
    let mut expected = host_calls_of_the_sdk();
    assert!(expected.len() > 100, "{expected:?}");
    assert!(expected.remove("hostcalls::get_property"));
    assert_eq!(disallowed, expected);
}

/// Copies what the module is built from; the copy shares nothing with this checkout but the toolchain.
fn copy_sources(to: &Path) {
    let members = ["cli", "e2e", "e2e/noop", "e2e/vm", "xtask"].map(|member| format!("{member}/"));
    let files = output(Command::new("git").current_dir(root()).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
        "src",
        "cli",
        "e2e",
        "xtask",
    ]));
    for file in files.split_terminator('\0') {
        let needed = !members.iter().any(|m| file.starts_with(m.as_str()))
            || file.ends_with(".rs")
            || file.ends_with("Cargo.toml");
        let from = root().join(file);
        if needed && from.is_file() {
            let target = to.join(file);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(from, target).unwrap();
        }
    }
}

#[test]
fn two_builds_in_two_folders_give_the_same_bytes() {
    let sums = |root: &Path| fs::read_to_string(root.join("dist/SHA256SUMS")).unwrap();
    let elsewhere = env::temp_dir().join(format!("meshwhy elsewhere {}", std::process::id()));
    copy_sources(&elsewhere);
    for (folder, target) in [(&elsewhere, Some(elsewhere.join("its target"))), (&root(), None)] {
        let mut dist = Command::new(env!("CARGO_BIN_EXE_xtask"));
        dist.arg("dist").env("CARGO_MANIFEST_DIR", folder.join("xtask"));
        if let Some(target) = target {
            dist.env("CARGO_TARGET_DIR", target);
        }
        output(&mut dist);
    }
    let (here, there) = (sums(&root()), sums(&elsewhere));
    fs::remove_dir_all(&elsewhere).unwrap();
    assert_eq!(here, there);
}

#[test]
fn the_module_is_made_of_these_crates() {
    let tree = output(Command::new(env!("CARGO")).current_dir(root()).args([
        "tree",
        "--quiet",
        "--locked",
        "--package",
        "meshwhy",
        "--target",
        "wasm32-unknown-unknown",
        "--edges",
        "normal",
        "--prefix",
        "none",
    ]));
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    let own = ["bitflags", "hashbrown", "log", "meshwhy", "proxy-wasm", "serde", "serde_json"];
    let of_hashbrown = ["allocator-api2", "equivalent", "foldhash"];
    let of_serde_json = ["itoa", "memchr", "serde_core", "zmij"];
    let known: BTreeSet<&str> = own.into_iter().chain(of_hashbrown).chain(of_serde_json).collect();
    assert_eq!(names, known);
}
