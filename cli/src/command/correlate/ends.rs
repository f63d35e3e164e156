//! Lines without a request id, joined by the connection that they are of.

use std::collections::{BTreeMap, HashMap};

use meshwhy::diagnosis::Confidence;

use super::wanted::Counts;
use super::{MOST_HOPS, Shown};
use crate::command::merging::Group;
use crate::explain::{Column, Hop, connection, is_tunnel, join};

/// Puts lines without an id to the request whose connection they are of, and joins the two ends of other connections.
pub(super) fn join_ends(
    requests: &mut BTreeMap<String, Group>,
    ends: Vec<Hop>,
    counts: &mut Counts,
) -> Vec<Shown> {
    let mut others: BTreeMap<String, Vec<Hop>> = BTreeMap::new();
    let mut by_socket: HashMap<String, String> = HashMap::new();
    let mut by_place: HashMap<String, String> = HashMap::new();
    for (id, group) in &*requests {
        for hop in &group.hops {
            if let Some(socket) = connection::asked_from(&hop.line) {
                by_socket.insert(socket.to_owned(), id.clone());
            }
            let inner = hop.line.get(Column::UpstreamHost).is_some_and(|host| host.starts_with("envoy://"));
            if let Some(place) = connection::destination(&hop.line).filter(|_| inner) {
                by_place.insert(place.to_owned(), id.clone());
            }
        }
    }
    for end in ends {
        let by_socket = connection::was_asked_from(&end.line).and_then(|socket| by_socket.get(socket));
        let by_place = || connection::destination(&end.line).and_then(|place| by_place.get(place));
        let request =
            by_socket.or_else(by_place).and_then(|id| requests.get_mut(id)).map(|group| &mut group.hops);
        let close = |hops: &[Hop]| hops.iter().any(|hop| connection::are_close(&hop.line, &end.line));
        match request {
            Some(hops) if hops.len() < MOST_HOPS && close(hops) => {
                counts.without_id = counts.without_id.saturating_sub(1);
                hops.push(end);
            }
            _ => {
                let socket =
                    connection::asked_from(&end.line).or_else(|| connection::was_asked_from(&end.line));
                let Some(socket) = socket.map(str::to_owned) else { continue };
                others.entry(socket).or_default().push(end);
            }
        }
    }
    let mut joined = Vec::new();
    let mut alone = Vec::new();
    for (socket, hops) in others {
        let asked = hops.iter().any(|hop| connection::asked_from(&hop.line) == Some(&*socket));
        let was_asked = hops.iter().any(|hop| connection::was_asked_from(&hop.line) == Some(&*socket));
        let close = hops.iter().all(|hop| hops.iter().all(|o| connection::are_close(&hop.line, &o.line)));
        if asked && was_asked && close && hops.len() < MOST_HOPS {
            counts.without_id = counts.without_id.saturating_sub(hops.len() as u64);
            let id = format!("connection from {socket}");
            let sure = Some(Confidence::Likely);
            joined.extend(join(hops).map(|joined| Shown { id, joined, other_ids: Vec::new(), sure }));
        } else {
            alone.extend(hops);
        }
    }
    for (asked, was_asked) in tunnels(alone) {
        counts.without_id = counts.without_id.saturating_sub(2);
        let from = connection::was_asked_from(&asked.line).unwrap_or_default();
        let id = format!("connection from {from}");
        let sure = Some(Confidence::Likely);
        let hops = vec![asked, was_asked];
        joined.extend(join(hops).map(|joined| Shown { id, joined, other_ids: Vec::new(), sure }));
    }
    joined
}

/// No more ends of tunnels are compared, each with each.
const MOST_TUNNELS: usize = 1_000;

/// What two ztunnels logged of one connection: the pairs that ended together.
fn tunnels(ends: Vec<Hop>) -> Vec<(Hop, Hop)> {
    let mut left: Vec<Option<Hop>> = ends.into_iter().take(MOST_TUNNELS).map(Some).collect();
    let mut pairs = Vec::new();
    for at in 0..left.len() {
        let Some(asked) = left.get(at).and_then(Option::as_ref) else { continue };
        let fits = |other: &Hop| {
            let apart = connection::apart(&asked.line, &other.line)?;
            (is_tunnel(asked, other) && apart <= connection::SKEW.unsigned_abs()).then_some(apart)
        };
        let near = left.iter().enumerate().filter_map(|(at, hop)| Some((fits(hop.as_ref()?)?, at)));
        let Some((_, other)) = near.min() else { continue };
        let asked = left.get_mut(at).and_then(Option::take);
        let was_asked = left.get_mut(other).and_then(Option::take);
        pairs.extend(asked.zip(was_asked));
    }
    pairs
}
