//! The Gateway API: what attaches to what, and who may refer to whom; the ambient mesh.

use super::{all, checked, found, found_in_all};

fn object(kind: &str, namespace: &str, name: &str, spec: &str) -> String {
    let version = match kind {
        "ReferenceGrant" => "gateway.networking.k8s.io/v1beta1",
        "AuthorizationPolicy" => "security.istio.io/v1",
        "VirtualService" | "EnvoyFilter" => "networking.istio.io/v1",
        "WasmPlugin" => "extensions.istio.io/v1alpha1",
        "Service" => "v1",
        _ => "gateway.networking.k8s.io/v1",
    };
    format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"
    )
}

fn gateway(listeners: &str) -> String {
    object("Gateway", "edge", "gw", &format!("{{gatewayClassName: istio, listeners: [{listeners}]}}"))
}

fn route(kind: &str, parent: &str, more: &str) -> String {
    object(kind, "web", "r", &format!("{{parentRefs: [{{{parent}}}], {more}}}"))
}

fn namespace(name: &str, labels: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{{labels}}}}}\n")
}

const OPEN: &str = "name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}";
const HERE: &str = "name: gw, namespace: edge";
const UNATTACHED: &str = "route_host_unknown certain HTTPRoute/web/r";

#[test]
fn parents() {
    let gw = gateway(&format!("{{{OPEN}}}"));
    let at = |parent: &str| found(&all(&[&gw, &route("HTTPRoute", parent, "rules: []")]));
    assert!(at(HERE).is_empty());
    assert_eq!(at("name: gw"), ["route_host_unknown likely HTTPRoute/web/r"]);
    assert!(at("name: other").is_empty(), "it may not be here");
    for wrong in ["sectionName: https", "port: 81", "sectionName: http, port: 443"] {
        assert_eq!(at(&format!("{HERE}, {wrong}")), [UNATTACHED], "{wrong}");
    }
    assert!(at(&format!("{HERE}, sectionName: http, port: 80")).is_empty());
    // The mesh itself (GAMMA) is no Gateway.
    assert!(at("group: '', kind: Service, name: gw").is_empty());
    let missing = found_in_all(&route("HTTPRoute", HERE, "rules: []"));
    assert_eq!(missing, [UNATTACHED]);
}

#[test]
fn namespaces_that_may_attach() {
    let with = |allowed: &str| gateway(&format!("{{name: http, port: 80, protocol: HTTP{allowed}}}"));
    let r = route("HTTPRoute", HERE, "rules: []");
    assert_eq!(found(&all(&[&with(""), &r])), [UNATTACHED]);
    assert_eq!(found(&all(&[&with(", allowedRoutes: {namespaces: {from: Same}}"), &r])), [UNATTACHED]);
    assert!(found(&all(&[&with(""), &r.replace("namespace: web", "namespace: edge")])).is_empty());
    let labelled =
        with(", allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}");
    assert!(found(&all(&[&labelled, &r])).is_empty(), "the namespace was not given");
    assert_eq!(found(&all(&[&labelled, &r, &namespace("web", "team: b")])), [UNATTACHED]);
    assert!(found(&all(&[&labelled, &r, &namespace("web", "team: a")])).is_empty());
    // Defined twice, differently: nothing is known of it.
    let twice = all(&[&labelled, &r, &namespace("web", "team: a"), &namespace("web", "team: b")]);
    assert!(found(&twice).is_empty());
    let by_name = labelled.replace("team: a", "kubernetes.io/metadata.name: web");
    assert!(found(&all(&[&by_name, &r, &namespace("web", "team: b")])).is_empty());
    // Kubernetes labels every namespace with its name, whatever its YAML says.
    let both = labelled.replace("team: a", "team: a, kubernetes.io/metadata.name: web");
    assert!(found(&all(&[&both, &r, &namespace("web", "team: a")])).is_empty());
    assert_eq!(found(&all(&[&both, &r, &namespace("web", "team: b")])), [UNATTACHED]);
    let other = both.replace("metadata.name: web", "metadata.name: shop");
    assert_eq!(found(&all(&[&other, &r, &namespace("web", "team: a")])), [UNATTACHED]);
    // A label may have been given by `kubectl label`.
    let bare = all(&[&labelled, &r, &namespace("web", "app: web")]);
    assert_eq!(found(&bare), ["route_host_unknown likely HTTPRoute/web/r"]);
    assert_eq!(found_in_all(&bare), [UNATTACHED]);
    let expression =
        labelled.replace("matchLabels: {team: a}", "matchExpressions: [{key: team, operator: Exists}]");
    assert!(found(&all(&[&expression, &r, &namespace("web", "")])).is_empty());
}

#[test]
fn kinds_and_protocols() {
    let on = |listener: &str, kind: &str| {
        let gw = gateway(&format!(
            "{{name: l, port: 443, allowedRoutes: {{namespaces: {{from: All}}}}, {listener}}}"
        ));
        found(&all(&[&gw, &route(kind, HERE, "rules: []")]))
    };
    const HTTPS: &str = "protocol: HTTPS, tls: {mode: Terminate, certificateRefs: [{name: c}]}";
    const PASSTHROUGH: &str = "protocol: TLS, tls: {mode: Passthrough}";
    assert!(on(HTTPS, "HTTPRoute").is_empty() && on(HTTPS, "GRPCRoute").is_empty());
    assert_eq!(on(HTTPS, "TLSRoute"), ["gateway_without_http_routes certain TLSRoute/web/r"]);
    assert_eq!(on(PASSTHROUGH, "HTTPRoute"), ["no_filter_chain_for_sni certain HTTPRoute/web/r"]);
    assert!(on(PASSTHROUGH, "TLSRoute").is_empty());
    assert!(on("protocol: TLS, tls: {mode: Terminate, certificateRefs: [{name: c}]}", "TLSRoute").is_empty());
    assert!(on("protocol: TCP", "TCPRoute").is_empty());
    assert!(on("protocol: example.com/own", "HTTPRoute").is_empty());
    let limited = "protocol: HTTP, allowedRoutes: {namespaces: {from: All}, kinds: [{kind: GRPCRoute}]}";
    let gw = gateway(&format!("{{name: l, port: 80, {limited}}}"));
    assert_eq!(found(&all(&[&gw, &route("HTTPRoute", HERE, "rules: []")])), [UNATTACHED]);
}

#[test]
fn hostnames() {
    let with = |own: &str, hosts: &str| {
        let gw = gateway(&format!("{{{OPEN}, hostname: '{own}'}}"));
        found(&all(&[&gw, &route("HTTPRoute", HERE, &format!("hostnames: [{hosts}], rules: []"))]))
    };
    assert_eq!(with("a.example.com", "b.example.com"), [UNATTACHED]);
    assert_eq!(with("*.example.com", "example.com"), [UNATTACHED]);
    for (own, hosts) in [
        ("a.example.com", "b.example.com, a.example.com"),
        ("*.example.com", "a.b.example.com"),
        ("a.example.com", "'*.example.com'"),
        ("a.example.com", ""),
        ("A.example.com", "a.Example.com"),
    ] {
        assert!(with(own, hosts).is_empty(), "{own} {hosts}");
    }
    // Another listener takes it.
    let gw = gateway(&format!(
        "{{{OPEN}, hostname: a.com}}, {{name: b, port: 81, protocol: HTTP, hostname: b.com, allowedRoutes: {{namespaces: {{from: All}}}}}}"
    ));
    assert!(found(&all(&[&gw, &route("HTTPRoute", HERE, "hostnames: [b.com], rules: []")])).is_empty());
}

#[test]
fn backends() {
    let service = |namespace: &str| {
        object("Service", namespace, "app", "{selector: {app: app}, ports: [{port: 80, name: http}]}")
    };
    let to = |backend: &str| route("HTTPRoute", HERE, &format!("rules: [{{backendRefs: [{{{backend}}}]}}]"));
    let lost = |confidence: &str| format!("cluster_missing {confidence} HTTPRoute/web/r");
    let of = |documents: &[&str]| found(&all(documents));
    assert!(of(&[&to("name: app, port: 80"), &service("web")]).is_empty());
    assert_eq!(of(&[&to("name: app, port: 8080"), &service("web")]), [lost("certain")]);
    assert!(of(&[&to("name: app, port: 80")]).is_empty());
    assert_eq!(of(&[&to("name: app, port: 80"), &service("shop")]), [lost("possible")]);
    let in_all = found_in_all(&all(&[&to("name: app, port: 80"), &gateway(&format!("{{{OPEN}}}"))]));
    assert_eq!(in_all, [lost("certain")]);
    assert!(of(&[&to("name: app, kind: Other, group: example.com"), &service("shop")]).is_empty());
    assert!(
        of(&[&to("name: app, port: 8080, weight: 0"), &service("web")]).is_empty(),
        "no request goes there"
    );
    assert_eq!(of(&[&to("name: app, port: 8080, weight: 1"), &service("web")]), [lost("certain")]);
    // Of another namespace, with its leave.
    let other = to("name: app, namespace: shop, port: 80");
    let grant = |from: &str, to: &str| {
        object(
            "ReferenceGrant",
            "shop",
            "g",
            &format!("{{from: [{{group: gateway.networking.k8s.io, {from}}}], to: [{{group: '', {to}}}]}}"),
        )
    };
    assert_eq!(of(&[&other, &service("shop")]), [lost("likely")]);
    assert_eq!(of(&[&other]), [lost("possible")]);
    for (from, to) in [
        ("kind: HTTPRoute, namespace: web", "kind: Service"),
        ("kind: HTTPRoute, namespace: web", "kind: Service, name: app"),
    ] {
        assert!(of(&[&other, &service("shop"), &grant(from, to)]).is_empty(), "{from} {to}");
    }
    for (from, to) in [
        ("kind: GRPCRoute, namespace: web", "kind: Service"),
        ("kind: HTTPRoute, namespace: edge", "kind: Service"),
        ("kind: HTTPRoute, namespace: web", "kind: Service, name: other"),
        ("kind: HTTPRoute, namespace: web", "kind: Secret"),
    ] {
        assert_eq!(of(&[&other, &service("shop"), &grant(from, to)]), [lost("likely")], "{from} {to}");
    }
    let in_mesh = other.replace(HERE, "group: '', kind: Service, name: app, port: 80");
    assert!(of(&[&in_mesh, &service("shop")]).is_empty());
}

#[test]
fn certificates() {
    let listener = |name: &str, host: &str, secret: &str| {
        format!(
            "{{name: {name}, port: 443, protocol: HTTPS, hostname: '{host}', tls: {{certificateRefs: [{{{secret}}}]}}}}"
        )
    };
    let of = |listeners: &str, more: &[&str]| found(&all(&[&[gateway(listeners).as_str()], more].concat()));
    let elsewhere = listener("a", "a.com", "name: c, namespace: certs");
    let secret =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: c, namespace: certs}\ntype: kubernetes.io/tls\n";
    assert_eq!(of(&elsewhere, &[secret]), ["no_filter_chain_for_sni likely Gateway/edge/gw"]);
    assert_eq!(of(&elsewhere, &[]), ["no_filter_chain_for_sni possible Gateway/edge/gw"]);
    let grant = object(
        "ReferenceGrant",
        "certs",
        "g",
        "{from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: edge}], to: [{group: '', kind: Secret}]}",
    );
    assert!(of(&elsewhere, &[secret, &grant]).is_empty());
    assert!(of(&listener("a", "a.com", "name: c"), &[]).is_empty());
    // One for two hosts.
    let pair = |first: &str, second: &str, other: &str| {
        of(&format!("{}, {}", listener("a", first, "name: c"), listener("b", second, other)), &[])
    };
    assert_eq!(
        pair("a.x.com", "b.x.com", "name: c"),
        ["connection_reused_across_gateways likely Gateway/edge/gw"]
    );
    assert!(pair("a.x.com", "b.x.com", "name: d").is_empty());
    assert!(pair("*.x.com", "*.x.com", "name: c").is_empty());
}

#[test]
fn http_without_a_waypoint() {
    let by_path = object("AuthorizationPolicy", "web", "p", "{rules: [{to: [{operation: {paths: [/a]}}]}]}");
    let ambient = namespace("web", "istio.io/dataplane-mode: ambient");
    let denied = ["authorization_policy_denied likely AuthorizationPolicy/web/p"];
    assert_eq!(found(&all(&[&by_path, &ambient])), denied);
    assert!(found(&all(&[&by_path, &namespace("web", "istio-injection: enabled")])).is_empty());
    assert!(found(&by_path).is_empty());
    let enrolled = namespace("web", "istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint");
    assert!(found(&all(&[&by_path, &enrolled])).is_empty());
    let waypoint = object(
        "Gateway",
        "web",
        "waypoint",
        "{gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}",
    );
    assert!(found(&all(&[&by_path, &ambient, &waypoint])).is_empty());
    let by_principal =
        object("AuthorizationPolicy", "web", "p", "{rules: [{from: [{source: {principals: [a]}}]}]}");
    assert!(found(&all(&[&by_principal, &ambient])).is_empty());
    let service = object("Service", "web", "app", "{selector: {app: app}, ports: [{port: 80, name: http}]}");
    let rules = object(
        "VirtualService",
        "web",
        "vs",
        "{hosts: [app], http: [{route: [{destination: {host: app}}]}]}",
    );
    assert_eq!(
        found(&all(&[&rules, &service, &ambient])),
        ["virtual_service_not_applied possible VirtualService/web/vs"]
    );
    assert!(found(&all(&[&rules, &service, &enrolled])).is_empty());
}

#[test]
fn routes_for_tcp_and_tls() {
    let on = |listener: &str, kind: &str| {
        let gw = gateway(&format!(
            "{{name: l, port: 443, allowedRoutes: {{namespaces: {{from: All}}}}, {listener}}}"
        ));
        found(&all(&[&gw, &route(kind, HERE, "rules: []")])).len()
    };
    const TERMINATED: &str = "protocol: TLS, tls: {mode: Terminate, certificateRefs: [{name: c}]}";
    assert_eq!((on(TERMINATED, "TCPRoute"), on(TERMINATED, "HTTPRoute")), (0, 1));
    assert_eq!(
        (on("protocol: TLS, tls: {mode: Passthrough}", "TCPRoute"), on("protocol: TLS", "TCPRoute")),
        (1, 1)
    );
    assert_eq!((on("protocol: TCP", "TLSRoute"), on("protocol: UDP", "TCPRoute")), (1, 1));
    assert_eq!(
        on("protocol: TLS, tls: {certificateRefs: [{name: c}]}", "TCPRoute"),
        0,
        "Terminate is the default"
    );
}

#[test]
fn what_is_no_gateway_and_no_service() {
    let gw = gateway(&format!("{{{OPEN}}}"));
    for parent in [
        "group: example.com, name: gw, namespace: edge, port: 81",
        "kind: ListenerSet, name: gw, namespace: edge, port: 81",
    ] {
        assert!(found(&all(&[&gw, &route("HTTPRoute", parent, "rules: []")])).is_empty(), "{parent}");
    }
    let service = object("Service", "web", "app", "{selector: {app: app}, ports: [{port: 80, name: http}]}");
    for backend in ["group: example.com, name: app, port: 81", "kind: Other, name: app, port: 81"] {
        let r = route("HTTPRoute", HERE, &format!("rules: [{{backendRefs: [{{{backend}}}]}}]"));
        assert!(found(&all(&[&r, &service])).is_empty(), "{backend}");
    }
}

#[test]
fn what_is_no_mistake_of_gateways() {
    let shared = |mode: &str, protocol: &str| {
        let listener = |name: &str| {
            format!(
                "{{name: {name}, port: 443, protocol: {protocol}, hostname: {name}.x.com, tls: {{mode: {mode}, certificateRefs: [{{name: c}}]}}}}"
            )
        };
        found(&gateway(&format!("{}, {}", listener("a"), listener("b"))))
    };
    assert_eq!(shared("Terminate", "HTTPS"), ["connection_reused_across_gateways likely Gateway/edge/gw"]);
    // No HTTP, and nothing terminated.
    assert!(shared("Terminate", "TLS").is_empty());
    assert!(shared("Passthrough", "HTTPS").is_empty());
    // It stands for a gateway of another network.
    let remote =
        gateway(&format!("{{{OPEN}}}")).replace("gatewayClassName: istio", "gatewayClassName: istio-remote");
    assert!(
        found(&all(&[&remote, &route("HTTPRoute", &format!("{HERE}, port: 81"), "rules: []")])).is_empty()
    );
    // A Gateway whose listeners others add.
    let empty = gateway("");
    assert!(found(&all(&[&empty, &route("HTTPRoute", HERE, "rules: []")])).is_empty());
}

#[test]
fn what_is_no_mistake_in_the_ambient_mesh() {
    let ambient = namespace("web", "istio.io/dataplane-mode: ambient");
    let policy = |spec: &str| object("AuthorizationPolicy", "web", "p", spec);
    for silent in [
        "{targetRefs: [{kind: Service, name: a}], rules: [{to: [{operation: {paths: [/a]}}]}]}",
        "{action: AUDIT, rules: [{to: [{operation: {paths: [/a]}}]}]}",
        "{rules: [{to: [{operation: {paths: [/a]}}]}, {from: [{source: {namespaces: [b]}}]}]}",
    ] {
        assert!(found(&all(&[&policy(silent), &ambient])).is_empty(), "{silent}");
    }
    let denied = ["authorization_policy_denied likely AuthorizationPolicy/web/p"];
    let deny = policy(
        "{action: DENY, rules: [{to: [{operation: {paths: [/a]}}]}, {from: [{source: {namespaces: [b]}}]}]}",
    );
    assert_eq!(found(&all(&[&deny, &ambient])), denied);
    // A waypoint of another namespace is none of this one.
    let elsewhere = object(
        "Gateway",
        "other",
        "waypoint",
        "{gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}",
    );
    assert_eq!(found(&all(&[&deny, &ambient, &elsewhere])), denied);
    let no_waypoint = namespace("web", "istio.io/dataplane-mode: ambient, istio.io/use-waypoint: none");
    assert_eq!(found(&all(&[&deny, &no_waypoint])), denied);
    // Rules that a gateway applies, too, have an effect there.
    let service = object("Service", "web", "app", "{selector: {app: app}, ports: [{port: 80, name: http}]}");
    let rules = object(
        "VirtualService",
        "web",
        "vs",
        "{hosts: [app], gateways: [mesh, edge/gw], http: [{route: [{destination: {host: app}}]}]}",
    );
    assert!(found(&all(&[&rules, &service, &ambient])).is_empty());
}

#[test]
fn waypoints_take_only_what_names_them() {
    let waypoint = object(
        "Gateway",
        "web",
        "waypoint",
        "{gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}",
    );
    let notes = |documents: &[&str]| -> Vec<String> {
        let checked = checked(&all(documents), false);
        assert!(checked.findings.is_empty());
        checked.notes.into_iter().map(|note| note.message).collect()
    };
    const TARGET: &str =
        "targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: istio-waypoint}]";
    let plugin = object("WasmPlugin", "istio-system", "p", "{url: 'http://a/m.wasm'}");
    let noted =
        "WasmPlugin/istio-system/p has no targetRefs: Gateway/web/waypoint and other waypoints don't take it";
    assert_eq!(notes(&[&plugin, &waypoint]), [noted]);
    assert!(notes(&[&plugin]).is_empty());
    let beside =
        |url: &str| object("WasmPlugin", "istio-system", "q", &format!("{{url: '{url}', {TARGET}}}"));
    assert!(notes(&[&plugin, &beside("http://a/m.wasm"), &waypoint]).is_empty());
    assert_eq!(notes(&[&plugin, &beside("http://a/other.wasm"), &waypoint]).len(), 1);
    let filter = |namespace: &str, spec: &str| object("EnvoyFilter", namespace, "f", spec);
    const INBOUND: &str = "configPatches: [{applyTo: HTTP_FILTER, match: {context: SIDECAR_INBOUND}}]";
    assert_eq!(notes(&[&filter("web", &format!("{{{INBOUND}}}")), &waypoint]).len(), 1);
    for silent in [
        filter("shop", &format!("{{{INBOUND}}}")),
        filter("web", &format!("{{{INBOUND}, workloadSelector: {{labels: {{app: a}}}}}}")),
        filter("web", &format!("{{{INBOUND}, {TARGET}}}")),
        filter("web", "{configPatches: [{applyTo: HTTP_FILTER, match: {context: GATEWAY}}]}"),
    ] {
        assert!(notes(&[&silent, &waypoint]).is_empty(), "{silent}");
    }
}
