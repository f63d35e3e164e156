//! The page's section "Double TLS".

use meshwhy::causes::Cause;
use meshwhy::causes::manual::PageSection;
use meshwhy::diagnosis::Confidence::{Certain, Likely};

use super::super::story::Gets::{Answer, Nothing};
use super::super::story::{Says, Story, Yaml};

const DOUBLE: PageSection = PageSection::DoubleTls;

/// All of them.
pub fn stories() -> Vec<Story> {
    [page(), own()].concat()
}

fn page() -> Vec<Story> {
    let broken = |name, about| Story::new(name, about).page(DOUBLE).file("broken.yaml");
    let patched = |name, about, file| {
        broken(name, about).with(Yaml::PagePatch("serviceentry/httpbin", "default", DOUBLE, file))
    };
    let rule = "DestinationRule/default/originate-tls";
    vec![
        broken("double_tls/trusted", "The application's TLS inside of the sidecar's")
            .curl(&["https://httpbin.org/"])
            .gets(Nothing(35))
            .says(Says::new("client", Cause::DoubleTls, Certain).blames(rule).because(&["sni=httpbin.org"])),
        broken("double_tls/untrusted", "The same, and the sidecar doesn't trust the server's certificate")
            .where_resolves("httpbin.org", "untrusted")
            .curl(&["-k", "https://httpbin.org/"])
            .gets(Nothing(35))
            .says(Says::new("client", Cause::DoubleTls, Likely).blames(rule).because(&["sni=httpbin.org"])),
        broken("double_tls/registry_only", "The same where unknown destinations are blocked")
            .registry_only()
            .curl(&["https://httpbin.org/"])
            .gets(Nothing(35))
            .says(Says::new("client", Cause::DoubleTls, Certain).blames(rule)),
        patched("double_tls/fixed/http_on_443", "Plaintext to the sidecar, on 443", "fixed-http-on-443.yaml")
            .curl(&["http://httpbin.org:443/"])
            .gets(Answer("httpbin-org over TLS")),
        patched("double_tls/fixed/http_on_80", "Plaintext to the sidecar, on 80", "fixed-http-on-80.yaml")
            .curl(&["http://httpbin.org/"])
            .gets(Answer("httpbin-org over TLS")),
        broken("double_tls/fixed/no_origination", "TLS by the application alone")
            .own(NO_ORIGINATION)
            .curl(&["https://httpbin.org/"])
            .gets(Answer("httpbin-org over TLS")),
    ]
}

/// The page's rule without its TLS.
const NO_ORIGINATION: &str = "
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata:
  name: originate-tls
spec:
  host: httpbin.org
";

/// Another host, other ports, a rule of a whole domain.
fn own() -> Vec<Story> {
    vec![
        Story::new("own/double_tls", "An API on 8443, and a rule for its whole domain")
            .own(BILLING_TLS)
            .own(BILLING_ORIGINATION)
            .curl(&["https://api.billing.test:8443/v1"])
            .gets(Nothing(35))
            .says(
                Says::new("client", Cause::DoubleTls, Certain)
                    .blames("DestinationRule/default/partners")
                    .because(&["sni=api.billing.test"]),
            ),
        Story::new("own/double_tls/fixed", "Plaintext to the sidecar, which originates TLS")
            .own(BILLING_HTTP)
            .own(BILLING_ORIGINATION)
            .curl(&["http://api.billing.test/v1"])
            .gets(Answer("billing over TLS")),
        Story::new("own/origination_untrusted", "TLS origination alone, to a certificate that isn't trusted")
            .own(HTTPBIN_80)
            .where_resolves("httpbin.org", "untrusted")
            .curl(&["http://httpbin.org/"])
            .gets(super::super::story::Gets::Status(503))
            .says(
                Says::new("client", Cause::UpstreamCertificateRejected, Certain)
                    .blames("DestinationRule/default/originate")
                    .because(&["upstream_tls_reason=CERTIFICATE_VERIFY_FAILED"]),
            ),
    ]
}

const BILLING_TLS: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: billing-api, namespace: default}
spec:
  hosts: [api.billing.test]
  ports: [{number: 8443, name: tls-api, protocol: TLS}]
  resolution: DNS
";

const BILLING_HTTP: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: billing-api, namespace: default}
spec:
  hosts: [api.billing.test]
  ports: [{number: 80, name: http-api, protocol: HTTP, targetPort: 8443}]
  resolution: DNS
";

const BILLING_ORIGINATION: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: partners, namespace: default}
spec: {host: '*.billing.test', trafficPolicy: {tls: {mode: SIMPLE}}}
";

const HTTPBIN_80: &str = originates!("originate", "{mode: SIMPLE}", "");
