//! The stories: every section of Istio's page, and some of our own.

/// A route of the Gateway API in namespace `default`: its kind and name, its parent, the line with its hostnames, and its rules.
macro_rules! route {
    ($kind:literal, $name:literal, $parent:expr, $hostnames:expr, $rules:literal) => {
        concat!(
            "\napiVersion: gateway.networking.k8s.io/v1\nkind: ",
            $kind,
            "\nmetadata: {name: ",
            $name,
            ", namespace: default}\nspec:\n  parentRefs: [{",
            $parent,
            "}]\n",
            $hostnames,
            "  rules: ",
            $rules,
            "\n"
        )
    };
}

/// TLS for httpbin.org, asked at port 80: a DestinationRule of this name and its `tls`, and what else its spec has.
macro_rules! originates {
    ($name:literal, $tls:literal, $more:literal) => {
        concat!(
            "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: httpbin, namespace: default}
spec:
  hosts: [httpbin.org]
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 443}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ",
            $name,
            ", namespace: default}
spec:
  host: httpbin.org
  trafficPolicy: {tls: ",
            $tls,
            "}
",
            $more
        )
    };
}

mod checked;
mod double_tls;
mod gateway;
mod gateway_api;
mod http10;
mod ingress;
mod keep_alive;
mod limits;
mod mutual_tls;
mod rejected;
mod replies;
mod reuse;
mod routes;
mod tls;
mod tls_views;
mod trackers;
mod waypoint;
mod who;

/// For a while, connections between sidecars keep the policies and filters that they began with.
const UNTIL_DRAINED: &[&str] = &["sleep", "2"];

use serde_json::{Value, json};

use super::story::Story;
use crate::harness::programs::Version;
use crate::harness::rig::pod::Pod;
use crate::harness::rig::{Plan, Service};

/// Those that are played on the older Istio as well.
const OLDER_TOO: &[&str] = &[
    "healthy/mesh",
    "https_to_http_port/allow_any",
    "https_to_http_port/no_interception",
    "https_to_http_port/fixed/allow_any",
    "gateway_terminates/tls_routes",
    "gateway_terminates/fixed",
    "gateway_passes/http_routes/shared_port",
    "double_tls/trusted",
    "double_tls/untrusted",
    "double_tls/fixed/http_on_80",
    "reuse/wrong_host",
    "rejected/nr/gateway_host",
    "rejected/nc/subset",
    "rejected/uf/refused",
    "rejected/uo",
    "tls_conflict/disable",
    "tls_conflict/fixed",
    "tls_conflict/reverse",
    "gateway_ignores_mesh",
    "http10/gateway",
];

/// All stories.
pub fn all() -> Vec<Story> {
    let stories = [
        routes::stories(),
        tls::stories(),
        gateway::stories(),
        double_tls::stories(),
        reuse::stories(),
        tls_views::stories(),
        rejected::stories(),
        mutual_tls::stories(),
        checked::stories(),
        gateway_api::stories(),
        waypoint::stories(),
        ingress::stories(),
        keep_alive::stories(),
        replies::stories(),
        limits::stories(),
        http10::stories(),
        who::stories(),
        trackers::stories(),
    ]
    .concat();
    let older = |story: Story| if OLDER_TOO.contains(&story.name) { story.older_too() } else { story };
    stories.into_iter().map(older).collect()
}

/// The cluster that they play in.
pub fn plan(version: Version) -> Plan {
    let plan = sidecars(version);
    if version == Version::V1_31 { waypoint::join(plan) } else { plan }
}

fn sidecars(version: Version) -> Plan {
    Plan {
        version,
        pods: vec![
            Pod::sidecar("client"),
            Pod::sidecar_without_interception("unredirected")
                .nginx("listen 8081; location / { proxy_pass http://127.0.0.1:8080; proxy_set_header Host http-backend; }")
                .nginx_page(http10::PAGE, "fixed.conf", http10::IN_FRONT_OF_SIDECAR),
            Pod::sidecar("frontend")
                .nginx("listen 8081; location / { proxy_pass http://helloworld; }")
                .nginx_page(http10::PAGE, "fixed.conf", http10::IN_FRONT_OF_SERVICE),
            Pod::sidecar("few-files").open_files(128),
            Pod::sidecar("reports")
                .nginx("listen 8080; location /error { return 503; } location /slower { limit_rate 10; postpone_output 0; return 200 \"slowly: 0123456789 0123456789 0123456789 0123456789 0123456789\\n\"; } location / { limit_rate 100; return 200 \"reports, slowly: 0123456789 0123456789 0123456789 0123456789\\n\"; }")
                .serving(8083)
                .serving(8084)
                .serving(8085)
                .program(8087, who::STREAMS)
                .program(8090, who::ECHO)
                .program(8082, &["python3", "-m", "http.server", "8082"]),
            Pod::sidecar("not-restarted").without_stat_tags(),
            Pod::sidecar("elsewhere").namespace("shop").serving(8080),
            Pod::without_proxy("outside"),
            Pod::sidecar("helloworld-v1").app("helloworld").label("version", "v1").serving(8080),
            Pod::sidecar("helloworld-v2").app("helloworld").label("version", "v2").serving(8080),
            Pod::sidecar("orders")
                .serving(8080)
                .nginx(keep_alive::HTTP1)
                .program(8088, keep_alive::FAR_FROM_HTTP1)
                .nginx(keep_alive::HTTP2)
                .program(8091, keep_alive::FAR_FROM_HTTP2),
            Pod::without_proxy("legacy")
                .serving(8080)
                .nginx("listen 8000; location / { if ($http_x_ext_authz = allow) { return 200; } return 403; }")
                .program(8082, &["python3", "-m", "http.server", "8082"])
                .program(8086, http10::UNFRAMED),
            Pod::without_proxy("service1").nginx(
                "listen 8080; default_type text/html; location / { return 200 \"<body>service1, \
                 <script src='https://service2.test.com/greet.js' onerror='document.body.append(`service2 failed`)'>\
                 </script></body>\"; }",
            ),
            Pod::without_proxy("service2").nginx(
                "listen 8080; default_type text/javascript; \
                 location / { return 200 \"document.body.append('service2 answered')\"; }",
            ),
            Pod::gateway("ingress"),
            external("httpbin-org", "server"),
            external("untrusted", "other-server"),
            billing(),
        ],
        services: vec![
            Service::new("helloworld", &[("http", 80, 8080)]),
            Service::new("orders", &[("http", 80, 8080), ("redis-cache", 6379, 8080), ("tcp", 9000, 8080)]),
            Service::new("shelf", &[("http", 80, 8088), ("http2", 81, 8091)]).of("orders"),
            Service::new("books", &[("tcp-books", 83, 8083), ("books", 84, 8084), ("http-books", 85, 8085)]).of("reports"),
            Service::new("legacy", &[("http", 80, 8080), ("http-closed", 81, 9999), ("http-old", 82, 8082), ("http-older", 86, 8086)]),
            Service::new("reports", &[("http", 80, 8080), ("http-closed", 81, 9999), ("http-old", 82, 8082), ("http-streams", 87, 8087), ("tcp-sessions", 90, 8090)]),
            Service::new("authorizer", &[("http", 80, 8000)]).of("legacy"),
            Service::new("http-backend", &[("http", 8080, 8080)]).of("helloworld"),
            Service::new("nobody", &[("http", 80, 8080)]),
            Service::new("service1", &[("http", 80, 8080)]),
            Service::new("service2", &[("http", 80, 8080)]),
            Service::new("archive", &[("http", 8000, 8080)]).of("reports"),
            // What a Gateway of the Gateway API names as its address.
            Service::new("istio-ingressgateway", &[("http", 80, 80), ("http-same", 8080, 8080), ("https", 443, 443), ("tls", 8443, 8443)])
                .of("ingress")
                .namespace("istio-system")
                // A sidecar that isn't redirected to has one listener for a port of all services.
                .private(),
            Service::new("elsewhere", &[("http", 80, 8080)]).namespace("shop"),
            // TLS, with a certificate for httpbin.org.
            Service::new("secured", &[("https", 444, 443)]).of("httpbin-org"),
        ],
        applied: Vec::new(),
        names: vec![
            ("httpbin.org", "httpbin-org"),
            ("myapp.com", "ingress"),
            ("helloworld-v1.pods", "helloworld-v1"),
            ("httpbin.example.com", "ingress"),
            ("service1.test.com", "ingress"),
            ("service2.test.com", "ingress"),
            ("api.billing.test", "billing"),
            ("cart.shop.test", "ingress"),
            ("pay.shop.test", "ingress"),
        ],
        secrets: vec![("sds-credential", "server"), ("shop-tls", "shop")],
        providers: vec![
            authorizer("authorizer", "authorizer.default.svc.cluster.local"),
            authorizer("authorizer-gone", "nobody.default.svc.cluster.local"),
        ],
    }
}

/// A host outside of the cluster: plaintext on 80, TLS on 443 with a certificate of the authority that everybody trusts,
/// or of another.
fn external(name: &'static str, certificate: &str) -> Pod {
    Pod::without_proxy(name).serving(80).nginx(format!(
        "listen 443 ssl http2; ssl_certificate {{pki}}/{certificate}.pem; ssl_certificate_key {{pki}}/{certificate}.key;\n\
         location / {{ return 200 \"{name} over TLS $server_protocol\\n\"; }}"
    ))
}

/// An API outside of the cluster with ports that aren't the usual ones: TLS on 8443, plaintext HTTP on 443.
fn billing() -> Pod {
    Pod::without_proxy("billing")
        .nginx(
            "listen 8443 ssl http2; ssl_certificate {pki}/shop.pem; ssl_certificate_key {pki}/shop.key;\n\
             location / { return 200 \"billing over TLS $server_protocol\\n\"; }",
        )
        .serving(443)
}

/// An external authorizer, asked by HTTP.
fn authorizer(name: &str, service: &str) -> Value {
    json!({ "name": name, "envoyExtAuthzHttp": {
        "service": service, "port": 80, "includeRequestHeadersInCheck": ["x-ext-authz"],
    } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stories_of_the_older_istio_exist() {
        let played = all().iter().filter(|story| story.versions().len() > 1).count();
        assert_eq!(played, OLDER_TOO.len());
    }
}
