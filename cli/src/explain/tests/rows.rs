//! Rows that belong together.

use super::*;

/// What each record of a text comes to.
fn walked(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    READER.walk(text.as_bytes(), 1, false, |read| {
        let said = match read.reading {
            Reading::Failed(_, finding) => format!("{} {}", finding.cause.id(), finding.confidence.id()),
            Reading::Symptom(_, finding) => format!("({})", finding.cause.id()),
            Reading::Fine(_) => "fine".to_owned(),
            Reading::Blank | Reading::Unreadable => return true,
            other => panic!("{other:?}"),
        };
        all.push(said);
        true
    });
    all
}

const REPLY: &str = "upstream connect error or disconnect/reset before headers. reset reason: connection failure, \
                     transport failure reason: TLS error: Secret is not supplied by SDS";

#[test]
fn the_reason_that_a_client_was_given_is_the_lines() {
    let line = istio(r#"503 UF "-" "-""#);
    assert_eq!(
        walked(&format!("{REPLY}\n\n{line}")),
        ["(proxy_certificate_missing)", "proxy_certificate_missing possible"]
    );
    // Of one line alone, and none of a failure that has another flag or a reason of its own.
    let two = format!("{REPLY}\n{line}\n{line}");
    assert_eq!(
        walked(&two),
        ["(proxy_certificate_missing)", "proxy_certificate_missing possible", "upstream_refused possible"]
    );
    let other = istio(r#"503 UH "-" "-""#);
    assert!(!walked(&format!("{REPLY}\n{other}")).iter().any(|said| said.starts_with("proxy_")));
    let own = istio(REFUSED);
    assert_eq!(
        walked(&format!("{REPLY}\n{own}")),
        ["(proxy_certificate_missing)", "upstream_refused certain"]
    );
}

#[test]
fn the_reason_alone_may_be_left_of_a_reply() {
    let reply = "upstream connect error or disconnect/reset before headers.\ntransport failure reason: TLS error: Secret is not supplied by SDS";
    assert_eq!(walked(reply), ["proxy_certificate_missing likely"]);
}

#[test]
fn a_quoted_error_ends_in_a_later_row() {
    let text = "error=\"connection closed due to policy rejection: explicitly denied by:\n   istio-system/istio_converted_static_strict\"";
    assert_eq!(walked(text), ["plaintext_to_strict_mtls possible"]);
}

#[test]
fn agentgateways_lines_may_be_wrapped() {
    let text = "error request gateway=a/b route=lab/a endpoint=10.0.0.1:80\n  http.status=503 error=\"upstream call failed: Connect: Connection\n  refused (os error 111)\" reason=UpstreamFailure\ninfo request gateway=a/b endpoint=10.0.0.1:80 http.status=200";
    assert_eq!(walked(text), ["upstream_refused likely", "fine"]);
    let late = "error request gateway=a/b endpoint=10.0.0.1:80 http.status=503\n  error=\"request timeout\" reason=Timeout";
    assert_eq!(walked(late), ["upstream_timeout likely"]);
}

#[test]
fn ztunnels_pairs_may_be_wrapped() {
    let ends = "src.addr=10.20.0.20:50980 dst.addr=10.20.0.10:15008 direction=\"inbound\"";
    let error = "error=\"tls handshake error: Custom { kind: InvalidData, error: InvalidCertificate(\n  Other(OtherError(SanTrustDomainError(\"b.local\",\n  [Spiffe { trust_domain: \"a.local\" }]\n))))}\"";
    assert_eq!(walked(&format!("{ends}\n{error}")), ["client_certificate_rejected likely"]);
    // Whose ends aren't followed by an error is another's.
    assert_eq!(walked(&format!("{ends}\nsomething else")), Vec::<String>::new());
}

#[test]
fn agentgateways_pairs_may_begin_with_the_path() {
    let text = "http.path=/v1/completions      http.status=503 protocol=llm\n  endpoint=10.0.0.1:443\n  error=\"upstream call failed: Connect: invalid peer certificate: UnknownIssuer\"";
    assert_eq!(walked(text), ["upstream_certificate_rejected possible"]);
    // A client's path may look like a pair.
    let forged = "http.path=/a?http.status=200 http.status=503 error=\"request timeout\" reason=Timeout";
    assert_eq!(walked(forged), ["upstream_timeout possible"]);
}
