//! `docs/envoy.yaml`, as it is: all three roles on a plain Envoy, and each failure counted once.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::harness::envoy::Envoy;
use crate::harness::process::wait_for;
use crate::harness::tools::{module, program, root};

/// How many requests of each kind are made.
const EACH: usize = 3;

/// Failures that the HTTP role sees, one that no HTTP filter sees, and requests that work.
pub fn check() -> Result<()> {
    let mut envoy = Envoy::start(&bootstrap()?)?;
    let port = envoy.port("web")?;
    let large = format!("X-Large: {}", "x".repeat(65_000));
    for _ in 0..EACH {
        curl(port, "/refused", &[])?;
        curl(port, "/hello", &[])?;
        curl(port, "/hello", &["--http2-prior-knowledge"])?;
        // The codec resets such a stream: no filter runs (1.40).
        curl(port, "/hello", &["--http2-prior-knowledge", "-H", &large])?;
    }
    let counts = || -> Result<BTreeMap<String, usize>> {
        let samples = envoy.meshwhy_samples()?.into_iter().filter(|s| s.name == "meshwhy_failures_total");
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few requests")]
        Ok(samples.map(|s| (s.labels["cause"].clone(), s.value as usize)).collect())
    };
    let all = 2 * EACH;
    wait_for("the failures", || Ok((counts()?.values().sum::<usize>() >= all).then_some(())))?;
    let expected = ["request_too_large", "upstream_refused"].map(|cause| (cause.to_owned(), EACH));
    ensure!(counts()? == BTreeMap::from(expected), "counted: {:?}", counts()?);
    envoy.check_health()
}

/// The document, with the module from where it was built and ports that are free.
fn bootstrap() -> Result<Value> {
    let text = std::fs::read_to_string(root().join("docs/envoy.yaml"))?;
    let text = text.replace("filename: meshwhy.wasm", &format!("filename: {}", module()?.display()));
    let mut bootstrap: Value = serde_norway::from_str(&text)?;
    for address in ["/admin/address/socket_address", "/static_resources/listeners/0/address/socket_address"] {
        if let Some(address) = bootstrap.pointer_mut(address) {
            address["port_value"] = json!(0);
        }
    }
    Ok(bootstrap)
}

/// What comes back doesn't matter.
fn curl(port: u16, path: &str, more: &[&str]) -> Result<()> {
    let url = format!("http://127.0.0.1:{port}{path}");
    let mut command = Command::new(program("curl", "curl")?);
    command.args(["-s", "-m", "15", "--noproxy", "*", "-o", "/dev/null"]).args(more).arg(url).status()?;
    Ok(())
}
