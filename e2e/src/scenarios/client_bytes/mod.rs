//! The client's bytes.

mod plaintext;
mod proxy_protocol;
mod requests;
mod sizes;
mod tls;
mod upgrades;

use serde_json::json;

use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_by, direct};
use crate::scenarios::scenario::Scenario;

const CODEC_ERROR: &[(&str, &str)] = &[("code", "400"), ("flags", "DPE"), ("details", "http1.codec_error")];

const HTTPBIN: &[&str] =
    &["-k", "--connect-to", "httpbin.org:443:127.0.0.1:{listener:http}", "https://httpbin.org/"];

/// A port declared HTTP.
fn listener() -> Listener {
    Listener::http("http", all_by(direct("/", 200, "ok")))
}

fn plain() -> Proxy {
    Proxy::new([listener()], [])
}

fn tls_port() -> Proxy {
    Proxy::new([listener().tls("server")], [])
}

/// A port whose chains are chosen by server name.
fn sni_chains() -> Proxy {
    sni_chains_of(listener())
}

fn sni_chains_of(listener: Listener) -> Proxy {
    let chain = json!({"filter_chain_match": {"server_names": ["httpbin.org"]}});
    Proxy::new([listener.tls("server").chain(chain).tls_inspector()], [])
}

pub(super) fn table() -> Vec<Scenario> {
    let all = [
        tls::table(),
        plaintext::table(),
        requests::table(),
        sizes::table(),
        upgrades::table(),
        proxy_protocol::table(),
    ];
    all.into_iter().flatten().collect()
}
