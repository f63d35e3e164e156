//! Who ended it, who said it: what looks like the client's, the policy's or the application's doing, and isn't.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};

use super::super::story::Gets::{Answer, NoAnswer, Status};
use super::super::story::{Says, Story, Yaml};

/// All of them.
pub fn stories() -> Vec<Story> {
    [streams(), sessions(), substitutes(), connect(), routes()].concat()
}

/// The time that a listener or chain has to end what it began is 1 s on the rig.
const UNTIL_DRAINED: &[&str] = &["sleep", "4"];

fn streams() -> Vec<Story> {
    vec![
        Story::new("who/chain_replaced", "A policy changes while an answer is under way")
            .run(&["sh", "-c", "curl -sS -m 20 http://reports/slower >/dev/null 2>&1 & sleep 1"])
            .then(Yaml::Own(STRICT))
            .run(UNTIL_DRAINED)
            .run(&["sh", "-c", "echo HTTP/1.1 200"])
            .gets(Status(200))
            .says(Says::new("reports", Cause::ProxyClosedConnection, Certain).inbound())
            .says(Says::new("client", Cause::UpstreamClosedConnection, Likely)),
        left(
            "who/leaves/events",
            "A client closes an event stream, which has no other end",
            "http://reports:87/events",
        ),
        left(
            "who/leaves/chunks",
            "A client leaves an answer that never said how long it would be",
            "http://reports:87/chunks",
        )
        .says(Says::new("client", Cause::ClientDisconnected, Possible))
        .says(Says::new("reports", Cause::ClientDisconnected, Possible).inbound()),
        left("who/leaves/film", "A client leaves an answer of a stated length", "http://reports:87/film")
            .says(Says::new("client", Cause::ClientDisconnected, Likely))
            .says(Says::new("reports", Cause::ClientDisconnected, Likely).inbound()),
    ]
}

/// The client has had enough after two seconds.
fn left(name: &'static str, about: &'static str, url: &'static str) -> Story {
    Story::new(name, about).curl(&["-N", "-m", "2", url]).gets(Status(200))
}

/// Answers that go on for longer than anybody listens: a line every 0.1 s.
pub(super) const STREAMS: &[&str] = &[
    "python3",
    "-c",
    "import time
from http.server import *
KINDS = {'/events': 'text/event-stream', '/chunks': 'text/plain', '/film': 'video/mp4'}
class Streams(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Type', KINDS[self.path])
        film = self.path == '/film'
        self.send_header(*(('Content-Length', '1000000') if film else ('Transfer-Encoding', 'chunked')))
        self.end_headers()
        while True:
            self.wfile.write(b'data: x\\n\\n' if film else b'9\\r\\ndata: x\\n\\n\\r\\n')
            self.wfile.flush()
            time.sleep(0.1)
ThreadingHTTPServer(('', 8087), Streams).serve_forever()",
];

fn sessions() -> Vec<Story> {
    let session = |name, about, quiet: &'static str| {
        Story::new(name, about).own(IMPATIENT).run(&["python3", "-c", SESSION, quiet])
    };
    vec![
        session(
            "who/session/idle",
            "A session of a database is quiet for longer than its rule allows",
            "2.5",
        )
        .gets(Answer("ended"))
        .says(Says::new("client", Cause::IdleTimeout, Possible).blames("DestinationRule/default/sessions")),
        session("who/session/in_use", "One that is quiet for less", "0.3").gets(Answer("answered")),
    ]
}

const IMPATIENT: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: sessions, namespace: default}
spec: {host: reports, trafficPolicy: {connectionPool: {tcp: {idleTimeout: 1s}}}}
";

/// Asks, is quiet, and asks again.
pub(super) const SESSION: &str = "
import socket, sys, time
stream = socket.create_connection(('reports', 90), 10)
try:
    stream.sendall(b'first')
    stream.recv(10)
    time.sleep(float(sys.argv[1]))
    stream.sendall(b'second')
    print('answered' if stream.recv(10) else 'ended')
except OSError:
    print('ended')";

/// Says what it is told.
pub(super) const ECHO: &[&str] = &[
    "python3",
    "-c",
    "import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while said := self.request.recv(100):
            self.request.sendall(said)
socketserver.ThreadingTCPServer(('', 8090), Echo).serve_forever()",
];

fn substitutes() -> Vec<Story> {
    vec![
        Story::new("who/wasm_not_fetched", "A WasmPlugin whose module isn't there, and that fails closed")
            .own(NO_MODULE)
            .curl(&["http://reports/error"])
            .gets(Status(403))
            .says(
                Says::new("client", Cause::FilterConfigMissing, Certain)
                    .because(&["rbac_filter=wasm-default-deny"]),
            ),
        Story::new("who/wasm_not_fetched/network", "The same in front of a TCP proxy")
            .own(NO_NETWORK_MODULE)
            .curl(&["http://orders:9000/"])
            .gets(NoAnswer)
            .says(Says::new("client", Cause::FilterConfigMissing, Possible)),
        Story::new("who/no_keys", "A RequestAuthentication whose jwksUri istiod can't reach")
            .own(NO_KEYS)
            .run(UNTIL_DRAINED)
            .curl(&["http://reports/error", "-H", TOKEN])
            .gets(Status(401))
            .says(Says::new("reports", Cause::JwtRejected, Likely).inbound()),
    ]
}

fn connect() -> Vec<Story> {
    let through = |name, about, proxy: &'static str| {
        Story::new(name, about).curl(&["-x", proxy, "https://httpbin.org/"])
    };
    vec![
        through(
            "who/connect/service",
            "A service of the mesh is taken for a forward proxy",
            "http://helloworld:80",
        )
        .gets(Status(404))
        .says(Says::new("client", Cause::ConnectToNonProxyPort, Certain)),
        through(
            "who/connect/registry_only",
            "A host outside of the registry is, under REGISTRY_ONLY",
            "http://httpbin.org:80",
        )
        .registry_only()
        .gets(Status(404))
        .says(Says::new("client", Cause::ConnectToNonProxyPort, Certain)),
        through("who/connect/gateway", "A gateway is", "http://httpbin.example.com:80")
            .own(DELEGATED)
            .from("outside")
            .gets(Status(404))
            .says(Says::new("ingress", Cause::ConnectToNonProxyPort, Likely).gateway()),
    ]
}

fn routes() -> Vec<Story> {
    vec![
        Story::new("who/delegate_missing", "A VirtualService delegates to one that doesn't exist")
            .own(DELEGATED)
            .from("outside")
            .curl(&["http://httpbin.example.com/"])
            .gets(Status(404))
            .says(Says::new("ingress", Cause::GatewayWithoutHttpRoutes, Likely).gateway()),
    ]
}

const STRICT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict, namespace: default}
spec:
  selector: {matchLabels: {app: reports}}
  mtls: {mode: STRICT}
";

/// An RS256 token of the issuer `joe`, with a signature of nobody.
const TOKEN: &str = "Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UifQ.c2lnbmF0dXJl";

const NO_KEYS: &str = "
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: joe, namespace: default}
spec:
  selector: {matchLabels: {app: reports}}
  jwtRules: [{issuer: joe, jwksUri: 'http://127.0.0.1:1/jwks'}]
";

const NO_NETWORK_MODULE: &str = "
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: gone-too, namespace: default}
spec:
  selector: {matchLabels: {app: client}}
  match: [{mode: CLIENT}]
  type: NETWORK
  url: http://10.89.0.1:8099/nowhere.wasm
  failStrategy: FAIL_CLOSE
";

const NO_MODULE: &str = "
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: gone, namespace: default}
spec:
  selector: {matchLabels: {app: client}}
  match: [{mode: CLIENT}]
  url: http://10.89.0.1:8099/nowhere.wasm
  failStrategy: FAIL_CLOSE
";

const DELEGATED: &str = through_ingress!(
    "shop",
    "'*'",
    "
  http:
  - match: [{uri: {prefix: /}}]
    delegate: {name: gone, namespace: default}
"
);
