//! VirtualServices and the Gateways they are bound to.

use super::{all, checked, found, gateway, https, resource};

const TLS: &str = "tls:\n- match: [{sniHosts: [a.com]}]\n  route: [{destination: {host: a}}]";
const HTTP: &str = "http:\n- route: [{destination: {host: a}}]";
const PLAIN: &str = "- {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}";
const REDIRECT: &str =
    "- {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*'], tls: {httpsRedirect: true}}";

fn virtual_service(name: &str, hosts: &str, gateways: &str, routes: &str) -> String {
    let spec = format!("hosts: [{hosts}]\ngateways: [{gateways}]\n{routes}");
    resource("VirtualService", "default", name, &spec)
}

fn bound(servers: &str, routes: &str) -> Vec<String> {
    found(&all(&[&gateway("default", "gw", servers), &virtual_service("vs", "a.com", "gw", routes)]))
}

#[test]
fn tls_routes_behind_termination() {
    for mode in ["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL", "ISTIO_MUTUAL"] {
        let named = bound(&https(mode, "'*'"), TLS);
        assert_eq!(named, ["gateway_without_http_routes certain VirtualService/default/vs"], "{mode}");
    }
}

#[test]
fn http_routes_behind_passthrough() {
    let expected = ["no_filter_chain_for_sni certain VirtualService/default/vs"];
    assert_eq!(bound(&https("PASSTHROUGH", "'*'"), HTTP), expected);
    // PASSTHROUGH is also what no mode means.
    let server = "- {port: {number: 443, name: tls, protocol: TLS}, hosts: ['*'], tls: {}}";
    assert_eq!(bound(server, HTTP), expected);
    // A server that sends everyone to HTTPS routes nothing.
    assert_eq!(bound(&all_servers(&[&https("PASSTHROUGH", "'*'"), REDIRECT]), HTTP), expected);
}

fn all_servers(servers: &[&str]) -> String {
    servers.join("\n")
}

#[test]
fn routes_that_work_at_one_of_two_ports() {
    let passthrough = https("PASSTHROUGH", "'*'");
    // Port 80 works, and 443 gets no listener.
    let both = all_servers(&[PLAIN, &passthrough]);
    assert_eq!(bound(&both, HTTP), ["no_filter_chain_for_sni likely VirtualService/default/vs"]);
    // Meant for port 80 only; or another VirtualService does the TLS.
    let only_80 = "http:\n- match: [{port: 80}]\n  route: [{destination: {host: a}}]";
    assert!(bound(&both, only_80).is_empty());
    let redirect = "http:\n- redirect: {scheme: https}";
    assert!(bound(&both, redirect).is_empty());
    let other = virtual_service("tls", "a.com", "gw", TLS);
    let text = all(&[&gateway("default", "gw", &both), &virtual_service("vs", "a.com", "gw", HTTP), &other]);
    assert!(found(&text).is_empty());
}

#[test]
fn routes_of_the_right_kind() {
    assert!(bound(&https("SIMPLE", "'*'"), HTTP).is_empty());
    assert!(bound(&https("PASSTHROUGH", "'*'"), TLS).is_empty());
    assert!(bound(&https("AUTO_PASSTHROUGH", "'*.local', a.com"), HTTP).is_empty());
    assert!(bound(&https("SIMPLE", "'*'"), &format!("{TLS}\n{HTTP}")).is_empty());
    // TLS (not HTTPS) that is terminated is routed as TCP.
    let server = "- {port: {number: 443, name: tls, protocol: TLS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: c}}";
    assert!(bound(server, "tcp:\n- route: [{destination: {host: a}}]").is_empty());
    assert_eq!(bound(server, TLS), ["no_filter_chain_for_sni certain VirtualService/default/vs"]);
}

#[test]
fn http_routes_behind_termination_as_tls() {
    let expected = ["no_filter_chain_for_sni certain VirtualService/default/vs"];
    for mode in ["SIMPLE", "MUTUAL"] {
        let server = https(mode, "'*'").replace("protocol: HTTPS", "protocol: TLS");
        assert_eq!(bound(&server, HTTP), expected, "{mode}");
        assert!(bound(&server, &format!("{HTTP}\ntcp:\n- route: [{{destination: {{host: a}}}}]")).is_empty());
        assert!(bound(&server.replace("protocol: TLS", "protocol: HTTPS"), HTTP).is_empty());
        // Meant for another port; or the TCP is another VirtualService's.
        let both = all_servers(&[PLAIN, &server]);
        assert!(bound(&both, "http:\n- match: [{port: 80}]\n  route: [{destination: {host: a}}]").is_empty());
        assert_eq!(bound(&both, HTTP), ["no_filter_chain_for_sni likely VirtualService/default/vs"]);
        let tcp = virtual_service("tcp", "a.com", "gw", "tcp:\n- route: [{destination: {host: a}}]");
        let http = virtual_service("vs", "a.com", "gw", HTTP);
        assert!(found(&all(&[&gateway("default", "gw", &both), &http, &tcp])).is_empty());
    }
}

#[test]
fn each_port_with_its_own_hosts() {
    let tls = https("SIMPLE", "b.com").replace("443", "444").replace("protocol: HTTPS", "protocol: TLS");
    let gateway = gateway("default", "gw", &all_servers(&[&https("PASSTHROUGH", "a.com"), &tls]));
    let text = all(&[&gateway, &virtual_service("vs", "a.com, b.com", "gw", HTTP)]);
    let named = checked(&text, false).findings;
    assert_eq!(found(&text), ["no_filter_chain_for_sni certain VirtualService/default/vs"; 2]);
    for (finding, [port, own, other]) in
        named.iter().zip([["port 443", "a.com", "b.com"], ["port 444", "b.com", "a.com"]])
    {
        assert!(finding.what.contains(port) && finding.what.contains(own), "{finding:?}");
        assert!(!finding.what.contains(other) && !finding.fix.contains(other), "{finding:?}");
    }
}

#[test]
fn other_http_routes_at_the_same_port() {
    let gateway = gateway("default", "gw", &https("SIMPLE", "'*'"));
    let dead = virtual_service("dead", "a.com", "gw", TLS);
    let other = virtual_service("other", "b.com", "gw", HTTP);
    assert_eq!(
        found(&all(&[&gateway, &dead, &other])),
        ["route_host_unknown certain VirtualService/default/dead"]
    );
    let covering = virtual_service("covering", "'*.com'", "gw", HTTP);
    let named = found(&all(&[&gateway, &dead, &covering]));
    assert_eq!(named, ["virtual_service_not_applied likely VirtualService/default/dead"]);
}

#[test]
fn hosts_that_the_gateway_does_not_have() {
    let expected = ["route_host_unknown certain VirtualService/default/vs"];
    assert_eq!(bound(&https("SIMPLE", "b.com"), HTTP), expected);
    assert_eq!(bound(&https("SIMPLE", "'*.a.com'"), HTTP), expected);
    assert_eq!(bound(&https("SIMPLE", "other/a.com"), HTTP), expected);
    assert_eq!(
        bound(&https("PASSTHROUGH", "b.com"), TLS),
        ["no_filter_chain_for_sni certain VirtualService/default/vs"]
    );
    for hosts in ["a.com", "'*.com'", "'*'", "default/a.com", "./a.com", "'*/a.com'", "A.com"] {
        assert!(bound(&https("SIMPLE", hosts), HTTP).is_empty(), "{hosts}");
    }
}

#[test]
fn hosts_that_another_gateway_has() {
    let one = gateway("default", "one", &https("SIMPLE", "a.com"));
    let two = gateway("istio-system", "two", &https("SIMPLE", "b.com").replace("cert", "other"));
    let both = virtual_service("vs", "a.com, b.com", "one, istio-system/two", HTTP);
    assert!(found(&all(&[&one, &two, &both])).is_empty());
    // One of the gateways was not given: nothing is known of its hosts.
    assert!(found(&all(&[&one, &both])).is_empty());
    let some = virtual_service("vs", "a.com, c.com", "one", HTTP);
    assert_eq!(found(&all(&[&one, &some])), ["route_host_unknown likely VirtualService/default/vs"]);
    // With `mesh`, the second host is for inside.
    let mesh = virtual_service("vs", "a.com, c", "one, mesh", HTTP);
    assert!(found(&all(&[&one, &mesh])).is_empty());
}

#[test]
fn the_gateway_of_another_api_is_another_kind() {
    let api = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec: {listeners: []}";
    assert!(found(&all(&[api, &virtual_service("vs", "a.com", "gw", TLS)])).is_empty());
}

/// What each kind of server makes of each kind of routes, alone and together.
#[test]
fn kinds_of_routes_at_kinds_of_servers() {
    const TCP: &str = "tcp:\n- route: [{destination: {host: a}}]";
    let (terminated, passed) = (https("SIMPLE", "'*'"), https("PASSTHROUGH", "'*'"));
    let raw = terminated.replace("protocol: HTTPS", "protocol: TLS");
    let plain_tcp = PLAIN.replace("HTTP", "TCP");
    let both = |one: &str, two: &str| format!("{one}\n{two}");
    for (server, routes) in [
        (terminated.as_str(), both(TLS, HTTP)),
        (PLAIN, TLS.to_owned()),
        (&passed, both(TLS, HTTP)),
        (&passed, both(TLS, TCP)),
        (&raw, both(TLS, TCP)),
        (&raw, both(HTTP, TCP)),
        (&plain_tcp, TLS.to_owned()),
        (&plain_tcp, HTTP.to_owned()),
    ] {
        assert_eq!(bound(server, &routes), Vec::<String>::new(), "{server} {routes}");
    }
    let refused = ["no_filter_chain_for_sni certain VirtualService/default/vs"];
    for (server, routes) in [(&passed, TCP), (&raw, TLS), (&raw, HTTP)] {
        assert_eq!(bound(server, routes), refused, "{server} {routes}");
    }
    // Rules for HTTP that send nowhere are a redirect, say; one that delegates sends somewhere.
    let redirect = "http:\n- redirect: {authority: b.com}";
    assert!(bound(&passed, redirect).is_empty());
    assert!(bound(&passed, "http:\n- delegate: {name: d}").contains(&refused[0].to_owned()));
}
