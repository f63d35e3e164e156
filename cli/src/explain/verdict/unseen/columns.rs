//! What a line doesn't show, by what is known of it.

use super::values::*;
use super::*;

pub(super) fn unseen(e: &Evidence, line: Columns) -> Vec<Unseen> {
    let mut all = Vec::new();
    let mut add = |shown_by, values: Vec<Change>| all.push(Unseen { shown_by, values });
    let lacks = |column| !line.shows(column);
    match e.layer {
        Layer::Listener => {
            // The inspector leaves no note where it read a server name.
            if lacks(Column::DownstreamFailure) && e.downstream.sni.is_none() {
                add(LISTENERS, listener_notes());
            } else {
                let at = |direction| -> Change { Box::new(move |e| e.direction = direction) };
                add("meshwhy's access_log role", vec![at(Direction::Inbound), at(Direction::Outbound)]);
            }
            return all;
        }
        Layer::Http => http(e, line, &mut add),
        Layer::Tcp => tcp(e, line, &mut add),
    }
    let denied = |details: &Details| is_policy_denial(details) && details.inner() == Some("none");
    let outbound = e.upstream.cluster.as_ref().is_some_and(|c| c.as_str().starts_with("outbound|"));
    if outbound && (denied(&e.details) || denied(&e.termination)) {
        // A gateway's policy, or a sidecar's stand-in for a Wasm module.
        add("meshwhy's direction", vec![Box::new(|e| e.direction = Direction::Outbound)]);
    }
    // Older versions have no reason either where they have the column.
    let older = lacks(Column::Details) || e.details.reset_reason() == Some("connection_failure");
    let unexplained = (lacks(Column::UpstreamFailure) || older) && e.upstream.transport_failure.is_none();
    if unexplained && gather::failed_to_connect(e) {
        add("%UPSTREAM_TRANSPORT_FAILURE_REASON%", failures());
    }
    let no_host =
        e.flags.contains(Flags::NO_HEALTHY_UPSTREAM) || e.details.detail() == Detail::NoHealthyUpstream;
    if no_host && e.upstream.endpoints.is_none() {
        add("%CEL(upstream.num_endpoints)%", vec![endpoints(0), endpoints(3)]);
    }
    // Behind a socket that never connected there was no TLS, and no endpoint to be asked where none was picked.
    let connected = e.upstream.address.is_some() || lacks(Column::UpstreamHost);
    let may_be_istios = e.upstream.cluster.as_ref().is_none_or(|c| !others::is_anothers(c.as_str()));
    if connected && may_be_istios && lacks(Column::TlsMode) {
        add(MTLS, vec![mtls(true), mtls(false)]);
    }
    // No log shows what an endpoint took before. Hosts outside of the mesh took nothing of it.
    let failed_tls = e.upstream.transport_failure.as_ref().is_some_and(TransportFailure::is_tls);
    let of_mesh = match &e.upstream.cluster {
        Some(cluster) => cluster.host().is_some_and(|host| host.contains(".svc.")),
        None => true,
    };
    if failed_tls && of_mesh && e.upstream.takes_istio_mtls != Some(true) {
        add(MTLS, vec![own_tls()]);
    }
    if connected && lacks(Column::UpstreamTls) && !e.flags.contains(Flags::UPSTREAM_CONNECTION_FAILURE) {
        let agreed: Change = Box::new(|e| e.upstream.tls_version = Some(TlsVersion::Unknown));
        add("%UPSTREAM_TLS_VERSION%", vec![agreed]);
    }
    all
}

fn http(e: &Evidence, line: Columns, add: &mut impl FnMut(&'static str, Vec<Change>)) {
    let lacks = |column| !line.shows(column);
    if lacks(Column::Details) && !gather::was_answered(e, line) {
        add(
            "%RESPONSE_CODE_DETAILS%",
            details(e, line.shows(Column::Flags) || line.shows(Column::FlagsLong), line.shows(Column::Code)),
        );
        // Where nobody says that no endpoint was asked, the answer may be one's.
        if lacks(Column::UpstreamHost) && e.upstream.address.is_none() && !e.flags.any_failure() {
            add("%RESPONSE_CODE_DETAILS%", vec![Box::new(|e| e.details = Details::new("via_upstream"))]);
        }
    }
    // Who got as far as an upstream sent a request, whether the log shows it or not.
    let asked = line.has(Column::Method) || gather::got_to_an_upstream(e);
    if !asked {
        let kinds = [
            Protocol::TlsClientHello,
            Protocol::TlsOther,
            Protocol::Http1,
            Protocol::Ssh,
            Protocol::ProxyV1,
            Protocol::Binary,
            Protocol::Text,
        ];
        add(BYTES, kinds.map(client_bytes).into());
        if lacks(Column::Sni) {
            add("%REQUESTED_SERVER_NAME%", vec![Box::new(|e| e.downstream.sni = Some("a".into()))]);
        }
        // A name of the mesh's proxies that somebody else gave: no log shows who had a certificate.
        if e.downstream.is_mesh_tls() {
            let strangers: Change = Box::new(|e| {
                (e.downstream.tls_version, e.downstream.mutual) = (Some(TlsVersion::Unknown), Some(false));
            });
            add("meshwhy's http role", vec![strangers]);
        }
    }
    if e.downstream.tunnel.is_none() && e.ended_like_a_tunnel() {
        add("%REQ(:METHOD)%", vec![Box::new(|e| e.downstream.tunnel = Some(true))]);
    }
    if lacks(Column::DownstreamTls) && e.downstream.tls_version.is_none() {
        let agreed: Change = Box::new(|e| e.downstream.tls_version = Some(TlsVersion::Unknown));
        add("%DOWNSTREAM_TLS_VERSION%", vec![agreed]);
    }
    if matches!(
        e.details.detail(),
        Detail::RouteNotFound | Detail::DirectResponse | Detail::None | Detail::Unseen
    ) {
        no_route(e, line, add);
    }
    // Through a tunnel a connect that timed out looks like one that was closed, but for how long it took.
    let in_tunnel = e.upstream.address.as_deref().is_some_and(|host| host.starts_with("envoy://"));
    if lacks(Column::Duration) && in_tunnel && e.details.closed_before_response() {
        add("%DURATION%", vec![Box::new(|e| e.lived = Some(10_000))]);
    }
    // Whether the connection was used before is in no log.
    let closed = lacks(Column::Details) && e.flags.contains(Flags::UPSTREAM_CONNECTION_TERMINATION);
    if e.details.closed_before_response() || closed {
        let reused: Change = Box::new(|e| (e.upstream.pool_ready, e.lived) = (Some(30), Some(1)));
        add("meshwhy's http role", vec![reused]);
    }
    // Whether the error page is another proxy's is in no log.
    let unavailable = e.answer.grpc_status == Some(GrpcStatus::UNAVAILABLE);
    if e.details.via_upstream() && (matches!(e.code, Some(502..=504)) || unavailable) {
        let reply: Change =
            Box::new(|e| (e.answer.page, e.answer.by_proxy) = (Some(Page::ProxyReply), Some(true)));
        add("meshwhy's http role", vec![reply]);
    }
    // A body that broke off: whether it was shorter than its length said is in no log.
    // What broke off after a good status had that before.
    let good = e.code.is_some_and(|code| code < 400);
    let broken = lacks(Column::Details) && good && e.flags.contains(Flags::UPSTREAM_PROTOCOL_ERROR);
    if broken {
        let after = "upstream_reset_after_response_started{protocol_error}";
        add("%RESPONSE_CODE_DETAILS%", vec![Box::new(move |e| e.details = Details::new(after))]);
    }
    if e.details.reset_after_response() || broken || e.details.is_empty() {
        let cut_short: Change = Box::new(|e| {
            (e.answer.promised, e.answer.passed) = (Some(2), Some(1));
            (e.direction, e.downstream.protocol) = (Direction::Inbound, Some("HTTP/1.1".to_owned()));
        });
        add("meshwhy's http role", vec![cut_short]);
    }
}

fn no_route(e: &Evidence, line: Columns, add: &mut impl FnMut(&'static str, Vec<Change>)) {
    let lacks = |column| !line.shows(column);
    if lacks(Column::VirtualHost) {
        let is =
            |name: &'static str| -> Change { Box::new(move |e| e.route.virtual_host = Some(name.into())) };
        // istiod's own answer to blocked hosts: nobody else calls a route so and answers 502.
        let blocked = e.details.detail() == Detail::DirectResponse
            && e.code == Some(502)
            && e.route.name.as_deref() == Some("block_all");
        let unnamed = e.code == Some(502) && e.route.name.is_none();
        let values = match (blocked, unnamed) {
            (true, _) => vec![is("block_all")],
            (false, true) => vec![is("a"), is("block_all")],
            (false, false) => vec![is("a"), is("blackhole:443")],
        };
        add("%CEL(xds.virtual_host_name)%", values);
    }
    if lacks(Column::Protocol) {
        add("%PROTOCOL%", vec![Box::new(|e| e.downstream.protocol = Some("HTTP/2".into()))]);
    }
    if lacks(Column::Sni) || (e.downstream.sni.is_some() && e.downstream.sni_is_authority.is_none()) {
        let differs: Change = Box::new(|e| {
            e.downstream.sni = Some("a".into());
            e.downstream.sni_is_authority = Some(false);
        });
        add("%REQUESTED_SERVER_NAME%", vec![differs]);
    }
    // What a route was made of is in no default log. Istio names all routes of the Gateway API.
    let named = (e.route.name.is_some() || lacks(Column::Route)) && !e.route.gateway_api;
    let answered = e.details.detail() == Detail::DirectResponse
        || (lacks(Column::Details) && matches!(e.code, Some(500..)));
    if answered && lacks(Column::RouteConfig) && named {
        add("%CEL(xds.route_metadata)%", vec![Box::new(|e| e.route.gateway_api = true)]);
    }
    // The filter reads this proxy's certificate; no log does.
    add("meshwhy's http role", vec![Box::new(|e| e.downstream.certificate_covers_authority = Some(true))]);
}

fn tcp(e: &Evidence, line: Columns, add: &mut impl FnMut(&'static str, Vec<Change>)) {
    let lacks = |column| !line.shows(column);
    // A policy's denial of a connection is flagged nothing (1.40).
    let flagged = e.flags.difference(Flags::CLIENT_LEFT).any_failure();
    if lacks(Column::Termination) && !flagged {
        let denied = "rbac_access_denied_matched_policy[none]";
        add(
            "%CONNECTION_TERMINATION_DETAILS%",
            vec![Box::new(move |e| e.termination = Details::new(denied))],
        );
    }
    // Istio's default chain leads to either.
    let undeclared = e.upstream.cluster.as_ref().is_some_and(|c| c.is_black_hole() || c.is_passthrough());
    if undeclared && (lacks(Column::FilterChain) || e.filter_chain.as_deref() == Some(FALL_THROUGH)) {
        add("%FILTER_CHAIN_NAME%", fell_through(lacks(Column::DownstreamFailure)));
    }
    // Older versions take the cluster's name from the endpoint, and have none without.
    if e.upstream.cluster.is_none() {
        let hole: Change = Box::new(|e| e.upstream.cluster = ClusterName::new("BlackHoleCluster"));
        add("%UPSTREAM_CLUSTER_RAW%", vec![hole]);
    }
    // Older versions write no reason for TCP: a time-out is one of many.
    let unexplained =
        e.flags.contains(Flags::UPSTREAM_CONNECTION_FAILURE) && e.upstream.transport_failure.is_none();
    if unexplained && !lacks(Column::UpstreamFailure) {
        add("a newer Envoy", failures());
    }
    // A TCP proxy reads nothing from the client before the upstream is connected (1.40).
    if !e.flags.contains(Flags::UPSTREAM_CONNECTION_FAILURE) {
        let kinds = [Protocol::TlsClientHello, Protocol::Http1, Protocol::ProxyV1, Protocol::Binary];
        add(BYTES, kinds.map(client_bytes).into());
        let kinds = [Protocol::TlsServerHello, Protocol::Binary, Protocol::Http1];
        add(BYTES, kinds.map(server_bytes).into());
    }
    if lacks(Column::Sni) {
        add("%REQUESTED_SERVER_NAME%", vec![Box::new(|e| e.downstream.sni = Some("a".into()))]);
    }
    if lacks(Column::DownstreamTls) {
        let agreed: Change = Box::new(|e| e.downstream.tls_version = Some(TlsVersion::Unknown));
        add("%DOWNSTREAM_TLS_VERSION%", vec![agreed]);
    }
}
