//! A proxy that answers anything, and watches what the module asks for and reports.

mod answers;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use self::answers::{
    INTERNAL_FAILURE, NOT_FOUND, OK, bytes, configuration, forbidden, function, header, property, statuses,
};
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
