//! Linkerd's proxy, of which no log has Envoy's words.

use super::super::Symptom::{self, *};

/// What it didn't let in.
pub(super) const POLICIES: &[(&str, Symptom)] = &[
    ("unauthorized connection on server", Denied),
    ("unauthorized request on route", Denied),
    ("policy::authorize::http: Request denied", Denied),
    ("policy::tcp: Connection denied", Denied),
    ("direct connections must be mutually authenticated", WantsIdentity),
];

#[cfg(test)]
mod tests {
    use crate::explain::said::client::read;

    #[test]
    fn its_policies_are_named() {
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
        ] {
            let (_, finding) = read(text).expect(text);
            assert_eq!(finding.cause.id(), expected, "{text}");
        }
        for text in [
            "[ 0.1s] INFO ThreadId(01) linkerd2_proxy: 4 cores available",
            "// unauthorized request on route",
            "[ 9.1s] INFO ThreadId(01) outbound:proxy{addr=10.0.0.1:80}: linkerd_detect: Continuing after timeout",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
