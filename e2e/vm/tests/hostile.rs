//! Whatever the proxy answers and in whatever order it calls, the module doesn't trap, and asks for nothing but this.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

/// Callbacks in `make test`, from the same seed each time.
const CALLS: u64 = 100_000;

#[test]
fn nothing_that_a_proxy_does_makes_the_module_trap() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect(name));
    let calls = number("MESHWHY_FUZZ_CALLS");
    let seed = number("MESHWHY_FUZZ_SEED").or_else(|| calls.map(|_| now())).unwrap_or(1);
    let watched = vm::hostile::play(&vm::module().unwrap(), seed, calls.unwrap_or(CALLS)).unwrap();
    println!("seed {seed}: {} callbacks, causes reported: {:?}", calls.unwrap_or(CALLS), watched.causes);

    within(&watched.properties, PROPERTIES);
    within(&watched.headers, HEADERS);
    within(&watched.buffers, BUFFERS);
    within(&watched.state, STATE);
    assert!(watched.causes.len() > 30, "the rules are hardly reached: {:?}", watched.causes);
}

fn within<T: std::fmt::Debug, K: PartialEq<T>>(watched: &BTreeSet<T>, known: &[K]) {
    let unknown: Vec<&T> = watched.iter().filter(|asked| !known.iter().any(|name| name == *asked)).collect();
    assert!(unknown.is_empty(), "asked for, or written, and not listed here: {unknown:?}");
}

#[test]
fn the_lists_name_only_what_is_in_the_module() {
    let wasm = vm::module().unwrap();
    let names = PROPERTIES
        .iter()
        .map(|path| path.replace('.', "\0"))
        .chain(HEADERS.iter().filter_map(|header| header.split_once('/')).map(|(_, name)| name.to_owned()));
    for name in names {
        // Names that hold dots themselves stand in the module as they are.
        let whole = wasm
            .windows(name.len())
            .any(|part| part.iter().zip(name.bytes()).all(|(a, b)| *a == b || (*a == b'.' && b == 0)));
        assert!(whole, "{name:?} is not in the module");
    }
}

#[test]
fn host_functions_are_these() {
    assert_eq!(vm::imports(&vm::module().unwrap()).unwrap(), IMPORTS);
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// All that the module ever reads of a stream or connection: no query, no cookie, no token. The host is compared with the names
/// of TLS; of method, host and path together a hash is kept, to know a request again. None of them goes further.
const PROPERTIES: &[&str] = &[
    "connection.dns_san_local_certificate",
    "connection.mtls",
    "connection.requested_server_name",
    "connection.termination_details",
    "connection.tls_version",
    "connection.transport_failure_reason",
    "connection.uri_san_peer_certificate",
    "destination.port",
    "filter_state.meshwhy.listener.http",
    "filter_state.meshwhy.listener.tls",
    "meshwhy.cause",
    "meshwhy.first_bytes",
    "metadata.filter_metadata.envoy.filters.http.rbac.wasm-default-denyenforced_engine_result",
    "metadata.filter_metadata.istio.mixer.status",
    "request.duration",
    "request.host",
    "request.method",
    "request.protocol",
    "request.time",
    "request.url_path",
    "response.code",
    "response.code_details",
    "response.flags",
    "response.size",
    "upstream.address",
    "upstream.cx_pool_ready_duration",
    "upstream.num_endpoints",
    "upstream.request_attempt_count",
    "upstream.tls_version",
    "upstream.transport_failure_reason",
    "xds.cluster_metadata.filter_metadata.istio.config",
    "xds.cluster_name",
    "xds.filter_chain_name",
    "xds.listener_direction",
    "xds.node.id",
    "xds.node.metadata.ISTIO_VERSION",
    "xds.node.user_agent_build_version.version.minor_number",
    "xds.route_metadata.filter_metadata.istio.config",
    "xds.route_name",
    "xds.upstream_host_metadata.filter_metadata.envoy.transport_socket_match.tlsMode",
    "xds.upstream_host_metadata.filter_metadata.istio.workload",
    "xds.virtual_host_name",
];

/// `0` is the request's map, `2` the response's headers, `3` its trailers. `via` and `server` show whether another proxy made the answer; the lengths, whether an
/// HTTP/1.0 server did; the type, whether it is a stream of events.
const HEADERS: &[&str] = &[
    "0/content-type",
    "2/:status",
    "2/connection",
    "2/content-encoding",
    "2/content-length",
    "2/content-type",
    "2/grpc-message",
    "2/grpc-status",
    "2/server",
    "2/transfer-encoding",
    "2/via",
    "3/grpc-status",
];

/// The beginning of an error page, of the client's bytes and of the upstream's; and the plugin's configuration.
const BUFFERS: &[u32] = &[1, 2, 3, 7];

/// All that it writes, but for the response header that the configuration may ask for.
const STATE: &[&str] = &[
    "meshwhy",
    "meshwhy.cause",
    "meshwhy.confidence",
    "meshwhy.evidence",
    "meshwhy.first_bytes",
    "meshwhy.fix",
    "meshwhy.resource",
    "meshwhy.side",
];

/// No call that sends, stops or redirects traffic is among them, and none of WASI's. `replace_header_map_value` is for the response
/// header that the configuration may ask for.
const IMPORTS: &[&str] = &[
    "env.proxy_define_metric",
    "env.proxy_get_buffer_bytes",
    "env.proxy_get_current_time_nanoseconds",
    "env.proxy_get_header_map_value",
    "env.proxy_get_property",
    "env.proxy_increment_metric",
    "env.proxy_log",
    "env.proxy_record_metric",
    "env.proxy_remove_header_map_value",
    "env.proxy_replace_header_map_value",
    "env.proxy_set_property",
];
