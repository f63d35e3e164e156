//! What everything is played on: Envoy, clients and servers around it, a whole Istio, and the programs that these need.

pub mod agreement;
pub mod client;
pub mod collector;
pub mod documents;
pub mod envoy;
pub mod manifests;
pub mod page;
pub mod peers;
pub mod pki;
pub mod process;
pub mod programs;
pub mod prometheus;
pub mod record;
pub mod registry;
pub mod releases;
pub mod rig;
pub mod tools;
