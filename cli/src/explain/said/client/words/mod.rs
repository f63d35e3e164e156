//! What clients write of a failure, word for word: curl, wget, browsers, Go, Java, Node, Python, .NET, Rust, gRPC, the drivers of databases and
//! brokers, the kubelet, and nginx in front.
//!
//! Case doesn't matter. Of a text that has several the first counts: what says why before what says that.

mod browsers;
mod data;
mod http;
mod locales;
mod network;
mod proxies;
mod servers;
mod tls;

use super::Symptom;

/// All of them, those that decide more first.
pub(super) const ALL: &[&[(&str, Symptom)]] = &[
    http::REUSED,
    network::REFUSED,
    network::DESCRIPTORS,
    locales::LOCALES,
    network::NAMES,
    proxies::POLICIES,
    proxies::OTHERS,
    data::PROTOCOLS,
    data::SERVER_FIRST,
    data::SERVERS,
    browsers::BROWSERS,
    tls::TLS,
    servers::PARSERS,
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
    network::ANYBODYS,
];

/// Whether these are of the tables and in another language than English: no client chose them.
pub(super) fn are_known(words: &str) -> bool {
    !words.is_ascii() && locales::LOCALES.iter().any(|(known, _)| *known == words)
}

/// Whether a status says more than these, and another row.
pub(super) fn are_vague(words: &str) -> bool {
    [network::FAILED, network::ANYBODYS].iter().copied().flatten().any(|(vague, _)| *vague == words)
}

/// Whether these may be of what is usual, where a line doesn't call it a failure.
pub(super) fn are_anybodys(words: &str) -> bool {
    network::ANYBODYS.iter().any(|(anybodys, _)| *anybodys == words)
}
