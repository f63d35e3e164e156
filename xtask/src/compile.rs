//! Has cargo compile the module, the same on every machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};

/// What the proxy runs.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// What cargo made.
pub struct Compiled {
    pub wasm: Vec<u8>,
    /// Folders of this machine, which must not show in the module.
    pub machine_paths: Vec<String>,
}

/// A folder of this machine, and the name it gets in the module (in panic messages).
type Remap = (PathBuf, String);

/// The workspace that this crate belongs to, whatever the current folder is.
pub fn workspace_root() -> Result<PathBuf> {
    // Cargo's word now, not when this was compiled: worktrees may share a target folder, and so this program.
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&package).join("..");
    root.canonicalize().with_context(|| format!("workspace {}", root.display()))
}

/// Compiles the filter for the proxy, with these features of the crate.
pub fn compile(root: &Path, features: &str) -> Result<Compiled> {
    add_target_if_missing(root)?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Downloads first: the folders of the sources must exist to be renamed below.
    run(Command::new(&cargo).current_dir(root).args(["fetch", "--quiet", "--target", TARGET]))?;

    println!("dist: compiling for {TARGET}");
    let remaps = remaps(root)?;
    let target_folder =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    // As a cdylib alone: Cargo leaves link-time optimisation out where the crate is an rlib, too.
    run(Command::new(&cargo)
        .current_dir(root)
        .args(["rustc", "--quiet", "--lib", "--package", "meshwhy", "--crate-type", "cdylib"])
        .args(["--profile", "wasm", "--target", TARGET, "--features", features])
        .arg("--target-dir")
        .arg(&target_folder)
        // The encoded form takes paths with spaces; it replaces RUSTFLAGS, so that nobody's own get in.
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(&remaps)))?;

    let file = target_folder.join(TARGET).join("wasm/meshwhy.wasm");
    let wasm = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
    let machine_paths = remaps.into_iter().map(|(from, _)| from.display().to_string()).collect();
    Ok(Compiled { wasm, machine_paths })
}

fn add_target_if_missing(root: &Path) -> Result<()> {
    let libraries = output(rustc(root).args(["--print", "target-libdir", "--target", TARGET]))?;
    if Path::new(&libraries).is_dir() {
        return Ok(());
    }
    println!("dist: adding the target {TARGET}");
    run(Command::new("rustup").current_dir(root).args(["target", "add", TARGET]))
        .with_context(|| format!("this toolchain has no {TARGET}, and rustup could not add it"))
}

/// Most general first: of the flags that match, rustc takes the last.
fn remaps(root: &Path) -> Result<Vec<Remap>> {
    let mut remaps = vec![(root.to_owned(), "/meshwhy".to_owned())];

    if let Some(home) = cargo_home() {
        // The folder of a registry is named after its host: the crates of a mirror are the same crates.
        let registries = home.join("registry/src");
        remaps.push((home, "/cargo".to_owned()));
        for entry in fs::read_dir(registries).into_iter().flatten() {
            remaps.push((entry?.path(), "/crates".to_owned()));
        }
    }

    let sysroot = PathBuf::from(output(rustc(root).args(["--print", "sysroot"]))?);
    let version = output(rustc(root).arg("-vV"))?;
    let commit = version
        .lines()
        .find_map(|line| line.strip_prefix("commit-hash: "))
        .context("rustc -vV names no commit")?;
    let library = sysroot.join("lib/rustlib/src/rust");
    remaps.push((sysroot, "/rust".to_owned()));
    // The name the library has where its source isn't installed.
    remaps.push((library, format!("/rustc/{commit}")));
    Ok(remaps)
}

fn cargo_home() -> Option<PathBuf> {
    let home = match env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => env::home_dir()?.join(".cargo"),
    };
    Some(home)
}

fn rustflags(remaps: &[Remap]) -> String {
    let flags: Vec<String> =
        remaps.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect();
    flags.join("\x1f")
}

/// The compiler of this workspace.
pub fn rustc(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.current_dir(root);
    command
}

fn run(command: &mut Command) -> Result<()> {
    let status =
        command.stdin(Stdio::null()).status().with_context(|| failed_to_start(command.get_program()))?;
    ensure!(status.success(), "{} failed: {status}", command.get_program().display());
    Ok(())
}

/// What a command prints.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| failed_to_start(command.get_program()))?;
    ensure!(output.status.success(), "{} failed: {}", command.get_program().display(), output.status);
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

fn failed_to_start(program: &OsStr) -> String {
    format!("start {}", program.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_keep_paths_with_spaces_whole() {
        let remaps = [("/my work/meshwhy".into(), "/meshwhy".to_owned()), ("/c".into(), "/cargo".to_owned())];
        assert_eq!(
            rustflags(&remaps),
            "--remap-path-prefix=/my work/meshwhy=/meshwhy\u{1f}--remap-path-prefix=/c=/cargo"
        );
    }

    #[test]
    fn the_workspace_is_found() {
        assert!(workspace_root().unwrap().join("Cargo.lock").is_file());
    }
}
