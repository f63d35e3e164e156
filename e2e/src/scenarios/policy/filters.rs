//! Replies of filters that have no cause of their own, and the same filters where they let requests pass.

use meshwhy::causes::{Cause, Side};
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::{Value, json};

use super::{asked, filtered};
use crate::harness::client::Client;
use crate::harness::client::http2::Ask;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_to, cluster, direct, http2, route, vhost, with};
use crate::harness::peers::{Habit, Http2, Server};
use crate::hostile::secrets::protobuf::{bytes, descriptor, number};
use crate::scenarios::common::{ASK, PLAIN, backend};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    [
        scripts(),
        plugins(),
        processors(),
        browsers(),
        credentials(),
        loads(),
        shedding(),
        rewriting(),
        grpc(),
        bodies(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The filter answers with this status.
fn replies(scenario: Scenario, code: &'static str, details: &'static str) -> Scenario {
    scenario
        .logs(Log::Http, &[("code", code), ("flags", "-"), ("details", details)])
        .names(Cause::FilterRejected, Certain)
}

/// It doesn't.
fn passes(scenario: Scenario) -> Scenario {
    scenario.gets(200).logs(Log::Http, &[("code", "200"), ("flags", "-")])
}

fn lua(code: &str) -> Proxy {
    filtered("lua", "lua.v3.Lua", json!({"default_source_code": {"inline_string": code}}))
}

fn scripts() -> Vec<Scenario> {
    let lua = |name, about, code| asked(name, about, lua(code));
    let removes = "function envoy_on_request(h) h:headers():remove(':method') end";
    vec![
        replies(
            lua(
                "policy/lua_refuses",
                "an EnvoyFilter's Lua code answers 403",
                "function envoy_on_request(h) h:respond({[':status'] = '403'}, 'no') end",
            )
            .gets(403),
            "403",
            "lua_response",
        )
        .because(&["filter=lua", "details=lua_response"]),
        replies(
            lua(
                "policy/lua_maintenance",
                "the same answers 503",
                "function envoy_on_request(h) h:respond({[':status'] = '503'}, 'later') end",
            )
            .gets(503),
            "503",
            "lua_response",
        ),
        replies(
            Scenario::new("policy/lua_refuses_http2", "the same for HTTP/2", {
                self::lua("function envoy_on_request(h) h:respond({[':status'] = '403'}, 'no') end")
            })
            .server("backend", PLAIN)
            .curl(&["--http2-prior-knowledge", "http://127.0.0.1:{listener:http}/"])
            .gets(403),
            "403",
            "lua_response",
        ),
        lua(
            "policy/lua_answers",
            "healthy: Lua code answers 200",
            "function envoy_on_request(h) h:respond({[':status'] = '200'}, 'ok') end",
        )
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("details", "lua_response")]),
        lua(
            "policy/lua_redirects",
            "healthy: Lua code sends the client elsewhere",
            "function envoy_on_request(h) h:respond({[':status'] = '302', ['location'] = '/x'}, '') end",
        )
        .gets(302)
        .logs(Log::Http, &[("code", "302"), ("details", "lua_response")]),
        passes(lua(
            "policy/lua_fails",
            "healthy: Lua code with an error lets requests pass",
            "function envoy_on_request(h) error('no') end",
        )),
        lua("policy/lua_breaks_request", "Lua code takes away what HTTP needs", removes)
            .gets(503)
            .logs(Log::Http, &[("details", "filter_removed_required_request_headers*")])
            .names(Cause::FilterRejected, Certain)
            .side(Side::Mesh),
    ]
}

/// Another Wasm plugin: what it calls on request headers.
fn plugin(call: &str, policy: &str) -> Proxy {
    let module = format!(
        r#"(module
            (import "env" "proxy_send_local_response"
                (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 16) "blocked by rule")
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {call}))"#
    );
    let module = wat::parse_str(module).expect("a module");
    let typed = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {"name": "plugin", "failure_policy": policy, "vm_config": {
            "vm_id": "plugin", "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"inline_bytes": base64(&module)}},
        }},
    });
    let filter = json!({"name": "plugin", "typed_config": typed});
    Proxy::new([Listener::http("http", all_to("backend")).raw_http_filter(filter)], [backend()])
}

/// As JSON has bytes of a protobuf.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at > three.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

fn plugins() -> Vec<Scenario> {
    let answers = |details: &str| {
        format!(
            "(drop (call $reply (i32.const 403) (i32.const 16) (i32.const {details}) (i32.const 16) (i32.const 7) \
             (i32.const 0) (i32.const 0) (i32.const -1))) (i32.const 1)"
        )
    };
    vec![
        asked(
            "policy/wasm_refuses",
            "another Wasm plugin, a WAF, answers 403",
            plugin(&answers("0"), "FAIL_OPEN"),
        )
        .gets(403)
        .logs(Log::Http, &[("code", "403"), ("flags", "-"), ("details", "")])
        .names(Cause::FilterRejected, Likely),
        asked(
            "policy/wasm_refuses_saying",
            "the same with words of its own",
            plugin(&answers("15"), "FAIL_OPEN"),
        )
        .gets(403)
        .logs(Log::Http, &[("code", "403"), ("flags", "-"), ("details", "blocked_by_rule")])
        .names(Cause::FilterRejected, Possible)
        .never_shows("\"evidence\":\"details=blocked"),
        asked(
            "policy/wasm_crashes",
            "another Wasm plugin crashes, and fails closed",
            plugin("unreachable", "FAIL_CLOSED"),
        )
        .logs(Log::Http, &[("details", "wasm_fail_stream")])
        .gets(503)
        .names(Cause::FilterRejected, Certain)
        .side(Side::Mesh)
        .another_vm_crashes(),
        asked(
            "policy/wasm_crashes_open",
            "the same fails open: the request that it crashed on fails, later ones pass",
            plugin("unreachable", "FAIL_OPEN"),
        )
        .client(Client::CurlTimes(2, ASK))
        .logs(Log::Http, &[("code", "503"), ("details", "wasm_fail_stream")])
        .gets(200)
        .names(Cause::FilterRejected, Certain)
        .side(Side::Mesh)
        .another_vm_crashes(),
        passes(asked(
            "policy/wasm_lets_pass",
            "healthy: it lets all pass",
            plugin("(i32.const 0)", "FAIL_CLOSED"),
        )),
    ]
}

fn processors() -> Vec<Scenario> {
    let processor = |more: Value| {
        let config = json!({
            "grpc_service": {"envoy_grpc": {"cluster_name": "policy"}, "timeout": "1s"}, "message_timeout": "0.3s",
            "processing_mode": {"request_header_mode": "SEND"},
        });
        let kind = "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor";
        let listener =
            Listener::http("http", all_to("backend")).http_filter("ext_proc", kind, with(config, more));
        Proxy::new([listener], [backend(), with(cluster("policy", "policy"), http2())])
    };
    let ask = |name, about, server| asked(name, about, processor(json!({}))).server("policy", server);
    // ProcessingResponse { immediate_response { status { code: 403 }, details } }
    let immediate = |details: &[u8]| {
        let details = if details.is_empty() { Vec::new() } else { bytes(5, details) };
        let answer = bytes(7, [bytes(1, number(1, 403)), details].concat());
        Server::Http2(Http2::GrpcSays(answer.leak()))
    };
    let failed = |scenario| replies(scenario, "500", "ext_proc_error*").gets(500).side(Side::Platform);
    vec![
        failed(ask("policy/ext_proc_down", "nobody listens at the external processor", Server::Nobody))
            .because(&["filter=ext_proc"]),
        failed(ask("policy/ext_proc_fails", "it fails", Server::Http2(Http2::GrpcRefuses("13")))),
        ask("policy/ext_proc_silent", "it takes too long", Server::Http2(Http2::GrpcSilent))
            .gets(504)
            .logs(Log::Http, &[("code", "504"), ("details", "ext_proc_error*")])
            .names(Cause::FilterRejected, Certain)
            .side(Side::Platform),
        ask("policy/ext_proc_refuses", "it answers 403 itself", immediate(b""))
            .gets(403)
            .logs(Log::Http, &[("code", "403")])
            .names(Cause::FilterRejected, Likely),
        ask(
            "policy/ext_proc_refuses_saying",
            "the same with words of its own",
            immediate(b"quota of tenant"),
        )
        .gets(403)
        .logs(Log::Http, &[("code", "403"), ("details", "quota_of_tenant")])
        .names(Cause::FilterRejected, Possible),
        passes(
            asked("policy/ext_proc_fails_open", "healthy: without it requests pass", {
                processor(json!({"failure_mode_allow": true}))
            })
            .server("policy", Server::Nobody),
        ),
    ]
}

const ALWAYS: fn() -> Value = || json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});

/// What browsers meet.
fn browsers() -> Vec<Scenario> {
    let csrf = |name, about, origin: &'static str| {
        let client: &'static [&'static str] = Box::leak(Box::new([
            "-X",
            "POST",
            "-H",
            origin,
            "-H",
            "Host: shop.example",
            "http://127.0.0.1:{listener:http}/",
        ]));
        asked(name, about, filtered("csrf", "csrf.v3.CsrfPolicy", json!({"filter_enabled": ALWAYS()})))
            .curl(client)
    };
    let cors = |name, about, forward: bool, origin: &'static str| {
        let hosts = json!([with(
            vhost("all", &["*"], vec![route("/", "backend")]),
            json!({"typed_per_filter_config": {"envoy.filters.http.cors": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
                "allow_origin_string_match": [{"exact": "http://shop.example"}],
                "forward_not_matching_preflights": forward,
            }}})
        )]);
        let kind = "envoy.extensions.filters.http.cors.v3.Cors";
        let proxy =
            Proxy::new([Listener::http("http", hosts).http_filter("cors", kind, json!({}))], [backend()]);
        let client: &'static [&'static str] = Box::leak(Box::new([
            "-X",
            "OPTIONS",
            "-H",
            origin,
            "-H",
            "Access-Control-Request-Method: GET",
            "http://127.0.0.1:{listener:http}/",
        ]));
        asked(name, about, proxy).curl(client)
    };
    vec![
        replies(
            csrf("policy/csrf_refuses", "a form of another site", "Origin: http://evil.example").gets(403),
            "403",
            "csrf_origin_mismatch",
        )
        .because(&["filter=csrf"]),
        passes(csrf("policy/csrf_passes", "healthy: a form of its own", "Origin: http://shop.example")),
        cors(
            "policy/cors_preflight",
            "healthy: a preflight that is allowed",
            false,
            "Origin: http://shop.example",
        )
        .gets(200)
        .logs(Log::Http, &[("code", "200")]),
        cors(
            "policy/cors_preflight_refused",
            "healthy: a preflight from elsewhere goes without permission",
            false,
            "Origin: http://evil.example",
        )
        .logs(Log::Http, &[]),
        cors(
            "policy/cors_preflight_forwarded",
            "healthy: the application answers the preflight",
            true,
            "Origin: http://evil.example",
        )
        .gets(200)
        .logs(Log::Http, &[("details", "via_upstream")]),
    ]
}

fn credentials() -> Vec<Scenario> {
    let basic = || {
        filtered(
            "basic_auth",
            "basic_auth.v3.BasicAuth",
            json!({
            "users": {"inline_string": "user:{SHA}qvTGHdzF6KLavt4PO0gs2a6pQ00="}}),
        )
    };
    let keys = || {
        filtered(
            "api_key_auth",
            "api_key_auth.v3.ApiKeyAuth",
            json!({
            "credentials": [{"key": "known", "client": "somebody"}], "key_sources": [{"header": "x-key"}]}),
        )
    };
    let oauth2 = || {
        let proxy = filtered(
            "oauth2",
            "oauth2.v3.OAuth2",
            json!({"config": {
                "token_endpoint": {"cluster": "backend", "uri": "http://127.0.0.1/token", "timeout": "1s"},
                "authorization_endpoint": "http://login.example/authorize",
                "redirect_uri": "http://%REQ(:authority)%/callback",
                "redirect_path_matcher": {"path": {"exact": "/callback"}},
                "signout_path": {"path": {"exact": "/signout"}},
                "credentials": {"client_id": "shop", "token_secret": {"name": "token"}, "hmac_secret": {"name": "hmac"}},
            }}),
        );
        let secret = |name: &str| json!({"name": name, "generic_secret": {"secret": {"inline_string": "x"}}});
        proxy.patch(json!({"static_resources": {"secrets": [secret("token"), secret("hmac")]}}))
    };
    vec![
        replies(
            asked("policy/basic_auth_missing", "no user and password", basic()).gets(401),
            "401",
            "no_credential_for_basic_auth",
        )
        .because(&["filter=basic_auth"])
        .side(Side::Downstream),
        replies(
            asked("policy/basic_auth_wrong", "a wrong password", basic())
                .curl(&["-u", "user:no", "http://127.0.0.1:{listener:http}/"])
                .gets(401),
            "401",
            "invalid_credential_for_basic_auth",
        )
        .side(Side::Downstream),
        replies(
            Scenario::new("policy/basic_auth_grpc", "for gRPC the refusal comes with status 200", basic())
                .server("backend", PLAIN)
                .client(Client::Http2("http", Ask::Grpc))
                .says("grpc-status: 16"),
            "200",
            "no_credential_for_basic_auth",
        )
        .side(Side::Downstream),
        replies(asked("policy/api_key_missing", "no API key", keys()).gets(401), "401", "missing_api_key")
            .side(Side::Downstream),
        replies(
            asked("policy/api_key_wrong", "an API key that nobody knows", keys())
                .curl(&["-H", "x-key: wrong", "http://127.0.0.1:{listener:http}/"])
                .gets(401),
            "401",
            "unk*",
        )
        .side(Side::Downstream),
        passes(asked("policy/api_key", "healthy: a known API key", keys()).curl(&[
            "-H",
            "x-key: known",
            "http://127.0.0.1:{listener:http}/",
        ])),
        asked("policy/oauth2_login", "healthy: a browser is sent to the login", oauth2())
            .gets(302)
            .logs(Log::Http, &[("code", "302")]),
        asked("policy/oauth2_callback", "a callback that doesn't belong to a login", oauth2())
            .curl(&["http://127.0.0.1:{listener:http}/callback?code=x&state=y"])
            .gets(401)
            .logs(Log::Http, &[("code", "401")])
            .names(Cause::FilterRejected, Possible),
    ]
}

/// Filters that look at how the upstream fares.
/// A filter that turns requests away while the upstream fails too many.
fn shedding() -> Vec<Scenario> {
    let kind = "envoy.extensions.filters.http.admission_control.v3.AdmissionControl";
    let config = json!({
        "enabled": {"default_value": true, "runtime_key": "a"},
        "sampling_window": "60s",
        "sr_threshold": {"default_value": {"value": 95.0}, "runtime_key": "b"},
        "aggression": {"default_value": 1000.0, "runtime_key": "c"},
        "max_rejection_probability": {"default_value": {"value": 100.0}, "runtime_key": "d"},
        "success_criteria": {"http_criteria": {"http_success_status": [{"start": 100, "end": 400}]}},
    });
    let proxy = || {
        Proxy::new(
            [Listener::http("http", all_to("backend")).http_filter(
                "admission_control",
                kind,
                config.clone(),
            )],
            [backend()],
        )
    };
    vec![
        Scenario::new("policy/admission_control", "the upstream failed too often, and is asked no more", proxy())
            .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 200; } location /bad { return 404; }"))
            .client(Client::Program(
                "sh",
                "dash",
                &["-c", "curl -sS -o /dev/null http://127.0.0.1:{listener:http}/bad; curl -sS -i http://127.0.0.1:{listener:http}/"],
                "",
            ))
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("flags", "-"), ("details", "denied_by_admission_control")])
            .names(Cause::FilterRejected, Certain)
            .because(&["filter=admission_control"])
            .side(Side::Upstream),
        passes(Scenario::new("policy/admission_control_passes", "healthy: the upstream works", proxy()).server("backend", PLAIN).curl(ASK)),
    ]
}

/// Filters that put something into requests or answers, and can't.
fn rewriting() -> Vec<Scenario> {
    let kind = |filter: &str| format!("envoy.extensions.filters.http.{filter}");
    let injector = || {
        let listener = Listener::http("http", all_to("backend")).http_filter("credential_injector", &kind("credential_injector.v3.CredentialInjector"), json!({
            "credential": {"name": "generic", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
                "credential": {"name": "token", "sds_config": {"resource_api_version": "V3", "initial_fetch_timeout": "0.1s", "api_config_source": {
                    "api_type": "GRPC", "transport_api_version": "V3",
                    "grpc_services": [{"envoy_grpc": {"cluster_name": "control"}}],
                }}},
                "header": "authorization",
            }},
        }));
        Proxy::new([listener], [backend(), with(cluster("control", "control"), http2())])
    };
    let on_demand = || {
        let route = json!({"match": {"prefix": "/"}, "route": {"cluster_header": "x-cluster"}});
        let source = json!({"resource_api_version": "V3", "api_config_source": {
            "api_type": "DELTA_GRPC", "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": "control"}}],
        }});
        Proxy::new(
            [Listener::http("http", json!([vhost("all", &["*"], vec![route])])).http_filter(
                "on_demand",
                &kind("on_demand.v3.OnDemand"),
                json!({"odcds": {"source": source, "timeout": "0.3s"}}),
            )],
            [with(cluster("control", "control"), http2())],
        )
    };
    let redirected = |replaces: &str, uri: &str, status: u16| {
        let policy = json!({
            "@type": "type.googleapis.com/envoy.extensions.http.custom_response.redirect_policy.v3.RedirectPolicy",
            "uri": uri, "status_code": status,
        });
        let matcher = json!({"matcher_list": {"matchers": [{
            "predicate": {"single_predicate": {
                "input": {"name": "status", "typed_config": {
                    "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpResponseStatusCodeMatchInput"}},
                "value_match": {"exact": replaces},
            }},
            "on_match": {"action": {"name": "action", "typed_config": policy}},
        }]}});
        let routes = json!([
            vhost("other", &["pages.example"], vec![direct("/known", 200, "sorry")]),
            vhost("all", &["*"], vec![route("/", "backend")]),
        ]);
        Proxy::new(
            [Listener::http("http", routes).http_filter(
                "custom_response",
                &kind("custom_response.v3.CustomResponse"),
                json!({"custom_response_matcher": matcher}),
            )],
            [backend()],
        )
    };
    let failing = Server::Nginx("listen 127.0.0.1:{port}; location / { return 503; }");
    vec![
        asked(
            "policy/credential_missing",
            "the secret that a filter puts into requests isn't there",
            injector(),
        )
        .server("control", Server::Nobody)
        .gets(401)
        .logs(Log::Http, &[("code", "401"), ("details", "failed_to_inject_credential")])
        .names(Cause::FilterRejected, Certain)
        .because(&["filter=credential_injector"])
        .side(Side::Mesh),
        Scenario::new(
            "policy/on_demand_missing",
            "a cluster that the control plane is asked for, and nobody answers",
            on_demand(),
        )
        .server("control", Server::Nobody)
        .curl(&["-H", "x-cluster: late", "http://127.0.0.1:{listener:http}/"])
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("flags", "NC"), ("details", "cluster_not_found")])
        .names(Cause::ClusterMissing, Certain),
        Scenario::new(
            "policy/custom_response_elsewhere",
            "an error page comes from a route that isn't there",
            redirected("503", "http://pages.example/unknown", 503),
        )
        .server("backend", failing)
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("details", "via_upstream")])
        .names(Cause::ApplicationError, Certain),
        Scenario::new(
            "policy/custom_response",
            "healthy: a page in the place of a 404, which two lines tell of",
            redirected("404", "http://pages.example/known", 404),
        )
        .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 404; }"))
        .curl(ASK)
        .gets(404)
        .logs(Log::Http, &[("code", "404")])
        .times(2),
    ]
}

fn loads() -> Vec<Scenario> {
    let kind = |filter: &str| format!("envoy.extensions.filters.http.{filter}");
    let adaptive = || {
        let delay = json!({"delay": {"fixed_delay": "0.5s", "percentage": {"numerator": 100}}});
        let listener = Listener::http("http", all_to("backend"))
            .http_filter("adaptive_concurrency", &kind("adaptive_concurrency.v3.AdaptiveConcurrency"), json!({
                "enabled": {"default_value": true, "runtime_key": "a"},
                "gradient_controller_config": {
                    "concurrency_limit_params": {"concurrency_update_interval": "10s"},
                    "min_rtt_calc_params": {"interval": "60s", "request_count": 100, "min_concurrency": 1},
                },
            }))
            .http_filter("fault", &kind("fault.v3.HTTPFault"), delay);
        Proxy::new([listener], [backend()])
    };
    let health = json!({"pass_through_mode": false, "cluster_min_healthy_percentages": {"nobody": {"value": 90}},
        "headers": [{"name": ":path", "string_match": {"exact": "/"}}]});
    let loop_of = |name, about, header: &'static str| {
        let client: &'static [&'static str] =
            Box::leak(Box::new(["-H", header, "http://127.0.0.1:{listener:http}/"]));
        asked(
            name,
            about,
            filtered("cdn_loop", "cdn_loop.v3.CdnLoopConfig", json!({"cdn_id": "edge.example"})),
        )
        .curl(client)
    };
    vec![
        Scenario::new(
            "policy/adaptive_concurrency",
            "more at once than the upstream is found to take",
            adaptive(),
        )
        .server("backend", PLAIN)
        .client(Client::CurlAtOnce(2, ASK))
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("details", "reached_concurrency_limit")])
        .names(Cause::FilterRejected, Certain)
        .because(&["filter=adaptive_concurrency"])
        .side(Side::Mesh),
        asked(
            "policy/health_check_of_clusters",
            "a health check looks at a cluster that isn't there",
            filtered("health_check", "health_check.v3.HealthCheck", health),
        )
        .gets(503)
        .logs(Log::Http, &[("code", "503"), ("flags", "LH"), ("details", "health_check_failed_*")])
        .names(Cause::FilterRejected, Certain)
        .side(Side::Upstream),
        replies(
            loop_of("policy/cdn_loop", "the request comes back to where it was", "CDN-Loop: edge.example")
                .gets(502),
            "502",
            "cdn_loop_detected",
        ),
        passes(loop_of(
            "policy/cdn_loop_of_others",
            "healthy: it passed another CDN",
            "CDN-Loop: other.example",
        )),
    ]
}

fn grpc() -> Vec<Scenario> {
    let transcoder = json!({
        "proto_descriptor_bin": base64(&descriptor()), "services": ["s.S"], "auto_mapping": true,
        "request_validation_options": {"reject_unknown_method": true, "reject_unknown_query_parameters": true},
    });
    let transcoder =
        || filtered("grpc_json_transcoder", "grpc_json_transcoder.v3.GrpcJsonTranscoder", transcoder.clone());
    let post = |name, about, proxy, client: &'static [&'static str]| {
        Scenario::new(name, about, proxy).server("backend", PLAIN).curl(client)
    };
    vec![
        replies(
            post(
                "policy/transcoder_bad_json",
                "JSON that doesn't fit the proto file",
                transcoder(),
                &[
                    "-H",
                    "Content-Type: application/json",
                    "-d",
                    "{\"a\": nope}",
                    "http://127.0.0.1:{listener:http}/s.S/Call",
                ],
            )
            .gets(400),
            "400",
            "grpc_json_transcode_failure*",
        )
        .because(&["filter=grpc_json_transcoder"]),
        replies(
            post(
                "policy/transcoder_unknown_method",
                "a path that no method has",
                transcoder(),
                &[
                    "-H",
                    "Content-Type: application/json",
                    "-d",
                    "{}",
                    "http://127.0.0.1:{listener:http}/s.S/None",
                ],
            )
            .gets(404),
            "404",
            "early_grpc_json_transcode_failure*",
        ),
        replies(
            post(
                "policy/grpc_web_bad_base64",
                "a gRPC-Web body that is no base64",
                filtered("grpc_web", "grpc_web.v3.GrpcWeb", json!({})),
                &[
                    "-H",
                    "Content-Type: application/grpc-web-text",
                    "-d",
                    "no base64 at all!!!!",
                    "http://127.0.0.1:{listener:http}/s.S/Call",
                ],
            )
            .gets(400),
            "400",
            "grpc_base_64_decode_failed*",
        )
        .side(Side::Downstream),
    ]
}

fn bodies() -> Vec<Scenario> {
    const LONG: Server = Server::Made(Habit::Answer(LONG_ANSWER));
    const LONG_ANSWER: &[u8] = &{
        let head = *b"HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n";
        let mut all = [b'x'; 60_000 + 42];
        let mut at = 0;
        while at < head.len() {
            all[at] = head[at];
            at += 1;
        }
        all
    };
    let reads = || {
        let code = "function envoy_on_response(h) h:body() end";
        let kind = "envoy.extensions.filters.http.lua.v3.Lua";
        let listener = Listener::http("http", all_to("backend"))
            .http_filter("lua", kind, json!({"default_source_code": {"inline_string": code}}))
            .patch(json!({"per_connection_buffer_limit_bytes": 1024}));
        Proxy::new([listener], [with(backend(), json!({"per_connection_buffer_limit_bytes": 1024}))])
    };
    let files = json!({"manager_config": {"thread_pool": {"thread_count": 1}},
        "path_mappings": [{"request_path_prefix": "/", "file_path_prefix": "{pki}/"}]});
    let hosts = json!([vhost("all", &["*"], vec![direct("/", 200, "ok")])]);
    vec![
        asked("policy/long_answer_read_whole", "a filter reads whole answers, and one is too long", reads())
            .server("backend", LONG)
            .logs(Log::Http, &[("details", "response_payload_too_large")])
            .gets(500)
            .names(Cause::FilterRejected, Certain)
            .side(Side::Mesh)
            .another_vm_crashes(),
        passes(asked("policy/short_answer_read_whole", "healthy: the same with a short one", reads())),
        Scenario::new("policy/file_server_missing", "a file that isn't there", {
            let kind = "envoy.extensions.filters.http.file_server.v3.FileServerConfig";
            Proxy::new([Listener::http("http", hosts).http_filter("file_server", kind, files)], [])
        })
        .curl(&["http://127.0.0.1:{listener:http}/none"])
        .gets(404)
        .logs(Log::Http, &[("code", "404"), ("details", "file_server_*")])
        .names(Cause::FilterRejected, Certain)
        .since(40),
        replies(
            asked("policy/mcp_refuses", "a request that is no MCP", {
                filtered("mcp", "mcp.v3.Mcp", json!({"traffic_mode": "REJECT_NO_MCP"}))
            })
            .curl(&["-d", "x", "http://127.0.0.1:{listener:http}/"])
            .gets(400),
            "400",
            "mcp_*",
        )
        .side(Side::Downstream)
        .since(40),
    ]
}
