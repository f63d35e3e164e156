//! The module as an OCI image, as Istio's agent takes it, in the form that registry clients push: `dist/meshwhy.oci.tar`.
//!
//! Its four documents are JSON literals: `oci-spec` would be longer here, and add nine crates.
//! Istio reads `plugin.wasm` from the last layer (`pkg/wasm/imagefetcher.go`, 1.31.1); nobody runs the image.

use std::collections::BTreeMap;
use std::io::Read as _;

use anyhow::{Result, ensure};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};

use crate::files::sha256_hex;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Nothing in an image says when it was made: the same module gives the same digest.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What the image says of itself beside the module's version.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Where the sources are.
    pub source: Option<String>,
    /// Their commit.
    pub revision: Option<String>,
}

/// An image, ready to be pushed.
pub struct Image {
    /// The digest of its manifest: what `WasmPlugin.sha256` and `@sha256:` name it by.
    pub sha256: String,
    /// An OCI layout with the image in it, as a tar archive.
    pub archive: Vec<u8>,
}

/// The image with this module.
pub fn image(module: &[u8], origin: &Origin) -> Result<Image> {
    let labels = labels(origin)?;
    let layer = layer(module)?;
    let compressed = gzip(&layer)?;
    let config = json!({
        // As for any other Wasm; Istio's agent doesn't look.
        "architecture": "wasm",
        "os": "wasip1",
        "created": CREATED,
        "config": { "Labels": labels },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
        "history": [{ "created": CREATED, "created_by": "cargo dist" }],
    });
    let config = serde_json::to_vec(&config)?;
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &config),
        "layers": [descriptor(LAYER, &compressed)],
        "annotations": labels,
    }))?;

    let mut entry = descriptor(MANIFEST, &manifest);
    entry["annotations"] = json!({ "org.opencontainers.image.ref.name": env!("CARGO_PKG_VERSION") });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
    let sha256 = sha256_hex(&manifest);
    let mut files = BTreeMap::from([
        ("oci-layout".to_owned(), serde_json::to_vec(&json!({ "imageLayoutVersion": "1.0.0" }))?),
        ("index.json".to_owned(), serde_json::to_vec(&index)?),
    ]);
    for blob in [config, compressed, manifest] {
        files.insert(format!("blobs/sha256/{}", sha256_hex(&blob)), blob);
    }
    Ok(Image { sha256, archive: tar(&files)? })
}

/// The image of an archive made earlier, if it has this module in it.
pub fn made_before(archive: Vec<u8>, module: &[u8]) -> Option<Image> {
    let files = unpacked(&archive).ok()?;
    let index: Value = serde_json::from_slice(files.get("index.json")?).ok()?;
    let sha256 = index["manifests"][0]["digest"].as_str()?.strip_prefix("sha256:")?.to_owned();
    let manifest = files.get(&format!("blobs/sha256/{sha256}"))?;
    let layer = digest(&gzip(&layer(module).ok()?).ok()?);
    let json: Value = serde_json::from_slice(manifest).ok()?;
    let whole = sha256_hex(manifest) == sha256 && json["layers"][0]["digest"] == layer.as_str();
    whole.then_some(Image { sha256, archive })
}

fn layer(module: &[u8]) -> Result<Vec<u8>> {
    tar(&BTreeMap::from([("plugin.wasm".to_owned(), module.to_vec())]))
}

/// The labels that registries show: <https://github.com/opencontainers/image-spec/blob/main/annotations.md>.
fn labels(origin: &Origin) -> Result<Value> {
    let mut labels = json!({
        "org.opencontainers.image.title": "meshwhy",
        "org.opencontainers.image.description": "Envoy proxy-wasm filter that names why a request failed in the mesh",
        "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
        "org.opencontainers.image.licenses": "Apache-2.0",
    });
    for (name, value) in [("source", &origin.source), ("revision", &origin.revision)] {
        let Some(value) = value else { continue };
        ensure!(value.bytes().all(|byte| byte.is_ascii_graphic()), "--{name}: {value:?} is no {name}");
        labels[format!("org.opencontainers.image.{name}")] = value.as_str().into();
    }
    Ok(labels)
}

fn descriptor(media_type: &str, blob: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(blob), "size": blob.len() })
}

fn digest(blob: &[u8]) -> String {
    format!("sha256:{}", sha256_hex(blob))
}

/// Files of nobody in particular, as old as time.
pub fn tar(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(content.len())?);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        archive.append_data(&mut header, name, content.as_slice())?;
    }
    Ok(archive.into_inner()?)
}

/// The files of an archive.
pub fn unpacked(archive: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.insert(entry.path()?.display().to_string(), content);
    }
    Ok(files)
}

/// Without time and name; zlib-rs is the same code on every machine.
pub fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    std::io::Write::write_all(&mut encoder, bytes)?;
    Ok(encoder.finish()?)
}

/// The names of a compressed archive's files.
#[cfg(test)]
pub fn unpacked_gzip(archive: &[u8]) -> Vec<String> {
    let mut whole = Vec::new();
    flate2::read::GzDecoder::new(archive).read_to_end(&mut whole).unwrap();
    unpacked(&whole).unwrap().into_keys().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_to_its_bytes_and_at_last_to_the_module() {
        let image = image(b"\0asm and so on", &Origin::default()).unwrap();
        let files = unpacked(&image.archive).unwrap();
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().unwrap();
            let bytes = &files[&format!("blobs/{}", digest.replace(':', "/"))];
            assert_eq!(digest, super::digest(bytes));
            assert_eq!(descriptor["size"], bytes.len());
            bytes
        };
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let index = json(&files["index.json"]);
        assert_eq!(index["manifests"][0]["digest"], format!("sha256:{}", image.sha256));
        let manifest = json(blob(&index["manifests"][0]));
        let config = json(blob(&manifest["config"]));
        let mut layer = Vec::new();
        let compressed = blob(&manifest["layers"][0]).as_slice();
        flate2::read::GzDecoder::new(compressed).read_to_end(&mut layer).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], digest(&layer));
        assert_eq!(unpacked(&layer).unwrap()["plugin.wasm"], b"\0asm and so on");
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn the_same_module_gives_the_same_digest() {
        let digest = |module: &[u8], origin| image(module, &origin).unwrap().sha256;
        let revision = || Origin { revision: Some("abc".into()), ..Origin::default() };
        assert_eq!(digest(b"a", revision()), digest(b"a", revision()));
        assert_ne!(digest(b"a", revision()), digest(b"b", revision()));
        assert_ne!(digest(b"a", revision()), digest(b"a", Origin::default()));
    }

    #[test]
    fn an_archive_is_known_by_its_module() {
        let origin = Origin { revision: Some("abc".into()), source: None };
        let Image { sha256, archive } = image(b"a", &origin).unwrap();
        assert_eq!(made_before(archive.clone(), b"a").map(|image| image.sha256), Some(sha256));
        assert!(made_before(archive.clone(), b"b").is_none());
        assert!(made_before(archive[..2_000].to_vec(), b"a").is_none());
    }

    #[test]
    fn labels_name_the_origin_where_it_is_known() {
        let origin = Origin { source: Some("https://example.com/meshwhy".into()), revision: None };
        let labels = labels(&origin).unwrap();
        assert_eq!(labels["org.opencontainers.image.source"], "https://example.com/meshwhy");
        assert_eq!(labels["org.opencontainers.image.revision"], Value::Null);
        assert!(super::labels(&Origin { source: Some("a b".into()), revision: None }).is_err());
    }
}
