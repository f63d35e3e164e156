//! meshwhy against a real Envoy, with real clients and servers around it.
//!
//! A [`scenario::Scenario`] is data: the configuration, who serves, who asks, and the triple that is
//! expected: what the client got, what the access log says, what the counters say.

pub mod access_logs;
pub mod agreement;
pub mod bench;
pub mod chaos;
pub mod client;
pub mod client_http2;
pub mod demo;
pub mod documents;
pub mod envoy;
pub mod exposition;
pub mod fail_policy;
pub mod flood;
pub mod forged;
pub mod istio;
pub mod log_only;
pub mod look_alikes;
pub mod monitoring;
pub mod peers;
pub mod pki;
pub mod plug_points;
pub mod prometheus;
pub mod rapid_reset;
pub mod record;
pub mod registry;
pub mod releases;
pub mod restrictions;
pub mod scenario;
pub mod scenarios;
pub mod secrets;
pub mod sinks;
pub mod soak;
pub mod told_once;
pub mod tools;
