//! A real Istio on one machine: a Kubernetes API server, istiod, and pods as network namespaces with
//! interception, sidecars and gateways, all inside [`sandbox`]es that leave nothing behind.

pub mod access_logs;
pub mod control_plane;
pub mod demo;
pub mod deployment;
pub mod dns;
pub mod explained;
pub mod fail_policy;
pub mod kube_proxy;
pub mod manifests;
pub mod netns;
pub mod overlays;
pub mod page;
pub mod pki;
pub mod pod;
pub mod programs;
pub mod rig;
pub mod sandbox;
pub mod scrape;
mod settled;
pub mod stories;
pub mod story;
pub mod table;
