//! Certificates of the upstream that the proxy rejects.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::json;

use super::{rule, tls};
use crate::harness::client::Client;
use crate::harness::envoy::parts::{trusting, with};
use crate::harness::peers::Server;
use crate::scenarios::common::{ASK, ASK_TLS_OVER_TCP, TLS, http, tcp};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    let rejected = |scenario: Scenario| {
        scenario
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF")])
            .names(Cause::UpstreamCertificateRejected, Certain)
            .because(&["upstream_tls_reason=CERTIFICATE_VERIFY_FAILED"])
    };
    let with_certificate = |name: &str| -> Server {
        Server::Nginx(match name {
            "expired" => {
                "listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/expired.pem; ssl_certificate_key {pki}/expired.key; location / { return 200 ok; }"
            }
            _ => {
                "listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/other-server.pem; ssl_certificate_key {pki}/other-server.key; location / { return 200 ok; }"
            }
        })
    };
    let wrong_name = json!({"common_tls_context": {"validation_context": {"match_typed_subject_alt_names": [
        {"san_type": "DNS", "matcher": {"exact": "somebody.else"}},
    ]}}});
    let untrusted = tls(trusting("other-ca"));
    vec![
        rejected(Scenario::new(
            "upstream_tls/untrusted",
            "an authority that the proxy doesn't trust",
            http(tls(trusting("ca"))),
        ))
        .server("backend", with_certificate("other")),
        rejected(Scenario::new(
            "upstream_tls/expired",
            "a certificate whose time is over",
            http(tls(trusting("ca"))),
        ))
        .server("backend", with_certificate("expired")),
        rejected(Scenario::new(
            "upstream_tls/wrong_name",
            "a certificate for somebody else",
            http(tls(with(trusting("ca"), wrong_name))),
        ))
        .server("backend", TLS),
        Scenario::new(
            "upstream_tls/untrusted_with_destination_rule",
            "whether the rule or the certificate is wrong is not known: the rule says what is trusted",
            http(rule(untrusted.clone(), "originate")),
        )
        .server("backend", TLS)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names(Cause::UpstreamCertificateRejected, Certain)
        .blames("DestinationRule/default/originate"),
        Scenario::new(
            "upstream_tls/untrusted_tcp",
            "the same without a TLS inspector: nobody saw what the client spoke",
            tcp(tls(trusting("other-ca"))),
        )
        .server("backend", TLS)
        .curl(ASK_TLS_OVER_TCP)
        .gets_nothing("")
        .logs(Log::Tcp, &[("flags", "UF,URX")])
        .names(Cause::UpstreamCertificateRejected, Likely),
        Scenario::new(
            "upstream_tls/untrusted_tcp_plain_client",
            "the client speaks plaintext, but a TCP proxy never got to see that",
            tcp(untrusted),
        )
        .server("backend", TLS)
        .client(Client::Raw("tcp", b"PING\r\n"))
        .logs(Log::Tcp, &[("flags", "UF,URX")])
        .names(Cause::UpstreamCertificateRejected, Likely),
    ]
}
