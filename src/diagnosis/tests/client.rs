//! What clients do: leave, or speak something else than the port is for.

use super::{first, named, stream};
use crate::diagnosis::{diagnose, observe};
use crate::evidence::{
    ClusterName, Details, Direction, Evidence, Flags, Layer, ListenerKind, Resource, Stream, TlsVersion,
    TransportFailure,
};
use crate::report::Report;
use crate::wire::{ClientHello, FirstBytes, Protocol, Sniffer};

#[test]
fn a_client_that_left_may_have_spoken_something_else() {
    let mut e = stream(0, "DC", "downstream_remote_disconnect");
    assert_eq!(named(&e), Some(("client_disconnected", "possible")));
    e.downstream.first_bytes = first(Protocol::Text);
    assert_eq!(named(&e), Some(("client_disconnected", "likely")));
    e.downstream.first_bytes = first(Protocol::Http1);
    assert_eq!(named(&e), Some(("client_disconnected", "certain")));
    e.downstream.first_bytes = first(Protocol::Mongodb);
    assert_eq!(named(&e), Some(("not_http_on_http_port", "certain")));
}

#[test]
fn a_client_that_leaves_an_answer_may_have_had_enough() {
    let left = |promised, passed, stream| {
        let mut e = super::stream(200, "DC,URX", "downstream_remote_disconnect");
        (e.answer.promised, e.answer.passed, e.answer.stream) = (promised, passed, stream);
        named(&e)
    };
    let is = |confidence| Some(("client_disconnected", confidence));
    assert_eq!(left(Some(100), Some(4), None), is("likely"));
    assert_eq!(left(Some(100), Some(100), None), None, "all of it had passed");
    assert_eq!(left(None, Some(4), None), is("possible"));
    assert_eq!(left(None, Some(0), Some(Stream::Events)), None);
    assert_eq!(left(None, Some(5), Some(Stream::Grpc)), None);
    assert_eq!(left(None, Some(0), Some(Stream::Grpc)), is("possible"));
    // Something else was flagged as well.
    let mut e = super::stream(200, "DC,UPE", "upstream_reset_after_response_started{protocol_error}");
    e.answer.stream = Some(Stream::Events);
    assert_eq!(named(&e), Some(("upstream_protocol_error", "likely")));
}

#[test]
fn connect_is_no_route_that_somebody_forgot() {
    let asked = |details: &str, virtual_host: Option<&str>, tunnel| {
        let mut e =
            if details == "direct_response" { stream(502, "-", details) } else { stream(404, "NR", details) };
        (e.route.virtual_host, e.downstream.tunnel) = (virtual_host.map(str::to_owned), tunnel);
        named(&e)
    };
    let connect = |confidence| Some(("connect_to_non_proxy_port", confidence));
    for istiods in ["block_all", "allow_any"] {
        assert_eq!(asked("route_not_found", Some(istiods), Some(true)), connect("certain"));
        assert_eq!(asked("route_not_found", Some(istiods), Some(false)), Some(("route_no_match", "certain")));
    }
    // A port that is a proxy for other hosts.
    assert_eq!(asked("route_not_found", Some("reviews:80"), Some(true)), connect("likely"));
    assert_eq!(asked("route_not_found", None, Some(true)), connect("likely"));
    assert_eq!(asked("route_not_found", None, None), Some(("route_host_unknown", "likely")));
    assert_eq!(asked("direct_response", Some("block_all"), Some(true)), connect("certain"));
    assert_eq!(asked("direct_response", Some("block_all"), Some(false)), Some(("egress_blocked", "certain")));
}

#[test]
fn tls_routes_are_blamed_where_tls_is_terminated() {
    let mut e = stream(404, "NR", "route_not_found");
    e.route.virtual_host = Some("blackhole:80".into());
    assert_eq!(named(&e), Some(("gateway_without_http_routes", "likely")), "a delegate that doesn't exist");
    let fix = |e: &Evidence| Report::new(&diagnose(e).unwrap(), e).fix;
    assert!(fix(&e).contains("delegates") && !fix(&e).contains("tls"), "{}", fix(&e));
    e.downstream.tls_version = Some(TlsVersion::V1_3);
    assert_eq!(named(&e), Some(("gateway_without_http_routes", "certain")));
    assert!(fix(&e).contains("tls"), "{}", fix(&e));
}

#[test]
fn streams_are_known_by_their_content_type() {
    for (kind, stream) in [
        ("text/event-stream", Some(Stream::Events)),
        ("Text/Event-Stream; charset=utf-8", Some(Stream::Events)),
        ("application/grpc", Some(Stream::Grpc)),
        ("application/grpc-web+proto", Some(Stream::Grpc)),
        ("application/json", None),
        ("text/event", None),
        ("", None),
    ] {
        assert_eq!(Stream::of_content_type(kind.as_bytes()), stream, "{kind}");
    }
}

#[test]
fn no_filter_chain_without_a_word_of_the_inspector() {
    let listener = |sni: Option<&str>, direction| {
        let details = Details::new("filter_chain_not_found");
        let mut e = Evidence { layer: Layer::Listener, details, direction, ..Evidence::default() };
        e.downstream.sni = sni.map(str::to_owned);
        named(&e)
    };
    let (gateway, inbound) = (Direction::Gateway, Direction::Inbound);
    assert_eq!(listener(None, gateway), Some(("no_filter_chain_for_sni", "possible")));
    assert_eq!(listener(None, inbound), Some(("plaintext_to_strict_mtls", "possible")));
    assert_eq!(listener(Some("a.test.com"), gateway), Some(("no_filter_chain_for_sni", "likely")));
    // An application's own TLS, where Istio takes plaintext and its mutual TLS.
    assert_eq!(listener(Some("orders"), inbound), Some(("tls_on_plaintext_port", "likely")));
    let meshs_own = "outbound_.80_._.orders.default.svc.cluster.local";
    assert_eq!(listener(Some(meshs_own), inbound), Some(("no_filter_chain_for_sni", "likely")));
}

#[test]
fn an_inspectors_note_separates_plaintext_from_a_broken_client_hello() {
    let noted = |word: &str, direction| {
        let details = Details::new("filter_chain_not_found");
        let mut e = Evidence { layer: Layer::Listener, details, direction, ..Evidence::default() };
        let note = format!("TLS_error|error:10000095:SSL_routines:OPENSSL_internal:{word}:TLS_error_end");
        e.downstream.transport_failure = TransportFailure::new(&note);
        named(&e)
    };
    let (gateway, inbound) = (Direction::Gateway, Direction::Inbound);
    assert_eq!(noted("HTTP_REQUEST", gateway), Some(("plaintext_on_tls_port", "certain")));
    assert_eq!(noted("HTTPS_PROXY_REQUEST", gateway), Some(("plaintext_on_tls_port", "certain")));
    assert_eq!(noted("WRONG_VERSION_NUMBER", gateway), Some(("plaintext_on_tls_port", "likely")));
    assert_eq!(noted("HTTP_REQUEST", inbound), Some(("plaintext_to_strict_mtls", "likely")));
    assert_eq!(noted("WRONG_VERSION_NUMBER", inbound), Some(("plaintext_to_strict_mtls", "possible")));
    for broken in ["ERROR_PARSING_EXTENSION", "CLIENTHELLO_PARSE_FAILED", "SSLV3_ALERT_HANDSHAKE_FAILURE"] {
        assert_eq!(noted(broken, gateway), Some(("downstream_tls_failed", "likely")));
        assert_eq!(noted(broken, inbound), Some(("downstream_tls_failed", "likely")));
    }
}

#[test]
fn a_client_that_resets_tls_is_no_failed_handshake() {
    let mut e = Evidence { layer: Layer::Listener, ..Evidence::default() };
    e.downstream.transport_failure = TransportFailure::new(super::RESET);
    assert_eq!(named(&e), None);
}

#[test]
fn tls_in_the_meshs_own_tls_is_no_double_tls() {
    for (sni, bytes, verdict) in [
        ("outbound_.80_._.orders.default", Protocol::TlsClientHello, ("tls_on_plaintext_port", "likely")),
        ("cart.shop.test", Protocol::TlsClientHello, ("double_tls", "certain")),
        ("cart.shop.test", Protocol::TlsOther, ("double_tls", "likely")),
    ] {
        let mut e = stream(400, "DPE", "http1.codec_error");
        e.downstream.sni = Some(sni.into());
        e.downstream.tls_version = Some(TlsVersion::V1_3);
        e.downstream.first_bytes = first(bytes);
        assert_eq!(named(&e), Some(verdict), "{sni}");
    }
}

#[test]
fn tls_that_fell_through_and_was_reset_without_a_word() {
    let mut e = Evidence { layer: Layer::Tcp, flags: Flags::from_short("UR"), ..Evidence::default() };
    e.direction = Direction::Outbound;
    e.filter_chain = Some("PassthroughFilterChain".into());
    e.upstream.cluster = ClusterName::new("PassthroughCluster");
    e.downstream.listener = Some(ListenerKind::Http);
    e.downstream.first_bytes = first(Protocol::TlsClientHello);
    assert_eq!(named(&e), Some(("tls_on_plaintext_port", "likely")));
    e.upstream.first_bytes = first(Protocol::TlsServerHello);
    assert_eq!(named(&e), None, "some servers end every conversation so");
}

#[test]
fn what_only_the_proxy_has_an_address_for_is_no_ones_network_failure() {
    let tcp = |flags| Evidence { layer: Layer::Tcp, flags: Flags::from_short(flags), ..Evidence::default() };
    let mut e = tcp("UF,URX");
    e.direction = Direction::Outbound;
    e.upstream.cluster = ClusterName::new("PassthroughCluster");
    e.upstream.transport_failure = TransportFailure::new("delayed connect error: Network is unreachable");
    assert_eq!(named(&e), Some(("upstream_unreachable", "certain")));
    e.filter_chain = Some("PassthroughFilterChain".into());
    assert_eq!(named(&e), Some(("upstream_unreachable", "likely")));
    e.downstream.sni = Some("vip.depot.test".into());
    assert_eq!(named(&e), Some(("tls_on_plaintext_port", "possible")));
    e.downstream.listener = Some(ListenerKind::Tls);
    assert_eq!(named(&e), Some(("upstream_unreachable", "likely")));
}

#[test]
fn silence_on_the_chain_that_takes_the_rest() {
    let tcp = |flags| {
        let mut e = Evidence { layer: Layer::Tcp, flags: Flags::from_short(flags), ..Evidence::default() };
        e.direction = Direction::Outbound;
        e.filter_chain = Some("PassthroughFilterChain".into());
        e.upstream.cluster = ClusterName::new("PassthroughCluster");
        e
    };
    // A port where nothing answers, on a listener of which nothing else is known.
    let mut e = tcp("UF,URX");
    assert_eq!(named(&e), Some(("upstream_connect_timeout", "possible")));
    e.upstream.transport_failure = TransportFailure::new("delayed connect error: Connection timed out");
    assert_eq!(named(&e), Some(("upstream_connect_timeout", "likely")));
    // Only a server that spoke first, in a protocol of its own, shows that the port is not HTTP.
    let observed = |e: &Evidence| observe(e).map(|verdict| verdict.cause.id()).collect::<Vec<_>>();
    let mut e = tcp("-");
    assert_eq!(observed(&e), ["traffic_bypasses_mesh"]);
    e.upstream.first_bytes = first(Protocol::Mysql);
    assert_eq!(observed(&e), ["not_http_on_http_port"]);
    e.downstream.listener = Some(ListenerKind::Tls);
    assert_eq!(observed(&e), ["traffic_bypasses_mesh"]);
}

#[test]
fn an_unknown_version_is_no_http10() {
    for (version, cause) in [("HTTP/1.0", "http10_client"), ("HTTP/1.2", "invalid_http_request")] {
        let mut e = stream(426, "DPE", "low_version");
        let mut sniffer = Sniffer::client();
        sniffer.push(format!("GET / {version}\r\n\r\n").as_bytes());
        e.downstream.first_bytes = sniffer.seen().cloned();
        assert_eq!(named(&e), Some((cause, "certain")), "{version}");
    }
    // A later line of a connection that began with this one, and one that was not seen.
    let mut e = stream(426, "DPE", "low_version");
    assert_eq!(named(&e), Some(("http10_client", "likely")));
    let mut sniffer = Sniffer::client();
    sniffer.push(b"GET / HTTP/1.1\r\n\r\n");
    e.downstream.first_bytes = sniffer.seen().cloned();
    let verdict = crate::diagnosis::diagnose(&e).unwrap();
    assert_eq!((verdict.cause.id(), verdict.confidence.id()), ("http10_client", "likely"));
    assert!(!verdict.facts.contains(&crate::evidence::Fact::RequestVersion), "that was another line's");
}

#[test]
fn a_session_that_this_proxy_ended() {
    let session = |lived: u64, rule: bool| {
        let mut e = Evidence { layer: Layer::Tcp, cut_off: true, lived: Some(lived), ..Evidence::default() };
        e.upstream.cluster = ClusterName::new("outbound|5432||db.default.svc.cluster.local");
        e.upstream.resource = Resource::new("DestinationRule", "default", "db").filter(|_| rule);
        e
    };
    assert_eq!(named(&session(3_600_120, false)), Some(("idle_timeout", "likely")));
    assert_eq!(named(&session(600_000, true)), Some(("idle_timeout", "possible")));
    let young = session(600_000, false);
    assert_eq!(named(&young), Some(("proxy_closed_connection", "likely")));
    let with = |set: fn(&mut Evidence)| {
        let mut e = young.clone();
        set(&mut e);
        named(&e)
    };
    assert_eq!(with(|e| e.downstream.first_bytes = first(Protocol::Http1)), None, "clients expect it");
    let hello = |protocol: &str| {
        let tls = ClientHello { sni: None, alpn: vec![protocol.to_owned()] };
        let mut e = young.clone();
        e.downstream.first_bytes =
            Some(FirstBytes { protocol: Protocol::TlsClientHello, tls: Some(tls), http: None });
        named(&e)
    };
    let at_once = |e: &mut Evidence| e.lived = Some(20);
    assert_eq!(with(at_once), Some(("proxy_closed_connection", "possible")), "turned away");
    assert_eq!(hello("h2"), None);
    assert_eq!(hello("postgresql"), Some(("proxy_closed_connection", "likely")));
}
