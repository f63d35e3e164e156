//! `kubectl meshwhy` for krew: the tool's archive for this platform, and the manifest of all archives that are there.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};

use crate::files::{sha256_hex, write_if_changed};
use crate::image::gzip;

/// An archive is called `kubectl-meshwhy_OS_ARCH.tar.gz`.
const PREFIX: &str = "kubectl-meshwhy_";
const SUFFIX: &str = ".tar.gz";
/// What krew's index takes.
const MANIFEST: &str = "meshwhy.krew.yaml";

/// Builds the tool for this platform and packs it; the archive's name.
pub fn tool(root: &Path) -> Result<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    let build = ["build", "--quiet", "--release", "--locked", "--package", "meshwhy-cli", "--target-dir"];
    let built = Command::new(cargo).current_dir(root).args(build).arg(&target).status()?;
    ensure!(built.success(), "the tool can't be built");
    let program = format!("meshwhy{}", env::consts::EXE_SUFFIX);
    let tool = fs::read(target.join("release").join(&program))?;
    let licence = fs::read(root.join("LICENSE"))?;
    let name = format!("{PREFIX}{}_{}{SUFFIX}", os(), arch());
    let packed = gzip(&archive(&[("LICENSE", 0o644, &licence), (&program, 0o755, &tool)])?)?;
    write_if_changed(&root.join("dist").join(&name), &packed)?;
    Ok(name)
}

/// Writes `meshwhy.krew.yaml` for the archives in this folder, which will be below `url`, and adds all of them to its `SHA256SUMS`.
pub fn krew(dist: &Path, template: &str, url: &str, homepage: &str) -> Result<()> {
    let mut sums = archives(dist)?;
    let manifest = manifest(template, &sums, url, homepage)?;
    write_if_changed(&dist.join(MANIFEST), manifest.as_bytes())?;
    sums.insert(MANIFEST.to_owned(), sha256_hex(manifest.as_bytes()));
    let file = dist.join("SHA256SUMS");
    let before = fs::read_to_string(&file).unwrap_or_default();
    let own = |name: &str| name == MANIFEST || (name.starts_with(PREFIX) && name.ends_with(SUFFIX));
    let others = before.lines().filter_map(|line| line.split_once("  ")).filter(|(_, name)| !own(name));
    sums.extend(others.map(|(hash, name)| (name.to_owned(), hash.to_owned())));
    let lines: String = sums.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect();
    write_if_changed(&file, lines.as_bytes())?;
    Ok(())
}

/// As krew and Go call them.
fn os() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The hashes of the archives that are there, those of other machines included.
fn archives(dist: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dist)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            found.insert(name, sha256_hex(&fs::read(&path)?));
        }
    }
    Ok(found)
}

fn manifest(
    template: &str,
    archives: &BTreeMap<String, String>,
    url: &str,
    homepage: &str,
) -> Result<String> {
    let version = format!("version: v{}\n", env!("CARGO_PKG_VERSION"));
    // Comments are for whoever writes the template.
    let lines = template.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n"));
    let mut text = lines.collect::<String>().replace("version: VERSION\n", &version);
    text = text.replace("homepage: HOMEPAGE\n", &format!("homepage: {homepage}\n"));
    for (name, sha256) in archives {
        let platform = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
        let (os, arch) =
            platform.and_then(|platform| platform.split_once('_')).with_context(|| name.clone())?;
        text.push_str(&format!(
            "    - selector:\n        matchLabels:\n          os: {os}\n          arch: {arch}\n      \
             uri: {}/{name}\n      sha256: {sha256}\n      bin: meshwhy\n",
            url.trim_end_matches('/')
        ));
    }
    ensure!(!archives.is_empty(), "no archive of the tool in dist/: cargo dist tool");
    Ok(text)
}

/// Files of nobody in particular, as old as time.
fn archive(files: &[(&str, u32, &Vec<u8>)]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, mode, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(content.len())?);
        header.set_mode(*mode);
        header.set_mtime(0);
        archive.append_data(&mut header, name, content.as_slice())?;
    }
    Ok(archive.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_has_version_addresses_and_hashes() {
        let template =
            fs::read_to_string(crate::compile::workspace_root().unwrap().join("cli/krew.yaml")).unwrap();
        let archives = ["linux_amd64", "darwin_arm64"]
            .map(|platform| (format!("{PREFIX}{platform}{SUFFIX}"), format!("hash of {platform}")));
        let text =
            manifest(&template, &archives.into(), "https://files.test/v1/", "https://meshwhy.test").unwrap();
        assert!(!text.contains("VERSION") && !text.contains("HOMEPAGE") && !text.contains('#'), "{text}");
        assert!(text.contains(concat!("  version: v", env!("CARGO_PKG_VERSION"), "\n")), "{text}");
        let platforms = text.split_once("  platforms:\n").unwrap().1;
        assert_eq!(
            platforms.lines().map(str::trim).collect::<Vec<_>>()[..7],
            [
                "- selector:",
                "matchLabels:",
                "os: darwin",
                "arch: arm64",
                "uri: https://files.test/v1/kubectl-meshwhy_darwin_arm64.tar.gz",
                "sha256: hash of darwin_arm64",
                "bin: meshwhy"
            ]
        );
        assert!(manifest(&template, &BTreeMap::new(), "https://a", "https://b").is_err());
    }

    #[test]
    fn the_manifest_has_the_hashes_of_the_files_and_so_have_the_sums() {
        let dist = env::temp_dir().join(format!("meshwhy-krew-{}", std::process::id()));
        fs::create_dir_all(&dist).unwrap();
        let archive = format!("{PREFIX}linux_amd64{SUFFIX}");
        fs::write(dist.join(&archive), b"packed").unwrap();
        let before = format!("aa  meshwhy.wasm\nbb  {PREFIX}plan9_mips{SUFFIX}\ncc  {archive}\n");
        fs::write(dist.join("SHA256SUMS"), before).unwrap();
        let template = "spec:\n  version: VERSION\n  platforms:\n";
        krew(&dist, template, "https://files.test/v1", "https://meshwhy.test").unwrap();
        let manifest = fs::read(dist.join(MANIFEST)).unwrap();
        let hash = sha256_hex(b"packed");
        assert!(String::from_utf8_lossy(&manifest).contains(&format!("sha256: {hash}\n")));
        let sums = fs::read_to_string(dist.join("SHA256SUMS")).unwrap();
        let own = sha256_hex(&manifest);
        fs::remove_dir_all(&dist).unwrap();
        // That of an archive that is gone goes, too.
        assert_eq!(sums, format!("{hash}  {archive}\n{own}  {MANIFEST}\naa  meshwhy.wasm\n"));
    }

    #[test]
    fn the_tool_may_be_run_as_it_is_unpacked() {
        let packed =
            archive(&[("LICENSE", 0o644, &b"free".to_vec()), ("meshwhy", 0o755, &b"tool".to_vec())]).unwrap();
        let mut read = tar::Archive::new(packed.as_slice());
        let modes: Vec<u32> =
            read.entries().unwrap().map(|entry| entry.unwrap().header().mode().unwrap()).collect();
        assert_eq!(modes, [0o644, 0o755]);
    }
}
