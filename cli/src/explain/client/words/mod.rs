//! What clients write of a failure, word for word: curl, wget, browsers, Go, Java, Node, Python, .NET, Rust, gRPC, the drivers of databases and
//! brokers, the kubelet, and nginx in front.
//!
//! Case doesn't matter. Of a text that has several the first counts: what says why before what says that.

mod browsers;
mod data;
mod http;
mod network;
mod tls;

use super::Symptom;

/// All of them, the more telling first.
pub(super) const ALL: &[&[(&str, Symptom)]] = &[
    network::NAMES,
    data::PROTOCOLS,
    data::SERVER_FIRST,
    browsers::BROWSERS,
    tls::TLS,
    http::HTTP2,
    data::KAFKA,
    data::POOLED,
    http::CLOSED,
    data::DROPPED,
    data::OTHERS,
    network::NETWORK,
    network::RESETS,
    network::ANSWERS,
    network::GENERAL,
    network::FAILED,
];

/// Of these a status says more.
pub(super) const VAGUE: &[(&str, Symptom)] = network::FAILED;
