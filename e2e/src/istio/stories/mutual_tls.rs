//! Mutual TLS that one side speaks and the other doesn't.

use meshwhy::causes::Cause;
use meshwhy::causes::manual::PageSection;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};

use super::super::story::Gets::{NoAnswer, Nothing, Status};
use super::super::story::{Says, Story, Yaml};
use super::UNTIL_DRAINED;

const PAGE: PageSection = PageSection::DestinationRule503;

/// All of them.
pub fn stories() -> Vec<Story> {
    let strict = |name, about| Story::new(name, about).page(PAGE).own(STRICT);
    let merged = Yaml::PageSpecPatch("destinationrule/books", "default", PAGE, "fixed.yaml");
    let conflict = || {
        [
            Says::new("client", Cause::DestinationRuleTlsConflict, Likely)
                .blames("DestinationRule/default/books")
                .fix("Set trafficPolicy.tls.mode of DestinationRule default/books to ISTIO_MUTUAL, or remove its tls block."),
            Says::new("reports", Cause::PlaintextToStrictMtls, Likely).inbound().only_counted(),
        ]
    };
    let says = |story: Story| conflict().into_iter().fold(story, Story::says);
    vec![
        says(
            strict("tls_conflict/disable", "Plaintext to a server that takes mutual TLS only")
                .curl(&["http://books:85/"])
                .then(Yaml::Own(DISABLE))
                .curl(&["http://books:85/"])
                .gets(Status(503)),
        ),
        strict("tls_conflict/simple", "TLS of one's own to a server that takes mutual TLS only")
            .curl(&["http://books:85/"])
            .then(Yaml::Own(SIMPLE))
            .curl(&["http://books:85/"])
            .gets(Status(503))
            .says(
                Says::new("client", Cause::DestinationRuleTlsConflict, Likely)
                    .blames("DestinationRule/default/books")
                    .because(&["endpoint_took_istio_mtls=true"]),
            )
            .says(Says::new("reports", Cause::DownstreamTlsFailed, Certain).inbound().only_counted()),
        strict("tls_conflict/fixed", "The DestinationRule with the page's lines")
            .own(DISABLE)
            .with(merged)
            .curl(&["http://books:85/"])
            .gets(Status(200)),
        strict("tls_conflict/automatic", "A DestinationRule without TLS, and automatic mutual TLS")
            .own(PLAIN_RULE)
            .curl(&["http://books:85/"])
            .gets(Status(200)),
        Story::new("tls_conflict/reverse", "Mutual TLS to a server without a sidecar")
            .page(PAGE)
            .own(MUTUAL_TO_LEGACY)
            .curl(&["http://legacy/"])
            .gets(Status(503))
            .says(
                Says::new("client", Cause::UpstreamSpeaksPlaintext, Certain)
                    .blames("DestinationRule/default/legacy"),
            ),
        Story::new("tls_conflict/reverse/fixed", "Plaintext to a server without a sidecar")
            .page(PAGE)
            .curl(&["http://legacy/"])
            .gets(Status(200)),
        strict(
            "tls_conflict/no_proxy",
            "A client without a sidecar calls a server that takes mutual TLS only",
        )
        .from("outside")
        .curl(&["http://helloworld-v1.pods:8080/"])
        .gets(Nothing(56))
        .says(Says::new("helloworld-v1", Cause::PlaintextToStrictMtls, Likely).inbound().only_counted()),
        Story::new("own/tls_conflict/wildcard", "A rule for a whole namespace turns mutual TLS off")
            .own(STRICT)
            .curl(&["http://books:85/"])
            .then(Yaml::Own(WILDCARD))
            .curl(&["http://books:85/"])
            .gets(Status(503))
            .says(
                Says::new("client", Cause::DestinationRuleTlsConflict, Likely)
                    .blames("DestinationRule/default/no-tls"),
            )
            .says(Says::new("reports", Cause::PlaintextToStrictMtls, Likely).inbound().only_counted()),
        strict(
            "own/tls_conflict/pod_address",
            "A pod's address, which the mesh doesn't know, in place of its Service",
        )
        .run(UNTIL_DRAINED)
        .curl(&["http://helloworld-v1.pods:8080/"])
        .gets(Status(503))
        .says(Says::new("client", Cause::UpstreamClosedConnection, Likely).fix(PAST_THE_MESH))
        .says(Says::new("helloworld-v1", Cause::PlaintextToStrictMtls, Likely).inbound().only_counted()),
        strict("own/tls_conflict/hidden", "A Sidecar hides the server, and all other connections pass")
            .own(HIDES)
            .run(UNTIL_DRAINED)
            .curl(&["http://orders/"])
            .gets(NoAnswer)
            .says(Says::new("client", Cause::UpstreamReset, Possible).fix(PAST_THE_MESH))
            .says(Says::new("orders", Cause::PlaintextToStrictMtls, Likely).inbound().only_counted()),
        Story::new("own/tls_conflict/permissive", "The same where the server takes plaintext, too")
            .own(WILDCARD)
            .curl(&["http://books:85/"])
            .gets(Status(200)),
        Story::new(
            "own/tls_conflict/disabled_at_the_server",
            "A rule asks for mutual TLS where the server's policy has turned it off",
        )
        .own(DISABLED_ORDERS)
        .own(MUTUAL_ORDERS)
        .curl(&["http://orders/"])
        .gets(Status(503))
        .says(
            Says::new("client", Cause::UpstreamSpeaksPlaintext, Certain)
                .blames("DestinationRule/default/orders-mutual"),
        )
        .says(
            Says::new("orders", Cause::TlsOnPlaintextPort, Likely)
                .inbound()
                .because(&["sni=outbound_.80_._.orders"]),
        ),
        Story::new("tls_conflict/no_proxy/fixed", "A client without a sidecar, and PERMISSIVE")
            .from("outside")
            .curl(&["http://helloworld-v1.pods:8080/"])
            .gets(Status(200)),
    ]
}

const PAST_THE_MESH: &str = "Ask a Service by a name and port that the mesh knows (Sidecar, exportTo): this went past it in plaintext, which servers with mutual TLS alone close.";

const HIDES: &str = "
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: hides, namespace: default}
spec:
  workloadSelector: {labels: {app: client}}
  egress: [{hosts: [istio-system/*]}]
";

/// "You configure mutual TLS in the cluster globally."
const STRICT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
";

const DISABLE: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: books, namespace: default}
spec: {host: books, trafficPolicy: {tls: {mode: DISABLE}}}
";

const SIMPLE: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: books, namespace: default}
spec: {host: books, trafficPolicy: {tls: {mode: SIMPLE}}}
";

const PLAIN_RULE: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: books, namespace: default}
spec: {host: books, trafficPolicy: {loadBalancer: {simple: RANDOM}}}
";

const MUTUAL_TO_LEGACY: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: legacy, namespace: default}
spec: {host: legacy, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}
";

const WILDCARD: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: no-tls, namespace: default}
spec: {host: '*.default.svc.cluster.local', trafficPolicy: {tls: {mode: DISABLE}}}
";

const DISABLED_ORDERS: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: orders-in-plaintext, namespace: default}
spec: {selector: {matchLabels: {app: orders}}, mtls: {mode: DISABLE}}
";

const MUTUAL_ORDERS: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: orders-mutual, namespace: default}
spec: {host: orders, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}
";
