//! Proxies and load balancers of which no log has Envoy's words, and the service that counts for Envoy.

use super::super::Symptom::{self, *};

/// What Linkerd's proxy didn't let in.
pub(super) const POLICIES: &[(&str, Symptom)] = &[
    ("unauthorized connection on server", Denied),
    ("unauthorized request on route", Denied),
    ("policy::authorize::http: Request denied", Denied),
    ("policy::tcp: Connection denied", Denied),
    // Envoy's, as somebody writes it down.
    ("rbac: access denied", Denied),
    ("direct connections must be mutually authenticated", WantsIdentity),
];

/// What Google's load balancers have as `statusDetails`, and what the rate limit service answers.
pub(super) const OTHERS: &[(&str, Symptom)] = &[
    ("failed_to_pick_backend", NoHealthy),
    ("failed_to_connect_to_backend", NoConnection),
    ("backend_connection_closed_before_data_sent_to_client", Closed),
    ("overall_code:OVER_LIMIT", Limited),
    ("no healthy upstream", NoHealthy),
    ("upstream request timeout", NoAnswer),
    ("upstream connect error or disconnect", Dropped),
];

#[cfg(test)]
mod tests {
    use crate::explain::said::client::read;

    #[test]
    fn what_they_say_is_named() {
        for (text, expected) in [
            (
                "[ 522.431827s] INFO ThreadId(01) inbound:server{port=8085}:rescue{client.addr=10.0.0.1:37900}: linkerd_app_core::errors::respond: Request failed error=unauthorized connection on server metrics-api",
                "authorization_policy_denied",
            ),
            (
                "[ 524.425112s] INFO ThreadId(01) inbound:server{port=8085}: linkerd_app_inbound::policy::authorize::http: Request denied server=metrics-api tls=None(NoClientHello) client=10.0.0.1:37900",
                "authorization_policy_denied",
            ),
            (
                "INFO ThreadId(01) inbound: linkerd_app_core::serve: Connection closed error=direct connections must be mutually authenticated client.addr=10.0.0.1:34180",
                "plaintext_to_strict_mtls",
            ),
            ("i get a rbac: access denied from the notebook", "authorization_policy_denied"),
            ("2 UNKNOWN: No status received", "upstream_reset"),
            ("12 UNIMPLEMENTED: The server does not implement the method /a.B/C", "application_error"),
            ("Export() failed: UNKNOWN: sending queue is full", "circuit_breaker_overflow"),
            ("T+8s   503  failed_to_pick_backend  POST  https://example.com/a", "no_healthy_endpoints"),
            (
                r#"level=debug msg="returning normal response: overall_code:OVER_LIMIT  statuses:{code:OVER_LIMIT  current_limit:{requests_per_unit:200  unit:MINUTE}}""#,
                "rate_limited",
            ),
        ] {
            let (_, finding) = read(text).expect(text);
            assert_eq!(finding.cause.id(), expected, "{text}");
        }
        for text in [
            "[ 0.1s] INFO ThreadId(01) linkerd2_proxy: 4 cores available",
            "// unauthorized request on route",
            r#"level=debug msg="returning normal response: overall_code:OK  statuses:{code:OK  limit_remaining:9}""#,
            "200  response_sent_by_backend  GET  https://example.com/a",
            "[ 9.1s] INFO ThreadId(01) outbound:proxy{addr=10.0.0.1:80}: linkerd_detect: Continuing after timeout",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
