//! `make demo-istio`.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::{Result, bail};
use e2e::harness::programs::{PACKAGES, Programs, Version};
use e2e::harness::rig::{kubelet, sandbox};
use e2e::istio::demo;

fn main() -> Result<ExitCode> {
    if let Some(code) = kubelet::as_plugin() {
        return Ok(code);
    }
    if !sandbox::is_inside() {
        let missing = e2e::harness::tools::install(PACKAGES.iter().copied());
        if let Some(program) = missing.first() {
            bail!("{program} is missing");
        }
        if let Some(obstacle) = sandbox::obstacle() {
            bail!("no Istio here: {obstacle}");
        }
        e2e::harness::releases::envoy()?;
        Programs::of(Version::V1_31)?;
    }
    sandbox::enter(&BTreeSet::new())?;
    demo::run()?;
    Ok(ExitCode::SUCCESS)
}
