//! Requests that are too large for a codec, the connection manager or a filter.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Certain;
use serde_json::{Value, json};

use super::plain;
use crate::harness::client::Client;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_by, all_to, direct, route, with};
use crate::harness::peers::Server;
use crate::scenarios::common::{PLAIN, backend};
use crate::scenarios::scenario::{Log, Scenario};

/// A shell command: curl prints the status, and `$(x N)` is N times `x`.
macro_rules! curl {
    ($arguments:literal) => {
        Client::Program(
            "sh",
            "dash",
            &[
                "-c",
                concat!(
                    "x() { head -c $1 /dev/zero | tr '\\0' x; }; \
                     curl -sS -m 10 -o /dev/null -w 'HTTP/1.1 %{http_code}' ",
                    $arguments,
                    " http://127.0.0.1:{listener:http}/"
                ),
            ],
            "",
        )
    };
}

pub(super) fn table() -> Vec<Scenario> {
    [headers(), bodies()].into_iter().flatten().collect()
}

fn refused(scenario: Scenario, code: u16, fields: &[(&'static str, &'static str)]) -> Scenario {
    scenario.gets(code).logs(Log::Http, fields).names(Cause::RequestTooLarge, Certain)
}

fn headers() -> Vec<Scenario> {
    let managed =
        |patch: Value| Proxy::new([Listener::http("http", all_by(direct("/", 200, "ok"))).filter(patch)], []);
    vec![
        refused(
            Scenario::new("client_bytes/headers_too_large", "70 KB of headers", plain())
                .client(curl!("-H \"X: $(x 70000)\"")),
            431,
            &[("code", "431"), ("flags", "DPE"), ("details", "http1.headers_too_large")],
        ),
        refused(
            Scenario::new("client_bytes/cookies_too_large", "cookies over a limit of 8 KB", {
                managed(json!({"max_request_headers_kb": 8}))
            })
            .client(curl!("-H \"Cookie: session=$(x 9000)\"")),
            431,
            &[("code", "431"), ("details", "http1.headers_too_large")],
        ),
        refused(
            Scenario::new("client_bytes/too_many_headers", "120 headers, of which 100 may come", plain())
                .client(curl!("$(i=0; while [ $i -lt 120 ]; do printf ' -H a%s:b' $i; i=$((i+1)); done)")),
            431,
            &[("code", "431"), ("flags", "DPE"), ("details", "http1.too_many_headers")],
        ),
        refused(
            Scenario::new("client_bytes/path_too_long", "a path of 70 KB", plain())
                .client(curl!("--next -sS -o /dev/null -w 'HTTP/1.1 %{http_code}' -G -d \"q=$(x 70000)\"")),
            431,
            &[("code", "431"), ("details", "http1.headers_too_large")],
        ),
        Scenario::new("client_bytes/headers_that_fit", "healthy: 50 KB of headers", plain())
            .client(curl!("-H \"X: $(x 50000)\""))
            .gets(200)
            .logs(Log::Http, &[("code", "200")]),
        Scenario::new("client_bytes/http2_too_many_headers", "too many of them in HTTP/2", plain())
            .client(curl!("--http2-prior-knowledge $(i=0; while [ $i -lt 120 ]; do printf ' -H a%s:b' $i; i=$((i+1)); done)"))
            .logs(Log::Http, &[("details", "http2*")])
            .names(Cause::RequestTooLarge, Certain)
            .only_counted(),
    ]
}

fn bodies() -> Vec<Scenario> {
    let buffered = |limit: u32| {
        let kind = "envoy.extensions.filters.http.buffer.v3.Buffer";
        Proxy::new(
            [Listener::http("http", all_to("backend")).http_filter(
                "buffer",
                kind,
                json!({"max_request_bytes": limit}),
            )],
            [backend()],
        )
    };
    let asked = |name, about, proxy: Proxy| Scenario::new(name, about, proxy).server("backend", PLAIN);
    let payload: &[(&'static str, &'static str)] =
        &[("code", "413"), ("flags", "-"), ("details", "request_payload_too_large")];
    let lua = {
        let kind = "envoy.extensions.filters.http.lua.v3.Lua";
        let code = "function envoy_on_request(h) h:body() end";
        let listener = Listener::http("http", all_to("backend"))
            .http_filter("lua", kind, json!({"default_source_code": {"inline_string": code}}))
            .patch(json!({"per_connection_buffer_limit_bytes": 1024}));
        Proxy::new([listener], [backend()])
    };
    let retried = {
        let retry =
            json!({"route": {"retry_policy": {"retry_on": "5xx"}}, "per_request_buffer_limit_bytes": 16});
        let listener = Listener::http("http", all_by(with(route("/", "backend"), retry)));
        Proxy::new([listener], [backend()])
    };
    const REFUSES: Server =
        Server::Nginx("listen 127.0.0.1:{port}; client_max_body_size 1k; location / { return 200 ok; }");
    vec![
        refused(
            asked("client_bytes/body_too_large", "the buffer filter takes 1 KB", buffered(1024))
                .client(curl!("-d \"$(x 5000)\"")),
            413,
            payload,
        ),
        // The client sees no answer while it still sends.
        asked("client_bytes/body_too_large_http2", "the same in HTTP/2", buffered(1024))
            .client(curl!("--http2-prior-knowledge -d \"$(x 90000)\""))
            .logs(Log::Http, payload)
            .names(Cause::RequestTooLarge, Certain),
        refused(
            asked("client_bytes/chunked_body_too_large", "the same, in chunks", buffered(1024))
                .client(curl!("-H 'Transfer-Encoding: chunked' -d \"$(x 5000)\"")),
            413,
            payload,
        ),
        refused(
            asked(
                "client_bytes/body_read_whole",
                "a filter (Lua) reads bodies, and the connection's limit is 1 KB",
                lua,
            )
            .client(curl!("-d \"$(x 50000)\"")),
            413,
            payload,
        ),
        asked("client_bytes/body_that_fits", "healthy: a body below the limit", buffered(1024))
            .client(curl!("-d x"))
            .gets(200)
            .logs(Log::Http, &[("code", "200")]),
        asked(
            "client_bytes/body_too_large_for_retries",
            "healthy: a body that isn't kept for retries",
            retried,
        )
        .client(curl!("-d \"$(x 5000)\""))
        .gets(200)
        .logs(Log::Http, &[("code", "200")]),
        Scenario::new(
            "client_bytes/applications_413",
            "healthy: the application's own 413 is its business",
            Proxy::new([Listener::http("http", all_to("backend"))], [backend()]),
        )
        .server("backend", REFUSES)
        .client(curl!("-d \"$(x 5000)\""))
        .gets(413)
        .logs(Log::Http, &[("code", "413"), ("details", "via_upstream")]),
    ]
}
