//! Sessions with MariaDB and PostgreSQL, their own servers and clients: the commonest complaint about databases is how they end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{Certain, Likely, Possible};
use serde_json::json;

use crate::harness::client::{Client, Places, Seen};
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{all_to, istio_config, originate_tls, with};
use crate::harness::peers::{Habit, Server};
use crate::scenarios::common::{backend, tcp};
use crate::scenarios::scenario::{Log, Scenario};

/// Without accounts, and without the tables that hold them.
pub(super) const MARIADB: Server = Server::Program(
    "mariadbd",
    "mariadb-server",
    &[
        "--no-defaults",
        "--user=root",
        "--skip-grant-tables",
        "--datadir={folder}",
        "--socket={folder}/socket",
        "--pid-file={folder}/pid",
        "--bind-address=127.0.0.1",
        "--port={port}",
    ],
);

const PSQL: &[&str] = &["-X", "-At", "-h", "127.0.0.1", "-p", "{listener:tcp}", "-U", "postgres"];
const CLIENT: &[&str] = &["--protocol=tcp", "-h127.0.0.1", "-P{listener:tcp}", "-uroot", "--unbuffered"];

pub(super) fn table() -> Vec<Scenario> {
    let idle = || {
        let rule = istio_config("destination-rule", "default", "db");
        let listener = Listener::tcp("tcp", "backend").filter(json!({"idle_timeout": "1s"}));
        Proxy::new([listener], [with(backend(), rule)])
    };
    let session = |name, about, proxy, input| {
        Scenario::new(name, about, proxy)
            .server("backend", MARIADB)
            .client(Client::Program("mariadb", "mariadb-client", CLIENT, input))
            .logs(Log::Tcp, &[("flags", "-")])
    };
    vec![
        session(
            "limits/idle_mariadb",
            "a pool keeps a session for longer than the idle timeout",
            idle(),
            "select 41+1;\nselect sleep(3);\n",
        )
        .says("Lost connection")
        .names(Cause::IdleTimeout, Possible)
        .because(&["closed_by=proxy; lived="])
        .blames("DestinationRule/default/db")
        .before(38, Scenario::names_nothing),
        session("healthy/mariadb", "a session that its client ends", idle(), "select 41+1;\n").says("42"),
        session(
            "healthy/mariadb_works_on",
            "a session that is quiet for less than the idle timeout",
            idle(),
            "select 41+1;\nselect sleep(0.3);\nselect 6*7;\n",
        )
        .says("42"),
        session(
            "healthy/mariadb_kills",
            "the server itself ends the session",
            idle(),
            "set wait_timeout=1;\nkill connection_id();\n",
        )
        // With a reset (UR), where the client says goodbye in time.
        .logs(Log::Tcp, &[])
        .says("ERROR"),
        session(
            "upstream_tls/tls_to_mariadb",
            "a DestinationRule SIMPLE, and MariaDB, which agrees on TLS in its own protocol",
            {
                tcp(with(
                    with(backend(), originate_tls(json!({}))),
                    istio_config("destination-rule", "default", "db"),
                ))
            },
            "select 1;\n",
        )
        .says("Lost connection")
        .logs(Log::Tcp, &[("flags", "UF,URX")])
        .names(Cause::UpstreamSpeaksPlaintext, Certain)
        .blames("DestinationRule/default/db"),
    ]
    .into_iter()
    .chain(postgres())
    .chain(turned_away())
    .collect()
}

fn postgres() -> Vec<Scenario> {
    let rule = || istio_config("destination-rule", "default", "db");
    let idle = || {
        let listener = Listener::tcp("tcp", "backend").filter(json!({"idle_timeout": "1s"}));
        Proxy::new([listener], [with(backend(), rule())])
    };
    let session = |name, about, proxy, input| {
        Scenario::new(name, about, proxy)
            .server("backend", Server::Postgres)
            .client(Client::Program("psql", "postgresql-client", PSQL, input))
            .logs(Log::Tcp, &[("flags", "-")])
    };
    vec![
        session(
            "limits/idle_postgres",
            "a query takes longer than the idle timeout",
            idle(),
            "select 41+1;\nselect pg_sleep(3);\n",
        )
        .says("closed the connection unexpectedly")
        .names(Cause::IdleTimeout, Possible)
        .because(&["closed_by=proxy; lived="])
        .blames("DestinationRule/default/db")
        .before(38, Scenario::names_nothing),
        session(
            "healthy/postgres",
            "a session that is quiet for less than the idle timeout",
            idle(),
            "select 41+1;\nselect pg_sleep(0.3);\n",
        )
        .says("42"),
        session(
            "healthy/postgres_ends",
            "the server itself ends the session",
            idle(),
            "select pg_terminate_backend(pg_backend_pid());\n",
        )
        .logs(Log::Tcp, &[])
        .says("terminating connection"),
        session(
            "upstream_tls/tls_to_real_postgres",
            "a DestinationRule SIMPLE, and PostgreSQL, which agrees on TLS in its own protocol",
            tcp(with(with(backend(), originate_tls(json!({}))), rule())),
            "select 1;\n",
        )
        .says("closed the connection unexpectedly")
        .logs(Log::Tcp, &[("flags", "UF,URX")])
        .names(Cause::UpstreamTlsFailed, Likely)
        .because(&["pool_ready="])
        .blames("DestinationRule/default/db")
        .less_when_busy(Cause::UpstreamConnectTimeout),
        Scenario::new(
            "client_bytes/psql_to_https_port",
            "psql at a port that ends TLS, which it asks for in its own protocol",
            Proxy::new([Listener::http("http", all_to("backend")).tls("server")], [backend()]),
        )
        .server("backend", Server::Nobody)
        .client(Client::Program(
            "psql",
            "postgresql-client",
            &["host=127.0.0.1 port={listener:http} user=a sslmode=require"],
            "",
        ))
        .logs(Log::Listener, &[("flags", "-")])
        .names(Cause::PlaintextOnTlsPort, Likely),
    ]
}

/// Filters that close a connection as soon as it is there.
fn turned_away() -> Vec<Scenario> {
    let kind = |name: &str| format!("type.googleapis.com/envoy.extensions.filters.network.{name}");
    let rate = json!({"name": "rate", "typed_config": {
        "@type": kind("local_ratelimit.v3.LocalRateLimit"), "stat_prefix": "rate",
        "token_bucket": {"max_tokens": 1, "fill_interval": "3600s"},
    }});
    let limit = json!({"name": "limit", "typed_config": {
        "@type": kind("connection_limit.v3.ConnectionLimit"), "stat_prefix": "limit", "max_connections": 1,
    }});
    let behind =
        |filter| Proxy::new([Listener::tcp("tcp", "backend").raw_network_filter(filter)], [backend()]);
    let asked = |name, about, proxy, client| {
        Scenario::new(name, about, proxy)
            .server("backend", Server::Made(Habit::Echo))
            .client(Client::Custom(client))
    };
    vec![
        asked(
            "policy/local_rate_limit_tcp",
            "more connections than the network filter lets in",
            behind(rate.clone()),
            one_after_another,
        )
        .says("closed")
        .logs(Log::Tcp, &[("flags", "URX")])
        .names(Cause::RateLimited, Likely),
        asked("policy/local_rate_limit_tcp_kept", "healthy: no more than it lets in", behind(rate), alone)
            .says("open")
            .logs(Log::Tcp, &[("flags", "-")]),
        asked(
            "limits/too_many_connections",
            "more connections at once than the network filter allows",
            behind(limit.clone()),
            at_once,
        )
        .says("closed")
        .logs(Log::Tcp, &[("flags", "-")])
        .names(Cause::ProxyClosedConnection, Possible)
        .because(&["closed_by=proxy; lived="])
        .before(38, Scenario::names_nothing),
        asked("healthy/connections_in_turn", "no more at once than it allows", behind(limit), alone)
            .says("open")
            .logs(Log::Tcp, &[("flags", "-")]),
        asked(
            "healthy/server_closes_at_once",
            "the server closes as soon as the proxy is there",
            tcp(backend()),
            silent,
        )
        .server("backend", Server::Made(Habit::CloseAtOnce))
        .says("closed")
        .logs(Log::Tcp, &[("flags", "-")]),
    ]
}

/// What became of a connection that has said something: `closed` or `open`.
fn fate(stream: &mut TcpStream) -> &'static str {
    let mut answer = [0; 16];
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let _ = stream.write_all(b"hello\n");
    match stream.read(&mut answer) {
        Ok(size) if size > 0 => "open",
        _ => "closed",
    }
}

fn seen(text: &str) -> Seen {
    Seen { status: None, exit: 0, text: text.to_owned() }
}

fn open(places: &Places) -> Result<TcpStream> {
    Ok(TcpStream::connect(("127.0.0.1", places.listener("tcp")?))?)
}

fn alone(places: &Places) -> Result<Seen> {
    Ok(seen(fate(&mut open(places)?)))
}

fn one_after_another(places: &Places) -> Result<Seen> {
    alone(places)?;
    silent(places)
}

/// Says nothing, and waits for the end.
fn silent(places: &Places) -> Result<Seen> {
    let mut stream = open(places)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(seen(if stream.read(&mut [0; 16]).is_ok_and(|size| size > 0) { "open" } else { "closed" }))
}

fn at_once(places: &Places) -> Result<Seen> {
    let mut first = open(places)?;
    fate(&mut first);
    silent(places)
}
