//! Arbitrary evidence.

use proptest::prelude::*;

use super::first;
use crate::evidence::{
    Answer, ClusterName, Details, Direction, Downstream, Evidence, Flags, GrpcStatus, Layer, ListenerKind,
    MixerStatus, Page, Resource, Stream, TlsVersion, TransportFailure, Upstream,
};
use crate::wire::{FirstBytes, Protocol};

const DETAILS: &[&str] = &[
    "",
    "via_upstream",
    "route_not_found",
    "http1.codec_error",
    "low_version",
    "cluster_not_found",
    "direct_response",
    "no_healthy_upstream",
    "downstream_remote_disconnect",
    "filter_chain_not_found",
    "rbac_access_denied_matched_policy[none]",
    "ext_authz_denied",
    "local_rate_limited",
    "fault_filter_abort",
    "lua_response",
    "response_timeout",
    "missing_host_header",
    "upstream_reset_before_response_started{connection_termination}",
    "upstream_reset_before_response_started{protocol_error}",
    "upstream_reset_before_response_started{connection_timeout}",
    "upstream_reset_before_response_started{overflow}",
    "upstream_reset_before_response_started{remote_connection_failure}",
    "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_104}",
    "upstream_reset_before_response_started{something_new}",
    "upstream_reset_after_response_started{remote_reset}",
    "upstream_reset_after_response_started{protocol_error}",
    "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}",
    "upstream_reset_before_response_started{remote_connection_failure|TLS_error:|1:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end}",
];

pub(super) const FAILURES: &[&str] = &[
    "delayed connect error: 111",
    "TLS_error:|1:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
    "TLS_error:|1:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end",
    "TLS_error|error:1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST",
    "socket_creation_failure",
];

fn optional<T: Clone + std::fmt::Debug + 'static>(values: &'static [T]) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(proptest::sample::select(values))
}

fn words(values: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    optional(values).prop_map(|v| v.map(str::to_owned))
}

fn failure() -> impl Strategy<Value = Option<TransportFailure>> {
    optional(FAILURES).prop_map(|v| v.and_then(TransportFailure::new))
}

fn bytes() -> impl Strategy<Value = Option<FirstBytes>> {
    optional(Protocol::ALL).prop_map(|p| p.and_then(first))
}

prop_compose! {
    fn downstream()(
        first_bytes in bytes(),
        port in optional(&[443_u64]),
        sni in words(&["a.test.com", "outbound_.80_._.a.b"]),
        mutual in any::<Option<bool>>(),
        tls_version in optional(&[TlsVersion::V1_3]),
        protocol in words(&["HTTP/1.1", "HTTP/2"]),
        grpc in any::<Option<bool>>(),
        tunnel in any::<Option<bool>>(),
        transport_failure in failure(),
        sni_is_authority in any::<Option<bool>>(),
        certificate_covers_authority in any::<Option<bool>>(),
        listener in optional(&[ListenerKind::Http, ListenerKind::Tls]),
        principal in words(&["spiffe://cluster.local/ns/a/sa/b"]),
    ) -> Downstream {
        Downstream {
            first_bytes, port, sni, tls_version, mutual, protocol, grpc, tunnel, transport_failure, sni_is_authority,
            certificate_covers_authority, listener, principal,
        }
    }
}

prop_compose! {
    fn upstream()(
        cluster in words(&["backend", "BlackHoleCluster", "PassthroughCluster", "outbound|80|v1|a.b", "outbound|80|v1|a.b.svc.c"]),
        endpoints in optional(&[0_u64, 3]),
        tls_version in optional(&[TlsVersion::V1_2]),
        takes_istio_mtls in any::<Option<bool>>(),
        transport_failure in failure(),
        attempts in optional(&[1_u64, 3]),
        by_rule in any::<bool>(),
        address in words(&["10.0.0.1:80"]),
        first_bytes in bytes(),
        pool_ready in optional(&[30_u64, 400]),
    ) -> Upstream {
        Upstream {
            cluster: cluster.and_then(|name| ClusterName::new(&name)),
            resource: by_rule.then(|| Resource::new("DestinationRule", "default", "rule")).flatten(),
            version: None,
            address,
            endpoints, tls_version, takes_istio_mtls, transport_failure, attempts, first_bytes, pool_ready,
        }
    }
}

prop_compose! {
    pub(super) fn evidence()(
        layer in proptest::sample::select(&[Layer::Http, Layer::Tcp, Layer::Listener][..]),
        direction in proptest::sample::select(&[Direction::Inbound, Direction::Outbound, Direction::Gateway][..]),
        code in optional(&[101_u16, 200, 400, 404, 426, 502, 503, 505]),
        flag_bits in proptest::collection::vec(0_u32..30, 0..3),
        details in proptest::sample::select(DETAILS),
        virtual_host in words(&["blackhole:443", "reviews:80", "block_all"]),
        route in words(&["block_all", "default"]),
        by_rule in any::<bool>(),
        // On the heap: all in one, the trees that proptest simplifies are more than a test's stack holds.
        downstream in downstream().boxed(),
        upstream in upstream().boxed(),
        page in optional(&[Page::PlaintextToTlsPort, Page::ClientCertificateRequired, Page::Misdirected]),
        by_proxy in any::<Option<bool>>(),
        repeats in any::<bool>(),
        unframed in any::<Option<bool>>(),
        mixer in optional(MixerStatus::ALL),
        filter_chain in words(&["PassthroughFilterChain", "virtualOutbound-catchall-tcp"]),
        promised in optional(&[4_u64, 100]),
        passed in optional(&[4_u64]),
        grpc_status in optional(&[GrpcStatus(5), GrpcStatus(14)]),
        stream in optional(&[Stream::Events, Stream::Grpc]),
    ) -> Evidence {
        let mut e = Evidence { layer, direction, code, details: Details::new(details), downstream, upstream, ..Evidence::default() };
        e.flags = Flags::from_bits_retain(flag_bits.iter().fold(0, |all, bit| all | 1 << bit));
        e.route.virtual_host = virtual_host;
        e.route.name = route;
        e.route.gateway_api = by_rule && e.route.name.is_none();
        e.route.resource = by_rule.then(|| Resource::new("VirtualService", "default", "rule")).flatten();
        e.answer =
            Answer { page, by_proxy, anonymous: by_proxy == Some(false) && !repeats, repeats, unframed, promised, passed, grpc_status, stream };
        e.filter_chain = filter_chain;
        e.mixer = mixer;
        e
    }
}
