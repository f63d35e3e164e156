//! Host → [`Evidence`]: reads the attributes that a failure's kind calls for, and no others.

// Attribute names are Envoy 1.40's. Each read that returns data costs about a microsecond, an absent one a tenth of it,
// so only failures come here.

mod attributes;

use self::attributes::{
    ADDRESS, DESTINATION_PORT, DESTINATION_RULE, PROTOCOL, SNI, UPSTREAM_FAILURE, details, endpoints,
    is_connect, is_grpc, is_substitute, listener_kind, milliseconds, mixer, name, number, pool_ready,
    principal, resource, takes_istio_mtls, termination, text, tls_version, version, virtual_host,
};
pub(super) use self::attributes::{
    CAUSE, FIRST_BYTES, RESOURCE, already_reported, attempts, cluster, code, details_text,
    downstream_failure, first_bytes, flags, flags_upstream_resets, is_router, is_waypoint,
    listener_direction, refused_by_policy, request_key, upstream_tls, waits_for_http,
};
use crate::diagnosis::{AT_ONCE, FetchPlan, fetch_plan, is_policy_denial};
use crate::evidence;
use crate::evidence::{
    Answer, ClusterName, Detail, Details, Direction, Downstream, Evidence, FALL_THROUGH, Flags, Layer,
    Resource, Route, Stream, TransportFailure, Upstream, covers, host_of,
};
use crate::host::{HeaderMap, Host};
use crate::wire::FirstBytes;

/// Flags of time-outs: how long the stream lived is part of the evidence.
const TIME_RAN_OUT: Flags = Flags::UPSTREAM_REQUEST_TIMEOUT
    .union(Flags::STREAM_IDLE_TIMEOUT)
    .union(Flags::UPSTREAM_MAX_STREAM_DURATION_REACHED)
    .union(Flags::DOWNSTREAM_CONNECTION_TERMINATION)
    .union(Flags::DOWNSTREAM_REMOTE_RESET);

/// The details that Envoy gives to a stream that ends this way.
const CLIENT_LEFT: &str = "downstream_remote_disconnect";

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
    let too_long = e.details.detail() == Detail::MaxDurationTimeout;
    if flags.intersects(TIME_RAN_OUT) || code.is_none() || closed || too_long {
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
            // There the tunnel showed the certificate, and the stream has none (1.31).
            if e.downstream.principal.is_none() && is_waypoint(host) {
                e.filter_chain = name(host, "xds\0filter_chain_name");
            }
        }
        _ => {}
    }
    if flags.intersects(Flags::UPSTREAM_PROTOCOL_ERROR | Flags::UPSTREAM_REQUEST_TIMEOUT) || too_long {
        e.downstream.grpc = Some(is_grpc(host));
    }
    if plan.contains(FetchPlan::VIRTUAL_HOST) {
        e.route.virtual_host = virtual_host(host);
    }
    // A waypoint's are all called alike, and its chains after their Services (1.31).
    let anonymous = || e.route.virtual_host.as_deref().is_some_and(|name| name.starts_with("inbound|"));
    if e.details.detail() == Detail::RouteNotFound && anonymous() {
        e.filter_chain = name(host, "xds\0filter_chain_name");
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
    let broke_off = e.details.reset_after_response();
    if left || broke_off {
        measure(host, &mut e.answer);
    }
    if broke_off && flags.contains(Flags::UPSTREAM_PROTOCOL_ERROR) {
        e.downstream.protocol = text(host, PROTOCOL);
    }
    if left {
        e.answer.stream = stream(host);
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
        e.answer.stream = stream(host);
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
        route.resource = Resource::istiods_gateway(&path);
    }
}

/// What kind of stream the answer is, by its content type.
fn stream(host: &impl Host) -> Option<Stream> {
    Stream::of_content_type(&host.header(HeaderMap::Response, "content-type").ok().flatten()?)
}

/// Adds how long the body was to be, and how much of it came.
fn measure(host: &impl Host, answer: &mut Answer) {
    let promised = host.header(HeaderMap::Response, "content-length").ok().flatten();
    answer.promised = promised.and_then(|length| str::from_utf8(&length).ok()?.parse().ok());
    answer.passed = number(host, "response\0size");
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

/// How long a connection on a TCP chain has lived: no attribute says it.
pub(super) fn session(host: &impl Host, e: &mut Evidence) {
    let times = number(host, "request\0time").zip(host.now().ok());
    e.lived = times.map(|(begin, now)| now.saturating_sub(begin) / 1_000_000);
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

/// A request that the codec closed the connection on.
pub(super) fn unanswered(host: &impl Host, flags: Flags, first_bytes: Option<FirstBytes>) -> Box<Evidence> {
    let mut e = never_http(host, flags, first_bytes);
    e.details = Details::default();
    e
}

/// A connection that its client ended without a byte, at a port where servers speak first, and that no TCP proxy took to one.
/// Whoever only looks whether the port is open leaves at once.
pub(super) fn waits_for_greeting(host: &impl Host, flags: Flags) -> Option<Box<Evidence>> {
    /// FTP, SMTP, POP3, IMAP, submission, MySQL.
    const SERVERS_GREET: &[u64] = &[21, 25, 110, 143, 587, 3306];
    /// In milliseconds.
    const SHORTEST: u64 = 1_000;
    let port = number(host, DESTINATION_PORT).filter(|port| SERVERS_GREET.contains(port))?;
    let mut e = never_http(host, flags, None);
    session(host, &mut e);
    e.downstream.port = Some(port);
    (e.lived >= Some(SHORTEST) && cluster(host).is_none()).then_some(e)
}

/// A connection that this proxy closed at once, before a byte had passed, without a flag and without a handshake that failed.
pub(super) fn turned_away(host: &impl Host, flags: Flags) -> Option<Box<Evidence>> {
    let mut e = Box::<Evidence>::default();
    session(host, &mut e);
    let lived = e.lived.filter(|lived| *lived <= AT_ONCE)?;
    let failure = downstream_failure(host);
    let shook_hands = failure.is_none_or(|reason| reason.is_inspectors_note());
    (shook_hands && flags_upstream_resets(host)).then_some(())?;
    e = tcp(host, flags);
    (e.cut_off, e.lived) = (true, Some(lived));
    Some(e)
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
