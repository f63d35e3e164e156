//! A service's port that is declared as TCP, or whose protocol wasn't detected.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Certain;

use super::{HTTPS, scenario};
use crate::harness::envoy::config::Listener;
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{PLAIN, PLAIN_HTTP2, TLS};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    const SERVICE: &str = "outbound|80||httpbin.default.svc.cluster.local";
    let service = || Listener::tcp("port", SERVICE).direction("OUTBOUND");
    let works: &[(&str, &str)] = &[("flags", "-"), ("cluster", SERVICE)];
    let get: &[&str] = &["http://127.0.0.1:{listener:port}/"];
    vec![
        scenario("passthrough/http_as_tcp", "HTTP to a port declared as TCP", service(), PLAIN)
            .curl(get)
            .gets(200)
            .logs(Log::Tcp, works)
            .observes(
                Cause::HttpTreatedAsTcp,
                Certain,
                1,
                &["first_bytes=http1; request_version=HTTP/1.1", "cluster=outbound|80||"],
            ),
        scenario("passthrough/http2_as_tcp", "the same in HTTP/2", service(), PLAIN_HTTP2)
            .curl(&["--http2-prior-knowledge", "http://127.0.0.1:{listener:port}/"])
            .gets(200)
            .logs(Log::Tcp, works)
            .observes(Cause::HttpTreatedAsTcp, Certain, 1, &["first_bytes=http2_preface"]),
        scenario(
            "passthrough/http_as_tcp_inbound",
            "the same at the server's sidecar",
            Listener::tcp("port", "inbound|8080||").direction("INBOUND"),
            PLAIN,
        )
        .curl(get)
        .gets(200)
        .logs(Log::Tcp, &[("flags", "-")])
        .direction("inbound")
        .observes(Cause::HttpTreatedAsTcp, Certain, 1, &["first_bytes=http1"]),
        scenario(
            "passthrough/http10_server_as_tcp",
            "HTTP/1.0, and declared as TCP",
            service(),
            Server::Made(Habit::Answer(b"HTTP/1.0 200 OK\r\n\r\nok")),
        )
        .page("Envoy won't connect to my HTTP/1.0 service")
        .curl(get)
        .gets(200)
        .logs(Log::Tcp, works)
        .observes(Cause::HttpTreatedAsTcp, Certain, 1, &["answer_version=HTTP/1.0"])
        .observes(
            Cause::Http10Upstream,
            Certain,
            1,
            &["answer_version=HTTP/1.0; request_version=HTTP/1.1"],
        ),
        scenario(
            "passthrough/tls_as_tcp",
            "TLS to a port declared as TCP is as it should be",
            service(),
            TLS,
        )
        .curl(HTTPS)
        .gets(200)
        .logs(Log::Tcp, works),
        scenario(
            "passthrough/http_to_a_plain_envoys_cluster",
            "a TCP proxy that is not Istio's",
            Listener::tcp("port", "backend"),
            PLAIN,
        )
        .curl(get)
        .gets(200)
        .logs(Log::Tcp, &[("flags", "-")]),
    ]
}
