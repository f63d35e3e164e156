//! HTTP/1.0: nginx as a reverse proxy, and servers that answer with it.

use meshwhy::causes::Cause;
use meshwhy::causes::manual::PageSection;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};

use super::super::story::Gets::{Nothing, Status};
use super::super::story::{Says, Story};

pub(super) const PAGE: PageSection = PageSection::Http10Service;

/// The page's nginx as it stands: where it says 127.0.0.1:8080, a sidecar listens.
pub(super) const IN_FRONT_OF_SIDECAR: &[(&str, &str)] =
    &[("    ...", "    listen 8082;"), ("        ...", "        proxy_set_header Host http-backend;")];

/// The same in front of a service of the mesh.
pub(super) const IN_FRONT_OF_SERVICE: &[(&str, &str)] = &[
    ("127.0.0.1:8080", "helloworld:80"),
    ("    ...", "    listen 8082;"),
    ("        ...", "        proxy_set_header Host helloworld;"),
];

/// As scripts and appliances answer: no length, and the end of the connection is the end of the answer.
pub(super) const UNFRAMED: &[&str] = &[
    "python3",
    "-c",
    "from http.server import *\n\
     class Old(BaseHTTPRequestHandler):\n\
     \tdef do_GET(self): self.send_response(200); self.end_headers(); self.wfile.write(b'old')\n\
     HTTPServer(('', 8086), Old).serve_forever()",
];

/// All of them.
pub fn stories() -> Vec<Story> {
    let page = |name, about| Story::new(name, about).page(PAGE);
    vec![
        page("http10/nginx/allow_any", "nginx speaks HTTP/1.0 to the mesh")
            .from("frontend")
            .curl(&["http://127.0.0.1:8081/"])
            .gets(Status(426))
            .says(Says::new("frontend", Cause::Http10Client, Likely).soft())
            .says(Says::new("helloworld-v1", Cause::Http10Client, Certain).inbound()),
        page("http10/nginx/registry_only", "nginx speaks HTTP/1.0 to the mesh")
            .registry_only()
            .from("frontend")
            .curl(&["http://127.0.0.1:8081/"])
            .gets(Status(502))
            .says(Says::new("frontend", Cause::Http10Client, Likely).because(&["tls_failure=HTTP_REQUEST"])),
        page("http10/nginx/no_interception", "nginx speaks HTTP/1.0 to the mesh")
            .own(UNREDIRECTED)
            .from("unredirected")
            .curl(&["http://127.0.0.1:8081/"])
            .gets(Status(426))
            .says(Says::new("unredirected", Cause::Http10Client, Certain)),
        page("http10/gateway", "An HTTP/1.0 client at a gateway")
            .own(GATEWAY)
            .from("outside")
            .curl(&["-0", "http://httpbin.example.com/"])
            .gets(Status(426))
            .says(Says::new("ingress", Cause::Http10Client, Certain).gateway()),
        page("http10/nginx/fixed/allow_any", "nginx with the page's configuration")
            .from("frontend")
            .curl(&["http://127.0.0.1:8082/http/"])
            .gets(Status(200)),
        page("http10/nginx/fixed/registry_only", "nginx with the page's configuration")
            .registry_only()
            .from("frontend")
            .curl(&["http://127.0.0.1:8082/http/"])
            .gets(Status(200)),
        page("http10/nginx/fixed/no_interception", "nginx with the page's configuration")
            .own(UNREDIRECTED)
            .from("unredirected")
            .curl(&["http://127.0.0.1:8082/http/"])
            .gets(Status(200)),
        Story::new("own/http10/client", "A client that speaks HTTP/1.0, as ApacheBench does")
            .registry_only()
            .run(&["curl", "-sS", "-i", "-m", "5", "-0", "http://reports/"])
            .gets(Nothing(56))
            .says(Says::new("client", Cause::Http10Client, Likely).because(&["tls_failure=HTTP_REQUEST"])),
        page("http10/server", "A server that answers with HTTP/1.0")
            .curl(&["http://legacy:82/"])
            .gets(Status(200)),
        page("http10/server/unframed", "One that doesn't say how long its answer is")
            .curl(&["http://legacy:86/"])
            .gets(Status(200))
            .says(Says::new("client", Cause::Http10Upstream, Possible).soft()),
        page("http10/server/sidecar", "A server that answers with HTTP/1.0, behind a sidecar")
            .curl(&["http://reports:82/"])
            .gets(Status(200)),
    ]
}

/// The page's nginx talks to 127.0.0.1:8080: there the sidecar listens for it.
const UNREDIRECTED: &str = "
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: unredirected, namespace: default}
spec:
  workloadSelector: {labels: {app: unredirected}}
  egress:
  - {port: {number: 8080, name: http, protocol: HTTP}, bind: 127.0.0.1, hosts: ['./*']}
  - {hosts: [istio-system/*]}
";

const GATEWAY: &str = through_ingress!(
    "hello",
    "'*'",
    "
  http: [{route: [{destination: {host: helloworld}}]}]
"
);
