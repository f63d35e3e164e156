//! Policy: a filter of the proxy said no.

mod external;
mod filters;
mod limits;
mod mixer;
mod tokens;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::client::http2::Ask;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{all_to, cluster, http2, with};
use crate::harness::peers::{Habit, Http2, Server};
use crate::scenarios::common::{ASK, PLAIN, backend};
use crate::scenarios::scenario::{Log, Scenario};

/// As istiod names the rules of an AuthorizationPolicy.
const RULE: &str = "ns[default]-policy[deny-all]-rule[0]";

/// CheckResponse { status { code: PERMISSION_DENIED } }.
const DENIES: &[u8] = b"\x0a\x02\x08\x07";

/// A proxy with this filter before the router.
fn filtered(name: &str, kind: &str, config: Value) -> Proxy {
    let kind = format!("envoy.extensions.filters.http.{kind}");
    let listener = Listener::http("http", all_to("backend")).http_filter(name, &kind, config);
    Proxy::new([listener], [backend()])
}

fn asked(name: &'static str, about: &'static str, proxy: Proxy) -> Scenario {
    Scenario::new(name, about, proxy).server("backend", PLAIN).curl(ASK)
}

fn rbac(action: &str, path: &str) -> Value {
    json!({"rules": {"action": action, "policies": {RULE: {
        "permissions": [{"url_path": {"path": {"prefix": path}}}],
        "principals": [{"any": true}],
    }}}})
}

pub(super) fn table() -> Vec<Scenario> {
    [
        authorization(),
        connections(),
        tokens::table(),
        external::table(),
        filters::table(),
        limits::table(),
        mixer::table(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn authorization() -> Vec<Scenario> {
    let rbac_filter = |action, path| filtered("rbac", "rbac.v3.RBAC", rbac(action, path));
    vec![
        asked("policy/denied", "an AuthorizationPolicy denies", rbac_filter("DENY", "/"))
            .gets(403)
            .logs(
                Log::Http,
                &[
                    ("code", "403"),
                    ("flags", "-"),
                    ("details", "rbac_access_denied_matched_policy[ns[default]-policy[deny-all]-rule[0]]"),
                ],
            )
            .names(Cause::AuthorizationPolicyDenied, Certain)
            .blames("AuthorizationPolicy/default/deny-all"),
        asked(
            "policy/not_allowed",
            "there are ALLOW policies, and none allows this",
            rbac_filter("ALLOW", "/open"),
        )
        .gets(403)
        .logs(Log::Http, &[("code", "403"), ("details", "rbac_access_denied_matched_policy[none]")])
        .names(Cause::AuthorizationPolicyDenied, Certain),
        asked(
            "policy/wasm_replaced",
            "what Istio's agent puts in the place of a Wasm module that it can't fetch",
            {
                filtered(
                    "rbac",
                    "rbac.v3.RBAC",
                    json!({"rules": {}, "rules_stat_prefix": "wasm-default-deny"}),
                )
            },
        )
        .gets(403)
        .logs(Log::Http, &[("code", "403"), ("details", "rbac_access_denied_matched_policy[none]")])
        .names(Cause::FilterConfigMissing, Certain)
        .because(&["rbac_filter=wasm-default-deny"]),
        asked("policy/allowed", "healthy: a policy allows", rbac_filter("ALLOW", "/"))
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new("policy/denied_grpc", "for gRPC the refusal comes with status 200", {
            rbac_filter("DENY", "/")
        })
        .server("backend", PLAIN)
        .client(Client::Http2("http", Ask::Grpc))
        .says("grpc-status: 7")
        .logs(Log::Http, &[("code", "200"), ("details", "rbac_access_denied_matched_policy[ns*")])
        .names(Cause::AuthorizationPolicyDenied, Certain)
        .blames("AuthorizationPolicy/default/deny-all"),
    ]
}

/// On TCP chains the reason is in the termination details alone.
/// External authorization flags a connection after it has closed it (1.40), which only access loggers see.
fn connections() -> Vec<Scenario> {
    let network = |name: &str, kind: &str, config: Value| {
        let typed = json!({"@type": format!("type.googleapis.com/envoy.extensions.filters.network.{kind}"), "stat_prefix": "tcp."});
        json!({"name": name, "typed_config": with(typed, config)})
    };
    let rbac = |action: &str, port: u16| {
        let permissions = [json!({"destination_port_range": {"start": port, "end": 65536}})];
        let policies = json!({RULE: {"permissions": permissions, "principals": [{"any": true}]}});
        network("rbac", "rbac.v3.RBAC", json!({"rules": {"action": action, "policies": policies}}))
    };
    let behind = |filter: Value| {
        Proxy::new(
            [Listener::tcp("tcp", "backend").raw_network_filter(filter)],
            [backend(), with(cluster("policy", "policy"), http2())],
        )
    };
    let connects = |name, about, filter| {
        Scenario::new(name, about, behind(filter))
            .server("backend", Server::Made(Habit::Echo))
            .server("policy", Server::Http2(Http2::GrpcSays(DENIES)))
            .client(Client::Raw("tcp", b"hello\n"))
    };
    let ext_authz = || {
        let service = json!({"envoy_grpc": {"cluster_name": "policy"}, "timeout": "1s"});
        network(
            "ext_authz",
            "ext_authz.v3.ExtAuthz",
            json!({"grpc_service": service, "transport_api_version": "V3"}),
        )
    };
    let denied = |scenario: Scenario, termination| {
        scenario
            .logs(Log::Tcp, &[("flags", "-"), ("termination", termination)])
            .names(Cause::AuthorizationPolicyDenied, Certain)
    };
    vec![
        denied(
            connects("policy/denied_tcp", "an AuthorizationPolicy denies a TCP connection", rbac("DENY", 1)),
            "rbac_access_denied_matched_policy[ns*",
        )
        .blames("AuthorizationPolicy/default/deny-all"),
        denied(
            connects("policy/not_allowed_tcp", "no ALLOW policy allows it", rbac("ALLOW", 65535)),
            "rbac_access_denied_matched_policy[none]",
        )
        .names(Cause::AuthorizationPolicyDenied, Likely),
        denied(
            connects(
                "policy/denied_tcp_after_greeting",
                "the server has greeted before the client speaks",
                rbac("DENY", 1),
            ),
            "rbac_access_denied_matched_policy[ns*",
        )
        .server("backend", Server::Made(Habit::GreetFirst(b"220 ready\r\n")))
        .blames("AuthorizationPolicy/default/deny-all"),
        denied(
            Scenario::new("policy/denied_tcp_access_log_alone", "the access logger alone sees it, too", {
                behind(rbac("DENY", 1)).roles(Roles::access_log_only())
            })
            .server("backend", Server::Made(Habit::Echo))
            .server("policy", Server::Nobody)
            .client(Client::Raw("tcp", b"hello\n")),
            "rbac_access_denied_matched_policy[ns*",
        )
        .blames("AuthorizationPolicy/default/deny-all")
        .only_counted(),
        connects("policy/allowed_tcp", "healthy: a policy allows", rbac("ALLOW", 1))
            .says("hello")
            .logs(Log::Tcp, &[("flags", "-"), ("termination", "-")]),
        connects(
            "policy/ext_authz_denies_tcp",
            "the authorization service refuses a TCP connection",
            ext_authz(),
        )
        .logs(Log::Tcp, &[("flags", "UAEX")])
        .names(Cause::ExtAuthzDenied, Certain)
        .only_counted(),
        connects("policy/ext_authz_down_tcp", "nobody listens at the authorization service", ext_authz())
            .server("policy", Server::Nobody)
            .logs(Log::Tcp, &[("flags", "UAEX")])
            .names(Cause::ExtAuthzUnavailable, Certain)
            .only_counted(),
    ]
}
