//! Replies of filters that have no cause of their own, and the same filters where they let requests pass.

mod bodies;
mod clients;
mod code;
mod load;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Certain;

use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    [
        code::scripts(),
        code::plugins(),
        code::processors(),
        clients::browsers(),
        clients::credentials(),
        load::loads(),
        load::shedding(),
        bodies::rewriting(),
        bodies::grpc(),
        bodies::bodies(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The filter answers with this status.
fn replies(scenario: Scenario, code: &'static str, details: &'static str) -> Scenario {
    scenario
        .logs(Log::Http, &[("code", code), ("flags", "-"), ("details", details)])
        .names(Cause::FilterRejected, Certain)
}

/// It doesn't.
fn passes(scenario: Scenario) -> Scenario {
    scenario.gets(200).logs(Log::Http, &[("code", "200"), ("flags", "-")])
}

/// As JSON has bytes of a protobuf.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at > three.len() { '=' } else { char::from(digit) });
        }
    }
    text
}
