//! Starts the rig, for a person or for a script.

use anyhow::Result;
use e2e::istio::programs::Version;
use e2e::istio::rig::Rig;
use e2e::istio::{sandbox, stories};

fn main() -> Result<()> {
    sandbox::enter(&Default::default())?;
    let start = std::time::Instant::now();
    let rig = Rig::start(&stories::plan(Version::V1_31))?;
    e2e::istio::deployment::deploy(&rig)?;
    println!("up after {:?}", start.elapsed());
    std::process::Command::new("bash").env("KUBECONFIG", rig.plane.kubeconfig()).status()?;
    Ok(())
}
