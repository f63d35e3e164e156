//! The page's section on several gateways with one certificate: connections that browsers reuse.

use meshwhy::causes::Cause;
use meshwhy::causes::manual::PageSection;
use meshwhy::diagnosis::Confidence::{Likely, Possible};

use super::super::story::Gets::{Answer, Status};
use super::super::story::{Says, Story};
use crate::harness::tools::Needed;

const REUSE: PageSection = PageSection::SharedCertificate;
const CHROMIUM: Needed = ("chromium", "chromium");
const CERTUTIL: Needed = ("certutil", "libnss3-tools");

/// All of them. The page has no YAML here: it is ours, with the page's names.
pub fn stories() -> Vec<Story> {
    vec![
        browser("reuse/browser", "A browser that has been at service1 asks service2 on the same connection")
            .own(TWO_GATEWAYS)
            .gets(Answer("</script>service2 failed"))
            .says(
                Says::new("ingress", Cause::ConnectionReusedAcrossGateways, Likely)
                    .gateway()
                    .because(&["sni=service1.test.com", "certificate_covers_authority=true"]),
            ),
        browser("reuse/browser/fixed", "One gateway for both hosts")
            .own(ONE_GATEWAY)
            .gets(Answer("</script>service2 answered")),
        Story::new("reuse/separate_connections", "A client that opens a connection for each host")
            .own(TWO_GATEWAYS)
            .from("outside")
            .curl(&["https://service1.test.com/", "https://service2.test.com/"])
            .gets(Answer("service2 answered")),
        Story::new("reuse/wrong_host", "A wrong Host on the first request: on the wire it looks the same")
            .own(TWO_GATEWAYS)
            .from("outside")
            .curl(&["-H", "Host: service2.test.com", "https://service1.test.com/"])
            .gets(Status(404))
            .says(Says::new("ingress", Cause::ConnectionReusedAcrossGateways, Likely).gateway()),
        Story::new("reuse/wrong_host/http1", "The same over HTTP/1.1")
            .own(TWO_GATEWAYS)
            .from("outside")
            .curl(&["--http1.1", "-H", "Host: service2.test.com", "https://service1.test.com/"])
            .gets(Status(404))
            .says(Says::new("ingress", Cause::ConnectionReusedAcrossGateways, Possible).gateway()),
        Story::new("reuse/unknown_host", "A Host that the certificate isn't for")
            .own(TWO_GATEWAYS)
            .from("outside")
            .curl(&["-H", "Host: www.example.com", "https://service1.test.com/"])
            .gets(Status(404))
            .says(Says::new("ingress", Cause::RouteHostUnknown, Likely).gateway()),
    ]
}

/// Chromium shows service1's page, which asks service2 for a script, and then the document as it has become.
fn browser(name: &'static str, about: &'static str) -> Story {
    // It reuses a connection only where it trusts the certificate without an option.
    const SHOW: &str = "export HOME=$(mktemp -d) && cd $HOME && mkdir -p .pki/nssdb && \
        certutil -d sql:.pki/nssdb -N --empty-password && \
        certutil -d sql:.pki/nssdb -A -t C,, -n rig -i /var/lib/istio/ingressgateway-certs/ca.crt && \
        timeout 30 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir=$HOME/user \
        --dump-dom https://service1.test.com/ 2>&1; rm -rf $HOME";
    let story = Story::new(name, about).page(REUSE).needs(CHROMIUM).needs(CERTUTIL);
    story.from("outside").run(&["sh", "-c", SHOW])
}

const TWO_GATEWAYS: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw1, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - hosts: [service1.test.com]
    port: {number: 443, name: https, protocol: HTTPS}
    tls:
      mode: SIMPLE
      serverCertificate: /var/lib/istio/ingressgateway-certs/tls.crt
      privateKey: /var/lib/istio/ingressgateway-certs/tls.key
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw2, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - hosts: [service2.test.com]
    port: {number: 443, name: https, protocol: HTTPS}
    tls:
      mode: SIMPLE
      serverCertificate: /var/lib/istio/ingressgateway-certs/tls.crt
      privateKey: /var/lib/istio/ingressgateway-certs/tls.key
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vs1, namespace: default}
spec:
  hosts: [service1.test.com]
  gateways: [gw1]
  http: [{route: [{destination: {host: service1}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vs2, namespace: default}
spec:
  hosts: [service2.test.com]
  gateways: [gw2]
  http: [{route: [{destination: {host: service2}}]}]
";

const ONE_GATEWAY: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - hosts: ['*.test.com']
    port: {number: 443, name: https, protocol: HTTPS}
    tls:
      mode: SIMPLE
      serverCertificate: /var/lib/istio/ingressgateway-certs/tls.crt
      privateKey: /var/lib/istio/ingressgateway-certs/tls.key
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vs1, namespace: default}
spec:
  hosts: [service1.test.com]
  gateways: [gw]
  http: [{route: [{destination: {host: service1}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vs2, namespace: default}
spec:
  hosts: [service2.test.com]
  gateways: [gw]
  http: [{route: [{destination: {host: service2}}]}]
";
