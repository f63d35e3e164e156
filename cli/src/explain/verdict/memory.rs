//! A cache of judgements: failures repeat.

use std::cell::RefCell;
use std::collections::HashMap;

use meshwhy::evidence::Evidence;

use super::gather;
use super::judgement::Judgement;
use crate::explain::{Column, Line};

/// How Envoy writes internal listeners.
const INTERNAL: &str = "envoy://";

/// How exactly it matters how long a stream lived, in milliseconds.
const ABOUT: u64 = 500;

/// How many judgements each thread keeps; then it starts anew.
const CAPACITY: usize = 4_096;

/// All that a judgement rests on: the rules and the ranking get this, and nothing else of a line. So lines that ask the
/// same have the same answer, whatever a rule begins to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::explain) struct Question {
    /// What the line shows. Addresses are different in each line: of the endpoint's, only that there is one.
    pub(in crate::explain) evidence: Evidence,
    /// Which columns it has.
    pub(in crate::explain) columns: Columns,
}

/// Which columns a line has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::explain) struct Columns {
    /// A bit for each column that the log has.
    shown: u64,
    /// A bit for each column that has a value.
    filled: u64,
    /// Whether it was over before any usual time-out; `None` where the log doesn't say how long it took.
    pub(in crate::explain) short: Option<bool>,
    /// Whether it was TLS with the upstream that failed, however little the log says of it.
    pub(in crate::explain) in_tls: bool,
    /// Whether the request asked for a Service by its name alone.
    pub(in crate::explain) by_service_name: bool,
    /// Whether the answer is as long as one of Envoy's own.
    pub(in crate::explain) like_a_reply: bool,
    /// Whether no request came together of what was sent to a port where clients speak TLS.
    pub(in crate::explain) nothing_at_tls_port: bool,
}

thread_local! {
    static MEMORY: RefCell<HashMap<Question, Option<Judgement>>> = RefCell::default();
}

/// The judgement of a line like this, or a new one.
pub(in crate::explain) fn remembered(
    question: Question,
    judge: impl FnOnce(&Question) -> Option<Judgement>,
) -> Option<Judgement> {
    MEMORY.with_borrow_mut(|memory| {
        if let Some(known) = memory.get(&question) {
            return known.clone();
        }
        let new = judge(&question);
        if memory.len() >= CAPACITY {
            memory.clear();
        }
        memory.insert(question, new.clone());
        new
    })
}

impl Question {
    pub(in crate::explain) fn new(shown: &Evidence, line: &Line<'_>) -> Self {
        let mut evidence = shown.clone();
        if let Some(address) = &mut evidence.upstream.address {
            // An internal listener, which stands before the address, is one of few.
            let listener = address.strip_prefix(INTERNAL).and_then(|rest| rest.find('/'));
            address.truncate(listener.map_or(0, |at| INTERNAL.len().saturating_add(at)));
        }
        // So is this, more or less.
        evidence.lived = evidence.lived.map(|lived| lived.saturating_sub(lived % ABOUT));
        Self { evidence, columns: Columns::of(line) }
    }
}

impl Columns {
    pub(in crate::explain) fn of(line: &Line<'_>) -> Self {
        let bits = |is: &dyn Fn(Column) -> bool| {
            let set = Column::ALL.iter().filter(|column| is(**column));
            set.fold(0, |bits, column| bits | Self::bit(*column))
        };
        Self {
            shown: bits(&|column| line.shows(column)),
            filled: bits(&|column| line.get(column).is_some()),
            short: gather::is_short(line),
            in_tls: gather::failed_in_tls(line),
            by_service_name: gather::asks_by_service_name(line),
            like_a_reply: gather::is_as_long_as_a_reply(line),
            nothing_at_tls_port: gather::read_nothing_at_tls_port(line),
        }
    }

    /// Whether the log has this column.
    pub(in crate::explain) fn shows(self, column: Column) -> bool {
        self.shown & Self::bit(column) != 0
    }

    /// Whether the column has a value.
    pub(in crate::explain) fn has(self, column: Column) -> bool {
        self.filled & Self::bit(column) != 0
    }

    const fn bit(column: Column) -> u64 {
        const { assert!(Column::ALL.len() <= 64, "a bit for each column") };
        1 << column as u32
    }
}
