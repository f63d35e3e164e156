//! The host is not asked to tell when a context ends: what has ended is forgotten all the same.

use meshwhy::host::Status;
use vm::proxy::{Answer, Call, Proxy};
use vm::{Callback, Machine};

/// A proxy whose contexts live for a while, and end without a word.
struct Forgetful {
    newest: u32,
}

const LIFETIME: u32 = 100;

impl Proxy for Forgetful {
    fn answer(&mut self, call: Call<'_>) -> Answer {
        match call {
            // The first is a plugin's. So say Envoy 1.36 and 1.40 of a context that is no more.
            Call::SetEffectiveContext { context } if context > 1 && context + LIFETIME < self.newest => {
                Status::BAD_ARGUMENT.into()
            }
            Call::Buffer { .. } => Answer::Bytes(b"{}".to_vec()),
            Call::DefineMetric { .. } => Answer::Number(1),
            Call::SetEffectiveContext { .. } | Call::Record { .. } => Answer::Status(0),
            _ => Answer::Status(1),
        }
    }
}

#[test]
fn streams_that_are_never_logged_take_no_memory() {
    let mut machine = Machine::new(&vm::module().unwrap(), Forgetful { newest: 0 }).unwrap();
    machine.call(Callback::ContextCreate { context: 1, parent: 0 }).unwrap();
    machine.call(Callback::Configure { context: 1, size: 2 }).unwrap();
    let begin = |machine: &mut Machine<Forgetful>, contexts: std::ops::Range<u32>| {
        for context in contexts {
            machine.proxy().newest = context;
            machine.call(Callback::ContextCreate { context, parent: 1 }).unwrap();
        }
        machine.memory()
    };
    let (some, many) = (begin(&mut machine, 2..50_000), begin(&mut machine, 50_000..400_000));
    assert_eq!(some, many);
}

#[test]
fn plugins_that_are_gone_take_no_memory() {
    let mut machine = Machine::new(&vm::module().unwrap(), Forgetful { newest: 0 }).unwrap();
    let mut configure = |contexts: std::ops::Range<u32>| {
        for context in contexts {
            machine.proxy().newest = context;
            machine.call(Callback::ContextCreate { context, parent: 0 }).unwrap();
            machine.call(Callback::Configure { context, size: 2 }).unwrap();
        }
        machine.memory()
    };
    let (some, many) = (configure(2..1_000), configure(1_000..20_000));
    assert_eq!(some, many);
}
