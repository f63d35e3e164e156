//! Where a client is: within the cluster, at a desk, or beside a proxy.

use super::is_of_webhook;
use super::symptom::Where;
use super::whom::Whom;

/// Where the client is, as far as its words betray it.
pub(super) fn place(text: &str) -> Where {
    if is_of_webhook(text) {
        return Where::Webhook;
    }
    // Builds of curl for desks, and browsers.
    const OUTSIDE: &[&str] = &[
        "LibreSSL",
        "SecureTransport",
        "schannel",
        "ERR_CONNECTION",
        "ERR_SSL",
        "PR_END_OF",
        "PR_CONNECT",
        "NS_ERROR_NET",
    ];
    const AGENT: &[&str] = &[":15012", "workload certificate", "gRPC config stream", "istiod.istio-system"];
    if AGENT.iter().any(|words| text.contains(words)) {
        return Where::Agent;
    }
    // Its own ports: readiness, metrics, the admin interface.
    if [":15021/", ":15090/", ":15000/"].iter().any(|port| text.contains(port)) {
        return Where::AtProxy;
    }
    if OUTSIDE.iter().any(|words| text.contains(words)) {
        return Where::Outside;
    }
    // Package managers ask the world.
    let is_packages = ["': /simple/", "npm ERR!"].iter().any(|words| text.contains(words));
    let asks_public = || Whom::of(text).is_some_and(|whom| is_public_host(&whom.host));
    if is_public(text) || is_packages || asks_public() { Where::Outwards } else { Where::Within }
}

/// Whether a host with a domain is named that isn't one of the cluster's.
fn is_public(text: &str) -> bool {
    let host = |word: &str| word.split(['/', ':']).next().is_some_and(is_public_host);
    let behind_scheme = text.split("https://").nth(1);
    let words = text.split([' ', '"', '\'', '(', ')', ',', '*', '`']);
    behind_scheme.into_iter().chain(words.filter(|word| word.ends_with(":443"))).any(host)
}

fn is_public_host(host: &str) -> bool {
    let letters = host
        .rsplit('.')
        .next()
        .is_some_and(|last| last.len() > 1 && last.bytes().all(|byte| byte.is_ascii_alphabetic()));
    // The namespaces that every cluster has are no domains: `kubernetes.default`, `istiod.istio-system`.
    let names = ["svc", "local", "localhost", "internal", ".default", "-system"];
    let is_clusters = names.iter().any(|end| host.ends_with(end));
    host.contains('.') && letters && !is_clusters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_betrays_where_it_is() {
        for (text, expected) in [
            ("curl: (7) Failed to connect to orders.shop.svc port 80", Where::Within),
            ("Get \"https://kubernetes.default:443/api\": EOF", Where::Within),
            ("Get \"https://api.example.com/a\": EOF", Where::Outwards),
            ("net::ERR_CONNECTION_RESET", Where::Outside),
            ("dial tcp 10.0.0.1:15012: i/o timeout", Where::Agent),
            ("Get \"http://10.0.0.4:15021/healthz/ready\": EOF", Where::AtProxy),
            ("failed calling webhook \"a.b.c\": EOF", Where::Webhook),
        ] {
            assert_eq!(place(text), expected, "{text}");
        }
    }
}
