//! What a proxy answers: anything that Envoy can, and garbage.

use super::Function;
use crate::proxy::Call;
use crate::random::Random;

/// Mostly nothing, else any of them.
pub(super) fn forbidden(random: &mut Random) -> Vec<Function> {
    let all = [
        Function::Log,
        Function::Time,
        Function::Buffer,
        Function::Header,
        Function::SetHeader,
        Function::SetProperty,
        Function::Metrics,
    ];
    let restricted = random.one_in(3);
    all.into_iter().filter(|_| restricted && random.one_in(3)).collect()
}

pub(super) const OK: u32 = 0;

pub(super) const NOT_FOUND: u32 = 1;

const BAD_ARGUMENT: u32 = 2;

const SERIALIZATION_FAILURE: u32 = 3;

pub(super) const INTERNAL_FAILURE: u32 = 10;

/// What Envoy can answer besides Ok with bytes, by its sources:
/// `source/extensions/common/wasm/context.cc` and proxy-wasm-cpp-host's `src/exports.cc` (commit
/// 52a0291). The scenarios are played on 1.36.4 and 1.40.0. InvalidMemoryAccess (6) is not among
/// them: the SDK's `malloc` traps before it answers null. Calls of our own get numbers that no ABI
/// has, too.
pub(super) fn statuses(call: &Call<'_>) -> Option<&'static [u32]> {
    match call {
        // A value that has no bytes (a map, an error of CEL), a field that can't be read.
        Call::Property(_) => Some(&[NOT_FOUND, NOT_FOUND, SERIALIZATION_FAILURE, INTERNAL_FAILURE]),
        Call::Header { .. } | Call::Buffer { .. } => Some(&[OK, NOT_FOUND, NOT_FOUND, BAD_ARGUMENT, 4711]),
        Call::SetProperty { .. } => Some(&[NOT_FOUND, BAD_ARGUMENT, 4711]),
        Call::SetHeader { .. } | Call::RemoveHeader { .. } => Some(&[BAD_ARGUMENT, 4711]),
        Call::DefineMetric { .. } => Some(&[OK, BAD_ARGUMENT, 4711]),
        Call::Increment { .. } | Call::Record { .. } => Some(&[NOT_FOUND, BAD_ARGUMENT, 4711]),
        Call::Time => Some(&[OK, 4711]),
        // The SDK's logger: a VM may log or it may not.
        Call::Log { .. } => None,
    }
}

pub(super) fn function(call: &Call<'_>) -> Option<Function> {
    match call {
        Call::Property(_) => None,
        Call::Header { .. } => Some(Function::Header),
        Call::Buffer { .. } => Some(Function::Buffer),
        Call::SetProperty { .. } => Some(Function::SetProperty),
        Call::SetHeader { .. } | Call::RemoveHeader { .. } => Some(Function::SetHeader),
        Call::DefineMetric { .. } | Call::Increment { .. } | Call::Record { .. } => Some(Function::Metrics),
        Call::Time => Some(Function::Time),
        Call::Log { .. } => Some(Function::Log),
    }
}

/// What the attribute could hold, or something else.
pub(super) fn property(path: &[u8], random: &mut Random) -> Vec<u8> {
    if random.one_in(8) {
        return garbage(random);
    }
    match path {
        b"response\0flags" => match random.below(4) {
            0 => 0_u64.to_le_bytes().to_vec(),
            1 | 2 => (1_u64 << random.below(30)).to_le_bytes().to_vec(),
            _ => random.number().to_le_bytes().to_vec(),
        },
        b"response\0code" => {
            random.pick(&[0_u64, 101, 200, 400, 404, 426, 500, 502, 503, 504]).to_le_bytes().to_vec()
        }
        b"xds\0listener_direction" | b"upstream\0num_endpoints" | b"upstream\0request_attempt_count" => {
            random.below(4).to_le_bytes().to_vec()
        }
        _ => random.pieces(WORDS, 3),
    }
}

pub(super) fn header(name: &[u8], random: &mut Random) -> Vec<u8> {
    match name {
        _ if random.one_in(16) => garbage(random),
        b":status" => {
            (*random.pick(&["200", "101", "304", "400", "404", "495", "500", "503", "2", "99999"])).into()
        }
        _ => random.pieces(WORDS, 2),
    }
}

pub(super) fn bytes(random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 => garbage(random),
        1 => {
            let mut hello = include_bytes!("../../../../src/wire/testdata/curl-tls13.bin").to_vec();
            random.spoil(&mut hello);
            hello
        }
        _ => random.pieces(BEGINNINGS, 3),
    }
}

pub(super) fn configuration(random: &mut Random) -> Vec<u8> {
    if random.one_in(3) { random.pieces(JSON, 12) } else { (*random.pick(CONFIGURATIONS)).into() }
}

/// Of any size; large seldom, because that is slow.
pub(super) fn garbage(random: &mut Random) -> Vec<u8> {
    let size = match random.below(64) {
        0 => random.below(1 << 18),
        1..=4 => random.below(1 << 12),
        _ => random.below(20),
    };
    (0..size).map(|_| random.number() as u8).collect()
}

const CONFIGURATIONS: &[&str] = &[
    "",
    r#"{"role":"http","log":"all"}"#,
    r#"{"role":"http","response_header":"x-meshwhy-cause","observe_every":1}"#,
    r#"{"role":"connection","log":"all"}"#,
    r#"{"role":"connection","max_series":4,"resource_label":false}"#,
    r#"{"role":"access_log","log_per_minute":2}"#,
    r#"{"role":"access_log","log":"all","max_series":16}"#,
];

const JSON: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"role\":",
    b"\"http\"",
    b"\"max_series\":",
    b"1e999",
    b"-0",
    b"60.0",
    b"\"\\ud800",
    b"null",
    b"\"\xff\"",
    b"\"log\":",
    b"\"all\"",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

const BEGINNINGS: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\n",
    b"GET https://a/ HTTP/1.0\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    b"\x15\x03\x01\0\x02\x02\x46",
    b"\x16\x03\x03\0\x7a\x02",
    b"SSH-2.0-x\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
    b"\r\n\r\n\0\r\nQUIT\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"\0\0\0\x08\x04\xd2\x16\x2f",
    b"\x10\x0c\0\x04MQTT",
    b"\xff\xfe",
    b"\0",
    b"\r\n",
    b"EHLO a\r\n",
    b"The plain HTTP request was sent to HTTPS port",
    b"Client sent an HTTP request to an HTTPS server.",
    b"No required SSL certificate was sent",
    b"The SSL certificate error",
];

const WORDS: &[&[u8]] = &[
    b"via_upstream",
    b"direct_response",
    b"route_not_found",
    b"cluster_not_found",
    b"filter_chain_not_found",
    b"upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}",
    b"upstream_reset_before_response_started{connection_termination}",
    b"upstream_response_timeout",
    b"rbac_access_denied_matched_policy[none]",
    b"{",
    b"}",
    b"|",
    b"[",
    b"]",
    b"upstream_reset_after_response_started{protocol_error}",
    b"http1.codec_error",
    b"http2.remote_reset",
    b"no_healthy_upstream",
    b"rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]",
    b"jwt_authn_access_denied{Jwt_is_missing}",
    b"low_version",
    b"ext_authz_denied",
    b"downstream_remote_disconnect",
    b"block_all",
    b"blackhole:80",
    b"BlackHoleCluster",
    b"PassthroughCluster",
    b"outbound|80|v1|reviews.default.svc.cluster.local",
    b"inbound|8080||",
    b"TLSv1.3",
    b"istio",
    b"HTTP/1.1",
    b"HTTP/2",
    b"TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
    b"delayed connect error: 111",
    b"TLS_error|error:1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST",
    b"OPENSSL_internal:CERTIFICATE_VERIFY_FAILED",
    b"/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews",
    b"router~1.1.1.1~a.b~c",
    b"sidecar~",
    b"a.example.com",
    b"*.example.com",
    b"evil\"\\\r\n;=%",
    b"\xc3\xa9",
    b"\xff",
    b"\0",
    b"10.0.0.1:80",
    b"cause",
    b"envoy",
    b"tls_client_hello;sni=a.example.com;alpn=h2",
    b"http1;version=1.0",
    b"mysql",
    b"application/grpc",
    b"",
];
