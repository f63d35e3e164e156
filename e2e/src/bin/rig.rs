//! Starts the rig, for a person or for a script.

use anyhow::Result;
use e2e::istio::pod::Pod;
use e2e::istio::programs::Version;
use e2e::istio::rig::{Plan, Rig, Service};
use e2e::istio::sandbox;

fn main() -> Result<()> {
    sandbox::enter()?;
    let plan = Plan {
        version: Version::V1_31,
        pods: vec![Pod::sidecar("client"), Pod::sidecar("reviews").serving(8080)],
        services: vec![Service::new("reviews", &[("http", 80, 8080)])],
        names: vec![],
    };
    let start = std::time::Instant::now();
    let rig = Rig::start(&plan)?;
    println!("up after {:?}", start.elapsed());
    let t = std::time::Instant::now();
    rig.settle()?;
    println!("settle {:?}", t.elapsed());
    println!("{:?}", rig.pod("client")?.exec(&["curl", "-si", "http://reviews/"])?);
    std::thread::sleep(std::time::Duration::from_secs(1));
    println!("{}", rig.pod("client")?.output().lines().last().unwrap_or_default());
    println!("{}", rig.pod("reviews")?.output().lines().last().unwrap_or_default());
    if std::env::var_os("SHELL_IN").is_some() {
        std::process::Command::new("bash").env("KUBECONFIG", rig.plane.kubeconfig()).status()?;
    }
    Ok(())
}
