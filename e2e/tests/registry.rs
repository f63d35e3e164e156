//! The image as built goes through a real registry unharmed.

use std::fs;

use e2e::harness::process::free_port;
use e2e::harness::registry::{self, Registry};
use e2e::harness::tools;
use xtask::image::made_before;

#[test]
fn pushed_and_read_back() {
    let (program, package) = registry::PACKAGE;
    if std::env::var("CI").as_deref() != Ok("true") && !tools::install([registry::PACKAGE]).is_empty() {
        eprintln!("skipped: no {program} (package {package})");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start(folder.path(), &format!("127.0.0.1:{}", free_port())).unwrap();
    let image = registry::built().unwrap();
    let digest = registry.push(&image, "tools/meshwhy", "0").unwrap();
    assert_eq!(registry.push(&image, "tools/meshwhy", "again").unwrap(), digest);
    let built = fs::read(tools::root().join("dist/meshwhy.wasm")).unwrap();
    let pinned = made_before(image, &built).expect("an image of another module").sha256;
    assert_eq!(digest, format!("sha256:{pinned}"), "manifests would pin another image");

    let manifest = registry.manifest("tools/meshwhy", "0").unwrap();
    assert_eq!(manifest, registry.manifest("tools/meshwhy", &digest).unwrap());
    let label = |name: &str| manifest["annotations"][format!("org.opencontainers.image.{name}")].clone();
    assert_eq!(label("title"), "meshwhy");
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    let config = registry.blob("tools/meshwhy", &manifest["config"]).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["config"]["Labels"], manifest["annotations"]);

    let layer = registry.blob("tools/meshwhy", &manifest["layers"][0]).unwrap();
    let files = registry::layer(&layer).unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["plugin.wasm"]);
    assert!(files["plugin.wasm"] == built, "another module than dist/meshwhy.wasm");
}
