//! A gateway whose requests don't follow the rules of the mesh.

use meshwhy::causes::Cause;
use meshwhy::causes::manual::PageSection;
use meshwhy::diagnosis::Confidence::Possible;

use super::super::story::Gets::{Answers, Only};
use super::super::story::{Says, Story, Yaml};
use super::rejected::SUBSETS;

const PAGE: PageSection = PageSection::GatewayRouteRules;

/// What the page's second rule leaves open.
const REST: &[(&str, &str)] = &[(
    "    ...",
    "    - uri:\n        prefix: /other\n    route:\n    - destination:\n        host: helloworld.default.svc.cluster.local",
)];

/// All of them.
pub fn stories() -> Vec<Story> {
    let mesh = |name, about| Story::new(name, about).page(PAGE).own(GATEWAY).own(SUBSETS);
    let gateway = |story: Story| story.from("outside").curl(&["http://myapp.com/hello?[1-20]"]);
    let inside = |story: Story| story.curl(&["http://helloworld.default.svc.cluster.local/hello?[1-20]"]);
    let broken = |name, about| {
        mesh(name, about).with(Yaml::PageFilled(PAGE, "broken.yaml", REST)).file("mesh-rule.yaml")
    };
    let subset = |name, about| {
        mesh(name, about).with(Yaml::PageFilled(PAGE, "fixed.yaml", REST)).file("mesh-rule.yaml")
    };
    let combined = |name, about| mesh(name, about).file("fixed-combined.yaml");
    let only_v1 = Only("helloworld-v1", "helloworld-v2");
    vec![
        gateway(broken("gateway_ignores_mesh", "The mesh's rule does nothing for the gateway's requests"))
            .gets(Answers(&["helloworld-v1", "helloworld-v2"]))
            .says(
                Says::new("ingress", Cause::GatewayIgnoresMeshRoutes, Possible)
                    .gateway()
                    .soft()
                    .blames("VirtualService/default/myapp"),
            ),
        inside(broken("gateway_ignores_mesh/inside", "Requests inside of the mesh follow the rule"))
            .gets(only_v1),
        gateway(subset("gateway_ignores_mesh/fixed/subset", "The subset in the gateway's own rule"))
            .gets(only_v1),
        inside(subset("gateway_ignores_mesh/fixed/subset/inside", "The mesh's rule is as before"))
            .gets(only_v1),
        gateway(combined("gateway_ignores_mesh/fixed/combined", "One VirtualService for both")).gets(only_v1),
        inside(combined("gateway_ignores_mesh/fixed/combined/inside", "One VirtualService for both"))
            .gets(only_v1),
        Story::new("own/gateway_ignores_mesh", "Only the mesh's calls are bound to a version")
            .own(SUBSETS)
            .own(SHOP)
            .from("outside")
            .curl(&["http://httpbin.example.com/[1-20]", "-H", "Host: shop.example.com"])
            .gets(Answers(&["helloworld-v1", "helloworld-v2"]))
            .says(
                Says::new("ingress", Cause::GatewayIgnoresMeshRoutes, Possible)
                    .gateway()
                    .soft()
                    .blames("VirtualService/default/shop-front"),
            ),
    ]
}

const GATEWAY: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: myapp-gateway, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]
";

const SHOP: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop-gateway, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.example.com]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop-front, namespace: default}
spec:
  hosts: [shop.example.com]
  gateways: [shop-gateway]
  http: [{route: [{destination: {host: helloworld}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop-inside, namespace: default}
spec:
  hosts: [helloworld]
  http: [{route: [{destination: {host: helloworld, subset: v1}}]}]
";
