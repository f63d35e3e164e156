//! Policy: a filter of the proxy said no.

use serde_json::{Value, json};

use crate::client::Client;
use crate::client_http2::Ask;
use crate::envoy::config::{Listener, Proxy, Roles};
use crate::envoy::parts::{all_to, cluster, http2, route, vhost, with};
use crate::peers::{Habit, Http2, Server};
use crate::scenario::{Log, Scenario};

const ASK: &[&str] = &["http://127.0.0.1:{listener:http}/"];
const OK: Server = Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 ok; }");
/// As istiod names the rules of an AuthorizationPolicy.
const RULE: &str = "ns[default]-policy[deny-all]-rule[0]";

/// CheckResponse { status { code: PERMISSION_DENIED } }.
const DENIES: &[u8] = b"\x0a\x02\x08\x07";

/// A proxy with this filter before the router.
fn filtered(name: &str, kind: &str, config: Value) -> Proxy {
    let kind = format!("envoy.extensions.filters.http.{kind}");
    let listener = Listener::http("http", all_to("backend")).http_filter(name, &kind, config);
    Proxy::new([listener], [cluster("backend", "backend")])
}

/// The same with virtual hosts of its own and a cluster with the server `policy`, which the filter asks.
fn asking(hosts: Value, name: &str, kind: &str, config: Value) -> Proxy {
    let kind = format!("envoy.extensions.filters.http.{kind}");
    let listener = Listener::http("http", hosts).http_filter(name, &kind, config);
    Proxy::new([listener], [cluster("backend", "backend"), with(cluster("policy", "policy"), http2())])
}

fn asked(name: &'static str, about: &'static str, proxy: Proxy) -> Scenario {
    Scenario::new(name, about, proxy).server("backend", OK).curl(ASK)
}

fn rbac(action: &str, path: &str) -> Value {
    json!({"rules": {"action": action, "policies": {RULE: {
        "permissions": [{"url_path": {"path": {"prefix": path}}}],
        "principals": [{"any": true}],
    }}}})
}

pub(super) fn table() -> Vec<Scenario> {
    [authorization(), connections(), tokens(), external(), limits(), mixer()].into_iter().flatten().collect()
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
            .names("authorization_policy_denied", "certain")
            .blames("AuthorizationPolicy/default/deny-all"),
        asked(
            "policy/not_allowed",
            "there are ALLOW policies, and none allows this",
            rbac_filter("ALLOW", "/open"),
        )
        .gets(403)
        .logs(Log::Http, &[("code", "403"), ("details", "rbac_access_denied_matched_policy[none]")])
        .names("authorization_policy_denied", "certain"),
        asked("policy/allowed", "healthy: a policy allows", rbac_filter("ALLOW", "/"))
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        Scenario::new("policy/denied_grpc", "for gRPC the refusal comes with status 200", {
            rbac_filter("DENY", "/")
        })
        .server("backend", OK)
        .client(Client::Http2("http", Ask::Grpc))
        .says("grpc-status: 7")
        .logs(Log::Http, &[("code", "200"), ("details", "rbac_access_denied_matched_policy[ns*")])
        .names("authorization_policy_denied", "certain")
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
            [cluster("backend", "backend"), with(cluster("policy", "policy"), http2())],
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
            .names("authorization_policy_denied", "certain")
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
        ),
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
        .names("ext_authz_denied", "certain")
        .only_counted(),
        connects("policy/ext_authz_down_tcp", "nobody listens at the authorization service", ext_authz())
            .server("policy", Server::Nobody)
            .logs(Log::Tcp, &[("flags", "UAEX")])
            .names("ext_authz_unavailable", "certain")
            .only_counted(),
    ]
}

fn tokens() -> Vec<Scenario> {
    let jwt = || {
        filtered(
            "jwt_authn",
            "jwt_authn.v3.JwtAuthentication",
            json!({
                "providers": {"p": {"issuer": "https://issuer.example", "local_jwks": {"inline_string": "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"c2VjcmV0\"}]}"}}},
                "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "p"}}],
            }),
        )
    };
    let rejected = |scenario: Scenario, details| {
        scenario
            .server("backend", OK)
            .gets(401)
            .logs(Log::Http, &[("code", "401"), ("flags", "-"), ("details", details)])
            .names("jwt_rejected", "certain")
            .never_shows("SECRET")
    };
    vec![
        rejected(
            Scenario::new("policy/no_token", "a token is asked for", jwt()).curl(ASK),
            "jwt_authn_access_denied{Jwt_is_missing}",
        ),
        rejected(
            Scenario::new("policy/broken_token", "what is sent is no token", jwt()).curl(&[
                "-H",
                "Authorization: Bearer SECRET",
                "http://127.0.0.1:{listener:http}/",
            ]),
            "jwt_authn_access_denied{*",
        ),
    ]
}

fn external() -> Vec<Scenario> {
    // Envoy waits 20 ms for a rate limit by default: too short for a busy machine.
    let service = json!({"transport_api_version": "V3", "grpc_service": {
        "envoy_grpc": {"cluster_name": "policy"}, "timeout": "1s",
    }});
    let limited = || {
        let rate_limits =
            json!({"rate_limits": [{"actions": [{"generic_key": {"descriptor_value": "all"}}]}]});
        let hosts = json!([with(vhost("all", &["*"], vec![route("/", "backend")]), rate_limits)]);
        let config =
            json!({"domain": "d", "failure_mode_deny": true, "timeout": "1s", "rate_limit_service": service});
        asking(hosts, "ratelimit", "ratelimit.v3.RateLimit", config)
    };
    // RateLimitResponse { overall_code: OVER_LIMIT }.
    let denies = Server::Http2(Http2::GrpcSays(DENIES));
    let over_limit = Server::Http2(Http2::GrpcSays(b"\x08\x02"));
    let ext_authz = |name, about, server, details, cause| {
        asked(name, about, asking(all_to("backend"), "ext_authz", "ext_authz.v3.ExtAuthz", service.clone()))
            .server("policy", server)
            .gets(403)
            .logs(Log::Http, &[("code", "403"), ("flags", "UAEX"), ("details", details)])
            .names(cause, "certain")
    };
    vec![
        ext_authz(
            "policy/ext_authz_denies",
            "the authorization service says no",
            denies,
            "ext_authz_denied",
            "ext_authz_denied",
        ),
        ext_authz(
            "policy/ext_authz_down",
            "nobody listens at the authorization service",
            Server::Nobody,
            "ext_authz_error",
            "ext_authz_unavailable",
        ),
        ext_authz(
            "policy/ext_authz_silent",
            "the authorization service takes too long",
            Server::Http2(Http2::NeverAnswers),
            "ext_authz_error",
            "ext_authz_unavailable",
        ),
        ext_authz(
            "policy/ext_authz_internal",
            "the authorization service fails",
            Server::Http2(Http2::GrpcRefuses("13")),
            "ext_authz_error",
            "ext_authz_unavailable",
        ),
        asked("policy/over_the_limit", "the rate limit service says no", limited())
            .server("policy", over_limit)
            .gets(429)
            .logs(Log::Http, &[("code", "429"), ("flags", "RL"), ("details", "request_rate_limited")])
            .names("rate_limited", "certain"),
        asked("policy/rate_limit_service_down", "nobody listens at the rate limit service", limited())
            .server("policy", Server::Nobody)
            .gets(500)
            .logs(Log::Http, &[("code", "500"), ("flags", "RLSE"), ("details", "rate_limiter_error")])
            .names("rate_limit_service_unavailable", "certain"),
    ]
}

fn limits() -> Vec<Scenario> {
    let always = json!({"numerator": 100});
    let local = json!({
        "stat_prefix": "local",
        "token_bucket": {"max_tokens": 1, "fill_interval": "3600s"},
        "filter_enabled": {"default_value": always},
        "filter_enforced": {"default_value": always},
    });
    let abort = json!({"abort": {"http_status": 503, "percentage": always}});
    vec![
        asked("policy/local_rate_limit", "the second request in an hour", {
            filtered("local_ratelimit", "local_ratelimit.v3.LocalRateLimit", local)
        })
        .client(Client::CurlTimes(2, ASK))
        .gets(429)
        .logs(Log::Http, &[("code", "429"), ("flags", "RL"), ("details", "local_rate_limited")])
        .names("rate_limited", "certain"),
        asked("policy/fault", "a VirtualService aborts on purpose", {
            filtered("fault", "fault.v3.HTTPFault", abort)
        })
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("flags", "FI"), ("details", "fault_filter_abort")])
        .names("fault_injected", "certain"),
    ]
}

/// What Istio 1.7's filter did, by filters of today: the status in the metadata, and a reply. None of them sets the flag
/// UAEX without details of its own, so Mixer is likely at the most.
fn mixer() -> Vec<Scenario> {
    let with_status = |status: &str, reply: &str| {
        let set = format!(
            "function envoy_on_request(handle) handle:streamInfo():dynamicMetadata():set('istio.mixer', 'status', '{status}') {reply} end"
        );
        filtered("lua", "lua.v3.Lua", json!({"default_source_code": {"inline_string": set}}))
    };
    let rejected = |name, status: &str, code| {
        let reply = format!("handle:respond({{[':status'] = '{code}'}}, '{status}')");
        asked(name, "Istio 1.7 and older: Mixer rejects", with_status(status, &reply))
            .page("Requests are rejected by Envoy")
            .gets(code)
            .logs(Log::Http, &[("details", "lua_response")])
    };
    let kind = "type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config";
    let value =
        json!({"metadata": [{"metadata_namespace": "istio.mixer", "value": {"status": "UNAVAILABLE"}}]});
    let by_envoy = |hosts: Value, cluster: Value| {
        let mut typed = json!({"@type": kind});
        crate::envoy::config::merge(&mut typed, &value);
        let filter = json!({"name": "envoy.filters.http.set_metadata", "typed_config": typed});
        Proxy::new([Listener::http("http", hosts).raw_http_filter(filter)], [cluster])
    };
    vec![
        rejected("policy/mixer_unavailable", "UNAVAILABLE", 503)
            .names("mixer_unavailable", "likely")
            .because(&["mixer_status=UNAVAILABLE"]),
        rejected("policy/mixer_unauthenticated", "UNAUTHENTICATED", 401)
            .names("mixer_unauthenticated", "likely"),
        rejected("policy/mixer_permission_denied", "PERMISSION_DENIED:denyall.default:not allowed", 403)
            .names("mixer_permission_denied", "likely")
            .because(&["mixer_status=PERMISSION_DENIED; details=lua_response"]),
        rejected("policy/mixer_resource_exhausted", "RESOURCE_EXHAUSTED", 429)
            .names("mixer_resource_exhausted", "likely"),
        rejected("policy/mixer_internal", "INTERNAL", 500).names("mixer_internal", "likely"),
        rejected("policy/mixer_ok", "OK", 500).names("unclassified", "possible"),
        asked("policy/mixer_lets_pass", "healthy: the status is OK", with_status("OK", ""))
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        asked(
            "policy/mixer_fails_open",
            "healthy: Mixer is not there, and the policy lets pass",
            by_envoy(all_to("backend"), cluster("backend", "backend")),
        )
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        asked(
            "policy/mixer_fails_open_and_no_route",
            "the same, and the request fails for a reason of its own",
            by_envoy(json!([vhost("a", &["a.example"], vec![])]), cluster("backend", "backend")),
        )
        .gets(404)
        .logs(Log::Http, &[("flags", "NR")])
        .names("route_host_unknown", "likely"),
    ]
}
