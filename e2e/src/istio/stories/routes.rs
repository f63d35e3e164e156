//! Route rules that don't seem to affect traffic.

use meshwhy::causes::Cause;
use meshwhy::causes::manual::PageSection;
use meshwhy::diagnosis::Confidence::{Certain, Possible};

use super::super::story::Gets::{Answer, Answers, Status};
use super::super::story::{Says, Story, Yaml};
use super::rejected::SUBSETS;

const PAGE: PageSection = PageSection::RouteRulesNoEffect;

/// All of them.
pub fn stories() -> Vec<Story> {
    let page = |name, about| Story::new(name, about).page(PAGE);
    vec![
        Story::new("healthy/mesh", "A request from sidecar to sidecar")
            .curl(&["http://helloworld/"])
            .gets(Status(200)),
        page("weights/few", "Ten requests over weights of 90 and 10")
            .own(SUBSETS)
            .own(WEIGHTS)
            .curl(&["http://helloworld/?[1-10]"])
            .gets(Answer("helloworld-v1")),
        page("weights/many", "Three hundred requests over weights of 90 and 10")
            .own(SUBSETS)
            .own(WEIGHTS)
            .curl(&["http://helloworld/?[1-300]"])
            .gets(Answers(&["helloworld-v1", "helloworld-v2"])),
        page("weights/named", "Sixty requests over weights of 90 and 10, in a route with a name")
            .own(SUBSETS)
            .own(NAMED_WEIGHTS)
            .curl(&["http://helloworld/?[1-60]"])
            .gets(Answer("helloworld-v1"))
            .says(
                Says::new("client", Cause::WeightsNotSettled, Possible)
                    .soft()
                    .blames("VirtualService/default/canary"),
            ),
        page("port_name/tcp", "A VirtualService with http rules for a port named tcp-...")
            .own(BOOKS)
            .curl(&["http://books:83/"])
            .gets(Status(200))
            .says(Says::new("client", Cause::HttpTreatedAsTcp, Certain).soft())
            .says(Says::new("reports", Cause::HttpTreatedAsTcp, Certain).inbound().soft()),
        page("port_name/unknown", "A VirtualService with http rules for a port whose name says nothing")
            .own(BOOKS)
            .curl(&["http://books:84/"])
            .gets(Status(418)),
        page("port_name/http", "A VirtualService with http rules for a port named http-...")
            .own(BOOKS)
            .curl(&["http://books:85/"])
            .gets(Status(418)),
        Story::new(
            "own/port_name/tcp",
            "Another service, and rules that refuse every request, where its port is named tcp",
        )
        .own(NO_ORDERS)
        .curl(&["http://orders:9000/"])
        .gets(Status(200))
        // The server's port is named for HTTP by another service.
        .says(Says::new("client", Cause::HttpTreatedAsTcp, Certain).soft()),
        Story::new("own/port_name/other", "A port named for Redis that speaks HTTP")
            .own(NO_ORDERS)
            .curl(&["http://orders:6379/"])
            .gets(Status(200))
            .says(Says::new("client", Cause::HttpTreatedAsTcp, Certain).soft()),
        Story::new("own/port_name/http", "The same rules at the port that is named for HTTP")
            .own(NO_ORDERS)
            .curl(&["http://orders/"])
            .gets(Status(429)),
        page("propagation", "A VirtualService whose DestinationRule arrives later")
            .own(WEIGHTS)
            .curl(&["http://helloworld/propagation"])
            .then(Yaml::Own(SUBSETS))
            .run(&["sleep", "4"])
            .curl(&["http://helloworld/propagation"])
            .gets(Status(200))
            .says(Says::new("client", Cause::ClusterMissing, Certain).blames("VirtualService/default/canary"))
            .says(
                Says::new("client", Cause::ConfigPropagating, Possible)
                    .soft()
                    .blames("VirtualService/default/canary"),
            ),
    ]
}

const WEIGHTS: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: canary, namespace: default}
spec:
  hosts: [helloworld]
  http:
  - route:
    - {destination: {host: helloworld, subset: v1}, weight: 90}
    - {destination: {host: helloworld, subset: v2}, weight: 10}
";

const NAMED_WEIGHTS: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: canary, namespace: default}
spec:
  hosts: [helloworld]
  http:
  - name: canary
    route:
    - {destination: {host: helloworld, subset: v1}, weight: 90}
    - {destination: {host: helloworld, subset: v2}, weight: 10}
";

/// A rule whose effect is seen at once.
const BOOKS: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: books, namespace: default}
spec:
  hosts: [books]
  http: [{directResponse: {status: 418}}]
";

/// Rules that can't be missed, for every port.
const NO_ORDERS: &str = "
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: no-orders, namespace: default}
spec:
  hosts: [orders.default.svc.cluster.local]
  http: [{match: [{uri: {prefix: /}}], directResponse: {status: 429}}]
";
