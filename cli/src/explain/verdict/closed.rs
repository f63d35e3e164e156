//! `503 UC`: what may have closed the connection, beyond what the rules can see in a line.

use meshwhy::causes::Cause;

use crate::explain::{Column, Finding, Line};

/// Ports on which servers speak TLS, by custom.
pub(super) const TLS: &[&str] = &["443", "8443", "9443", "6443", "10250"];

/// Names TLS that the upstream expected: many servers close what is none without a word. At a port of TLS that comes first.
pub(super) fn add(finding: &mut Finding, line: &Line<'_>) {
    let cluster = line.get(Column::Cluster).unwrap_or_default();
    let in_plaintext = line.get(Column::UpstreamTls).is_none();
    let is_request = line.get(Column::Method).is_some() || line.code().is_some_and(|code| code > 0);
    let before_answer =
        line.get(Column::Details).is_none_or(|details| details.contains("before_response_started"));
    // The application beside this proxy gets what the client's side sent, and a tunnel is TLS itself.
    let is_close = cluster.starts_with("inbound|")
        || line.get(Column::UpstreamHost).is_some_and(|host| host.starts_with("envoy://"));
    let others = &mut finding.alternatives;
    if finding.cause != Cause::UpstreamClosedConnection
        || !(in_plaintext && is_request && before_answer)
        || is_close
        || others.contains(&Cause::UpstreamExpectsTls)
    {
        return;
    }
    let Some(port) = tls_port(line) else {
        others.push(Cause::UpstreamExpectsTls);
        return;
    };
    others.insert(0, Cause::UpstreamExpectsTls);
    let fix = format!(
        "Try port {port} with openssl s_client: it is one of TLS by custom, and many servers close what comes in plaintext. Then originate TLS \
         (tls mode SIMPLE in a DestinationRule), or declare the port as HTTPS. Else find out why the upstream closed the connection."
    );
    finding.named_fix = Some(fix);
}

fn tls_port<'a>(line: &'a Line<'_>) -> Option<&'a str> {
    let of_endpoint = line.get(Column::UpstreamHost).and_then(|host| Some(host.rsplit_once(':')?.1));
    let of_cluster = line.get(Column::Cluster).and_then(|name| name.split('|').nth(1));
    of_endpoint.into_iter().chain(of_cluster).find(|port| TLS.contains(port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::{Reader, Reading};

    fn of(what: &str, endpoint: &str, cluster: &str) -> Finding {
        let line = format!(
            r#"[2026-03-01T08:00:00.123Z] "GET / HTTP/1.1" {what} - "-" 0 95 1 - "-" "curl/8" "94de6761-681b-482d-89ce-e349a541d8e9" "a" "{endpoint}" {cluster} 10.0.0.9:40000 10.96.0.1:80 10.0.0.9:50000 - -"#
        );
        match Reader::new(Vec::new()).read(line.as_bytes()) {
            Reading::Failed(_, finding) => *finding,
            other => panic!("{line}: {other:?}"),
        }
    }

    const CLOSED: &str = "503 UC upstream_reset_before_response_started{connection_termination}";

    #[test]
    fn plaintext_at_a_port_of_tls_comes_first() {
        for (endpoint, cluster) in [
            ("10.0.0.1:8443", "outbound|443||a.b.svc.cluster.local"),
            ("93.184.216.34:443", "PassthroughCluster"),
            ("10.0.0.1:5000", "outbound|443||api.example.com"),
        ] {
            let finding = of(CLOSED, endpoint, cluster);
            assert_eq!(finding.cause, Cause::UpstreamClosedConnection);
            assert_eq!(finding.alternatives.first(), Some(&Cause::UpstreamExpectsTls), "{finding:?}");
            assert!(finding.fix().is_some_and(|fix| fix.contains("openssl s_client")), "{finding:?}");
        }
        let other = of(CLOSED, "10.0.0.1:8080", "outbound|80||a.b.svc.cluster.local");
        assert_eq!(other.alternatives.last(), Some(&Cause::UpstreamExpectsTls), "{other:?}");
        assert!(!other.fix().is_some_and(|fix| fix.contains("openssl")), "{other:?}");
    }

    #[test]
    fn it_isnt_named_where_tls_can_not_be_missing() {
        for (what, endpoint, cluster) in [
            (CLOSED, "10.0.0.1:8443", "inbound|8443||"),
            (CLOSED, "envoy://connect_originate/10.0.0.1:8443", "outbound|443||a.b.svc.cluster.local"),
            (
                "200 UC upstream_reset_after_response_started{connection_termination}",
                "10.0.0.1:8443",
                "outbound|443||a.b.svc.cluster.local",
            ),
        ] {
            let finding = of(what, endpoint, cluster);
            assert!(!finding.alternatives.contains(&Cause::UpstreamExpectsTls), "{finding:?}");
        }
    }
}
