//! Who ended it, who said it: what looks like the client's, the policy's or the application's doing, and isn't.

use super::super::story::Gets::Status;
use super::super::story::{Says, Story, Yaml};

/// All of them.
pub fn stories() -> Vec<Story> {
    [streams(), substitutes(), connect(), routes()].concat()
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
            .says(Says::new("reports", "proxy_closed_connection", "certain").inbound())
            .says(Says::new("client", "upstream_closed_connection", "likely")),
    ]
}

fn substitutes() -> Vec<Story> {
    vec![
        Story::new("who/wasm_not_fetched", "A WasmPlugin whose module isn't there, and that fails closed")
            .own(NO_MODULE)
            .curl(&["http://reports/error"])
            .gets(Status(403))
            .says(
                Says::new("client", "filter_config_missing", "certain")
                    .because(&["rbac_filter=wasm-default-deny"]),
            ),
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
        .says(Says::new("client", "connect_to_non_proxy_port", "certain")),
        through(
            "who/connect/registry_only",
            "A host outside of the registry is, under REGISTRY_ONLY",
            "http://httpbin.org:80",
        )
        .registry_only()
        .gets(Status(404))
        .says(Says::new("client", "connect_to_non_proxy_port", "certain")),
        through("who/connect/gateway", "A gateway is", "http://httpbin.example.com:80")
            .own(DELEGATED)
            .from("outside")
            .gets(Status(404))
            .says(Says::new("ingress", "connect_to_non_proxy_port", "likely").gateway()),
    ]
}

fn routes() -> Vec<Story> {
    vec![
        Story::new("who/delegate_missing", "A VirtualService delegates to one that doesn't exist")
            .own(DELEGATED)
            .from("outside")
            .curl(&["http://httpbin.example.com/"])
            .gets(Status(404))
            .says(Says::new("ingress", "gateway_without_http_routes", "likely").gateway()),
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

const DELEGATED: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: default}
spec:
  hosts: ['*']
  gateways: [shop]
  http:
  - match: [{uri: {prefix: /}}]
    delegate: {name: gone, namespace: default}
";
