//! What has ended is forgotten: neither streams nor plugins leave memory behind.

use vm::proxy::{Answer, Call, Proxy};
use vm::{Callback, Machine};

/// A proxy with an empty configuration, and HTTP streams of which there is nothing to know.
struct Quiet;

impl Proxy for Quiet {
    fn answer(&mut self, call: Call<'_>) -> Answer {
        match call {
            Call::Buffer { .. } => Answer::Bytes(b"{}".to_vec()),
            Call::Property(b"request\0protocol") => Answer::Bytes(b"HTTP/1.1".to_vec()),
            Call::Header { .. } | Call::Property(_) => Answer::Status(1),
            Call::DefineMetric { .. } => Answer::Number(1),
            _ => Answer::Status(0),
        }
    }
}

fn plugin(machine: &mut Machine<Quiet>, context: u32) {
    machine.call(Callback::ContextCreate { context, parent: 0 }).unwrap();
    machine.call(Callback::Configure { context, size: 2 }).unwrap();
}

#[test]
fn streams_that_are_never_logged_take_no_memory() {
    let mut machine = Machine::new(&vm::module().unwrap(), Quiet).unwrap();
    plugin(&mut machine, 1);
    // A hundred at a time.
    let mut begin = |contexts: std::ops::Range<u32>| {
        for context in contexts {
            machine.call(Callback::ContextCreate { context, parent: 1 }).unwrap();
            machine.call(Callback::ResponseHeaders { context, end: false }).unwrap();
            if context > 101 {
                machine.call(Callback::Delete { context: context - 100 }).unwrap();
            }
        }
        machine.memory()
    };
    let (some, many) = (begin(2..50_000), begin(50_000..400_000));
    assert_eq!(some, many);
}

#[test]
fn plugins_that_are_gone_take_no_memory() {
    let mut machine = Machine::new(&vm::module().unwrap(), Quiet).unwrap();
    let mut configure = |contexts: std::ops::Range<u32>| {
        for context in contexts {
            plugin(&mut machine, context);
            if context > 101 {
                machine.call(Callback::Delete { context: context - 100 }).unwrap();
            }
        }
        machine.memory()
    };
    let (some, many) = (configure(2..1_000), configure(1_000..20_000));
    assert_eq!(some, many);
}
