//! Filters that run others' code: Lua, Wasm, external processors.

use meshwhy::causes::{Cause, Side};
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::{Value, json};

use super::{base64, passes, replies};
use crate::harness::client::Client;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_to, cluster, http2, with};
use crate::harness::peers::{Http2, Server};
use crate::hostile::secrets::protobuf::{bytes, number};
use crate::scenarios::common::{ASK, PLAIN, backend};
use crate::scenarios::policy::{asked, filtered};
use crate::scenarios::scenario::{Log, Scenario};

fn lua(code: &str) -> Proxy {
    filtered("lua", "lua.v3.Lua", json!({"default_source_code": {"inline_string": code}}))
}

pub(super) fn scripts() -> Vec<Scenario> {
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

pub(super) fn plugins() -> Vec<Scenario> {
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

pub(super) fn processors() -> Vec<Scenario> {
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
