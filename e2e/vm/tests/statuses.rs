//! Each status that Envoy can return, at each call, while a failure is diagnosed: none makes the
//! SDK panic.

use std::collections::BTreeSet;

use vm::proxy::{Answer, Call, Proxy};
use vm::{Callback, Machine};

/// A proxy in which an upstream breaks the protocol. One kind of call fails.
struct Failing {
    call: &'static str,
    status: u32,
    /// Calls that were made.
    made: BTreeSet<String>,
    /// Written as an error's headers pass, and again when the stream is logged.
    causes: BTreeSet<String>,
}

/// What fails and how, as `src/host/calls.rs` lists it. Request headers are missing on responses to
/// requests that never reached a filter.
const STATUSES: &[(&str, &[u32])] = &[
    ("property", &[1, 3, 10]),
    ("request header", &[1, 2, 10]),
    ("response header", &[1, 2, 10]),
    ("set header", &[2, 10]),
    ("remove header", &[2, 10]),
    ("buffer", &[1, 2, 10]),
    ("set property", &[1, 2, 10]),
    ("define metric", &[2, 10]),
    ("increment metric", &[1, 2, 10]),
    ("record metric", &[1, 2, 10]),
    ("time", &[10]),
    ("log", &[10]),
];

impl Proxy for Failing {
    fn answer(&mut self, call: Call<'_>) -> Answer {
        let (name, answer) = match call {
            Call::Property(b"request\0protocol") => return Answer::Bytes(b"HTTP/2".to_vec()),
            Call::Property(path) => ("property", property(path)),
            Call::Header { map: 0, .. } => ("request header", Answer::Bytes(b"text/plain".to_vec())),
            Call::Header { name, .. } => ("response header", header(name)),
            Call::SetHeader { .. } => ("set header", Answer::Status(0)),
            Call::RemoveHeader { .. } => ("remove header", Answer::Status(0)),
            Call::Buffer { buffer: 7, .. } => ("buffer", Answer::Bytes(CONFIGURATION.to_vec())),
            Call::Buffer { .. } => ("buffer", Answer::Bytes(b"a page".to_vec())),
            Call::SetProperty { key, value } => {
                if key == b"meshwhy.cause" {
                    self.causes.insert(String::from_utf8_lossy(value).into_owned());
                }
                ("set property", Answer::Status(0))
            }
            Call::DefineMetric { .. } => ("define metric", Answer::Number(1)),
            Call::Increment { .. } => ("increment metric", Answer::Status(0)),
            Call::Record { .. } => ("record metric", Answer::Status(0)),
            Call::Time => ("time", Answer::Number(1)),
            Call::Log { .. } => ("log", Answer::Status(0)),
        };
        self.made.insert(name.to_owned());
        if name == self.call { Answer::Status(self.status) } else { answer }
    }
}

const CONFIGURATION: &[u8] = br#"{"log":"all","response_header":"x-meshwhy-cause","observe_every":1}"#;

fn property(path: &[u8]) -> Answer {
    match path {
        // UPE.
        b"response\0flags" => Answer::Bytes((1_u64 << 23).to_le_bytes().to_vec()),
        b"response\0code" => Answer::Bytes(502_u64.to_le_bytes().to_vec()),
        b"response\0code_details" => {
            Answer::Bytes(b"upstream_reset_before_response_started{protocol_error}".to_vec())
        }
        _ => Answer::Status(1),
    }
}

fn header(name: &[u8]) -> Answer {
    if name == b":status" { Answer::Bytes(b"502".to_vec()) } else { Answer::Status(1) }
}

/// A failure on an HTTP stream, all of it.
fn play(call: &'static str, status: u32) -> Failing {
    let proxy = Failing { call, status, made: BTreeSet::new(), causes: BTreeSet::new() };
    let mut machine = Machine::new(&vm::module().unwrap(), proxy).unwrap();
    for callback in [
        Callback::ContextCreate { context: 1, parent: 0 },
        Callback::Configure { context: 1, size: CONFIGURATION.len() as u32 },
        Callback::ContextCreate { context: 2, parent: 1 },
        Callback::ResponseHeaders { context: 2, end: false },
        Callback::ResponseBody { context: 2, size: 6, end: true },
        Callback::Log { context: 2 },
        Callback::Delete { context: 2 },
    ] {
        if let Err(error) = machine.call(callback) {
            panic!("{call} answers {status}: {error:#}");
        }
    }
    machine.into_proxy()
}

#[test]
fn no_status_of_envoy_makes_the_module_trap() {
    for (call, statuses) in STATUSES {
        for status in *statuses {
            play(call, *status);
        }
    }
}

#[test]
fn the_failure_reaches_what_can_fail() {
    let played = play("nothing", 0);
    assert_eq!(played.causes, BTreeSet::from(["upstream_protocol_error".to_owned()]));
    for call in STATUSES.iter().map(|(call, _)| *call) {
        assert!(played.made.contains(call), "{call} was not made: {:?}", played.made);
    }
    assert_eq!(play("request header", 2).causes.len(), 1, "the cause is reported all the same");
}
