//! Filters that change or answer requests.

use serde_json::{Value, json};

use super::asks::{get, post};
use super::{Case, filtered, listener, to};
use crate::harness::envoy::parts::{all_by, direct, route, vhost, with};
use crate::harness::peers::{Habit, Server};

pub(super) fn cases() -> Vec<Case> {
    [replies(), bodies(), routes()].into_iter().flatten().collect()
}

fn replies() -> Vec<Case> {
    const LUA: &str = "function envoy_on_request(h)\n\
        local s = h:headers():get('x-secret')\n\
        h:logWarn(s)\n\
        h:respond({[':status'] = '403', ['x-why'] = s}, s)\nend";
    let fault = json!({"abort": {"http_status": 503, "percentage": {"numerator": 100}}});
    // Of answers of the upstream.
    let custom = json!({"custom_response_matcher": {"on_no_match": {"action": {"name": "a", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy",
        "status_code": 503, "body": {"inline_string": "s3cr3tmark"},
        "response_headers_to_add": [{"header": {"key": "x-why", "value": "s3cr3tmark"}}],
    }}}}});
    let reply = json!({"local_reply_config": {"mappers": [{
        "filter": {"status_code_filter": {"comparison": {"op": "GE", "value": {"default_value": 400, "runtime_key": "x"}}}},
        "status_code": 503, "body": {"inline_string": "s3cr3tmark %REQ(x-secret)%"},
        "headers_to_add": [{"header": {"key": "x-why", "value": "s3cr3tmark"}}],
    }]}});
    let mutation = json!({"mutations": {"request_mutations": [{"append": {"header": {"key": "x-more", "value": "s3cr3tmark %REQ(x-secret)%"}}}],
        "response_mutations": [{"append": {"header": {"key": "x-why", "value": "s3cr3tmark"}}}]}});
    vec![
        Case::new("lua", filtered("lua", "lua", "lua.v3.Lua", json!({"default_source_code": {"inline_string": LUA}})), get, "lua_response"),
        Case::new("lua-broken", filtered("lua-broken", "lua", "lua.v3.Lua", json!({"default_source_code": {
            "inline_string": "function envoy_on_request(h)\nerror('s3cr3tmark')\nend"}})), get, "via_upstream"),
        Case::new("fault", filtered("fault", "fault", "fault.v3.HTTPFault", fault), get, "fault_filter_abort"),
        Case::new("custom-response", filtered("custom-response", "custom_response", "custom_response.v3.CustomResponse", custom), get, "503"),
        Case::new("local-reply", to("local-reply", all_by(direct("/", 500, "s3cr3tmark"))).filter(reply), get, "direct_response"),
        Case::new("header-mutation", filtered("header-mutation", "header_mutation", "header_mutation.v3.HeaderMutation", mutation)
            .filter(json!({"route_config": {"virtual_hosts": all_by(route("/", "mutated"))}})), get, "via_upstream")
            .server("mutated", Server::Made(Habit::AnswerAndKeep(FAILS))),
        Case::new("compressor", filtered("compressor", "compressor", "compressor.v3.Compressor", json!({"compressor_library": {
            "name": "gzip", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip"}}}))
            .filter(json!({"route_config": {"virtual_hosts": all_by(route("/", "compressed"))}})), get, "via_upstream")
            .server("compressed", Server::Made(Habit::AnswerAndKeep(FAILS))),
        Case::new("admission", filtered("admission", "admission_control", "admission_control.v3.AdmissionControl", json!({
            "enabled": {"default_value": true, "runtime_key": "a"}, "sampling_window": "30s",
            "sr_threshold": {"default_value": {"value": 95}, "runtime_key": "b"},
            "aggression": {"default_value": 10.0, "runtime_key": "c"},
            "rps_threshold": {"default_value": 0, "runtime_key": "d"},
            "max_rejection_probability": {"default_value": {"value": 99}, "runtime_key": "e"},
            "success_criteria": {"http_criteria": {"http_success_status": [{"start": 100, "end": 400}]}},
        })).filter(json!({"route_config": {"virtual_hosts": all_by(route("/", "admitted"))}})), |at| (0..12).try_for_each(|_| get(at)),
            "denied_by_admission_control")
            .server("admitted", Server::Made(Habit::AnswerAndKeep(FAILS))),
        Case::new("health-check", filtered("health-check", "health_check", "health_check.v3.HealthCheck", json!({
            "pass_through_mode": false, "cluster_min_healthy_percentages": {"nobody": {"value": 90}},
            "headers": [{"name": "x-secret", "present_match": true}]})), get, "health_check_failed"),
        Case::new("cdn-loop", filtered("cdn-loop", "cdn_loop", "cdn_loop.v3.CdnLoopConfig", json!({"cdn_id": "s3cr3tmark.example"})), |at| {
            at.exchange(at.request("GET", "/", "cdn-loop: s3cr3tmark.example\r\n", ""))?;
            at.exchange(at.request("GET", "/", "cdn-loop: {s3cr3tmark\r\n", "")).map(drop)
        }, "cdn_loop"),
    ]
}

const FAILS: &[u8] = b"HTTP/1.1 503 s3cr3tmark\r\nx-why: s3cr3tmark\r\nserver: s3cr3tmark\r\ncontent-type: text/html\r\ncontent-length: 10\r\n\r\ns3cr3tmark";

/// Filters that read bodies.
fn bodies() -> Vec<Case> {
    let metadata = |direction: &str| {
        json!({direction: {"rules": [{"selectors": [{"key": "s3cr3tmark"}], "on_present": {"metadata_namespace": "m", "key": "k"}, "on_error": {
        "metadata_namespace": "m", "key": "k", "value": "s3cr3tmark"}}]}})
    };
    vec![
        Case::new(
            "json-to-metadata",
            filtered(
                "json-to-metadata",
                "json_to_metadata",
                "json_to_metadata.v3.JsonToMetadata",
                metadata("request_rules"),
            )
            .filter(json!({"route_config": {"virtual_hosts": all_by(route("/", "with-json"))}})),
            post,
            "via_upstream",
        )
        .server("with-json", Server::Made(Habit::AnswerAndKeep(FAILS))),
        Case::new(
            "grpc-web",
            filtered("grpc-web", "grpc_web", "grpc_web.v3.GrpcWeb", json!({})),
            |at| {
                let header = "content-type: application/grpc-web-text\r\n";
                at.exchange(at.request("POST", "/s3cr3tmark.Service/Call", header, "s3cr3tmark!!!!!!"))
                    .map(drop)
            },
            "grpc_base_64_decode_failed",
        ),
        Case::new(
            "grpc-bridge",
            filtered(
                "grpc-bridge",
                "grpc_http1_reverse_bridge",
                "grpc_http1_reverse_bridge.v3.FilterConfig",
                json!({"content_type": "application/grpc+proto", "withhold_grpc_frames": true}),
            ),
            |at| {
                at.exchange(at.request(
                    "POST",
                    "/s3cr3tmark",
                    "content-type: application/grpc\r\n",
                    "s3cr3tmark",
                ))
                .map(drop)
            },
            "grpc_bridge",
        ),
        Case::new(
            "transcoder",
            filtered(
                "transcoder",
                "grpc_json_transcoder",
                "grpc_json_transcoder.v3.GrpcJsonTranscoder",
                json!({
                    "proto_descriptor": "{pki}/descriptor.pb", "services": ["s.S"], "auto_mapping": true,
                    "request_validation_options": {"reject_unknown_method": true, "reject_unknown_query_parameters": true},
                }),
            ),
            |at| {
                post(at)?;
                at.exchange(at.request(
                    "POST",
                    "/s.S/Call",
                    "content-type: application/json\r\n",
                    "{\"s3cr3tmark\": s3cr3tmark}",
                ))
                .map(drop)
            },
            "grpc_json_transcode_failure",
        ),
        Case::new(
            "mcp",
            filtered("mcp", "mcp", "mcp.v3.Mcp", json!({"traffic_mode": "REJECT_NO_MCP"})),
            post,
            "mcp_",
        )
        .since(40),
        Case::new(
            "file-server",
            filtered("file-server", "file_server", "file_server.v3.FileServerConfig", file_server()),
            get,
            "file_server_",
        )
        .since(40),
    ]
}

fn file_server() -> Value {
    json!({"manager_config": {"thread_pool": {"thread_count": 1}},
        "path_mappings": [{"request_path_prefix": "/", "file_path_prefix": "{pki}/"}]})
}

/// Routes and clusters that a client can choose.
fn routes() -> Vec<Case> {
    let by_header = json!({"match": {"prefix": "/"}, "route": {"cluster_header": "x-secret"}});
    let cache = json!({"name": "dns", "dns_lookup_family": "V4_ONLY", "dns_query_timeout": "0.3s",
        "typed_dns_resolver_config": {"name": "r", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig"}}});
    let forward = |config: Value| {
        let kind = "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig";
        json!({"lb_policy": "CLUSTER_PROVIDED", "type": null, "load_assignment": null, "connect_timeout": "1s", "cluster_type": {
            "name": "envoy.clusters.dynamic_forward_proxy",
            "typed_config": with(json!({"@type": format!("type.googleapis.com/{kind}")}), config)}})
    };
    let cluster = |name: &str, config| with(json!({"name": name}), forward(config));
    let mut names = Case::new(
        "forward-proxy",
        to("forward-proxy", all_by(route("/", "names"))).http_filter(
            "dynamic_forward_proxy",
            FORWARD,
            json!({"dns_cache_config": cache}),
        ),
        |at| {
            let header = format!("host: {}.invalid\r\n", at.secret());
            at.exchange(at.request("GET", "/", &header, "")).map(drop)
        },
        "dns_resolution_failure",
    );
    names.clusters.push(cluster("names", json!({"dns_cache_config": cache})));
    let mut sub = Case::new(
        "sub-cluster",
        to("sub-cluster", all_by(route("/", "sub"))).http_filter(
            "dynamic_forward_proxy",
            FORWARD,
            json!({"sub_cluster_config": {"cluster_init_timeout": "2s"}}),
        ),
        |at| {
            let header = format!("host: {}.localhost:1\r\n", at.secret());
            at.exchange(at.request("GET", "/", &header, "")).map(drop)
        },
        "503",
    );
    sub.clusters.push(cluster("sub", json!({"sub_clusters_config": {}})));
    vec![
        Case::new("cluster-header", to("cluster-header", all_by(by_header)), get, "cluster_not_found"),
        Case::new("unknown-host", to("unknown-host", nowhere()), get, "route_not_found"),
        Case::new(
            "upgrade",
            listener("upgrade"),
            |at| {
                let header = format!("upgrade: {}\r\n", at.secret());
                let request =
                    at.request("GET", "/", &header, "").replace("connection: close", "connection: upgrade");
                at.exchange(request).map(drop)
            },
            "upgrade_failed",
        ),
        names,
        sub,
    ]
}

const FORWARD: &str = "envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig";

/// No route for any host of these requests.
pub(super) fn nowhere() -> Value {
    json!([vhost("known", &["known.example"], vec![route("/", "backend")])])
}
