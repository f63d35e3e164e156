//! Tokens: a RequestAuthentication, in the form that istiod gives it.

use meshwhy::causes::{Cause, Side};
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::{Value, json};

use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_to, cluster, with};
use crate::harness::peers::Server;
use crate::scenarios::common::{ASK, PLAIN, backend};
use crate::scenarios::scenario::{Log, Scenario};

/// Signed with the key that the proxy knows; `exp` is in 2100.
const GOOD: &[&str] = &[
    "-H",
    "Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoidXMiLCJleHAiOjQxMDI0NDQ4MDB9.NBnFXFI8GHKU2Cr8AXPXkN-xq1FawpwdSeOWF97QkI0",
    "http://127.0.0.1:{listener:http}/",
];
/// `exp` is in 2001.
const EXPIRED: &[&str] = &[
    "-H",
    "Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoidXMiLCJleHAiOjEwMDAwMDAwMDB9.VlCjJ26eeWTIcWY00qtTbaWInOuwL7IS487GU3oO-Aw",
    "http://127.0.0.1:{listener:http}/",
];
/// `aud` is `them`.
const FOR_OTHERS: &[&str] = &[
    "-H",
    "Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoidGhlbSIsImV4cCI6NDEwMjQ0NDgwMH0.o7A-aAM5L55rbqZPXSbW_CrRLywaJHsgXwLbR4gWZxQ",
    "http://127.0.0.1:{listener:http}/",
];
/// `iss` is one that the proxy doesn't know.
const OF_OTHERS: &[&str] = &[
    "-H",
    "Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL290aGVyLmV4YW1wbGUiLCJhdWQiOiJ1cyIsImV4cCI6NDEwMjQ0NDgwMH0.hQziavFR2wK35Rsyd4egNDkZN7mVOovtNFkU7Gc4ihA",
    "http://127.0.0.1:{listener:http}/",
];
/// Signed with another key.
const FORGED: &[&str] = &[
    "-H",
    "Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoidXMiLCJleHAiOjQxMDI0NDQ4MDB9.Y3-PutRxe1375rM7MmP-8UBt7e2QViGNJSP-40SOxHU",
    "http://127.0.0.1:{listener:http}/",
];
/// Of an algorithm that no key of the proxy's has.
const OF_ANOTHER_KEY: &[&str] = &[
    "-H",
    "Authorization: Bearer eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoidXMiLCJleHAiOjQxMDI0NDQ4MDB9.Y3-PutRxe1375rM7MmP-8UBt7e2QViGNJSP-40SOxHU",
    "http://127.0.0.1:{listener:http}/",
];
const BROKEN: &[&str] = &["-H", "Authorization: Bearer SECRET", "http://127.0.0.1:{listener:http}/"];

/// A token is checked if there is one; `patch` changes the provider.
fn checked(patch: Value) -> Listener {
    let provider = json!({
        "issuer": "https://issuer.example",
        "audiences": ["us"],
        "payload_in_metadata": "payload",
        "local_jwks": {"inline_string": "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"c2VjcmV0\"}]}"},
    });
    let any = json!({"requirements": [{"provider_name": "origins-0"}, {"allow_missing": {}}]});
    Listener::http("http", all_to("backend")).http_filter(
        "jwt_authn",
        "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        json!({
            "providers": {"origins-0": with(provider, patch)},
            "rules": [{"match": {"prefix": "/"}, "requires": {"requires_any": any}}],
            "bypass_cors_preflight": true,
        }),
    )
}

/// The same, and an AuthorizationPolicy that allows those with a token only.
fn demanded() -> Listener {
    let principal = json!({"metadata": {
        "filter": "envoy.filters.http.jwt_authn",
        "path": [{"key": "payload"}, {"key": "iss"}],
        "value": {"string_match": {"exact": "https://issuer.example"}},
    }});
    checked(json!({})).http_filter(
        "rbac",
        "envoy.extensions.filters.http.rbac.v3.RBAC",
        json!({"rules": {"action": "ALLOW", "policies": {
            "ns[default]-policy[with-token]-rule[0]": {"permissions": [{"any": true}], "principals": [principal]},
        }}}),
    )
}

fn behind(listener: Listener) -> Proxy {
    Proxy::new([listener], [backend(), cluster("keys", "keys")])
}

fn asked(name: &'static str, about: &'static str, listener: Listener) -> Scenario {
    Scenario::new(name, about, behind(listener)).server("backend", PLAIN).server("keys", Server::Nobody)
}

pub(super) fn table() -> Vec<Scenario> {
    let refused = |name, about, token, code, details| {
        asked(name, about, checked(json!({})))
            .curl(token)
            .logs(Log::Http, &[("code", code), ("flags", "-"), ("details", details)])
            .names(Cause::JwtRejected, Certain)
            .because(&[details])
            .never_shows("eyJ")
    };
    let unreachable = json!({"local_jwks": null, "remote_jwks": {
        "http_uri": {"uri": "http://127.0.0.1/keys", "cluster": "keys", "timeout": "1s"},
        "cache_duration": "60s",
    }});
    let required = json!({"providers": {"p": {"issuer": "https://issuer.example", "local_jwks": {
        "inline_string": "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"c2VjcmV0\"}]}",
    }}}, "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "p"}}]});
    vec![
        refused(
            "policy/token_expired",
            "the token's time is over",
            EXPIRED,
            "401",
            "jwt_authn_access_denied{Jwt_is_expired}",
        ),
        refused(
            "policy/token_for_others",
            "the token is for another audience",
            FOR_OTHERS,
            "403",
            "jwt_authn_access_denied{Audiences_in_Jwt_are_not_allowed}",
        ),
        refused(
            "policy/token_of_others",
            "the token's issuer is unknown",
            OF_OTHERS,
            "401",
            "jwt_authn_access_denied{Jwt_issuer_is_not_configured}",
        ),
        refused(
            "policy/token_forged",
            "the signature is another's",
            FORGED,
            "401",
            "jwt_authn_access_denied{Jwt_verification_fails}",
        )
        .names(Cause::JwtRejected, Likely),
        refused(
            "policy/token_broken",
            "what is sent is no token",
            BROKEN,
            "401",
            "jwt_authn_access_denied{Jwt_is_not_in_the_form_of_Header.Payload.Signature_with_two_dots_and_3_sections}",
        )
        .never_shows("SECRET"),
        asked("policy/keys_unreachable", "the issuer's keys can't be fetched", checked(unreachable))
            .curl(GOOD)
            .gets(401)
            .logs(
                Log::Http,
                &[("code", "401"), ("details", "jwt_authn_access_denied{Jwks_remote_fetch_is_failed}")],
            )
            .names(Cause::JwtRejected, Certain)
            .side(Side::Platform),
        asked("policy/token_of_another_key", "no key of the issuer's fits, forged or rotated", checked(json!({})))
            .curl(OF_ANOTHER_KEY)
            .gets(401)
            .logs(
                Log::Http,
                &[("code", "401"), ("details", "jwt_authn_access_denied{Jwks_doesn't_have_key_to_match_kid_or_alg_from_Jwt}")],
            )
            .names(Cause::JwtRejected, Likely),
        asked("policy/token_missing", "a RequestAuthentication alone lets requests without a token pass: healthy", {
            checked(json!({}))
        })
        .curl(ASK)
        .gets(200)
        .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        asked("policy/token_missing_but_demanded", "so it is the AuthorizationPolicy that refuses", demanded())
            .curl(ASK)
            .gets(403)
            .logs(Log::Http, &[("code", "403"), ("details", "rbac_access_denied_matched_policy[none]")])
            .names(Cause::AuthorizationPolicyDenied, Certain),
        asked("policy/token_good", "healthy: with the token that it demands", demanded())
            .curl(GOOD)
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-")]),
        asked("policy/token_required", "plain Envoy may demand a token by itself", {
            Listener::http("http", all_to("backend")).http_filter(
                "jwt_authn",
                "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
                required,
            )
        })
        .curl(ASK)
        .gets(401)
        .logs(Log::Http, &[("code", "401"), ("details", "jwt_authn_access_denied{Jwt_is_missing}")])
        .names(Cause::JwtRejected, Certain),
    ]
}
