//! `response_header`: who gets it, and what is in it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely};
use serde_json::json;

use crate::harness::client::{Client, Places, Seen, status_in};
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{all_by, http2, istio_config, route, vhost, with};
use crate::harness::peers::{Habit, Http2, Server};
use crate::scenarios::common::backend;
use crate::scenarios::scenario::{Log, Scenario};

const NAME: &str = "x-meshwhy-cause";

/// `known.example` only, by a VirtualService with a timeout.
fn proxy() -> Proxy {
    let timed = with(route("/", "backend"), json!({"route": {"timeout": "0.3s"}}));
    let routes = vec![with(timed, istio_config("virtual-service", "default", "reviews"))];
    Proxy::new([Listener::http("http", json!([vhost("known", &["known.example"], routes)]))], [backend()])
}

fn asked_for() -> Roles {
    let role = |role: &str| Some(json!({"role": role, "response_header": NAME}));
    Roles {
        http: role("http"),
        connection: role("connection"),
        access_log: role("access_log"),
        ..Roles::all()
    }
}

pub(super) fn table() -> Vec<Scenario> {
    [off(), own_errors(), not_own()].into_iter().flatten().collect()
}

fn off() -> Vec<Scenario> {
    vec![
        Scenario::new("header/off", "not asked for, Envoy's own error carries nothing", proxy())
            .server("backend", Server::Nobody)
            .client(Client::Custom(|places| silent(places, "known.example")))
            .gets(503)
            .logs(Log::Http, &[("code", "503"), ("flags", "UF")])
            .names(Cause::UpstreamRefused, Certain),
    ]
}

fn own_errors() -> Vec<Scenario> {
    vec![
        Scenario::new("header/unknown_host", "asked for, Envoy's own error carries the cause", proxy())
            .with_roles(asked_for())
            .server("backend", Server::Nobody)
            .client(Client::Custom(|places| only_the_cause(places, "unknown.example")))
            .says("x-meshwhy-cause: route_host_unknown\r\n")
            .gets(404)
            .logs(Log::Http, &[("code", "404"), ("flags", "NR")])
            .names(Cause::RouteHostUnknown, Likely),
        Scenario::new("header/resource", "the id alone, where meshwhy knows resource and evidence", proxy())
            .with_roles(asked_for())
            .server("backend", Server::Made(Habit::NeverAnswer))
            .client(Client::Custom(|places| only_the_cause(places, "known.example")))
            .says("x-meshwhy-cause: upstream_timeout\r\n")
            .gets(504)
            .logs(Log::Http, &[("code", "504"), ("flags", "UT")])
            .names(Cause::UpstreamTimeout, Certain)
            .blames("VirtualService/default/reviews"),
        Scenario::new("header/grpc", "Envoy's 504 for a gRPC call is HTTP 200", {
            let route = with(route("/", "backend"), json!({"route": {"timeout": "0.3s"}}));
            let listener = Listener::http("http", all_by(route));
            Proxy::new([listener], [with(backend(), http2())])
        })
        .with_roles(asked_for())
        .server("backend", Server::Http2(Http2::NeverAnswers))
        .client(Client::Program(
            "curl",
            "curl",
            &[
                "-si",
                "--http2-prior-knowledge",
                "-H",
                "content-type: application/grpc",
                "-X",
                "POST",
                "http://127.0.0.1:{listener:http}/package.Service/Method",
            ],
            "",
        ))
        .gets(200)
        .says("x-meshwhy-cause: upstream_timeout")
        .logs(Log::Http, &[("code", "200"), ("flags", "UT")])
        .names(Cause::UpstreamTimeout, Certain),
    ]
}

/// What the application answered stays as it is, whatever meshwhy says of it.
fn not_own() -> Vec<Scenario> {
    let answered = |name, about, answer, status| {
        Scenario::new(name, about, proxy())
            .with_roles(asked_for())
            .server("backend", Server::Made(Habit::Answer(answer)))
            .client(Client::Custom(|places| silent(places, "known.example")))
            .gets(status)
            .logs(Log::Http, &[("details", "via_upstream")])
    };
    vec![
        answered("header/success", "a healthy answer", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200),
        answered(
            "header/forged",
            "an application that writes the header itself",
            b"HTTP/1.1 200 OK\r\nX-Meshwhy-Cause: cluster_missing\r\nx-meshwhy-cause: b\r\ncontent-length: 2\r\n\r\nok",
            200,
        )
        // Without meshwhy it passes.
        .envoy_says("Wasm VM failed", 0),
        answered(
            "header/forged_error",
            "the same on an error of its own",
            b"HTTP/1.1 503 Service Unavailable\r\nx-meshwhy-cause: cluster_missing\r\ncontent-length: 0\r\n\r\n",
            503,
        )
        .envoy_says("Wasm VM failed", 0)
        .names(Cause::ApplicationError, Likely),
        Scenario::new("header/left_alone", "not asked for, the application's header is its own", proxy())
            .server(
                "backend",
                Server::Made(Habit::Answer(
                    b"HTTP/1.1 200 OK\r\nx-meshwhy-cause: its-own\r\ncontent-length: 2\r\n\r\nok",
                )),
            )
            .client(Client::Custom(|places| ask(places, "known.example")))
            .says("x-meshwhy-cause: its-own\r\n")
            .gets(200)
            .logs(Log::Http, &[("details", "via_upstream")]),
        answered(
            "header/not_found",
            "the application's own 404",
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            404,
        ),
        answered(
            "header/application_error",
            "the application's own 500",
            b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
            500,
        )
        .names(Cause::ApplicationError, Likely),
        answered(
            "header/another_proxys_error",
            "an error of a proxy behind this one, in Envoy's words",
            b"HTTP/1.1 503 Service Unavailable\r\nserver: envoy\r\ncontent-length: 72\r\n\r\nupstream connect error or disconnect/reset before headers. reset reason: ",
            503,
        )
        .names(Cause::UpstreamProxyError, Likely),
    ]
}

/// The answer carries no header of meshwhy's.
fn silent(places: &Places, host: &str) -> Result<Seen> {
    let seen = ask(places, host)?;
    ensure!(!seen.text.to_lowercase().contains("meshwhy"), "sent to the client: {}", seen.text);
    Ok(seen)
}

/// The answer carries at most one header of meshwhy's, and nothing else that meshwhy knows.
fn only_the_cause(places: &Places, host: &str) -> Result<Seen> {
    let seen = ask(places, host)?;
    let values: Vec<&str> =
        seen.text.lines().filter_map(|line| line.strip_prefix("x-meshwhy-cause: ")).collect();
    ensure!(seen.text.matches("meshwhy").count() == values.len() && values.len() <= 1, "{}", seen.text);
    let fixes: Vec<&str> = values.iter().filter_map(|id| Some(Cause::from_id(id)?.fix())).collect();
    ensure!(fixes.len() == values.len(), "{values:?} is no cause");
    for secret in
        ["VirtualService", "reviews", "certain", "likely", "details=", "cluster="].into_iter().chain(fixes)
    {
        ensure!(!seen.text.contains(secret), "{secret:?} is sent to the client: {}", seen.text);
    }
    Ok(seen)
}

fn ask(places: &Places, host: &str) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("http")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    Ok(Seen { status: status_in(&text), exit: 0, text })
}
