//! The client's sidecar: an Envoy of its own that originates mutual TLS, which h2load can't.

use std::path::Path;
use std::rc::Rc;

use anyhow::Result;

use super::variants::{MUTUAL, Variant, start};
use crate::harness::envoy::config::{Listener, Proxy, Roles, loopback};
use crate::harness::envoy::parts::{cluster_at, originate_tls, presenting, trusting, with};
use crate::harness::peers::Running;
use crate::harness::tools;

/// A plaintext port for each variant's listener that demands a certificate.
pub(super) fn to_each(variants: &mut [Variant], folder: &Path, backend: &Running) -> Result<()> {
    let names: Vec<&'static str> = (0..variants.len()).map(|i| &*format!("to-{i}").leak()).collect();
    let mutual = originate_tls(with(trusting("ca"), presenting("client")));
    let mut clusters = Vec::new();
    for (variant, name) in variants.iter().zip(&names) {
        clusters.push(with(cluster_at(name, loopback(variant.own_port(MUTUAL)?)), mutual.clone()));
    }
    let listeners: Vec<Listener> = names.iter().map(|name| Listener::tcp(name, name)).collect();
    let proxy = Proxy::new(listeners, clusters).roles(Roles::none());
    let relay = Rc::new(start(proxy.bootstrap(&tools::module()?.display().to_string()), folder, backend, 1)?);
    for (variant, name) in variants.iter_mut().zip(&names) {
        variant.relayed = Some((Rc::clone(&relay), relay.port(name)?));
    }
    Ok(())
}
