//! A proxy that answers anything, and watches what the module asks for and reports.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use crate::lives::{Lives, PlugPoint};
use crate::proxy::{Answer, Call, Proxy};
use crate::random::Random;
use crate::{Callback, Machine};

/// What the module asked for and reported over many calls.
#[derive(Debug, Default)]
pub struct Watched {
    /// Attributes, parts joined by dots.
    pub properties: BTreeSet<String>,
    /// Headers, as `map/name`.
    pub headers: BTreeSet<String>,
    /// Buffers by their numbers.
    pub buffers: BTreeSet<u32>,
    /// Filter state written.
    pub state: BTreeSet<String>,
    /// Causes reported.
    pub causes: BTreeSet<String>,
    broken: Option<String>,
    last_words: String,
}

/// The most bytes of any value that is reported.
const LONGEST_STATE: usize = 2048;
const LONGEST_STAT: usize = 1024;
const LONGEST_LINE: usize = 2048;

/// The memory that a VM may grow to: contexts and answers of this proxy at their largest.
const MOST_MEMORY: usize = 16 << 20;

/// Callbacks in one VM.
const EACH: u64 = 10_000;

/// The SDK's log levels that are lines of ours; the others are for people.
const REPORTED: std::ops::RangeInclusive<u32> = 2..=3;

struct Hostile {
    random: Random,
    watched: Watched,
    /// What `capability_restriction_config` keeps from this VM.
    forbidden: Vec<Function>,
    /// Where the stream is that is being created.
    creating: Option<PlugPoint>,
}

/// The host functions that a VM can do without. Without attributes there is nothing to diagnose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Log,
    Time,
    Buffer,
    Header,
    SetHeader,
    SetProperty,
    Metrics,
}

/// Makes `calls` callbacks from this seed, in one VM after the other. Any trap, any text that
/// breaks out and any growth is an error.
pub fn play(wasm: &[u8], seed: u64, calls: u64) -> Result<Watched> {
    let mut proxy = Hostile {
        random: Random::new(seed),
        watched: Watched::default(),
        forbidden: Vec::new(),
        creating: None,
    };
    for begin in (0..calls).step_by(usize::try_from(EACH)?) {
        proxy.forbidden = forbidden(&mut proxy.random);
        let mut machine = Machine::new(wasm, proxy)?;
        let mut lives = Lives::default();
        for number in begin..calls.min(begin + EACH) {
            let callback = lives.next(&mut machine.proxy().random);
            machine.proxy().creating = match callback {
                Callback::ContextCreate { parent, .. } => lives.plug_point(parent),
                _ => None,
            };
            let at = || format!("seed {seed}, call {number}");
            let called = machine.call(callback);
            let (memory, hostile) = (machine.memory(), machine.proxy());
            called.with_context(|| hostile.watched.last_words.clone()).with_context(at)?;
            if let Some(broken) = hostile.watched.broken.take() {
                return Err(anyhow::anyhow!("{callback:?}: {broken}")).with_context(at);
            }
            ensure!(memory <= MOST_MEMORY, "{}: {memory} bytes of memory", at());
        }
        proxy = machine.into_proxy();
    }
    Ok(proxy.watched)
}

/// Mostly nothing, else any of them.
fn forbidden(random: &mut Random) -> Vec<Function> {
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

impl Proxy for Hostile {
    fn answer(&mut self, call: Call<'_>) -> Answer {
        self.watch(&call);
        if function(&call).is_some_and(|function| self.forbidden.contains(&function)) {
            return Answer::Status(INTERNAL_FAILURE);
        }
        let random = &mut self.random;
        match (&call, self.creating) {
            // Envoy knows the protocol of an HTTP stream when it begins, and none of a connection.
            (Call::Property(b"request\0protocol"), Some(PlugPoint::HttpFilter)) => {
                return Answer::Bytes((*random.pick(&["HTTP/1.1", "HTTP/2", "HTTP/3"])).into());
            }
            (Call::Property(b"request\0protocol"), Some(_)) => return Answer::Status(NOT_FOUND),
            _ => {}
        }
        if random.one_in(6)
            && let Some(statuses) = statuses(&call)
        {
            return Answer::Status(*random.pick(statuses));
        }
        match call {
            Call::Property(path) => Answer::Bytes(property(path, random)),
            Call::Header { name, .. } => Answer::Bytes(header(name, random)),
            Call::Buffer { buffer: 7, .. } => Answer::Bytes(configuration(random)),
            Call::Buffer { .. } => Answer::Bytes(bytes(random)),
            Call::DefineMetric { .. } | Call::Time => Answer::Number(random.number()),
            _ => Answer::Status(OK),
        }
    }
}

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const SERIALIZATION_FAILURE: u32 = 3;
const INTERNAL_FAILURE: u32 = 10;

/// What Envoy can answer besides Ok with bytes, by its sources:
/// `source/extensions/common/wasm/context.cc` and proxy-wasm-cpp-host's `src/exports.cc` (commit
/// 52a0291). The scenarios are played on 1.36.4 and 1.40.0. InvalidMemoryAccess (6) is not among
/// them: the SDK's `malloc` traps before it answers null. Calls of our own get numbers that no ABI
/// has, too.
fn statuses(call: &Call<'_>) -> Option<&'static [u32]> {
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

fn function(call: &Call<'_>) -> Option<Function> {
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
fn property(path: &[u8], random: &mut Random) -> Vec<u8> {
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

fn header(name: &[u8], random: &mut Random) -> Vec<u8> {
    match name {
        _ if random.one_in(16) => garbage(random),
        b":status" => {
            (*random.pick(&["200", "101", "304", "400", "404", "495", "500", "503", "2", "99999"])).into()
        }
        _ => random.pieces(WORDS, 2),
    }
}

fn bytes(random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 => garbage(random),
        1 => {
            let mut hello = include_bytes!("../../../src/wire/testdata/curl-tls13.bin").to_vec();
            random.spoil(&mut hello);
            hello
        }
        _ => random.pieces(BEGINNINGS, 3),
    }
}

fn configuration(random: &mut Random) -> Vec<u8> {
    if random.one_in(3) { random.pieces(JSON, 12) } else { (*random.pick(CONFIGURATIONS)).into() }
}

/// Of any size; large seldom, because that is slow.
fn garbage(random: &mut Random) -> Vec<u8> {
    let size = match random.below(64) {
        0 => random.below(1 << 18),
        1..=4 => random.below(1 << 12),
        _ => random.below(20),
    };
    (0..size).map(|_| random.number() as u8).collect()
}

impl Hostile {
    fn watch(&mut self, call: &Call<'_>) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let watched = &mut self.watched;
        let rule = match call {
            Call::Property(path) => {
                watched.properties.insert(text(path).replace('\0', "."));
                true
            }
            Call::Header { map, name } => {
                watched.headers.insert(format!("{map}/{}", text(name)));
                true
            }
            Call::Buffer { buffer, start, max } => {
                watched.buffers.insert(*buffer);
                *start == 0 && *max <= 1 << 16
            }
            Call::SetProperty { key, value } => {
                watched.state.insert(text(key));
                // Not the counters: once the proxy has refused one for good, no other is asked for.
                if *key == b"meshwhy.cause" {
                    watched.causes.insert(text(value));
                }
                let whole = *key == b"meshwhy";
                plain(value)
                    && value.len() <= if whole { LONGEST_STATE } else { 512 }
                    && (!whole || is_json(value))
            }
            Call::SetHeader { map, name, value } => {
                *map == 2 && *name == b"x-meshwhy-cause" && plain(value) && value.len() <= 64
            }
            Call::RemoveHeader { map, name } => *map == 2 && *name == b"x-meshwhy-cause",
            Call::DefineMetric { name, .. } => {
                let name = text(name);
                plain(name.as_bytes()) && !name.contains('"') && name.len() <= LONGEST_STAT
            }
            Call::Log { level, message } => {
                watched.last_words = text(message);
                plain(message)
                    && message.len() <= LONGEST_LINE
                    && (!REPORTED.contains(level) || is_json(message))
            }
            Call::Increment { .. } | Call::Record { .. } | Call::Time => true,
        };
        if !rule && watched.broken.is_none() {
            watched.broken = Some(format!("{call:?} breaks out"));
        }
    }
}

/// Printable ASCII, which is all that goes out.
fn plain(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(bytes).is_ok_and(|value| value.is_object())
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
