//! Mistakes that `meshwhy check` names, made for real: what it says of them is what clients and proxies see.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};

use super::super::story::Gets::{Answer, NoAnswer, Nothing, Status};
use super::super::story::{Says, Story, Yaml};

/// One of the files that `meshwhy check` is tested with.
macro_rules! file {
    ($name:literal) => {
        mistake(include_str!(concat!("../../../../cli/tests/check/rig/", $name, ".yaml")))
    };
}

/// What a file has beyond what the rig has already.
fn mistake(file: &'static str) -> &'static str {
    file.split_once("---\n# The mistake.\n").map_or(file, |(_, mistake)| mistake)
}

/// All of them.
pub fn stories() -> Vec<Story> {
    [at_the_gateway(), in_the_mesh()].concat()
}

fn at_the_gateway() -> Vec<Story> {
    // Each asks for a path of its own: what failed in one story and works in the next looks like configuration on its way.
    let story = |name, about, yaml, url| Story::new(name, about).own(yaml).from("outside").curl(&[url]);
    vec![
        story(
            "checked/match_gateway",
            "A match for a gateway that is not listed",
            file!("match-for-a-gateway-that-is-not-listed"),
            "http://httpbin.example.com/match-gateway",
        )
        .gets(Status(404))
        .says(Says::new("ingress", Cause::RouteHostUnknown, Likely).gateway()),
        story(
            "checked/match_port",
            "A match for a port that no server has",
            file!("match-for-a-port-that-no-server-has"),
            "http://httpbin.example.com/match-port",
        )
        .gets(Status(404))
        .says(Says::new("ingress", Cause::RouteHostUnknown, Likely).gateway()),
        story(
            "checked/public_host",
            "A public host without gateways",
            file!("public-host-without-gateways"),
            "http://httpbin.example.com/public-host",
        )
        .gets(Status(404))
        .says(Says::new("ingress", Cause::RouteHostUnknown, Likely).gateway()),
        story(
            "checked/export_to",
            "A VirtualService that the gateway doesn't see",
            file!("export-to-leaves-the-gateway-out"),
            "http://httpbin.example.com/export-to",
        )
        .gets(Status(404))
        .says(Says::new("ingress", Cause::RouteHostUnknown, Likely).gateway()),
        story(
            "checked/delegate",
            "A delegate in another namespace",
            file!("missing-delegate"),
            "http://httpbin.example.com/delegated",
        )
        .curl(&["http://httpbin.example.com/teapot"])
        .gets(Status(404))
        .says(Says::new("ingress", Cause::RouteNoMatch, Certain).gateway()),
        story(
            "checked/no_port",
            "A destination without a port",
            file!("destination-without-a-port"),
            "http://httpbin.example.com/no-port",
        )
        .gets(Status(503))
        .says(
            Says::new("ingress", Cause::ClusterMissing, Certain)
                .gateway()
                .blames("VirtualService/default/httpbin"),
        ),
        Story::new("checked/tcp_routes", "tcp routes for TLS that passes")
            .own(file!("tcp-routes-behind-passthrough"))
            .from("outside")
            .curl(&["https://httpbin.example.com/"])
            .gets(Nothing(7))
            .broken(),
        Story::new("checked/rivals", "Two gateways with TLS for one host")
            .own(file!("two-gateways-with-one-host"))
            .from("outside")
            .curl(&["https://httpbin.example.com/two"])
            .gets(Status(404))
            .says(Says::new("ingress", Cause::RouteNoMatch, Certain).gateway()),
        Story::new("checked/certificate", "A certificate in another namespace: the listener waits for it")
            .own(file!("certificate-in-another-namespace"))
            .from("outside")
            .curl(&["https://httpbin.example.com/"])
            .gets(Nothing(7))
            .broken(),
    ]
}

fn in_the_mesh() -> Vec<Story> {
    let story = |name, about, yaml| Story::new(name, about).own(yaml);
    vec![
        story(
            "checked/behind_all",
            "A rule behind one that takes everything",
            file!("rule-behind-one-that-takes-everything"),
        )
        .curl(&["http://orders/teapot"])
        .gets(Answer("helloworld"))
        .broken(),
        story(
            "checked/two_rules",
            "Two VirtualServices for one host",
            file!("two-virtual-services-for-a-host"),
        )
        .curl(&["http://orders/teapot"])
        .gets(Status(200))
        .broken(),
        story(
            "checked/rule_elsewhere",
            "A DestinationRule where nobody looks",
            file!("destination-rule-where-nobody-looks"),
        )
        .curl(&["http://orders/rule-elsewhere"])
        .gets(Status(503))
        .says(Says::new("client", Cause::ClusterMissing, Certain).blames("VirtualService/default/orders")),
        story("checked/https_port", "Plain HTTP to an HTTPS port", file!("plain-http-to-an-https-port"))
            .curl(&["http://orders/"])
            .gets(Status(400))
            .says(Says::new("client", Cause::UpstreamExpectsTls, Likely)),
        story("checked/tcp_policy", "HTTP fields for a TCP port", file!("http-fields-for-a-tcp-port"))
            .curl(&["http://books:83/"])
            .gets(NoAnswer)
            .says(Says::new("client", Cause::HttpTreatedAsTcp, Certain).soft())
            .says(Says::new("reports", Cause::AuthorizationPolicyDenied, Likely).inbound()),
        story(
            "checked/sidecar",
            "A Sidecar that hides its own namespace",
            file!("sidecar-hides-its-own-namespace"),
        )
        .curl(&["http://orders/"])
        .gets(Status(200))
        .says(Says::new("client", Cause::TrafficBypassesMesh, Certain).soft()),
        story(
            "checked/port_level",
            "portLevelMtls by the Service's port",
            file!("port-level-mutual-tls-by-the-services-port"),
        )
        .from("outside")
        .curl(&["http://orders.default.svc.cluster.local/"])
        .gets(NoAnswer)
        .says(Says::new("orders", Cause::PlaintextToStrictMtls, Likely).inbound().only_counted()),
        Story::new(
            "checked/own_tls",
            "TLS of one's own into the mesh, to an endpoint that took mutual TLS before",
        )
        .curl(&["http://orders/own-tls"])
        .then(Yaml::Own(file!("tls-of-ones-own-into-the-mesh")))
        .curl(&["http://orders/own-tls"])
        .gets(Status(503))
        .says(
            Says::new("client", Cause::DestinationRuleTlsConflict, Likely)
                .blames("DestinationRule/default/default"),
        )
        .says(Says::new("orders", Cause::TlsOnPlaintextPort, Likely).inbound().only_counted()),
    ]
}
