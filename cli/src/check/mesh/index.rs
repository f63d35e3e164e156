//! What makes the questions to a mesh quick: each is answered from a few candidates, however much was given.

use std::collections::HashMap;
use std::hash::Hash;

use crate::check::host::covers;
use crate::check::model::{Labels, selects};

/// Places in a list by a key of the items.
#[derive(Debug)]
pub(super) struct Places<K>(HashMap<K, Vec<usize>>);

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Places<K> {
    pub(super) fn add(&mut self, key: K, place: usize) {
        let places = self.0.entry(key).or_default();
        if places.last() != Some(&place) {
            places.push(place);
        }
    }

    /// In the order of the list.
    pub(super) fn of<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> &[usize]
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }
}

/// Places by hosts, of which some are patterns.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    exact: Places<String>,
    /// Behind the `*`, from a dot on; empty for `*` itself.
    suffixes: Places<String>,
    /// `*name`, which Istio refuses.
    others: Vec<(String, usize)>,
}

impl Hosts {
    pub(super) fn add(&mut self, host: &str, place: usize) {
        match host.strip_prefix('*') {
            None => self.exact.add(host.to_owned(), place),
            Some(suffix) if suffix.is_empty() || suffix.starts_with('.') => {
                self.suffixes.add(suffix.to_owned(), place);
            }
            Some(_) => self.others.push((host.to_owned(), place)),
        }
    }

    /// Those whose host means every name that this one means, in the order of the list.
    pub(super) fn covering(&self, host: &str) -> Vec<usize> {
        let name = host.strip_prefix('*').unwrap_or(host);
        let from_dots = name.match_indices('.').filter_map(|(at, _)| name.get(at..));
        let suffixes = from_dots.chain([""]).flat_map(|suffix| self.suffixes.of(suffix));
        let others = self.others.iter().filter(|(pattern, _)| covers(pattern, host)).map(|(_, place)| place);
        let mut places: Vec<usize> =
            self.exact.of(host).iter().chain(suffixes).chain(others).copied().collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

/// Places by labels.
#[derive(Debug, Default)]
pub(super) struct Labelled(HashMap<(String, String), Vec<usize>>);

impl Labelled {
    pub(super) fn add(&mut self, labels: &Labels, place: usize) {
        for (key, value) in labels {
            self.0.entry((key.clone(), value.clone())).or_default().push(place);
        }
    }

    /// Those that may have all that a selector asks for: the fewest that have one part of it. `None` for a selector that asks for nothing.
    pub(super) fn candidates(&self, selector: &Labels) -> Option<&[usize]> {
        let parts = selector
            .iter()
            .map(|(key, value)| self.0.get(&(key.clone(), value.clone())).map_or(&[][..], Vec::as_slice));
        parts.min_by_key(|places| places.len())
    }
}

/// The items that a selector selects, from those that may fit.
pub(super) fn selected<'list, T>(
    list: &'list [T],
    index: &Labelled,
    selector: &Labels,
    labels: impl Fn(&T) -> &Labels,
) -> Vec<&'list T> {
    let Some(places) = index.candidates(selector) else { return list.iter().collect() };
    let items = places.iter().filter_map(|place| list.get(*place));
    items.filter(|item| selects(selector, labels(item))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_as_without_an_index() {
        let hosts =
            ["a.b.c", "*.b.c", "*.c", "*", "*b.c", "b.c", "x.b.c", "*.x.b.c", "c", "*.d", "a.b.c", "*a.b.c"];
        let mut index = Hosts::default();
        for (place, host) in hosts.iter().enumerate() {
            index.add(host, place);
        }
        for host in hosts.iter().chain(&["y.x.b.c", "z", ".c", "b.b.c"]) {
            let scanned = hosts.iter().enumerate().filter(|(_, own)| covers(own, host));
            assert_eq!(index.covering(host), scanned.map(|(place, _)| place).collect::<Vec<_>>(), "{host}");
        }
    }
}
