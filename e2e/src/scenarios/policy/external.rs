//! External authorization: by gRPC, by HTTP, and as istiod makes it of the action CUSTOM.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Certain;
use serde_json::{Value, json};

use super::{DENIES, asked};
use crate::harness::client::Client;
use crate::harness::client::http2::Ask;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_to, cluster, http2, with};
use crate::harness::peers::{Habit, Http2, Server};
use crate::scenarios::common::{ASK, FINE, PLAIN, backend};
use crate::scenarios::scenario::{Log, Scenario};

const KIND: &str = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz";

/// A service that is asked by gRPC. Envoy waits 200 ms by default: too short for a busy machine.
fn by_grpc() -> Value {
    json!({"transport_api_version": "V3", "grpc_service": {
        "envoy_grpc": {"cluster_name": "policy"}, "timeout": "1s",
    }})
}

/// A service that is asked by HTTP, as `envoyExtAuthzHttp` has it.
fn by_http() -> Value {
    json!({"transport_api_version": "V3", "status_on_error": {"code": "Forbidden"}, "http_service": {
        "server_uri": {"uri": "http://127.0.0.1", "cluster": "policy", "timeout": "0.5s"},
    }})
}

fn proxy(config: Value, protocol: Value) -> Proxy {
    let listener = Listener::http("http", all_to("backend")).http_filter("ext_authz", KIND, config);
    Proxy::new([listener], [backend(), with(cluster("policy", "policy"), protocol)])
}

fn denied(scenario: Scenario, code: &'static str, details: &'static str, cause: Cause) -> Scenario {
    scenario.logs(Log::Http, &[("code", code), ("flags", "UAEX"), ("details", details)]).names(cause, Certain)
}

fn unavailable(scenario: Scenario) -> Scenario {
    denied(scenario, "403", "ext_authz_error", Cause::ExtAuthzUnavailable).gets(403)
}

pub(super) fn table() -> Vec<Scenario> {
    [grpc(), http(), custom()].into_iter().flatten().collect()
}

fn grpc() -> Vec<Scenario> {
    let ask = |name, about, server| asked(name, about, proxy(by_grpc(), http2())).server("policy", server);
    vec![
        denied(
            ask("policy/ext_authz_denies", "the service says no", Server::Http2(Http2::GrpcSays(DENIES))),
            "403",
            "ext_authz_denied",
            Cause::ExtAuthzDenied,
        ),
        denied(
            Scenario::new("policy/ext_authz_denies_grpc", "the same for a gRPC call: status 200", {
                proxy(by_grpc(), http2())
            })
            .server("backend", PLAIN)
            .server("policy", Server::Http2(Http2::GrpcSays(DENIES)))
            .client(Client::Http2("http", Ask::Grpc))
            .says("grpc-status: 7"),
            "200",
            "ext_authz_denied",
            Cause::ExtAuthzDenied,
        ),
        unavailable(ask("policy/ext_authz_down", "nobody listens there", Server::Nobody)),
        unavailable(ask(
            "policy/ext_authz_silent",
            "the service takes too long",
            Server::Http2(Http2::NeverAnswers),
        )),
        unavailable(ask(
            "policy/ext_authz_internal",
            "the service fails",
            Server::Http2(Http2::GrpcRefuses("13")),
        )),
        asked("policy/ext_authz_fails_open", "healthy: who may pass if nobody can be asked passes", {
            proxy(with(by_grpc(), json!({"failure_mode_allow": true})), http2())
        })
        .server("policy", Server::Nobody)
        .gets(200)
        .logs(Log::Http, FINE),
    ]
}

fn http() -> Vec<Scenario> {
    let ask = |name, about, server| asked(name, about, proxy(by_http(), json!({}))).server("policy", server);
    const NO: &str = "listen 127.0.0.1:{port}; location / { return 403; }";
    const LOGIN: &str = "listen 127.0.0.1:{port}; location / { return 302 http://login.example/; }";
    const BROKEN: &str = "listen 127.0.0.1:{port}; location / { return 500; }";
    vec![
        denied(
            ask("policy/ext_authz_http_denies", "asked by HTTP, it answers 403", Server::Nginx(NO)),
            "403",
            "ext_authz_denied",
            Cause::ExtAuthzDenied,
        ),
        ask("policy/ext_authz_http_login", "healthy: it sends browsers to a login", Server::Nginx(LOGIN))
            .gets(302)
            .logs(Log::Http, &[("code", "302"), ("flags", "UAEX"), ("details", "ext_authz_denied")]),
        unavailable(ask("policy/ext_authz_http_down", "nobody listens there", Server::Nobody)),
        unavailable(ask(
            "policy/ext_authz_http_silent",
            "it takes too long",
            Server::Made(Habit::NeverAnswer),
        )),
        unavailable(ask("policy/ext_authz_http_fails", "it answers 500", Server::Nginx(BROKEN))),
        asked("policy/ext_authz_http_fails_open", "healthy: who may pass if nobody can be asked passes", {
            proxy(with(by_http(), json!({"failure_mode_allow": true})), json!({}))
        })
        .server("policy", Server::Nobody)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}

/// The action CUSTOM: a shadow rule marks those that the provider is asked about.
fn custom() -> Vec<Scenario> {
    let marks = json!({
        "shadow_rules_stat_prefix": "istio_ext_authz_",
        "shadow_rules": {"action": "DENY", "policies": {"istio-ext-authz-ns[default]-policy[ask]-rule[0]": {
            "permissions": [{"url_path": {"path": {"prefix": "/asked"}}}],
            "principals": [{"any": true}],
        }}},
    });
    let marked = json!({"filter_enabled_metadata": {
        "filter": "envoy.filters.http.rbac",
        "path": [{"key": "istio_ext_authz_shadow_effective_policy_id"}],
        "value": {"string_match": {"prefix": "istio-ext-authz"}},
    }});
    let proxy = || {
        let listener = Listener::http("http", all_to("backend"))
            .http_filter("rbac", "envoy.extensions.filters.http.rbac.v3.RBAC", marks.clone())
            .http_filter("ext_authz", KIND, with(by_grpc(), marked.clone()));
        Proxy::new([listener], [backend(), with(cluster("policy", "policy"), http2())])
    };
    let ask = |name, about, server| asked(name, about, proxy()).server("policy", server);
    vec![
        denied(
            ask("policy/custom_denies", "the provider says no", Server::Http2(Http2::GrpcSays(DENIES)))
                .curl(&["http://127.0.0.1:{listener:http}/asked"]),
            "403",
            "ext_authz_denied",
            Cause::ExtAuthzDenied,
        ),
        unavailable(
            ask("policy/custom_provider_down", "nobody listens there", Server::Nobody)
                .curl(&["http://127.0.0.1:{listener:http}/asked"]),
        ),
        ask("policy/custom_elsewhere", "healthy: not a path that it is asked about", Server::Nobody)
            .curl(ASK)
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
    ]
}
