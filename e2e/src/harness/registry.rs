//! An image registry (Debian's `docker-registry`), and what clients do with one: push, and pull.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use flate2::read::GzDecoder;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use xtask::files::sha256_hex;
use xtask::image::unpacked;

use crate::harness::process::{Process, wait_for};
use crate::harness::tools;

/// The program, and its Debian package.
pub const PACKAGE: tools::Needed = ("docker-registry", "docker-registry");

/// The image that `cargo dist` made: an OCI layout as a tar archive.
pub fn built() -> Result<Vec<u8>> {
    let file = tools::root().join("dist/meshwhy.oci.tar");
    fs::read(&file).with_context(|| format!("{}: run `cargo dist` first", file.display()))
}

/// The account of a registry that asks who pulls: name, password.
pub const ACCOUNT: (&str, &str) = ("puller", "let-me-in");

/// The same as `htpasswd -B` writes it.
const HTPASSWD: &str = "puller:$2y$05$abcdefghijklmnopqrstuu3Jd./u/rH1RxB6auX5v7gLP6uWhKCgG\n";

/// And as clients show it.
const BASIC: &str = "Basic cHVsbGVyOmxldC1tZS1pbg==";

/// A running registry without TLS.
#[derive(Debug)]
pub struct Registry {
    /// `HOST:PORT`.
    pub address: String,
    /// What each request shows.
    account: &'static str,
    _process: Process,
}

impl Registry {
    /// Starts it on this address, without accounts; its images lie in `folder`.
    pub fn start(folder: &Path, address: &str) -> Result<Self> {
        fs::create_dir_all(folder)?;
        Self::start_with(folder, address, &json!({}), "")
    }

    /// One that knows [`ACCOUNT`] alone.
    pub fn start_asking(folder: &Path, address: &str) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let file = folder.join("htpasswd");
        fs::write(&file, HTPASSWD)?;
        let auth = json!({ "htpasswd": { "realm": "images", "path": file } });
        Self::start_with(folder, address, &auth, BASIC)
    }

    fn start_with(folder: &Path, address: &str, auth: &Value, account: &'static str) -> Result<Self> {
        let config = json!({
            "version": "0.1", "auth": auth,
            "storage": { "filesystem": { "rootdirectory": folder.join("images") } },
            "http": { "addr": address, "secret": "of nobody" },
        });
        let file = folder.join("config.yml");
        fs::write(&file, config.to_string())?;
        let log = File::create(folder.join("registry.log"))?;
        let mut process = Process::start(
            Command::new(tools::program(PACKAGE.0, PACKAGE.1)?)
                .arg("serve")
                .arg(file)
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log),
        )?;
        wait_for("the registry", || {
            let said = || fs::read_to_string(folder.join("registry.log")).unwrap_or_default();
            ensure!(process.is_running(), "the registry ended: {}", said());
            Ok(ureq::get(format!("http://{address}/v2/")).header(AUTHORIZATION, account).call().ok())
        })?;
        Ok(Self { address: address.to_owned(), account, _process: process })
    }

    /// Pushes the image of an OCI layout; returns the manifest's digest, as the registry calls it.
    pub fn push(&self, layout: &[u8], name: &str, tag: &str) -> Result<String> {
        let files = unpacked(layout)?;
        let file = |path: &str| files.get(path).with_context(|| format!("the layout has no {path}"));
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().context("no digest")?;
            Ok::<_, anyhow::Error>((digest.to_owned(), file(&format!("blobs/{}", digest.replace(':', "/")))?))
        };
        let index: Value = serde_json::from_slice(file("index.json")?)?;
        let entry = &index["manifests"][0];
        let (_, bytes) = blob(entry)?;
        let manifest: Value = serde_json::from_slice(bytes)?;
        let layers = manifest["layers"].as_array().context("no layers")?;
        for descriptor in layers.iter().chain([&manifest["config"]]) {
            let (digest, bytes) = blob(descriptor)?;
            let begun = ureq::post(self.url(name, "blobs/uploads/"))
                .header(AUTHORIZATION, self.account)
                .send_empty()?;
            let place =
                begun.headers().get("location").context("no place for the blob")?.to_str()?.to_owned();
            let put = ureq::put(&place).header(AUTHORIZATION, self.account).query("digest", &digest);
            put.send(bytes.as_slice()).context(digest)?;
        }
        let kind = entry["mediaType"].as_str().context("no media type")?;
        let manifest = self.url(name, &format!("manifests/{tag}"));
        let put = ureq::put(manifest).header(AUTHORIZATION, self.account).header("content-type", kind);
        let answer = put.send(bytes.as_slice())?;
        let digest = answer.headers().get("docker-content-digest").context("no digest")?;
        Ok(digest.to_str()?.to_owned())
    }

    /// An image's manifest, by tag or digest.
    pub fn manifest(&self, name: &str, reference: &str) -> Result<Value> {
        let accepted = "application/vnd.oci.image.manifest.v1+json";
        let url = self.url(name, &format!("manifests/{reference}"));
        let get = ureq::get(url).header(AUTHORIZATION, self.account).header("accept", accepted);
        let mut answer = get.call()?;
        ensure!(answer.headers().get("content-type").is_some_and(|kind| kind == accepted), "{answer:?}");
        Ok(serde_json::from_slice(&answer.body_mut().read_to_vec()?)?)
    }

    /// What a descriptor stands for.
    pub fn blob(&self, name: &str, descriptor: &Value) -> Result<Vec<u8>> {
        let digest = descriptor["digest"].as_str().context("no digest")?;
        let get = ureq::get(self.url(name, &format!("blobs/{digest}"))).header(AUTHORIZATION, self.account);
        let bytes = get.call()?.body_mut().read_to_vec()?;
        ensure!(digest == format!("sha256:{}", sha256_hex(&bytes)), "{digest} has other bytes");
        Ok(bytes)
    }

    fn url(&self, name: &str, path: &str) -> String {
        format!("http://{}/v2/{name}/{path}", self.address)
    }
}

/// A layer's files.
pub fn layer(compressed: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut bytes = Vec::new();
    GzDecoder::new(compressed).read_to_end(&mut bytes)?;
    unpacked(&bytes)
}
