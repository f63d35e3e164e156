//! Upgrades that this proxy doesn't allow, and those that others refuse.

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Certain;
use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_by, all_to, route, with};
use crate::harness::peers::websocket::Closes;
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{PLAIN, backend};
use crate::scenarios::scenario::{Log, Scenario};

const WEBSOCKET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn proxy(routes: Value, upgrades: Value) -> Proxy {
    Proxy::new([Listener::http("http", routes).filter(json!({"upgrade_configs": upgrades}))], [backend()])
}

pub(super) fn table() -> Vec<Scenario> {
    let off = || proxy(all_to("backend"), json!(null));
    let asked = |name, about, proxy: Proxy, bytes: &'static [u8]| {
        Scenario::new(name, about, proxy).server("backend", PLAIN).client(Client::Raw("http", bytes))
    };
    let refused = |scenario: Scenario| {
        scenario
            .gets(403)
            .logs(Log::Http, &[("code", "403"), ("flags", "-"), ("details", "upgrade_failed")])
            .names(Cause::UpgradeRefused, Certain)
    };
    let by_route = || {
        let closed = json!({"route": {"upgrade_configs": [{"upgrade_type": "websocket", "enabled": false}]}});
        proxy(all_by(with(route("/", "backend"), closed)), json!([{"upgrade_type": "websocket"}]))
    };
    let on = || proxy(all_to("backend"), json!([{"upgrade_type": "websocket"}]));
    vec![
        refused(asked("client_bytes/websocket_refused", "the connection manager takes no websockets", off(), WEBSOCKET)),
        refused(asked("client_bytes/websocket_refused_by_route", "the route takes none", by_route(), WEBSOCKET)),
        refused(asked(
            "client_bytes/other_upgrade",
            "websockets are taken, and something else is asked for",
            on(),
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: spdy/3.1\r\n\r\n",
        )),
        refused(asked(
            "client_bytes/connect_udp",
            "a tunnel for UDP",
            on(),
            b"GET /.well-known/masque/udp/a.example/53/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
              Upgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n\r\n",
        )),
        asked(
            "client_bytes/h2c_upgrade",
            "healthy: HTTP/2 that is asked for isn't taken, and the request passes",
            off(),
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
        )
        .gets(200)
        .logs(Log::Http, &[("code", "200")]),
        asked("client_bytes/websocket_refused_upstream", "healthy: the application takes no websockets", on(), WEBSOCKET)
            .server("backend", Server::Nginx("listen 127.0.0.1:{port}; location / { return 403 no; }"))
            .gets(403)
            .logs(Log::Http, &[("code", "403"), ("details", "via_upstream")]),
        asked("client_bytes/websocket_answered_200", "healthy: 200 with the upgrade's header, of which the client gets no body", on(), WEBSOCKET)
            .server("backend", Server::Made(Habit::AnswerOnce(
                b"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nok",
            )))
            .gets(200)
            .logs(Log::Http, &[("code", "200"), ("flags", "-"), ("details", "websocket_handshake_unsuccessful")]),
        Scenario::new("client_bytes/websocket_taken", "healthy: a websocket", on())
            .server("backend", Server::WebSocket(Closes::Server))
            .client(Client::WebSocket("http", Closes::Server))
            .logs(Log::Http, &[("code", "101")]),
    ]
}
