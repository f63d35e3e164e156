//! A stand-in for ztunnel, which is no Envoy and can't be had as one: it ends a waypoint's tunnels (HBONE) at the pod, and takes the
//! pod's own traffic to services to the waypoint.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::{Pod, Surroundings, Ztunnel};
use crate::harness::process::{Process, wait_for};
use crate::harness::rig::netns;
use crate::harness::tools::run;

/// HBONE's port.
const HBONE: u16 = 15008;

/// Where the pod's own traffic is redirected to.
const OUTBOUND: u16 = 15001;

/// Tunnels to this port it refuses as a ztunnel does by policy.
pub const DENIED_PORT: u16 = 9401;

const TYPES: &str = "type.googleapis.com/envoy.extensions";

/// Starts it, where the pod has one.
pub(super) fn start(pod: &Pod, folder: &Path, around: &Surroundings<'_>) -> Result<Option<Process>> {
    let waypoint = match pod.ambient {
        Some(Ztunnel::Runs(waypoint)) => waypoint,
        Some(Ztunnel::Unreachable) => {
            drop_tunnels(pod.name)?;
            return Ok(None);
        }
        Some(Ztunnel::Missing) | None => return Ok(None),
    };
    let folder = folder.join("ztunnel");
    around.ca.issue(&folder, pod.namespace, pod.app)?;
    let config = folder.join("envoy.json");
    fs::write(&config, bootstrap(&folder, waypoint, pod.namespace).to_string())?;
    let output = File::create(folder.join("output"))?;
    let mut process = Process::start(
        netns::command(pod.name, around.envoy)
            .arg("-c")
            .arg(&config)
            .args(["--concurrency", "1", "--use-dynamic-base-id", "-l", "warning"])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output),
    )?;
    redirect(pod.name)?;
    wait_for(&format!("the ztunnel of {}", pod.name), || {
        if !process.is_running() {
            bail!("it ended: {}", fs::read_to_string(folder.join("output")).unwrap_or_default());
        }
        Ok(netns::within(pod.name, || Ok(TcpStream::connect(("127.0.0.1", HBONE))?)).ok())
    })?;
    Ok(Some(process))
}

/// As a NetworkPolicy does that doesn't know of HBONE.
fn drop_tunnels(pod: &str) -> Result<()> {
    let mut command: Command = netns::command(pod, "iptables");
    command.args(["-w", "-A", "INPUT", "-p", "tcp", "--dport", &HBONE.to_string(), "-j", "DROP"]);
    run(&mut command)
}

/// What goes to services, but for its own tunnels.
fn redirect(pod: &str) -> Result<()> {
    let mut command: Command = netns::command(pod, "iptables");
    command
        .args(["-t", "nat", "-A", "OUTPUT", "-p", "tcp", "-d", "10.96.0.0/16"])
        .args(["!", "--dport", &HBONE.to_string()])
        .args(["-j", "REDIRECT", "--to-ports", &OUTBOUND.to_string()]);
    run(&mut command)
}

fn bootstrap(certificates: &Path, waypoint: &str, namespace: &str) -> Value {
    let waypoint = format!("{waypoint}.{namespace}.svc.cluster.local");
    json!({ "static_resources": {
        "listeners": [inbound(certificates), outbound()],
        "clusters": [
            {
                "name": "workload", "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED", "connect_timeout": "2s",
                "original_dst_lb_config": { "use_http_header": true, "http_header_name": ":authority" },
            },
            {
                "name": "waypoint", "type": "STRICT_DNS", "connect_timeout": "2s",
                "load_assignment": { "cluster_name": "waypoint", "endpoints": [{ "lb_endpoints": [
                    { "endpoint": { "address": address(&waypoint, HBONE) } } ] }] },
                "transport_socket": tls("Upstream", certificates),
                "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": format!("{TYPES}.upstreams.http.v3.HttpProtocolOptions"),
                    "explicit_http_config": { "http2_protocol_options": {} },
                } },
            },
        ],
    } })
}

fn inbound(certificates: &Path) -> Value {
    let to = json!({ "cluster": "workload", "upgrade_configs": [{ "upgrade_type": "CONNECT", "connect_config": {} }] });
    let denied = json!({
        "match": { "connect_matcher": {}, "headers": [
            { "name": ":authority", "string_match": { "suffix": format!(":{DENIED_PORT}") } } ] },
        "direct_response": { "status": 401 },
    });
    let manager = json!({
        "@type": format!("{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "inbound",
        "http2_protocol_options": { "allow_connect": true },
        "upgrade_configs": [{ "upgrade_type": "CONNECT" }],
        "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [
            denied, { "match": { "connect_matcher": {} }, "route": to } ] }] },
        "http_filters": [{ "name": "router", "typed_config": {
            "@type": format!("{TYPES}.filters.http.router.v3.Router") } }],
        "access_log": access_log(),
    });
    json!({
        "name": "inbound", "address": address("0.0.0.0", HBONE),
        "filter_chains": [{
            "transport_socket": tls("Downstream", certificates),
            "filters": [{ "name": "http", "typed_config": manager }],
        }],
    })
}

fn outbound() -> Value {
    let proxy = json!({
        "@type": format!("{TYPES}.filters.network.tcp_proxy.v3.TcpProxy"),
        "stat_prefix": "outbound", "cluster": "waypoint",
        "tunneling_config": { "hostname": "%DOWNSTREAM_LOCAL_ADDRESS%" },
        "access_log": access_log(),
    });
    json!({
        "name": "outbound", "address": address("127.0.0.1", OUTBOUND),
        "listener_filters": [{ "name": "original_dst", "typed_config": {
            "@type": format!("{TYPES}.filters.listener.original_dst.v3.OriginalDst") } }],
        "filter_chains": [{ "filters": [{ "name": "tcp", "typed_config": proxy }] }],
    })
}

fn address(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}

/// Mutual TLS with the pod's certificate.
fn tls(side: &str, certificates: &Path) -> Value {
    let file = |name: &str| json!({ "filename": certificates.join(name) });
    let mut context = json!({
        "@type": format!("{TYPES}.transport_sockets.tls.v3.{side}TlsContext"),
        "common_tls_context": {
            "alpn_protocols": ["h2"],
            // HBONE's. A client's highest is 1.2 otherwise.
            "tls_params": { "tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3" },
            "tls_certificates": [{ "certificate_chain": file("cert-chain.pem"), "private_key": file("key.pem") }],
            "validation_context": { "trusted_ca": file("root-cert.pem") },
        },
    });
    if side == "Downstream" {
        context["require_client_certificate"] = true.into();
    }
    json!({ "name": "tls", "typed_config": context })
}

fn access_log() -> Value {
    json!([{ "name": "log", "typed_config": {
        "@type": format!("{TYPES}.access_loggers.stream.v3.StdoutAccessLog") } }])
}
