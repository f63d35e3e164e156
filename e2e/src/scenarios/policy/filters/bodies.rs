//! Filters that read, convert or replace bodies and headers.

use meshwhy::causes::{Cause, Side};
use meshwhy::diagnosis::Confidence::Certain;
use serde_json::json;

use super::{base64, passes, replies};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_to, cluster, direct, http2, route, vhost, with};
use crate::harness::peers::{Habit, Server};
use crate::hostile::secrets::protobuf::descriptor;
use crate::scenarios::common::{ASK, PLAIN, backend};
use crate::scenarios::policy::{asked, filtered};
use crate::scenarios::scenario::{Log, Scenario};

/// Filters that put something into requests or answers, and can't.
pub(super) fn rewriting() -> Vec<Scenario> {
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

pub(super) fn grpc() -> Vec<Scenario> {
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

pub(super) fn bodies() -> Vec<Scenario> {
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
