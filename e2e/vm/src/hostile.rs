//! A proxy that answers anything, calls back in any order, and watches what the module asks for and tells.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use crate::proxy::{Answer, Call, Proxy};
use crate::random::Random;
use crate::{Callback, Machine};

/// What the module asked for and told over many calls.
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
    /// Causes told.
    pub causes: BTreeSet<String>,
    broken: Option<String>,
}

/// The most bytes of any value that is told.
const LONGEST_STATE: usize = 2048;
const LONGEST_STAT: usize = 1024;
const LONGEST_LINE: usize = 2048;

/// The memory that a VM may grow to: contexts and answers of this proxy at their largest.
const MOST_MEMORY: usize = 16 << 20;

struct Hostile {
    random: Random,
    watched: Watched,
}

/// Makes `calls` callbacks from this seed. Any trap, any text that breaks out and any growth is an error.
pub fn play(wasm: &[u8], seed: u64, calls: u64) -> Result<Watched> {
    let proxy = Hostile { random: Random::new(seed), watched: Watched::default() };
    let mut machine = Machine::new(wasm, proxy)?;
    let mut script = Vec::new();
    for number in 0..calls {
        let random = &mut machine.proxy().random;
        if script.is_empty() && random.one_in(3) {
            script = life(random);
        }
        let callback = script.pop().unwrap_or_else(|| any(random));
        let at = || format!("seed {seed}, call {number}");
        machine.call(callback).with_context(at)?;
        if let Some(broken) = machine.proxy().watched.broken.take() {
            return Err(anyhow::anyhow!("{callback:?}: {broken}")).with_context(at);
        }
        ensure!(machine.memory() <= MOST_MEMORY, "{}: {} bytes of memory", at(), machine.memory());
    }
    Ok(std::mem::take(&mut machine.proxy().watched))
}

/// Any callback, for any context.
fn any(random: &mut Random) -> Callback {
    let (context, parent) = (context(random), random.below(5) as u32);
    let (size, end) = (size(random), random.one_in(2));
    match random.below(7) {
        0 => Callback::ContextCreate { context, parent },
        1 => Callback::Configure { context, size },
        2 => Callback::ResponseHeaders { context, end },
        3 => Callback::ResponseBody { context, size, end },
        4 => Callback::DownstreamData { context, size, end },
        5 => Callback::UpstreamData { context, size, end },
        _ => Callback::Log { context },
    }
}

/// A stream's or connection's life as Envoy would play it, last callback first.
fn life(random: &mut Random) -> Vec<Callback> {
    let (context, parent) = (5 + random.below(4) as u32, 1 + random.below(3) as u32);
    // Some end without being logged.
    let mut calls = vec![];
    if !random.one_in(8) {
        calls.push(Callback::Log { context });
    }
    if random.one_in(2) {
        calls.push(Callback::ResponseBody { context, size: size(random), end: random.one_in(2) });
        calls.push(Callback::ResponseHeaders { context, end: random.one_in(4) });
    }
    for _ in 0..random.below(4) {
        calls.push(Callback::UpstreamData { context, size: size(random), end: false });
        calls.push(Callback::DownstreamData { context, size: size(random), end: false });
    }
    calls.push(Callback::ContextCreate { context, parent });
    if random.one_in(8) {
        calls.push(Callback::Configure { context: parent, size: size(random) });
    }
    calls
}

fn context(random: &mut Random) -> u32 {
    if random.one_in(16) { random.number() as u32 } else { random.below(9) as u32 }
}

fn size(random: &mut Random) -> u32 {
    if random.one_in(16) { random.number() as u32 } else { random.below(4096) as u32 }
}

impl Proxy for Hostile {
    fn answer(&mut self, call: Call<'_>) -> Answer {
        self.watch(&call);
        let random = &mut self.random;
        // The ABI's statuses go to 12; success without anything written is among them.
        match random.below(32) {
            0 => return Answer::Status(random.below(13) as u32),
            1 => return Answer::Status(random.number() as u32),
            2..=6 => return Answer::Status(1),
            _ => {}
        }
        match call {
            Call::Property(path) => Answer::Bytes(property(path, random)),
            Call::Header { name, .. } => Answer::Bytes(header(name, random)),
            Call::Buffer { buffer: 7, .. } => Answer::Bytes(configuration(random)),
            Call::Buffer { .. } => Answer::Bytes(bytes(random)),
            Call::DefineMetric { .. } | Call::Time => Answer::Number(random.number()),
            _ => Answer::Status(0),
        }
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
            Call::DefineMetric { name, .. } => {
                let name = text(name);
                plain(name.as_bytes()) && !name.contains('"') && name.len() <= LONGEST_STAT
            }
            Call::Log { level, message } => {
                plain(message) && message.len() <= LONGEST_LINE && (*level > 3 || is_json(message))
            }
            Call::Increment { .. } | Call::Record { .. } | Call::Time | Call::SetEffectiveContext { .. } => {
                true
            }
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
