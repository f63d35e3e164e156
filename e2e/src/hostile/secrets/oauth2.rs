//! OAuth2: a callback whose state is no JSON, and a token endpoint that fails and says why.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::Where;
use crate::harness::envoy::config::{Listener, merge};
use crate::harness::peers::{Habit, Server};

/// The filter, asking this cluster for tokens.
pub(super) fn listener(name: &'static str, cluster: &str) -> Listener {
    super::filtered(
        name,
        "oauth2",
        "oauth2.v3.OAuth2",
        json!({"config": {
            "token_endpoint": {"cluster": cluster, "uri": "http://127.0.0.1/token", "timeout": "1s"},
            "authorization_endpoint": "http://login.example/authorize",
            "redirect_uri": "http://%REQ(:authority)%/callback",
            "redirect_path_matcher": {"path": {"exact": "/callback"}},
            "signout_path": {"path": {"exact": "/signout"}},
            "credentials": {"client_id": "s3cr3tmark", "token_secret": {"name": "token"}, "hmac_secret": {"name": "hmac"}},
        }}),
    )
}

/// A patch on the bootstrap with the secrets that the filter's configuration names.
pub(super) fn secrets() -> Value {
    let secret = |name: &str| json!({"name": name, "generic_secret": {"secret": {"inline_string": "s3cr3tmark-configured"}}});
    let mut patch = json!({});
    merge(&mut patch, &json!({"static_resources": {"secrets": [secret("token"), secret("hmac")]}}));
    patch
}

/// Refuses each code, and repeats something secret.
pub(super) fn token_endpoint() -> Server {
    const BODY: &[u8] =
        b"HTTP/1.1 400 s3cr3tmark\r\ncontent-type: application/json\r\ncontent-length: 51\r\n\r\n\
        {\"error\": \"invalid_grant s3cr3tmark-oauth2-token\"  }";
    Server::Made(Habit::AnswerAndKeep(BODY))
}

/// A state that is base64url, and in it no JSON.
pub(super) fn wrong_state(at: &Where<'_>) -> Result<()> {
    // s3cr3tmark-oauth2-state
    let request = "GET /callback?code=s3cr3tmark&state=czNjcjN0bWFyay1vYXV0aDItc3RhdGU HTTP/1.1\r\n\
        host: oauth2.example\r\nconnection: close\r\n\r\n";
    at.exchange(request).map(drop)
}

/// As a browser does it: sent to the login, it comes back with a code, and with the state and
/// cookies that it was given.
pub(super) fn failing_token(at: &Where<'_>) -> Result<()> {
    let first = at.exchange("GET /page HTTP/1.1\r\nhost: oauth2.example\r\nconnection: close\r\n\r\n")?;
    let field = |name: &'static str| {
        let lines = first.split("\r\n").filter_map(|line| line.split_once(": "));
        lines.filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let location = field("location").next().context("no login")?;
    let (_, state) = location.split_once("state=").context("no state")?;
    let state = state.split('&').next().unwrap_or_default();
    let cookies: Vec<&str> = field("set-cookie").filter_map(|cookie| cookie.split(';').next()).collect();
    let request = format!(
        "GET /callback?code=s3cr3tmark&state={state} HTTP/1.1\r\nhost: oauth2.example\r\ncookie: {}\r\nconnection: close\r\n\r\n",
        cookies.join("; ")
    );
    at.exchange(request).map(drop)
}
