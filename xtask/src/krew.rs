//! `kubectl meshwhy` for krew: the tool's archive for this platform, and the manifest of all archives that are there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::files::{sha256_hex, write_if_changed};
use crate::image::gzip;

/// An archive is called `kubectl-meshwhy_OS_ARCH.tar.gz`.
const PREFIX: &str = "kubectl-meshwhy_";
const SUFFIX: &str = ".tar.gz";

/// Packs `dist/meshwhy` and writes `dist/meshwhy.krew.yaml`, whose archives will be below `url`; tells what it wrote.
pub fn krew(root: &Path, url: &str, homepage: &str) -> Result<Vec<String>> {
    let dist = root.join("dist");
    let tool = fs::read(dist.join("meshwhy")).context("dist/meshwhy is missing: make cli")?;
    let licence = fs::read(root.join("LICENSE"))?;
    let name = format!("{PREFIX}{}_{}{SUFFIX}", os(), arch());
    write_if_changed(
        &dist.join(&name),
        &gzip(&archive(&[("LICENSE", 0o644, &licence), ("meshwhy", 0o755, &tool)])?)?,
    )?;
    let template = fs::read_to_string(root.join("cli/krew.yaml"))?;
    let manifest = manifest(&template, &archives(&dist)?, url, homepage)?;
    write_if_changed(&dist.join("meshwhy.krew.yaml"), manifest.as_bytes())?;
    Ok(vec![name, "meshwhy.krew.yaml".into()])
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
    ensure!(!archives.is_empty(), "no archive of the tool");
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
    fn the_tool_may_be_run_as_it_is_unpacked() {
        let packed =
            archive(&[("LICENSE", 0o644, &b"free".to_vec()), ("meshwhy", 0o755, &b"tool".to_vec())]).unwrap();
        let mut read = tar::Archive::new(packed.as_slice());
        let modes: Vec<u32> =
            read.entries().unwrap().map(|entry| entry.unwrap().header().mode().unwrap()).collect();
        assert_eq!(modes, [0o644, 0o755]);
    }
}
