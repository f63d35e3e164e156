//! Host → [`Evidence`]: reads the attributes that a failure's kind calls for, and no others.

// Attribute names are Envoy 1.40's. Each read that returns data costs about a microsecond, an absent one a tenth of it,
// so only failures come here.

use crate::diagnosis::{FetchPlan, fetch_plan, is_policy_denial};
use crate::evidence;
use crate::evidence::{
    Answer, ClusterName, Detail, Details, Direction, Downstream, Evidence, FALL_THROUGH, Flags, Layer,
    ListenerKind, MixerStatus, Resource, Route, Stream, TlsVersion, TransportFailure, Upstream, covers,
    host_of,
};
use crate::history::RequestKey;
use crate::host::{HeaderMap, Host};
use crate::wire::FirstBytes;

/// Filter state by which the connection role passes the first bytes to the HTTP role and the access
/// loggers.
pub(super) const FIRST_BYTES: &str = "meshwhy.first_bytes";
/// Set by the first role that reports.
pub(super) const CAUSE: &str = "meshwhy.cause";
pub(super) const RESOURCE: &str = "meshwhy.resource";

const FLAGS: &str = "response\0flags";
const CODE: &str = "response\0code";
const DETAILS: &str = "response\0code_details";
const DESTINATION_PORT: &str = "destination\0port";
const SNI: &str = "connection\0requested_server_name";
const UPSTREAM_TLS: &str = "upstream\0tls_version";
const UPSTREAM_FAILURE: &str = "upstream\0transport_failure_reason";
const PROTOCOL: &str = "request\0protocol";
const CLUSTER: &str = "xds\0cluster_name";
const DESTINATION_RULE: &str = "xds\0cluster_metadata\0filter_metadata\0istio\0config";
const ADDRESS: &str = "upstream\0address";
const ATTEMPTS: &str = "upstream\0request_attempt_count";
const POOL_READY: &str = "upstream\0cx_pool_ready_duration";
const TERMINATION: &str = "connection\0termination_details";

/// Flags of time-outs: how long the stream lived is part of the evidence.
const TIME_RAN_OUT: Flags = Flags::UPSTREAM_REQUEST_TIMEOUT
    .union(Flags::STREAM_IDLE_TIMEOUT)
    .union(Flags::UPSTREAM_MAX_STREAM_DURATION_REACHED)
    .union(Flags::DOWNSTREAM_CONNECTION_TERMINATION)
    .union(Flags::DOWNSTREAM_REMOTE_RESET);

/// The details that Envoy gives to a stream that ends this way.
const CLIENT_LEFT: &str = "downstream_remote_disconnect";

/// The most bytes that are read of an attribute: several times the length of Envoy's own texts.
const LONGEST_ATTRIBUTE: usize = 4096;

/// An attribute as text; what can't be read counts as not seen.
fn text(host: &impl Host, path: &str) -> Option<String> {
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
fn name(host: &impl Host, path: &str) -> Option<String> {
    text(host, path).map(evidence::name)
}

/// An attribute that is a number: eight bytes, little endian.
fn number(host: &impl Host, path: &str) -> Option<u64> {
    let bytes: [u8; 8] = host.property(path).ok().flatten()?.try_into().ok()?;
    Some(u64::from_le_bytes(bytes))
}

fn resource(host: &impl Host, path: &str) -> Option<Resource> {
    Resource::from_config_path(&text(host, path)?)
}

/// The flags alone: what decides whether anything else is read.
pub(super) fn flags(host: &impl Host) -> Option<Flags> {
    number(host, FLAGS).map(Flags::from_bits_retain)
}

pub(super) fn code(host: &impl Host) -> Option<u16> {
    number(host, CODE).and_then(|code| u16::try_from(code).ok()).filter(|code| *code != 0)
}

pub(super) fn details_text(host: &impl Host) -> String {
    text(host, DETAILS).unwrap_or_default()
}

fn details(host: &impl Host) -> Details {
    Details::new(details_text(host))
}

pub(super) fn cluster(host: &impl Host) -> Option<ClusterName> {
    ClusterName::new(name(host, CLUSTER)?)
}

/// How many times the request was tried.
pub(super) fn attempts(host: &impl Host) -> Option<u64> {
    number(host, ATTEMPTS)
}

pub(super) fn upstream_tls(host: &impl Host) -> Option<TlsVersion> {
    tls_version(host, UPSTREAM_TLS)
}

fn tls_version(host: &impl Host, path: &str) -> Option<TlsVersion> {
    let name = host.property(path).ok().flatten()?;
    (!name.is_empty()).then(|| TlsVersion::parse(&name))
}

/// Why TLS with the client failed: only listeners' access loggers see it.
pub(super) fn downstream_failure(host: &impl Host) -> Option<TransportFailure> {
    TransportFailure::new(&text(host, "connection\0transport_failure_reason")?)
}

/// Whether another role has reported already.
pub(super) fn already_reported(host: &impl Host) -> bool {
    text(host, CAUSE).is_some()
}

/// 1 inbound, 2 outbound; gateways of plain Envoy leave it unset.
pub(super) fn listener_direction(host: &impl Host) -> Option<u64> {
    number(host, "xds\0listener_direction")
}

/// Whether Istio started this proxy as a gateway: `router~...`.
pub(super) fn is_router(host: &impl Host) -> bool {
    text(host, "xds\0node\0id").is_some_and(|id| id.starts_with("router~"))
}

/// The evidence of a failed HTTP stream, as far as its fetch plan goes.
pub(super) fn http(
    host: &impl Host,
    flags: Flags,
    code: Option<u16>,
    details: Details,
    answer: Answer,
) -> Box<Evidence> {
    let plan = fetch_plan(&details, flags, &answer);
    // Filled in where it is: it is large, and most of it stays empty.
    let mut e = Box::<Evidence>::default();
    (e.code, e.flags, e.details, e.answer) = (code, flags, details, answer);
    let closed = e.details.transport_failure().is_none() && e.details.closed_before_response();
    if flags.intersects(TIME_RAN_OUT) || code.is_none() || closed {
        e.lived = milliseconds(host);
    }
    if plan.contains(FetchPlan::CLIENT) {
        requester(host, &mut e.downstream);
    }
    match e.details.detail() {
        Detail::RouteNotFound => {
            compare_with_authority(host, &mut e.downstream);
            e.downstream.tunnel = Some(is_connect(host));
        }
        Detail::DirectResponse => e.downstream.tunnel = Some(is_connect(host)),
        Detail::RbacAccessDeniedMatchedPolicy if e.details.inner() == Some("none") => {
            e.substitute = Some(is_substitute(host));
            e.downstream.principal = principal(host);
        }
        _ => {}
    }
    if flags.intersects(Flags::UPSTREAM_PROTOCOL_ERROR | Flags::UPSTREAM_REQUEST_TIMEOUT) {
        e.downstream.grpc = Some(is_grpc(host));
    }
    if plan.contains(FetchPlan::VIRTUAL_HOST) {
        e.route.virtual_host = virtual_host(host);
    }
    if plan.contains(FetchPlan::ROUTE) {
        name_route(host, &mut e.route);
    }
    e.upstream.transport_failure = e.details.transport_failure().cloned();
    reach(host, plan, &mut e.upstream);
    if closed && e.upstream.cluster.is_some() {
        e.upstream.pool_ready = pool_ready(host);
    }
    let left = e.left_midway();
    if left || e.details.reset_after_response() {
        measure(host, &mut e.answer);
    }
    if left {
        let kind = host.header(HeaderMap::Response, "content-type").ok().flatten();
        e.answer.stream = kind.and_then(|kind| Stream::of_content_type(&kind));
    }
    // External authorization's local replies have a flag of their own, or none.
    if plan.contains(FetchPlan::MIXER)
        && (!flags.any_failure() || flags.contains(Flags::UNAUTHORIZED_EXTERNAL_SERVICE))
    {
        e.mixer = mixer(host);
    }
    if e.ended_like_a_tunnel() {
        e.downstream.tunnel = Some(is_connect(host));
    }
    e
}

/// Whether these show the client's reset or disconnect, and nothing else.
pub(super) fn is_left(details: &Details, flags: Flags) -> bool {
    let left = matches!(
        details.detail(),
        Detail::DownstreamRemoteDisconnect
            | Detail::Http2RemoteReset
            | Detail::Http2RemoteRefuse
            | Detail::Http3RemoteReset
            | Detail::Http3RemoteRefuse
    );
    left && flags.difference(Flags::CLIENT_LEFT | Flags::HARMLESS).is_empty()
}

/// The evidence of a stream that its client left, for a brief report: what names the cause, and how
/// far the stream had got.
pub(super) fn left(
    host: &impl Host,
    flags: Flags,
    code: Option<u16>,
    details: Details,
    answer: Answer,
) -> Box<Evidence> {
    let mut e = Box::<Evidence>::default();
    (e.code, e.flags, e.details, e.answer, e.brief) = (code, flags, details, answer, true);
    e.upstream.cluster = cluster(host);
    if e.upstream.cluster.is_none() {
        // Bytes of another protocol end like that, too.
        requester(host, &mut e.downstream);
    }
    if e.left_midway() {
        // Event streams and tunnels have no other end.
        measure(host, &mut e.answer);
        let kind = host.header(HeaderMap::Response, "content-type").ok().flatten();
        e.answer.stream = kind.and_then(|kind| Stream::of_content_type(&kind));
    }
    if e.ended_like_a_tunnel() {
        e.downstream.tunnel = Some(is_connect(host));
    }
    e
}

fn requester(host: &impl Host, client: &mut Downstream) {
    client.protocol = text(host, PROTOCOL);
    client.first_bytes = first_bytes(host);
    destination_port(host, client);
    connect(host, client);
}

/// The evidence of a sampled success: only what soft causes rest on. How much of its route is read
/// depends on whether it can be observed, or `compared` with other requests.
pub(super) fn success(
    host: &impl Host,
    direction: Direction,
    cluster: Option<ClusterName>,
    answer: Answer,
    compared: bool,
) -> Box<Evidence> {
    let mut e = Box::<Evidence>::default();
    // A gateway that leads to a service as a whole.
    let whole = direction == Direction::Gateway
        && cluster.as_ref().is_some_and(|c| c.is_service() && c.subset().is_none());
    let unframed = answer.unframed == Some(true);
    (e.direction, e.upstream.cluster, e.answer) = (direction, cluster, answer);
    // An inbound listener's upstream is the application, which takes no mutual TLS.
    let outbound = direction != Direction::Inbound;
    if outbound {
        e.upstream.tls_version = upstream_tls(host);
        e.upstream.takes_istio_mtls = Some(takes_istio_mtls(host));
    }
    e.details = details(host);
    if unframed {
        e.downstream.protocol = text(host, PROTOCOL);
        (e.downstream.grpc, e.downstream.tunnel) = (Some(is_grpc(host)), Some(is_connect(host)));
    }
    if outbound || compared {
        name_route(host, &mut e.route);
    }
    // The virtual host matters where a VirtualService is behind the route, and where one that is compared may be.
    if compared || e.route.resource.is_some() {
        e.route.virtual_host = virtual_host(host);
    }
    if unframed || e.upstream.takes_istio_mtls == Some(true) {
        e.upstream.address = name(host, ADDRESS);
    }
    if whole {
        e.upstream.resource = resource(host, DESTINATION_RULE);
        e.upstream.version = version(host);
    }
    e
}

/// The endpoint's version, from `workload;namespace;name;version;cluster`.
fn version(host: &impl Host) -> Option<String> {
    let workload = text(host, "xds\0upstream_host_metadata\0filter_metadata\0istio\0workload")?;
    let version = workload.split(';').nth(3)?;
    (!version.is_empty()).then(|| evidence::name(version.to_owned()))
}

/// What identifies the request: only a hash is kept.
pub(super) fn request_key(host: &impl Host) -> RequestKey {
    let part = |path| host.property(path).ok().flatten().unwrap_or_default();
    RequestKey::new(&part("request\0method"), &part("request\0host"), &part("request\0url_path"))
}

/// The route's name, and what it was made of.
fn name_route(host: &impl Host, route: &mut Route) {
    route.name = name(host, "xds\0route_name");
    let path = text(host, "xds\0route_metadata\0filter_metadata\0istio\0config").unwrap_or_default();
    *route = std::mem::take(route).made_of(&path);
    // istiod names the routes of a GRPCRoute as those of an HTTPRoute, which may carry gRPC, too (1.31).
    if route.gateway_api
        && !Resource::is_envoy_gateway(route.name.as_deref().unwrap_or_default())
        && is_grpc(host)
    {
        route.resource = None;
    }
}

fn virtual_host(host: &impl Host) -> Option<String> {
    name(host, "xds\0virtual_host_name")
}

/// How long it took until there was a connection to the upstream, or none, in microseconds.
fn pool_ready(host: &impl Host) -> Option<u64> {
    number(host, POOL_READY).map(|nanoseconds| nanoseconds / 1_000)
}

/// How long the stream lived; the attribute is in nanoseconds.
fn milliseconds(host: &impl Host) -> Option<u64> {
    number(host, "request\0duration").map(|nanoseconds| nanoseconds / 1_000_000)
}

/// Adds how long the body was to be, and how much of it came.
fn measure(host: &impl Host, answer: &mut Answer) {
    let promised = host.header(HeaderMap::Response, "content-length").ok().flatten();
    answer.promised = promised.and_then(|length| str::from_utf8(&length).ok()?.parse().ok());
    answer.passed = number(host, "response\0size");
}

fn is_grpc(host: &impl Host) -> bool {
    let kind = host.header(HeaderMap::Request, "content-type").ok().flatten();
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

/// Whether the RBAC filter, which named no policy, is the one that Istio's agent puts in the place of a Wasm module: it leaves
/// its result under a prefix of its own (Istio 1.31; Envoy 1.36 and 1.40). That of TCP chains leaves none.
fn is_substitute(host: &impl Host) -> bool {
    const KEY: &str =
        "metadata\0filter_metadata\0envoy.filters.http.rbac\0wasm-default-denyenforced_engine_result";
    text(host, KEY).is_some()
}

/// Who the client is to the mesh, by the certificate that this proxy has taken.
fn principal(host: &impl Host) -> Option<String> {
    evidence::spiffe_id(&text(host, "connection\0uri_san_peer_certificate")?)
}

fn is_connect(host: &impl Host) -> bool {
    text(host, "request\0method").as_deref() == Some("CONNECT")
}

/// Whether a policy ended this connection: a network filter leaves that in the termination details, which healthy
/// connections don't have.
pub(super) fn refused_by_policy(host: &impl Host) -> bool {
    is_policy_denial(&termination(host))
}

fn termination(host: &impl Host) -> Details {
    Details::new(text(host, TERMINATION).unwrap_or_default())
}

/// The evidence of a connection on a TCP proxy's chain, at its end.
pub(super) fn tcp(host: &impl Host, flags: Flags) -> Box<Evidence> {
    let mut e = Box::<Evidence>::default();
    (e.layer, e.flags, e.details) = (Layer::Tcp, flags, details(host));
    e.filter_chain = name(host, "xds\0filter_chain_name");
    connect(host, &mut e.downstream);
    if e.filter_chain.as_deref() == Some(FALL_THROUGH) {
        e.downstream.listener = listener_kind(host);
        e.downstream.port = number(host, DESTINATION_PORT);
        // What a TLS inspector noted, if there is one.
        e.downstream.transport_failure = downstream_failure(host);
    }
    e.termination = termination(host);
    if e.termination.inner() == Some("none") && is_policy_denial(&e.termination) {
        e.downstream.principal = principal(host);
    }
    e.upstream.transport_failure = e.details.transport_failure().cloned();
    reach(host, FetchPlan::EVERYTHING, &mut e.upstream);
    if flags.contains(Flags::UPSTREAM_CONNECTION_FAILURE) && e.upstream.transport_failure.is_none() {
        e.upstream.pool_ready = pool_ready(host);
    }
    e
}

/// Whether a reset by the upstream would be flagged: since 1.38. Before it looks as if this proxy had closed by itself.
pub(super) fn flags_upstream_resets(host: &impl Host) -> bool {
    let version = number(host, "xds\0node\0user_agent_build_version\0version\0minor_number");
    version.is_some_and(|minor| minor >= 38)
}

/// How long a connection on a TCP chain has lived: no attribute says it.
pub(super) fn session(host: &impl Host, e: &mut Evidence) {
    let times = number(host, "request\0time").zip(host.now().ok());
    e.lived = times.map(|(begin, now)| now.saturating_sub(begin) / 1_000_000);
}

/// What the EnvoyFilter for black holes marked the listener with: no attribute names a listener or its filters.
fn listener_kind(host: &impl Host) -> Option<ListenerKind> {
    let marked = |mark| text(host, mark).is_some();
    if marked("filter_state\0meshwhy.listener.tls") {
        return Some(ListenerKind::Tls);
    }
    marked("filter_state\0meshwhy.listener.http").then_some(ListenerKind::Http)
}

/// Whether a connection manager's codec accepted this connection's bytes: it leaves the protocol on
/// the connection (1.40). A TCP proxy and other network filters don't, and neither does a codec
/// that rejected them.
pub(super) fn waits_for_http(host: &impl Host) -> bool {
    text(host, PROTOCOL).is_some()
}

/// A connection without a complete request: no HTTP filter saw it (1.40), so the connection role
/// reports it as the HTTP role would.
pub(super) fn never_http(host: &impl Host, flags: Flags, first_bytes: Option<FirstBytes>) -> Box<Evidence> {
    let mut e = Box::<Evidence>::default();
    (e.flags, e.details) = (flags, Details::new(CLIENT_LEFT));
    connect(host, &mut e.downstream);
    e.downstream.first_bytes = first_bytes;
    destination_port(host, &mut e.downstream);
    e
}

/// The evidence of a connection at its listener.
pub(super) fn listener(
    host: &impl Host,
    details: Details,
    failure: Option<TransportFailure>,
) -> Box<Evidence> {
    let mut e = Box::<Evidence>::default();
    (e.layer, e.details) = (Layer::Listener, details);
    e.filter_chain = name(host, "xds\0filter_chain_name");
    connect(host, &mut e.downstream);
    e.downstream.transport_failure = failure;
    e
}

/// The client's connection.
fn connect(host: &impl Host, client: &mut Downstream) {
    client.sni = text(host, SNI).map(|name| evidence::host_name(&name));
    client.tls_version = tls_version(host, "connection\0tls_version");
    if client.tls_version.is_some() && client.is_mesh_tls() {
        // Anyone may write such a name; only the mesh's proxies have certificates that this one takes.
        client.mutual = host.property("connection\0mtls").ok().flatten().map(|yes| yes == [1]);
    }
}

/// Where another protocol came than the port is declared for, the fix names the port.
fn destination_port(host: &impl Host, client: &mut Downstream) {
    if client.first_bytes.as_ref().is_some_and(|first| !first.protocol.is_http()) {
        client.port = number(host, DESTINATION_PORT);
    }
}

pub(super) fn first_bytes(host: &impl Host) -> Option<FirstBytes> {
    FirstBytes::decode(&text(host, FIRST_BYTES)?)
}

/// Compares the request's host with the names of TLS. The host itself goes no further: it is a header's value.
fn compare_with_authority(host: &impl Host, client: &mut Downstream) {
    let Some(sni) = &client.sni else { return };
    let Some(authority) = text(host, "request\0host") else { return };
    let asked = host_of(&authority);
    client.sni_is_authority = Some(covers(sni, asked));
    // Envoy shows the first name of the certificate only: one that covers the host proves it, one
    // that doesn't proves nothing.
    let san = text(host, "connection\0dns_san_local_certificate");
    client.certificate_covers_authority = san.filter(|san| covers(san, asked)).map(|_| true);
}

/// Whether the endpoint says that it takes Istio's mutual TLS.
fn takes_istio_mtls(host: &impl Host) -> bool {
    let mode = "xds\0upstream_host_metadata\0filter_metadata\0envoy.transport_socket_match\0tlsMode";
    text(host, mode).as_deref() == Some("istio")
}

/// How many endpoints the cluster has. Envoy reads the gauge `membership_total`, and Istio's proxies keep no gauges of
/// clusters (1.31): 0 is what they always say. It is true all the same where no DestinationRule is there to have
/// endpoints ejected: what isn't ready is no endpoint in Istio.
fn endpoints(host: &impl Host, has_rule: impl FnOnce() -> bool) -> Option<u64> {
    let is_istio = || text(host, "xds\0node\0metadata\0ISTIO_VERSION").is_some();
    number(host, "upstream\0num_endpoints").filter(|count| *count > 0 || !has_rule() || !is_istio())
}

fn mixer(host: &impl Host) -> Option<MixerStatus> {
    MixerStatus::new(&text(host, "metadata\0filter_metadata\0istio.mixer\0status")?)
}

/// The upstream, as far as it was reached. The reason why not may be in an attribute, besides the
/// details.
fn reach(host: &impl Host, plan: FetchPlan, upstream: &mut Upstream) {
    if plan.contains(FetchPlan::UPSTREAM) {
        upstream.cluster = cluster(host);
    }
    if upstream.cluster.is_none() {
        // Without a cluster there is nothing behind it to ask for.
        return;
    }
    if plan.contains(FetchPlan::UPSTREAM_FAILURE)
        && let Some(failure) = text(host, UPSTREAM_FAILURE).and_then(|reason| TransportFailure::new(&reason))
    {
        upstream.transport_failure = Some(failure);
    }
    let plan = plan.knowing(upstream.transport_failure.as_ref());
    upstream.address = name(host, ADDRESS);
    let by_rule = plan.contains(FetchPlan::UPSTREAM_RULE);
    if by_rule {
        upstream.resource = resource(host, DESTINATION_RULE);
        upstream.takes_istio_mtls = upstream.address.as_ref().map(|_| takes_istio_mtls(host));
    }
    if plan.contains(FetchPlan::ENDPOINTS) {
        let rule =
            || if by_rule { upstream.resource.is_some() } else { resource(host, DESTINATION_RULE).is_some() };
        upstream.endpoints = endpoints(host, rule);
    }
    if plan.contains(FetchPlan::UPSTREAM_TLS) {
        upstream.tls_version = upstream_tls(host);
    }
    if plan.contains(FetchPlan::ATTEMPTS) {
        upstream.attempts = attempts(host);
    }
}
