//! A waypoint's inner listener has a chain for each address that it serves, and knows no TLS. Of a connection that matches none it logs what
//! a sidecar logs of plaintext that it doesn't take; only the log around it separates them.

use meshwhy::causes::{Cause, Side};
use meshwhy::diagnosis::Confidence;
use meshwhy::report::{LONGEST_FACT, escape};

use crate::explain::{Column, Reading, Source};

/// A line of a log in which a waypoint's lines are. Other proxies' may be in it, too: it stays a lead.
pub(in crate::explain) fn reconsider(reading: &mut Reading) {
    let Reading::Failed(line, finding) = reading else { return };
    let unmatched = line.get(Column::Details) == Some("filter_chain_not_found");
    let plain = line.shows(Column::Sni) && line.get(Column::Sni).is_none();
    if !unmatched || !plain || finding.source != Source::Line {
        return;
    }
    let what = line
        .get(Column::LocalAddress)
        .map_or_else(|| "the address that was asked".into(), |address| escape(address, LONGEST_FACT));
    finding.named_fix = Some(format!(
        "If this is the waypoint's line: it serves no {what}. Attach that Service to it (label istio.io/use-waypoint), or give the Service this port."
    ));
    finding.alternatives.insert(0, finding.cause);
    (finding.cause, finding.confidence) = (Cause::RouteHostUnknown, Confidence::Possible);
    (finding.side, finding.advice) = (Some(Side::Mesh), None);
}

#[cfg(test)]
mod tests {
    use crate::explain::{Read, Reader};
    use crate::input::chunks::Chunks;

    use super::*;

    /// Istio 1.31, Envoy 1.40, CONNECT to a Service that isn't attached.
    const UNMATCHED: &str = r#"[2026-11-30T16:54:47.888Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - 10.96.0.21:80 10.89.0.1:59260 - -"#;
    const CONNECT: &str = r#"[2026-11-30T16:54:47.888Z] "CONNECT - HTTP/2" 503 UF upstream_reset_before_response_started{remote_connection_failure|immediate_connect_error:_Invalid_argument|remote_address:envoy://main_internal/} - "immediate_connect_error:_Invalid_argument|remote_address:envoy://main_internal/" 0 98 0 - "-" "-" "5893ad09-fbad-4702-9750-c65de7384dc9" "10.96.0.21:80" "envoy://main_internal/" main_internal - 10.89.0.29:15008 10.89.0.1:59260 - -"#;

    fn first_of(log: &str) -> (Cause, Confidence, Vec<Cause>, String) {
        let (mut chunks, mut found) = (Chunks::new(0), Vec::new());
        let reader = Reader::new(Vec::new());
        let mut give = |chunk| {
            reader.walk_chunk(&chunk, false, |Read { reading, .. }| {
                if let Reading::Failed(_, finding) = reading {
                    found.push(*finding);
                }
                true
            });
            true
        };
        chunks.read(&mut log.as_bytes(), false, &mut give).unwrap();
        chunks.finish(&mut give);
        let first = found.swap_remove(0);
        let fix = first.fix().unwrap_or_default().to_owned();
        (first.cause, first.confidence, first.alternatives, fix)
    }

    #[test]
    fn the_log_around_it_says_whose_line_it_is() {
        let (cause, confidence, alternatives, fix) = first_of(&format!("{UNMATCHED}\n{CONNECT}\n"));
        assert_eq!((cause, confidence), (Cause::RouteHostUnknown, Confidence::Possible));
        assert_eq!(alternatives.first(), Some(&Cause::PlaintextToStrictMtls));
        assert!(fix.contains("it serves no 10.96.0.21:80."), "{fix}");
        let (cause, confidence, ..) = first_of(&format!("{UNMATCHED}\n{UNMATCHED}\n"));
        assert_eq!((cause, confidence), (Cause::PlaintextToStrictMtls, Confidence::Possible));
        // With a server name it is a gateway's or a sidecar's.
        let named = UNMATCHED.replace("59260 - -", "59260 shop.example.com -");
        let (cause, ..) = first_of(&format!("{named}\n{CONNECT}\n"));
        assert_eq!(cause, Cause::NoFilterChainForSni);
    }

    /// The same, where a firewall drops what goes to ztunnel.
    #[test]
    fn a_tunnel_that_runs_into_its_time_out_is_one_of_what_it_may_be() {
        let line = r#"[2026-11-30T17:24:35.572Z] "GET / HTTP/1.1" 503 UC upstream_reset_before_response_started{connection_termination} - "-" 0 95 10004 - "-" "curl/7.88.1" "f77a5f9d-5a78-4556-b9e8-e4e7935d38be" "walled" "envoy://connect_originate/10.89.0.33:8080" inbound-vip|80|http|walled.default.svc.cluster.local envoy://internal_client_address/ 10.96.0.33:80 10.89.0.1:54700 - default"#;
        let tunnel = |line: &str| {
            let (cause, confidence, alternatives, _) = first_of(line);
            assert_eq!(confidence, Confidence::Possible);
            cause == Cause::UpstreamConnectTimeout || alternatives.contains(&Cause::UpstreamConnectTimeout)
        };
        assert!(tunnel(line));
        assert!(!tunnel(&line.replace(" 10004 ", " 4 ")));
        assert!(!tunnel(&line.replace("envoy://connect_originate/", "")));
    }
}
