//! What clients meet: CORS, CSRF, logins and credentials.

use meshwhy::causes::{Cause, Side};
use meshwhy::diagnosis::Confidence::Possible;
use serde_json::{Value, json};

use super::{passes, replies};
use crate::harness::client::Client;
use crate::harness::client::http2::Ask;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{route, vhost, with};
use crate::scenarios::common::{PLAIN, backend};
use crate::scenarios::policy::{asked, filtered};
use crate::scenarios::scenario::{Log, Scenario};

const ALWAYS: fn() -> Value = || json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});

/// What browsers meet.
pub(super) fn browsers() -> Vec<Scenario> {
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

pub(super) fn credentials() -> Vec<Scenario> {
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
