//! The module's bill of materials, CycloneDX: what cargo compiled into it, and Rust's own library.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::compile::{TARGET, output, rustc};

/// The document, without time and serial number: the same sources give the same bytes.
pub fn sbom(root: &Path, sha256: &str) -> Result<Vec<u8>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Not `cargo metadata`: it adds the features that tests and tools ask for, and the crates behind them.
    let tree = output(
        Command::new(cargo)
            .current_dir(root)
            .args(["tree", "--quiet", "--locked", "--package", "meshwhy", "--target", TARGET])
            .args(["--edges", "normal", "--no-dedupe", "--prefix", "depth", "--format", "\t{p}\t{l}\t{r}"]),
    )?;
    let rust = output(rustc(root).arg("--version"))?;
    let rust = rust.split(' ').nth(1).context("rustc --version names none")?;
    Ok((serde_json::to_string_pretty(&document(&tree, rust, sha256)?)? + "\n").into_bytes())
}

/// A line of `cargo tree`.
struct Package<'a> {
    depth: usize,
    name: &'a str,
    version: &'a str,
    license: &'a str,
    repository: &'a str,
}

fn document(tree: &str, rust: &str, sha256: &str) -> Result<Value> {
    let packages: Vec<Package<'_>> = tree
        .lines()
        .map(|line| Package::parse(line).with_context(|| format!("cargo tree: {line:?}")))
        .collect::<Result<_>>()?;
    let (meshwhy, others) = packages.split_first().context("cargo tree is empty")?;

    let std = format!("pkg:generic/rust-std@{rust}");
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::from([(std.clone(), BTreeSet::new())]);
    let mut above: Vec<String> = Vec::new();
    for package in &packages {
        above.truncate(package.depth);
        if let Some(parent) = above.last() {
            needs.entry(parent.clone()).or_default().insert(package.purl());
        }
        above.push(package.purl());
        needs.entry(package.purl()).or_default().insert(std.clone());
    }
    let dependencies: Vec<Value> =
        needs.iter().map(|(package, on)| json!({ "ref": package, "dependsOn": on })).collect();

    let libraries: BTreeMap<String, Value> =
        others.iter().map(|package| (package.purl(), package.component("library"))).collect();
    let mut components: Vec<Value> = libraries.into_values().collect();
    components.push(json!({
        "type": "library", "bom-ref": std, "name": "rust-std", "version": rust, "purl": std,
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
    }));
    let mut module = meshwhy.component("application");
    module["hashes"] = json!([{ "alg": "SHA-256", "content": sha256 }]);
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": module },
        "components": components,
        "dependencies": dependencies,
    }))
}

impl<'a> Package<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut columns = line.split('\t');
        let depth = columns.next()?.parse().ok()?;
        let mut package = columns.next()?.split(' ');
        let (name, version) = (package.next()?, package.next()?.strip_prefix('v')?);
        Some(Self { depth, name, version, license: columns.next()?, repository: columns.next()? })
    }

    fn purl(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }

    fn component(&self, kind: &str) -> Value {
        let mut component = json!({
            "type": kind, "bom-ref": self.purl(), "name": self.name, "version": self.version,
            "purl": self.purl(),
        });
        if !self.license.is_empty() {
            component["licenses"] = json!([{ "expression": self.license }]);
        }
        if !self.repository.is_empty() {
            component["externalReferences"] = json!([{ "type": "vcs", "url": self.repository }]);
        }
        component
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(document: &Value) -> Vec<&str> {
        let components = document["components"].as_array().unwrap();
        components.iter().filter_map(|component| component["name"].as_str()).collect()
    }

    #[test]
    fn every_crate_once_with_what_it_needs() {
        let tree = "0\tmeshwhy v1.0.0 (/src/m)\tApache-2.0\t\n\
                    1\tmap v2.0.0\tMIT\thttps://example.com/map\n\
                    2\thash v3.0.0\tMIT\t\n\
                    1\thash v3.0.0\tMIT\t";
        let document = document(tree, "1.2.3", "abc").unwrap();
        assert_eq!(names(&document), ["hash", "map", "rust-std"]);
        assert_eq!(document["metadata"]["component"]["hashes"][0]["content"], "abc");
        let needs = |package: &str| {
            let all = document["dependencies"].as_array().unwrap();
            all.iter().find(|entry| entry["ref"] == package).unwrap()["dependsOn"].clone()
        };
        let std = "pkg:generic/rust-std@1.2.3";
        let (map, hash) = ("pkg:cargo/map@2.0.0", "pkg:cargo/hash@3.0.0");
        assert_eq!(needs("pkg:cargo/meshwhy@1.0.0"), json!([hash, map, std]));
        assert_eq!(needs(map), json!([hash, std]));
        assert_eq!(needs(hash), json!([std]));
    }

    #[test]
    fn every_crate_of_the_module_is_listed() {
        let document = sbom(&crate::compile::workspace_root().unwrap(), "abc").unwrap();
        assert_eq!(
            names(&serde_json::from_slice(&document).unwrap()),
            [
                "allocator-api2",
                "bitflags",
                "equivalent",
                "foldhash",
                "hashbrown",
                "itoa",
                "log",
                "memchr",
                "proxy-wasm",
                "serde",
                "serde_core",
                "serde_json",
                "zmij",
                "rust-std"
            ]
        );
    }
}
