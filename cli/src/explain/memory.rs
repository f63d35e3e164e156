//! Failures repeat: what a line came to is kept for the next one that says the same.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};

use super::judgement::Judgement;
use super::{Column, Line};

/// So many are kept for each thread; then all are forgotten.
const MOST: usize = 4_096;

#[derive(Default)]
struct Memory {
    keys: RandomState,
    known: HashMap<u64, Option<Judgement>>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// The judgement of a line like this, or a new one.
pub(super) fn remembered(line: &Line<'_>, judge: impl FnOnce() -> Option<Judgement>) -> Option<Judgement> {
    MEMORY.with_borrow_mut(|memory| {
        // Keyed with a secret, so that nobody can make two lines look alike.
        let key = key(line, &memory.keys);
        if let Some(known) = memory.known.get(&key) {
            return known.clone();
        }
        let new = judge();
        if memory.known.len() >= MOST {
            memory.known.clear();
        }
        memory.known.insert(key, new.clone());
        new
    })
}

/// All that the rules look at. Of columns that are different in each line, only whether they are there.
fn key(line: &Line<'_>, keys: &RandomState) -> u64 {
    let mut hasher = keys.build_hasher();
    for column in Column::ALL {
        let value = line.get(*column);
        (line.shows(*column), value.is_some()).hash(&mut hasher);
        match column {
            Column::Time
            | Column::Path
            | Column::RequestId
            | Column::UpstreamHost
            | Column::UpstreamLocal
            | Column::LocalAddress
            | Column::RemoteAddress
            | Column::Attempts => {}
            // A tunnel may end as it likes; all others are alike.
            Column::Method => (value == Some("CONNECT")).hash(&mut hasher),
            // Only whether it was long.
            Column::Duration => super::gather::is_short(line).hash(&mut hasher),
            // Only compared with the server name.
            Column::Authority if line.get(Column::Sni).is_none() => {}
            _ => value.hash(&mut hasher),
        }
    }
    hasher.finish()
}
