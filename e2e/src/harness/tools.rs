//! The programs that the scenarios run on: where they are, and how they come here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use libtest_mimic::Trial;

/// The repository's root.
pub fn root() -> PathBuf {
    // At run time first: a shared target folder may hold a binary that another checkout has built.
    let e2e = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&e2e).parent().expect("e2e lies in the repository").to_owned()
}

/// Whether this run records evidence (`MESHWHY_RECORD=1`), with a module that writes it.
pub fn records() -> bool {
    std::env::var("MESHWHY_RECORD").is_ok_and(|value| value == "1")
}

/// The module under test: `$MESHWHY_WASM`, or what `cargo dist` left (`cargo dist record`, where it is to record).
pub fn module() -> Result<PathBuf> {
    let built = if records() { "target/record/meshwhy.wasm" } else { "dist/meshwhy.wasm" };
    if let Some(path) = std::env::var_os("MESHWHY_WASM") {
        return Ok(path.into());
    }
    let path = root().join(built);
    let Ok(about) = path.metadata() else { bail!("{} is missing: run `cargo dist` first", path.display()) };
    let age = about.modified()?;
    if let Some(source) = newer(&root().join("src"), age)? {
        bail!("{} is older than {}: run `cargo dist` first", path.display(), source.display());
    }
    Ok(path)
}

/// A source file of the module that was changed since.
fn newer(folder: &Path, age: SystemTime) -> Result<Option<PathBuf>> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        let found = match path.extension() {
            _ if is_test => None,
            None => newer(&path, age)?,
            Some(kind) => (kind == "rs" && path.metadata()?.modified()? > age).then_some(path),
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
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

/// Set where the tests on a real Istio lack their privileges: pull requests from forks.
pub const WITHOUT_ISTIO: &str = "MESHWHY_WITHOUT_ISTIO";

/// A test that counts as skipped, by name, where what it needs can't be had.
pub fn unless_lacking(trial: Trial, lacks: Option<&str>) -> Trial {
    let in_ci = std::env::var("CI").as_deref() == Ok("true");
    let is_left_out = |program: &str| program == "Istio" && std::env::var_os(WITHOUT_ISTIO).is_some();
    match lacks {
        // In CI nothing else may be skipped: there it fails for want of the program.
        Some(program) if !in_ci || is_left_out(program) => {
            trial.with_kind(format!("no {program}")).with_ignored_flag(true)
        }
        _ => trial,
    }
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
