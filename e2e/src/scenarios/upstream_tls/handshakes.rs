//! Handshakes that fail for other reasons than a certificate, or break off.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::json;

use super::{only_version, tls};
use crate::harness::client::{Client, Places, Seen};
use crate::harness::envoy::parts::{istio_config, with};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{ASK, http, tcp};
use crate::scenarios::scenario::{Log, Scenario};

const ONLY_TLS13: Server = Server::Nginx(
    "listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.3; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 200 ok; }",
);
/// Reads a request over TLS, and resets the connection.
const RESETS: &str = "
import os, socket, ssl, struct, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2] + '/server.pem', sys.argv[2] + '/server.key')
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True:
    try:
        stream = context.wrap_socket(listener.accept()[0], server_side=True)
        stream.recv(4096)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        os.close(stream.detach())
    except OSError:
        pass
";

pub(super) fn table() -> Vec<Scenario> {
    [broken_off(), nothing_in_common()].into_iter().flatten().collect()
}

fn broken_off() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "upstream_tls/reset_in_the_handshake",
            "a server that resets the connection when it sees a ClientHello",
            http(tls(json!({}))),
        )
        .server("backend", Server::Made(Habit::ResetAfterRequest))
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names(Cause::UpstreamTlsFailed, Likely),
        Scenario::new(
            "upstream_tls/reset_after_the_handshake",
            "a server that resets the connection when it has read the request: its TLS was fine",
            http(tls(json!({}))),
        )
        .server("backend", Server::Program("python3", "python3", &["-c", RESETS, "{port}", "{pki}"]))
        .curl(ASK)
        .gets(503)
        .logs(
            Log::Http,
            &[("flags", "UC"), ("details", "upstream_reset_before_response_started{connection_termination*")],
        )
        .names(Cause::UpstreamClosedConnection, Likely),
        Scenario::new(
            "upstream_tls/tls_to_a_closing_server",
            "TLS to a server that hangs up on the ClientHello",
            http(tls(json!({}))),
        )
        .server("backend", Server::Made(Habit::CloseAfterRequest))
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names(Cause::UpstreamTlsFailed, Likely),
        Scenario::new(
            "upstream_tls/tls_to_postgres",
            "TLS to a server that hangs up on the ClientHello, as Postgres does, on a TCP chain",
            tcp(with(tls(json!({})), istio_config("destination-rule", "default", "db"))),
        )
        .server("backend", Server::Made(Habit::CloseAfterRequest))
        .client(Client::Custom(wait_for_the_end))
        .logs(Log::Tcp, &[("flags", "UF,URX")])
        .names(Cause::UpstreamTlsFailed, Likely)
        .because(&["pool_ready="])
        .blames("DestinationRule/default/db")
        .less_when_busy(Cause::UpstreamConnectTimeout),
        Scenario::new(
            "upstream_tls/tls_to_silence",
            "TLS to a server that waits looks like a connect time-out",
            http(tls(json!({}))),
        )
        .server("backend", Server::Made(Habit::NeverAnswer))
        .curl(ASK)
        .gets(503)
        .logs(
            Log::Http,
            &[("flags", "UF"), ("details", "upstream_reset_before_response_started{connection_timeout}")],
        )
        .names(Cause::UpstreamConnectTimeout, Likely),
        Scenario::new(
            "upstream_tls/tls_to_silence_tcp",
            "TLS to a server that waits, on a TCP chain",
            tcp(tls(json!({}))),
        )
        .server("backend", Server::Made(Habit::NeverAnswer))
        .client(Client::Custom(wait_for_the_end))
        .logs(Log::Tcp, &[("flags", "UF,URX")])
        .names(Cause::UpstreamConnectTimeout, Possible),
    ]
}

/// Asks a TCP chain and stays until the proxy hangs up.
fn wait_for_the_end(places: &Places) -> Result<Seen> {
    let mut stream = TcpStream::connect(("127.0.0.1", places.listener("tcp")?))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"PING\r\n")?;
    // An end by a reset is an end, too.
    let _ = stream.read(&mut [0; 64]);
    Ok(Seen::default())
}

fn nothing_in_common() -> Vec<Scenario> {
    vec![
        Scenario::new("upstream_tls/no_common_version", "the upstream speaks TLS 1.3 only, the proxy 1.2 only", http(tls(only_version("TLSv1_2"))))
            .server("backend", ONLY_TLS13)
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF")])
            .names(Cause::UpstreamTlsFailed, Certain),
        Scenario::new("upstream_tls/no_common_version_tcp", "the upstream speaks TLS 1.3 only, on a TCP chain", tcp(tls(only_version("TLSv1_2"))))
            .server("backend", ONLY_TLS13)
            .client(Client::Raw("tcp", b"PING\r\n"))
            .logs(Log::Tcp, &[("flags", "UF,URX")])
            .names(Cause::UpstreamTlsFailed, Likely),
        Scenario::new("upstream_tls/no_common_cipher", "no common cipher is said in answer to the ClientHello, unlike a missing client certificate", {
            http(tls(with(only_version("TLSv1_2"), json!({"common_tls_context": {"tls_params": {"cipher_suites": ["ECDHE-ECDSA-AES128-GCM-SHA256"]}}}))))
        })
        .server("backend", Server::Nginx("listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; location / { return 200 ok; }"))
        .curl(ASK)
        .gets(503)
        .logs(Log::Http, &[("flags", "UF")])
        .names(Cause::UpstreamTlsFailed, Certain)
        .because(&["HANDSHAKE_FAILURE_ON_CLIENT_HELLO"]),
        Scenario::new("upstream_tls/only_tls11", "the upstream is too old: TLS 1.1 at most", http(tls(json!({}))))
            .server("backend", Server::Openssl(&["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0", "-www"]))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF")])
            .names(Cause::UpstreamTlsFailed, Certain),
        Scenario::new("upstream_tls/unknown_server_name", "the upstream has no certificate for this server name", http(tls(only_version("TLSv1_2"))))
            .server("backend", Server::Nginx("listen 127.0.0.1:{port} ssl; ssl_reject_handshake on;"))
            .curl(ASK)
            .gets(503)
            .logs(Log::Http, &[("flags", "UF")])
            .names(Cause::UpstreamRequiresSni, Certain),
    ]
}
