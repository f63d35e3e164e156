//! Requests whose proxies gave them different ids: joined by the connection between the two, and the time.

use std::collections::{BTreeMap, HashMap};

use meshwhy::diagnosis::Confidence;

use crate::explain::connection::{FINE_SKEW, SKEW, asked_from, carried, was_asked_from};
use crate::explain::{Column, Hop};

/// What is joined.
#[derive(Debug, Default)]
pub struct Group {
    /// The lines.
    pub hops: Vec<Hop>,
    /// Ids of those that came to it by a connection.
    pub other_ids: Vec<String>,
    /// How sure it is that they belong to it; `None` where the id says so.
    pub sure: Option<Confidence>,
}

/// No request goes through more proxies with an id each.
const MOST_STEPS: usize = 64;

/// Where a line is: the id of its request, and its number there.
type Place = (String, usize);

/// Puts together what is one request.
pub fn merge(mut groups: BTreeMap<String, Group>) -> BTreeMap<String, Group> {
    let mut moved: HashMap<String, String> = HashMap::new();
    for (inner, outer, sure) in links(&groups) {
        // Who was asked may have been put to another request by now.
        let steps = std::iter::successors(Some(&outer), |id| moved.get(*id)).take(MOST_STEPS);
        let Some(outer) = steps.last().filter(|outer| **outer != inner).cloned() else { continue };
        let Some(group) = groups.remove(&inner) else { continue };
        let Some(into) = groups.get_mut(&outer) else {
            groups.insert(inner, group);
            continue;
        };
        into.hops.extend(group.hops);
        into.other_ids.push(inner.clone());
        into.other_ids.extend(group.other_ids);
        into.sure = [into.sure, group.sure, Some(sure)].into_iter().flatten().min();
        moved.insert(inner, outer);
    }
    groups
}

/// The pairs of requests of which one is what the next proxy logged of the other, where there is one such pair alone.
fn links(groups: &BTreeMap<String, Group>) -> Vec<(String, String, Confidence)> {
    let mut senders: HashMap<&str, Vec<Place>> = HashMap::new();
    for (id, group) in groups {
        for (number, hop) in group.hops.iter().enumerate() {
            if let Some(socket) = asked_from(&hop.line) {
                senders.entry(socket).or_default().push((id.clone(), number));
            }
        }
    }
    let hop = |(id, number): &Place| groups.get(id).and_then(|group| group.hops.get(*number));
    let candidates = |id: &str, inner: &Hop, tolerance: i64| -> Vec<Place> {
        let all = was_asked_from(&inner.line).and_then(|socket| senders.get(socket)).into_iter().flatten();
        let fit =
            all.filter(|place| hop(place).is_some_and(|outer| carried(&outer.line, &inner.line, tolerance)));
        let fit: Vec<Place> = fit.cloned().collect();
        // Whoever has its own sender by the id needs no other.
        if fit.iter().any(|(other, _)| other == id) { Vec::new() } else { fit }
    };
    let mut found: Vec<(String, Place, Confidence)> = Vec::new();
    for (id, group) in groups {
        for inner in &group.hops {
            let mut outer = candidates(id, inner, SKEW);
            if outer.len() > 1 {
                outer = candidates(id, inner, FINE_SKEW);
            }
            if let [place] = outer.as_slice() {
                found.push((id.clone(), place.clone(), sure(inner)));
            }
        }
    }
    // One that would have sent two is not known to have sent either.
    let mut count: HashMap<Place, usize> = HashMap::new();
    found.iter().for_each(|(_, place, _)| *count.entry(place.clone()).or_default() += 1);
    found.retain(|(_, place, _)| count.get(place) == Some(&1));
    found.into_iter().map(|(inner, (outer, _), sure)| (inner, outer, sure)).collect()
}

/// Over HTTP/1 a connection carries one request at a time; over HTTP/2 another may have the same path.
fn sure(inner: &Hop) -> Confidence {
    let is_serial = inner.line.get(Column::Protocol).is_some_and(|protocol| protocol.starts_with("HTTP/1"));
    if is_serial { Confidence::Certain } else { Confidence::Likely }
}
