//! Filters that let a request pass or not.

use serde_json::json;

use super::asks::{bearer, get, post, twice};
use super::protobuf::{bytes, leaked, number};
use super::{Case, filtered, listener, oauth2, plugin, to};
use crate::harness::envoy::config::Listener;
use crate::harness::envoy::parts::{route, vhost, with};
use crate::harness::peers::{Habit, Http2, Server};

pub(super) fn cases() -> Vec<Case> {
    [external(), tokens(), own(), limits()].into_iter().flatten().collect()
}

fn external() -> Vec<Case> {
    let authz = |name, service| {
        filtered(
            name,
            "ext_authz",
            "ext_authz.v3.ExtAuthz",
            with(json!({"transport_api_version": "V3"}), service),
        )
    };
    let by_grpc =
        |cluster: &str| json!({"grpc_service": {"envoy_grpc": {"cluster_name": cluster}, "timeout": "4s"}});
    let by_http = |cluster: &str| {
        json!({"http_service": {"server_uri": {
        "uri": "http://127.0.0.1", "cluster": cluster, "timeout": "4s"}}})
    };
    // CheckResponse { status { code, message }, denied_response { status { code }, headers, body }
    // }
    let header = bytes(1, [bytes(1, "x-denied"), bytes(2, "s3cr3tmark-header")].concat());
    let denied = [bytes(1, number(1, 403)), bytes(2, header), bytes(3, "s3cr3tmark-body")].concat();
    let says_no =
        [bytes(1, [number(1, 7), bytes(2, "s3cr3tmark-status")].concat()), bytes(2, denied)].concat();
    const NO: &[u8] =
        b"HTTP/1.1 403 s3cr3tmark\r\nx-denied: s3cr3tmark\r\ncontent-length: 10\r\n\r\ns3cr3tmark";
    const BROKEN: &[u8] = b"HTTP/1.1 500 s3cr3tmark\r\ncontent-length: 10\r\n\r\ns3cr3tmark";
    let process = |name, cluster: &str| {
        filtered(
            name,
            "ext_proc",
            "ext_proc.v3.ExternalProcessor",
            json!({
                "grpc_service": {"envoy_grpc": {"cluster_name": cluster}, "timeout": "4s"}, "message_timeout": "4s",
                "processing_mode": {"request_header_mode": "SEND"},
            }),
        )
    };
    // ProcessingResponse { immediate_response { status { code }, body, details } }
    let immediate =
        [bytes(1, number(1, 403)), bytes(3, "s3cr3tmark-body"), bytes(5, "s3cr3tmark-ext-proc-denies token")];
    let immediate = bytes(7, immediate.concat());
    vec![
        Case::new("authz-grpc", authz("authz-grpc", by_grpc("authz-grpc")), get, "ext_authz_denied")
            .http2("authz-grpc", Server::Http2(Http2::GrpcSays(leaked(says_no)))),
        Case::new(
            "authz-grpc-fails",
            authz("authz-grpc-fails", by_grpc("authz-grpc-fails")),
            get,
            "ext_authz_error",
        )
        .http2("authz-grpc-fails", Server::Http2(Http2::GrpcRefusesSaying("13", "s3cr3tmark-message"))),
        Case::new("authz-http", authz("authz-http", by_http("authz-http")), get, "ext_authz_denied")
            .server("authz-http", Server::Made(Habit::AnswerAndKeep(NO))),
        Case::new(
            "authz-http-fails",
            authz("authz-http-fails", by_http("authz-http-fails")),
            get,
            "ext_authz_error",
        )
        .server("authz-http-fails", Server::Made(Habit::AnswerAndKeep(BROKEN))),
        Case::new(
            "ext-proc-denies",
            process("ext-proc-denies", "ext-proc-denies"),
            get,
            "s3cr3tmark-ext-proc-denies",
        )
        .http2("ext-proc-denies", Server::Http2(Http2::GrpcSays(leaked(immediate)))),
        Case::new("ext-proc-fails", process("ext-proc-fails", "ext-proc-fails"), get, "ext_proc")
            .http2("ext-proc-fails", Server::Http2(Http2::GrpcRefusesSaying("13", "s3cr3tmark-message"))),
    ]
}

fn tokens() -> Vec<Case> {
    let jwt = |name, provider| {
        filtered(
            name,
            "jwt_authn",
            "jwt_authn.v3.JwtAuthentication",
            json!({
                "providers": {"p": with(json!({"issuer": "https://issuer.example"}), provider)},
                "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "p"}}],
            }),
        )
    };
    let local = json!({"local_jwks": {"inline_string": "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"c2VjcmV0\"}]}"}});
    let remote = json!({"remote_jwks": {
        "http_uri": {"uri": "http://127.0.0.1/keys", "cluster": "keys", "timeout": "4s"}, "cache_duration": "60s"}});
    const KEYS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n{\"keys\": \"s3cr3tmark\"";
    vec![
        Case::new("jwt", jwt("jwt", local), bearer, "jwt_authn_access_denied{"),
        Case::new("jwt-keys", jwt("jwt-keys", remote), |at| {
            // {"alg":"HS256","kid":"s3cr3tmark"}.{"iss":"https://issuer.example","sub":"s3cr3tmark","exp":4102444800}
            let token = "eyJhbGciOiJIUzI1NiIsImtpZCI6InMzY3IzdG1hcmsifQ.\
                         eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwic3ViIjoiczNjcjN0bWFyayIsImV4cCI6NDEwMjQ0NDgwMH0.c2VjcmV0";
            let header = format!("authorization: Bearer {token}\r\n");
            at.exchange(at.request("GET", "/", &header, "")).map(drop)
        }, "jwt_authn_access_denied{Jwks")
        .server("keys", Server::Made(Habit::AnswerAndKeep(KEYS))),
        Case::new("oauth2-state", oauth2::listener("oauth2-state", "token-state"), oauth2::wrong_state, "s3cr3tmark-oauth2-state")
            .server("token-state", Server::Nobody),
        Case::new("oauth2-token", oauth2::listener("oauth2-token", "token"), oauth2::failing_token, "s3cr3tmark-oauth2-token")
            .server("token", oauth2::token_endpoint()),
    ]
}

/// What the proxy decides by itself.
fn own() -> Vec<Case> {
    let rbac = |policy: &str| {
        json!({"rules": {"action": "DENY", "policies": {policy: {
        "permissions": [{"any": true}], "principals": [{"any": true}]}}}})
    };
    let tcp_rbac = json!({"name": "rbac", "typed_config": with(rbac("the s3cr3tmark of a policy"), json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC", "stat_prefix": "r"}))});
    let always = json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});
    vec![
        Case::new("rbac-name", filtered("rbac-name", "rbac", "rbac.v3.RBAC", rbac("s3cr3tmark-rbac-name of a policy")), get, "rbac_access_denied"),
        Case::new("rbac-tcp", Listener::tcp("rbac-tcp", "backend").raw_network_filter(tcp_rbac), get, "rbac_access_denied"),
        Case::new("csrf", filtered("csrf", "csrf", "csrf.v3.CsrfPolicy", json!({"filter_enabled": always})), |at| {
            let header = format!("origin: http://{}\r\n", at.secret());
            at.exchange(at.request("POST", "/", &header, "x")).map(drop)
        }, "csrf_origin_mismatch"),
        Case::new("cors", to("cors", json!([with(vhost("all", &["*"], vec![route("/", "backend")]), json!({
            "typed_per_filter_config": {"envoy.filters.http.cors": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
                "allow_origin_string_match": [{"safe_regex": {"regex": ".*"}}], "forward_not_matching_preflights": false,
        }}}))])).http_filter("cors", "envoy.extensions.filters.http.cors.v3.Cors", json!({})), |at| {
            let header = format!("origin: http://{0}\r\naccess-control-request-method: {0}\r\n", at.secret());
            at.exchange(at.request("OPTIONS", "/", &header, "")).map(drop)
        }, "cors_response"),
        Case::new("basic-auth", filtered("basic-auth", "basic_auth", "basic_auth.v3.BasicAuth", json!({
            "users": {"inline_string": "user:{SHA}qvTGHdzF6KLavt4PO0gs2a6pQ00="}})), |at| {
            // s3cr3tmark:s3cr3tmark
            at.exchange(at.request("GET", "/", "authorization: Basic czNjcjN0bWFyazpzM2NyM3RtYXJr\r\n", ""))?;
            bearer(at)
        }, "_for_basic_auth"),
        Case::new("api-key", filtered("api-key", "api_key_auth", "api_key_auth.v3.ApiKeyAuth", json!({
            "credentials": [{"key": "known", "client": "somebody"}], "key_sources": [{"header": "x-secret"}]})), get, "_api_key"),
        Case::new("plugin", listener("plugin").raw_http_filter(plugin::filter()), get, "s3cr3tmark-plugin"),
        Case::new("credential", filtered("credential", "credential_injector", "credential_injector.v3.CredentialInjector", json!({
            "credential": {"name": "generic", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
                "credential": {"name": "s3cr3tmark", "sds_config": {
                    "initial_fetch_timeout": "0.1s", "resource_api_version": "V3",
                    "api_config_source": {"api_type": "GRPC", "transport_api_version": "V3",
                        "grpc_services": [{"envoy_grpc": {"cluster_name": "credential"}}]}}},
        }}})), get, "failed_to_inject_credential").http2("credential", Server::Nobody),
    ]
}

fn limits() -> Vec<Case> {
    let limited = |name, cluster: &str| {
        let by_header = json!({"actions": [{"request_headers": {"header_name": "x-secret", "descriptor_key": "secret"}}]});
        let routed = with(route("/", "backend"), json!({"route": {"rate_limits": [by_header]}}));
        to(name, json!([vhost("all", &["*"], vec![routed])])).http_filter("ratelimit", "envoy.extensions.filters.http.ratelimit.v3.RateLimit", json!({
            "domain": "d", "timeout": "4s", "failure_mode_deny": true, "rate_limit_service": {
                "transport_api_version": "V3", "grpc_service": {"envoy_grpc": {"cluster_name": cluster}, "timeout": "4s"}},
        }))
    };
    // RateLimitResponse { overall_code: OVER_LIMIT, response_headers_to_add, raw_body }
    let header = bytes(3, [bytes(1, "x-limited"), bytes(2, "s3cr3tmark-header")].concat());
    let over = [number(1, 2), header, bytes(5, "s3cr3tmark-body")].concat();
    let local = filtered(
        "local-limit",
        "local_ratelimit",
        "local_ratelimit.v3.LocalRateLimit",
        json!({
            "stat_prefix": "l", "token_bucket": {"max_tokens": 1, "fill_interval": "3600s"},
            "filter_enabled": {"default_value": {"numerator": 100}}, "filter_enforced": {"default_value": {"numerator": 100}},
            "response_headers_to_add": [{"header": {"key": "x-limited", "value": "s3cr3tmark %REQ(x-secret)%"}}],
        }),
    );
    let buffer = filtered("buffer", "buffer", "buffer.v3.Buffer", json!({"max_request_bytes": 5}));
    vec![
        Case::new("limit", limited("limit", "limits"), get, "request_rate_limited")
            .http2("limits", Server::Http2(Http2::GrpcSays(leaked(over)))),
        Case::new("limit-fails", limited("limit-fails", "limits-fail"), get, "rate_limiter_error")
            .http2("limits-fail", Server::Http2(Http2::GrpcRefusesSaying("13", "s3cr3tmark-message"))),
        Case::new("local-limit", local, twice, "local_rate_limited"),
        Case::new("buffer", buffer, post, "request_payload_too_large"),
    ]
}
