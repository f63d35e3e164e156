//! What is asked with curl: each call, what it must get, and what meshwhy must say of it.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{self, Certain, Likely};

/// What meshwhy must count of a call that fails: cause, confidence, and the resource it blames.
pub type Named = (Cause, Confidence, &'static str);

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Method, where it isn't what curl takes by itself.
    pub method: Option<&'static str>,
    /// Host, if not the proxy's only one.
    pub host: &'static str,
    /// Path and query.
    pub path: &'static str,
    /// More lines of curl's configuration.
    pub options: &'static [&'static str],
    /// The status that the client gets, 0 for no answer.
    pub status: u16,
    /// What is counted; nothing for healthy ones.
    pub named: Option<Named>,
    /// Whether only HTTP/1.1 can carry it.
    pub http1: bool,
}

const HOST: &str = "soak.test";

const fn get(path: &'static str, status: u16) -> Call {
    Call { method: None, host: HOST, path, options: &[], status, named: None, http1: false }
}

const fn with(path: &'static str, status: u16, options: &'static [&'static str]) -> Call {
    Call { options, ..get(path, status) }
}

const fn method(method: &'static str, path: &'static str, status: u16) -> Call {
    Call { method: Some(method), ..get(path, status) }
}

const fn http1(call: Call) -> Call {
    Call { http1: true, ..call }
}

const fn fails(path: &'static str, status: u16, cause: Cause, confidence: Confidence) -> Call {
    Call { named: Some((cause, confidence, "")), ..get(path, status) }
}

/// Everything that works, by any transport.
pub const HEALTHY: &[Call] = &[
    // Answers of the application, over each kind of upstream.
    get("/web/200", 200),
    get("/tls/200", 200),
    get("/mtls/200", 200),
    get("/h2/200", 200),
    get("/web/201", 201),
    get("/h2/204", 204),
    get("/web/204", 204),
    get("/web/301", 301),
    get("/tls/302", 302),
    get("/web/304", 304),
    get("/web/400", 400),
    get("/web/401", 401),
    get("/web/403", 403),
    get("/h2/404", 404),
    get("/mtls/404", 404),
    get("/web/409", 409),
    get("/web/410", 410),
    get("/web/429", 429),
    // Of the proxy, as its routes say.
    get("/split/200", 200),
    get("/split/404", 404),
    get("/redirect", 301),
    get("/direct", 200),
    get("/gone", 404),
    get("/retried/attempt", 200),
    get("/reconnected/200", 200),
    get("/not-found/404", 404),
    // Methods.
    with("/web/200", 200, &["head"]),
    with("/h2/404", 404, &["head"]),
    with("/tls/file", 200, &["head"]),
    method("OPTIONS", "/web/200", 200),
    method("DELETE", "/web/204", 204),
    method("PATCH", "/h2/200", 200),
    method("PROPFIND", "/web/200", 200),
    method("PURGE", "/web/200", 200),
    method("REPORT", "/tls/200", 200),
    // Bodies.
    get("/web/file", 200),
    get("/h2/file", 200),
    with("/web/file", 206, &["range = 100-299"]),
    with("/tls/file", 304, &["header = \"If-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT\""]),
    // Answered before it is there: over HTTP/2 curl 7.88 may take the RST_STREAM behind the answer for an error.
    http1(with("/web/200", 200, &["data = \"a=b\""])),
    http1(with("/h2/200", 200, &["data-binary = \"@{body}\""])),
    with("/web/upload", 200, &["upload-file = \"{body}\""]),
    http1(with("/web/upload", 200, &["upload-file = \"{body}\"", "header = \"Expect: 100-continue\""])),
    http1(with(
        "/web/upload",
        200,
        &["data-binary = \"@{body}\"", "header = \"Transfer-Encoding: chunked\""],
    )),
    get("/events", 200),
    // Paths and headers.
    get("/web/caf%C3%A9/%E2%9C%93/200", 200),
    get("/web/200?q=%00%FF&r=a%0d%0ab", 200),
    with("/web/200", 200, &["header = \"x-big: {big}\""]),
    with("/web/200", 200, &["header = \"content-type: application/json\"", "header = \"x-name: Zo\u{eb}\""]),
    with("/web/200", 200, &["user = \"a:b\"", "cookie = \"session=1\"", "compressed"]),
];

/// Takes a second: not in every batch.
pub const SLOW: Call = get("/tls/slow", 200);

/// Everything that fails, each in a way of its own.
pub const FAILING: &[Call] = &[
    fails("/nowhere", 404, Cause::RouteNoMatch, Certain),
    Call { host: "nowhere.test", ..fails("/", 404, Cause::RouteHostUnknown, Likely) },
    fails("/refused", 503, Cause::UpstreamRefused, Certain),
    fails("/empty", 503, Cause::NoEndpoints, Likely),
    fails("/limited/200", 503, Cause::CircuitBreakerOverflow, Certain),
    Call {
        named: Some((Cause::UpstreamTimeout, Certain, "VirtualService/default/slow")),
        ..get("/timeout", 504)
    },
    Call {
        named: Some((Cause::ClusterMissing, Certain, "VirtualService/default/missing")),
        ..get("/missing", 503)
    },
    fails("/closes", 503, Cause::UpstreamClosedConnection, Likely),
    fails("/resets", 503, Cause::UpstreamReset, Certain),
    fails("/web/500", 500, Cause::ApplicationError, Certain),
    fails("/h2/503", 503, Cause::ApplicationError, Certain),
    fails("/retried/503", 503, Cause::ApplicationError, Certain),
    fails("/plaintext/200", 503, Cause::UpstreamSpeaksPlaintext, Certain),
    Call {
        options: &["header = \"x-envoy-fault-abort-request: 503\""],
        named: Some((Cause::FaultInjected, Certain, "VirtualService/default/web")),
        ..get("/web/200", 503)
    },
];
