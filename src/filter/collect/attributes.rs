//! The attributes by their names, each read to its type.

use crate::diagnosis::is_policy_denial;
use crate::evidence;
use crate::evidence::{
    ClusterName, Details, Flags, ListenerKind, MixerStatus, Resource, TlsVersion, TransportFailure,
};
use crate::history::RequestKey;
use crate::host::{HeaderMap, Host};
use crate::wire::FirstBytes;

/// Filter state by which the connection role passes the first bytes to the HTTP role and the access
/// loggers.
pub(in crate::filter) const FIRST_BYTES: &str = "meshwhy.first_bytes";

/// Set by the first role that reports.
pub(in crate::filter) const CAUSE: &str = "meshwhy.cause";
pub(in crate::filter) const RESOURCE: &str = "meshwhy.resource";
const FLAGS: &str = "response\0flags";
const CODE: &str = "response\0code";
const DETAILS: &str = "response\0code_details";
pub(super) const DESTINATION_PORT: &str = "destination\0port";
pub(super) const SNI: &str = "connection\0requested_server_name";
pub(super) const UPSTREAM_TLS: &str = "upstream\0tls_version";
pub(super) const UPSTREAM_FAILURE: &str = "upstream\0transport_failure_reason";
pub(super) const PROTOCOL: &str = "request\0protocol";
const CLUSTER: &str = "xds\0cluster_name";
pub(super) const DESTINATION_RULE: &str = "xds\0cluster_metadata\0filter_metadata\0istio\0config";
pub(super) const ADDRESS: &str = "upstream\0address";
pub(super) const ATTEMPTS: &str = "upstream\0request_attempt_count";
const POOL_READY: &str = "upstream\0cx_pool_ready_duration";
const TERMINATION: &str = "connection\0termination_details";

/// The most bytes that are read of an attribute: several times the length of Envoy's own texts.
const LONGEST_ATTRIBUTE: usize = 4096;

/// An attribute as text; what can't be read counts as not seen.
pub(super) fn text(host: &impl Host, path: &str) -> Option<String> {
    let mut bytes = host.property(path).ok().flatten()?;
    bytes.truncate(LONGEST_ATTRIBUTE);
    (!bytes.is_empty()).then(|| match String::from_utf8(bytes) {
        Ok(text) => text,
        // What is no text, or cut off in the middle of a character, is shown as far as it is ASCII.
        Err(error) => error
            .as_bytes()
            .iter()
            .map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' })
            .collect(),
    })
}

/// An attribute that is a name of the configuration's, as far as such names go.
pub(super) fn name(host: &impl Host, path: &str) -> Option<String> {
    text(host, path).map(evidence::name)
}

/// An attribute that is a number: eight bytes, little endian.
pub(super) fn number(host: &impl Host, path: &str) -> Option<u64> {
    let bytes: [u8; 8] = host.property(path).ok().flatten()?.try_into().ok()?;
    Some(u64::from_le_bytes(bytes))
}

pub(super) fn resource(host: &impl Host, path: &str) -> Option<Resource> {
    Resource::from_config_path(&text(host, path)?)
}

/// The flags alone: what decides whether anything else is read.
pub(in crate::filter) fn flags(host: &impl Host) -> Option<Flags> {
    number(host, FLAGS).map(Flags::from_bits_retain)
}

pub(in crate::filter) fn code(host: &impl Host) -> Option<u16> {
    number(host, CODE).and_then(|code| u16::try_from(code).ok()).filter(|code| *code != 0)
}

pub(in crate::filter) fn details_text(host: &impl Host) -> String {
    text(host, DETAILS).unwrap_or_default()
}

pub(super) fn details(host: &impl Host) -> Details {
    Details::new(details_text(host))
}

pub(in crate::filter) fn cluster(host: &impl Host) -> Option<ClusterName> {
    ClusterName::new(name(host, CLUSTER)?)
}

/// How many times the request was tried.
pub(in crate::filter) fn attempts(host: &impl Host) -> Option<u64> {
    number(host, ATTEMPTS)
}

pub(in crate::filter) fn upstream_tls(host: &impl Host) -> Option<TlsVersion> {
    tls_version(host, UPSTREAM_TLS)
}

pub(super) fn tls_version(host: &impl Host, path: &str) -> Option<TlsVersion> {
    let name = host.property(path).ok().flatten()?;
    (!name.is_empty()).then(|| TlsVersion::parse(&name))
}

/// Why TLS with the client failed: only listeners' access loggers see it.
pub(in crate::filter) fn downstream_failure(host: &impl Host) -> Option<TransportFailure> {
    TransportFailure::new(&text(host, "connection\0transport_failure_reason")?)
}

/// Whether another role has reported already.
pub(in crate::filter) fn already_reported(host: &impl Host) -> bool {
    text(host, CAUSE).is_some()
}

/// 1 inbound, 2 outbound; gateways of plain Envoy leave it unset.
pub(in crate::filter) fn listener_direction(host: &impl Host) -> Option<u64> {
    number(host, "xds\0listener_direction")
}

/// Whether Istio started this proxy as a gateway: `router~...`.
pub(in crate::filter) fn is_router(host: &impl Host) -> bool {
    text(host, "xds\0node\0id").is_some_and(|id| id.starts_with("router~"))
}

/// Whether it is a waypoint of the ambient mesh: `waypoint~...`.
pub(in crate::filter) fn is_waypoint(host: &impl Host) -> bool {
    text(host, "xds\0node\0id").is_some_and(|id| id.starts_with("waypoint~"))
}

/// The endpoint's version, from `workload;namespace;name;version;cluster`.
pub(super) fn version(host: &impl Host) -> Option<String> {
    let workload = text(host, "xds\0upstream_host_metadata\0filter_metadata\0istio\0workload")?;
    let version = workload.split(';').nth(3)?;
    (!version.is_empty()).then(|| evidence::name(version.to_owned()))
}

/// What identifies the request: only a hash is kept.
pub(in crate::filter) fn request_key(host: &impl Host) -> RequestKey {
    let part = |path| host.property(path).ok().flatten().unwrap_or_default();
    RequestKey::new(&part("request\0method"), &part("request\0host"), &part("request\0url_path"))
}

pub(super) fn virtual_host(host: &impl Host) -> Option<String> {
    name(host, "xds\0virtual_host_name")
}

/// How long it took until there was a connection to the upstream, or none, in microseconds.
pub(super) fn pool_ready(host: &impl Host) -> Option<u64> {
    number(host, POOL_READY).map(|nanoseconds| nanoseconds / 1_000)
}

/// How long the stream lived; the attribute is in nanoseconds.
pub(super) fn milliseconds(host: &impl Host) -> Option<u64> {
    number(host, "request\0duration").map(|nanoseconds| nanoseconds / 1_000_000)
}

pub(super) fn is_grpc(host: &impl Host) -> bool {
    let kind = host.header(HeaderMap::Request, "content-type").ok().flatten();
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

/// Whether the RBAC filter, which named no policy, is the one that Istio's agent puts in the place of a Wasm module: it leaves
/// its result under a prefix of its own (Istio 1.31; Envoy 1.36 and 1.40). That of TCP chains leaves none.
pub(super) fn is_substitute(host: &impl Host) -> bool {
    const KEY: &str =
        "metadata\0filter_metadata\0envoy.filters.http.rbac\0wasm-default-denyenforced_engine_result";
    text(host, KEY).is_some()
}

/// Who the client is to the mesh, by the certificate that this proxy has taken.
pub(super) fn principal(host: &impl Host) -> Option<String> {
    evidence::spiffe_id(&text(host, "connection\0uri_san_peer_certificate")?)
}

pub(super) fn is_connect(host: &impl Host) -> bool {
    text(host, "request\0method").as_deref() == Some("CONNECT")
}

/// Whether a policy ended this connection: a network filter leaves that in the termination details, which healthy
/// connections don't have.
pub(in crate::filter) fn refused_by_policy(host: &impl Host) -> bool {
    is_policy_denial(&termination(host))
}

pub(super) fn termination(host: &impl Host) -> Details {
    Details::new(text(host, TERMINATION).unwrap_or_default())
}

/// Whether a reset by the upstream would be flagged: since 1.38. Before it looks as if this proxy had closed by itself.
pub(in crate::filter) fn flags_upstream_resets(host: &impl Host) -> bool {
    let version = number(host, "xds\0node\0user_agent_build_version\0version\0minor_number");
    version.is_some_and(|minor| minor >= 38)
}

/// What the EnvoyFilter for black holes marked the listener with: no attribute names a listener or its filters.
pub(super) fn listener_kind(host: &impl Host) -> Option<ListenerKind> {
    let marked = |mark| text(host, mark).is_some();
    if marked("filter_state\0meshwhy.listener.tls") {
        return Some(ListenerKind::Tls);
    }
    marked("filter_state\0meshwhy.listener.http").then_some(ListenerKind::Http)
}

/// Whether a connection manager's codec accepted this connection's bytes: it leaves the protocol on
/// the connection (1.40). A TCP proxy and other network filters don't, and neither does a codec
/// that rejected them.
pub(in crate::filter) fn waits_for_http(host: &impl Host) -> bool {
    text(host, PROTOCOL).is_some()
}

pub(in crate::filter) fn first_bytes(host: &impl Host) -> Option<FirstBytes> {
    FirstBytes::decode(&text(host, FIRST_BYTES)?)
}

/// Whether the endpoint says that it takes Istio's mutual TLS.
pub(super) fn takes_istio_mtls(host: &impl Host) -> bool {
    let mode = "xds\0upstream_host_metadata\0filter_metadata\0envoy.transport_socket_match\0tlsMode";
    text(host, mode).as_deref() == Some("istio")
}

/// How many endpoints the cluster has. Envoy reads the gauge `membership_total`, and Istio's proxies keep no gauges of
/// clusters (1.31): 0 is what they always say. It is true all the same where no DestinationRule is there to have
/// endpoints ejected: what isn't ready is no endpoint in Istio.
pub(super) fn endpoints(host: &impl Host, has_rule: impl FnOnce() -> bool) -> Option<u64> {
    let is_istio = || text(host, "xds\0node\0metadata\0ISTIO_VERSION").is_some();
    number(host, "upstream\0num_endpoints").filter(|count| *count > 0 || !has_rule() || !is_istio())
}

pub(super) fn mixer(host: &impl Host) -> Option<MixerStatus> {
    MixerStatus::new(&text(host, "metadata\0filter_metadata\0istio.mixer\0status")?)
}
