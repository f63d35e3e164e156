//! What the module's work costs, counted: instructions and host calls, the same on every machine.

use std::collections::BTreeMap;

use anyhow::Result;
use meshwhy::evidence::Flags;
use meshwhy::host::fake::{Calls, FakeHost};
use meshwhy::host::{Buffer, HeaderMap};

use crate::{Callback, Machine};

/// Of one stream or connection from its beginning to its end; the mean of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Instructions, as the interpreter counts its fuel.
    pub instructions: u64,
    /// Host calls that return bytes.
    pub reads: u64,
    /// Host calls that ask for bytes in vain.
    pub vain_reads: u64,
    /// All other host calls.
    pub other_calls: u64,
}

/// A kind of traffic.
struct Case {
    name: &'static str,
    config: &'static str,
    host: FakeHost,
    events: Events,
    warm_up: u64,
}

enum Events {
    Http,
    /// A stream that ends before an answer.
    Reset,
    Connection(Vec<Vec<u8>>),
    AccessLog,
    Configure,
}

const PLUGIN: u32 = 1;
const STREAM: u32 = 2;
const WARM_UP: u64 = 16;
const MEASURED: u64 = 64;

/// Plays every kind of traffic.
pub fn measure(wasm: &[u8]) -> Result<BTreeMap<&'static str, Cost>> {
    cases().into_iter().map(|case| Ok((case.name, case.measure(wasm)?))).collect()
}

impl Case {
    fn measure(self, wasm: &[u8]) -> Result<Cost> {
        self.host.set_buffer(Buffer::PluginConfiguration, self.config.as_bytes());
        let mut machine = Machine::new(wasm, self.host)?;
        let size = u32::try_from(self.config.len())?;
        machine.call(Callback::ContextCreate { context: PLUGIN, parent: 0 })?;
        machine.call(Callback::Configure { context: PLUGIN, size })?;
        for _ in 0..self.warm_up {
            self.events.play(&mut machine)?;
        }
        machine.proxy().take_calls();
        let instructions = (0..MEASURED).try_fold(0, |sum, _| Ok(sum + self.events.play(&mut machine)?));
        let instructions = instructions.map_err(|e: anyhow::Error| e.context(self.name))?;
        let Calls { with_data, without_data, other } = machine.proxy().take_calls();
        Ok(Cost {
            instructions: instructions / MEASURED,
            reads: u64::from(with_data) / MEASURED,
            vain_reads: u64::from(without_data) / MEASURED,
            other_calls: u64::from(other) / MEASURED,
        })
    }
}

impl Events {
    fn play(&self, machine: &mut Machine<FakeHost>) -> Result<u64> {
        let context = STREAM;
        let mut sum = 0;
        let mut call = |machine: &mut Machine<FakeHost>, callback| -> Result<()> {
            sum += machine.call(callback)?;
            Ok(())
        };
        match self {
            Self::Configure => call(machine, Callback::Configure { context: PLUGIN, size: 1 })?,
            Self::AccessLog => call(machine, Callback::Log { context: PLUGIN })?,
            Self::Http => {
                call(machine, Callback::ContextCreate { context, parent: PLUGIN })?;
                call(machine, Callback::ResponseHeaders { context, end: false })?;
                call(machine, Callback::ResponseBody { context, size: 100, end: true })?;
                call(machine, Callback::Log { context })?;
                call(machine, Callback::Delete { context })?;
            }
            Self::Reset => {
                call(machine, Callback::ContextCreate { context, parent: PLUGIN })?;
                call(machine, Callback::Log { context })?;
                call(machine, Callback::Delete { context })?;
            }
            Self::Connection(reads) => {
                call(machine, Callback::ContextCreate { context, parent: PLUGIN })?;
                for (index, read) in reads.iter().enumerate() {
                    // The buffer holds what has not gone on yet: all of it, for this filter stops nothing.
                    machine.proxy().set_buffer(Buffer::DownstreamData, read);
                    let size = u32::try_from(read.len())?;
                    call(machine, Callback::DownstreamData { context, size, end: false })?;
                    if index == 0 {
                        machine.proxy().set_buffer(Buffer::UpstreamData, b"HTTP/1.1 200 OK\r\n\r\n");
                        call(machine, Callback::UpstreamData { context, size: 19, end: false })?;
                    }
                }
                call(machine, Callback::DownstreamClose { context, peer: 2 })?;
                call(machine, Callback::Log { context })?;
                call(machine, Callback::Delete { context })?;
            }
        }
        Ok(sum)
    }
}

fn cases() -> Vec<Case> {
    let http = |name, host| Case {
        name,
        config: r#"{"observe_every":0}"#,
        host,
        events: Events::Http,
        warm_up: WARM_UP,
    };
    let connection = |name, reads: Vec<Vec<u8>>| Case {
        name,
        config: r#"{"role":"connection","observe_every":0}"#,
        host: FakeHost::new().with_number("response.flags", 0),
        events: Events::Connection(reads),
        warm_up: WARM_UP,
    };
    let logger = |name, host| Case {
        name,
        config: r#"{"role":"access_log","log":"off"}"#,
        host,
        events: Events::AccessLog,
        warm_up: WARM_UP,
    };
    vec![
        Case {
            name: "configuration",
            config: r#"{"role":"http","log":"limited","log_per_minute":60.0,"observe_every":100.0,
                "resource_label":true,"max_series":256.0,"response_header":"x-meshwhy-cause"}"#,
            host: FakeHost::new(),
            events: Events::Configure,
            warm_up: WARM_UP,
        },
        http("http: success", answer(200, 0, "via_upstream")),
        Case {
            name: "http: success, 1 in observe_every",
            config: r#"{"observe_every":1}"#,
            host: answer(200, 0, "via_upstream"),
            events: Events::Http,
            warm_up: WARM_UP,
        },
        http("http: the application's 404", answer(404, 0, "via_upstream")),
        http("http: the application's 500", answer(500, 0, "via_upstream")),
        http("http: cluster missing", cluster_missing()),
        http("http: no route", answer(404, Flags::NO_ROUTE_FOUND.bits(), "route_not_found")),
        http("http: no endpoint", answer(503, Flags::NO_HEALTHY_UPSTREAM.bits(), "no_healthy_upstream")),
        http("http: upstream refused", upstream_refused()),
        Case { events: Events::Reset, ..http("http: the client resets", reset()) },
        // More in one second than are reported in full.
        Case {
            events: Events::Reset,
            warm_up: 1_100,
            ..http("http: the client resets, as in an attack", reset())
        },
        http("http: unclassified", answer(503, 1 << 45, "something_new{at}[all]")),
        connection("connection: an HTTP/1.1 request", vec![b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".into()]),
        connection(
            "connection: HTTP/2 preface",
            vec![b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".into()],
        ),
        connection("connection: a ClientHello", vec![client_hello()]),
        connection("connection: a ClientHello in 64 reads", split(&client_hello(), 64)),
        connection("connection: binary", vec![vec![0xfe; 1024]]),
        connection("connection: a line without end in 64 reads", split(&[b'x'; 1024], 64)),
        logger(
            "access log: reported already",
            upstream_refused().with_state("meshwhy.cause", "upstream_refused"),
        ),
        logger("access log: upstream refused", upstream_refused()),
        logger(
            "access log: no filter chain",
            FakeHost::new()
                .with_number("response.flags", Flags::NO_ROUTE_FOUND.bits())
                .with_property("response.code_details", "filter_chain_not_found")
                .with_property("connection.requested_server_name", "unknown.example"),
        ),
    ]
}

fn answer(code: u64, flags: u64, details: &str) -> FakeHost {
    FakeHost::new()
        .with_header(HeaderMap::Response, ":status", &code.to_string())
        .with_number("response.flags", flags)
        .with_number("response.code", code)
        .with_property("response.code_details", details)
        .with_property("request.protocol", "HTTP/1.1")
        .with_property("xds.cluster_name", "outbound|80||reviews.default.svc.cluster.local")
        .with_property("upstream.address", "10.0.0.2:9080")
        .with_property("xds.node.id", "sidecar~10.0.0.1~app.default~default.svc.cluster.local")
        .with_number("xds.listener_direction", 2)
}

fn reset() -> FakeHost {
    FakeHost::new()
        .with_number("response.flags", Flags::DOWNSTREAM_REMOTE_RESET.bits())
        .with_property("response.code_details", "http2.remote_reset")
        .with_number("request.duration", 40_000)
        .with_property("request.protocol", "HTTP/2")
        .with_property("xds.cluster_name", "outbound|80||reviews.default.svc.cluster.local")
        .with_property("upstream.address", "10.0.0.2:9080")
        .with_property("xds.virtual_host_name", "reviews:80")
        .with_property("xds.route_name", "default")
        .with_property("xds.node.id", "router~10.0.0.1~gateway.edge~edge.svc.cluster.local")
}

fn cluster_missing() -> FakeHost {
    answer(503, Flags::NO_CLUSTER_FOUND.bits(), "cluster_not_found")
        .with_property("xds.virtual_host_name", "reviews:80")
        .with_property(
            "xds.route_metadata.filter_metadata.istio.config",
            "/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews",
        )
}

fn upstream_refused() -> FakeHost {
    let details =
        "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}";
    answer(503, Flags::UPSTREAM_CONNECTION_FAILURE.bits(), details)
        .with_property("upstream.transport_failure_reason", "delayed connect error: 111")
}

/// A ClientHello as curl sends it.
fn client_hello() -> Vec<u8> {
    include_bytes!("../../../src/wire/testdata/curl-tls13.bin").to_vec()
}

fn split(bytes: &[u8], reads: usize) -> Vec<Vec<u8>> {
    bytes.chunks(bytes.len().div_ceil(reads)).map(<[u8]>::to_vec).collect()
}
