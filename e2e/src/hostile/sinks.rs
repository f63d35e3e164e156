//! Names that try to break out, from every side that can choose one, and every place where they are reported.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use meshwhy::causes::Cause;
use meshwhy::report::LONGEST_VALUE;
use serde_json::{Value, json};

use crate::harness::client::{Places, client_hello};
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{
    cluster, demanding_certificate, direct, originate_tls, route, trusting, vhost, with,
};
use crate::harness::peers::{Habit, Running, Server};
use crate::harness::pki::Pki;
use crate::harness::tools;

/// What ends a line, a string, a label, a field of the evidence and an escape, and what drives a terminal.
const EVIL: &[u8] = b"evil\";.;cause=.=x;.;\\\r\n{\"a\":\"b\"}%0a%22; cause=x\x1b[31m\xc3\xa9\xff\0,'`$(x)";

/// The causes that these inputs lead to: without them nothing was tested.
const REPORTED: &[&str] = &[
    "client_certificate_rejected",
    "downstream_tls_failed",
    "invalid_http_request",
    "no_filter_chain_for_sni",
    "plaintext_on_tls_port",
    "route_host_unknown",
    "tls_on_plaintext_port",
    "upstream_certificate_rejected",
    "upstream_protocol_error",
];

/// The upstreams that answer requests.
const BEHIND: &[&str] = &["status-line", "header", "page", "grpc", "certificate"];

/// What of the inputs must be reported somewhere, encoded, lest nothing is tested: of SNI, ALPN, the first bytes, the upstream's certificate
/// and its page.
const REACHED: &[&str] = &["sni=evil", "alpn=?", "CERTIFICATE_VERIFY_FAILED", "protocol_error"];

/// In hosts, paths, queries, cookies, credentials and the upstream's messages: reported nowhere.
const SECRET: &str = "secretmark";

/// The longest line of the proxy's own log and the longest label.
const LONGEST_LINE: usize = 2048;
const LONGEST_LABEL: usize = 256;

/// Plays all of it on one proxy, and looks at every sink.
pub fn check() -> Result<()> {
    let folder = tempfile::Builder::new().prefix("meshwhy-sinks-").tempdir()?;
    Pki::create(folder.path())?;
    let mut places = Places { values: vec![("{pki}".into(), folder.path().display().to_string())] };
    let mut servers = Vec::new();
    for (name, server) in servers_behind() {
        let own = folder.path().join(name);
        std::fs::create_dir(&own)?;
        let running: Running = server.start(&own, folder.path())?;
        places.values.push((format!("{{server:{name}}}"), running.port.to_string()));
        servers.push(running);
    }
    let bootstrap = places.fill(&proxy().bootstrap(&tools::module()?.display().to_string()).to_string());
    let mut envoy = Envoy::start(&serde_json::from_str(&bootstrap)?)?;
    let answers = play(&envoy, &places)?;
    std::thread::sleep(Duration::from_millis(300));
    envoy.check_health()?;

    let mut reported = BTreeSet::new();
    response_headers(&answers, &mut reported)?;
    text_log(&envoy)?;
    json_logs(&envoy, &mut reported)?;
    own_log(&envoy, &mut reported)?;
    labels(&envoy, &mut reported)?;
    let everything = [envoy.own_log(), envoy.admin("/stats?filter=meshwhy")?, evidence(&envoy)?].concat();
    ensure!(!everything.contains(SECRET), "{SECRET} is reported: {everything}");
    for part in REACHED {
        ensure!(everything.contains(part), "{part} did not come through: {everything}");
    }
    for cause in REPORTED {
        ensure!(reported.contains(*cause), "{cause} was not provoked: {reported:?}");
    }
    Ok(())
}

fn servers_behind() -> Vec<(&'static str, Server)> {
    const STATUS_LINE: &[u8] = b"HTTP/1.1 200 evil\";.;\x00\xff\r\n\r\n";
    const HEADER: &[u8] =
        b"HTTP/1.1 503 x\r\nserver: envoy\";.;\xff\\\r\nvia: \"\\;=\r\ncontent-length: 0\r\n\r\n";
    const PAGE: &[u8] =
        b"HTTP/1.1 400 x\r\ncontent-length: 65\r\n\r\nThe plain HTTP request was sent to HTTPS port\";.;cause=.=x\\\r\n\xff\0\x1b";
    const GRPC: &[u8] =
        b"HTTP/1.1 200 x\r\ncontent-type: application/grpc\r\ngrpc-status: 13\";.;cause=.=x\r\ngrpc-message: secretmark\r\ncontent-length: 0\r\n\r\n";
    vec![
        ("status-line", Server::Made(Habit::Answer(STATUS_LINE))),
        ("header", Server::Made(Habit::Answer(HEADER))),
        ("page", Server::Made(Habit::Answer(PAGE))),
        ("grpc", Server::Made(Habit::Answer(GRPC))),
        ("greeting", Server::Made(Habit::Answer(EVIL))),
        (
            "certificate",
            Server::Nginx(
                "listen 127.0.0.1:{port} ssl; ssl_certificate {pki}/hostile.pem; ssl_certificate_key {pki}/hostile.key;",
            ),
        ),
    ]
}

fn proxy() -> Proxy {
    let to = |name: &str| route(&format!("/{name}"), name);
    let routes: Vec<Value> = BEHIND.iter().copied().map(to).collect();
    let trust_nobody = with(
        originate_tls(trusting("ca")),
        json!({"transport_socket": {"typed_config": {"common_tls_context": {"validation_context": {
            "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "good.example"}}]}}}}}),
    );
    let requiring = demanding_certificate("other-ca");
    let known = json!([vhost("known", &["known.example"], routes)]);
    let own = json!([vhost("any", &["*"], vec![direct("/", 200, "ok")])]);
    let role = |role: &str| {
        Some(json!({"role": role, "log": "all", "observe_every": 1, "response_header": "x-meshwhy-cause"}))
    };
    let text = json!({"access_log": [
        crate::harness::envoy::config_log::file_log("http.log"),
        {"name": "envoy.access_loggers.file", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "{folder}/sinks.txt",
            "log_format": {"text_format_source": {"inline_string": TEXT_FORMAT}},
        }},
    ]});
    Proxy::new(
        [
            Listener::http("http", known.clone()).tls_inspector().filter(text.clone()),
            Listener::http("plain", known).filter(text),
            Listener::http("mtls", own.clone()).tls_with("server", requiring),
            Listener::http("sni", own)
                .tls("server")
                .tls_inspector()
                .chain(json!({"filter_chain_match": {"server_names": ["known.example"]}})),
            Listener::tcp("tcp", "greeting"),
        ],
        [
            cluster("status-line", "status-line"),
            cluster("header", "header"),
            cluster("page", "page"),
            cluster("grpc", "grpc"),
            cluster("greeting", "greeting"),
            with(cluster("certificate", "certificate"), trust_nobody),
        ],
    )
    .roles(Roles {
        http: role("http"),
        connection: role("connection"),
        access_log: role("access_log"),
        ..Roles::default()
    })
}

/// Each value within quotes; the object last.
const TEXT_FORMAT: &str = "\"%FILTER_STATE(wasm.meshwhy.cause:PLAIN)%\" \"%FILTER_STATE(wasm.meshwhy.evidence:PLAIN)%\" \
    \"%FILTER_STATE(wasm.meshwhy.resource:PLAIN)%\" \"%FILTER_STATE(wasm.meshwhy.fix:PLAIN)%\" \"%FILTER_STATE(wasm.meshwhy.first_bytes:PLAIN)%\" %FILTER_STATE(wasm.meshwhy:PLAIN)%\n";

/// Sends everything; what came back.
fn play(envoy: &Envoy, places: &Places) -> Result<Vec<Vec<u8>>> {
    let request = |path: &[u8], host: &[u8]| {
        [b"GET ", path, b" HTTP/1.1\r\nHost: ", host, b"\r\nConnection: close\r\n\r\n"].concat()
    };
    let long = EVIL.repeat(20);
    let printable: Vec<u8> = EVIL.iter().copied().filter(|b| matches!(b, b'!'..=b'~')).collect();
    let mut inputs = vec![
        ("http", request(b"/", b"secretmark;cause=x.example")),
        ("http", request(b"/?secretmark=1", b"unknown.example")),
        ("http", b"GET /secretmark HTTP/1.0\r\nHost: secretmark\r\nCookie: secretmark\r\nAuthorization: secretmark\r\n\r\n".to_vec()),
        ("http", request(b"/", b"a%0a%22.example")),
        ("http", request(b"/", EVIL)),
        ("http", request(&[b"/", &printable[..]].concat(), b"unknown.example")),
        ("http", request(EVIL, b"known.example")),
        ("http", EVIL.to_vec()),
        ("http", [EVIL, b"\r\n\r\n"].concat()),
        ("tcp", EVIL.to_vec()),
        ("sni", request(&printable, b"known.example")),
        ("mtls", request(&printable, b"known.example")),
        ("mtls", EVIL.to_vec()),
    ];
    for name in BEHIND {
        inputs.push(("http", request(format!("/{name}").as_bytes(), b"known.example")));
    }
    for (sni, protocol) in
        [(EVIL, &b"h2"[..]), (b"a.example", EVIL), (&long[..255], &long[..255]), (&long, EVIL)]
    {
        for listener in ["http", "plain", "sni", "mtls", "tcp"] {
            inputs.push((listener, client_hello(sni, protocol)));
        }
    }
    let answers = inputs.iter().map(|(listener, bytes)| exchange(envoy.port(listener)?, bytes));
    let answers = answers.collect::<Result<_>>()?;
    // A certificate with these names, from an authority that the listener doesn't trust.
    let openssl = tools::program("openssl", "openssl")?;
    let arguments = "s_client -cert {pki}/hostile.pem -key {pki}/hostile.key -connect 127.0.0.1:";
    let arguments = places.fill(arguments) + &envoy.port("mtls")?.to_string();
    std::process::Command::new(openssl)
        .args(arguments.split(' '))
        .stdin(std::process::Stdio::null())
        .output()?;
    Ok(answers)
}

fn exchange(port: u16, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_millis(300)))?;
    let mut answer = Vec::new();
    // The proxy may hang up in the middle.
    if stream.write_all(bytes).is_ok() {
        let _ = stream.take(1 << 16).read_to_end(&mut answer);
    } else {
        let _ = stream.shutdown(Shutdown::Both);
    }
    Ok(answer)
}

fn response_headers(answers: &[Vec<u8>], reported: &mut BTreeSet<String>) -> Result<()> {
    let mut seen = 0;
    for answer in answers.iter().filter(|answer| answer.starts_with(b"HTTP/1.1 ")) {
        let head = String::from_utf8_lossy(answer);
        let head = head.split("\r\n\r\n").next().unwrap_or_default();
        for line in head.split("\r\n").filter_map(|line| line.strip_prefix("x-meshwhy-cause: ")) {
            reported.insert(known_cause(line)?);
            seen += 1;
        }
    }
    ensure!(seen >= 3, "only {seen} answers carry the header");
    Ok(())
}

fn text_log(envoy: &Envoy) -> Result<()> {
    let text = std::fs::read(envoy.path("sinks.txt"))?;
    let lines = text.split_inclusive(|byte| *byte == b'\n').count();
    let streams = envoy.log("http.log")?;
    ensure!(lines == streams.len(), "{lines} lines for {} streams", streams.len());
    for line in str::from_utf8(&text).context("the text log is no text")?.lines() {
        plain(line)?;
        let parts: Vec<&str> = line.splitn(11, '"').collect();
        ensure!(parts.iter().take(10).all(|part| part.len() <= LONGEST_VALUE), "{line}");
        ensure!(parts.len() == 11 && (2..9).step_by(2).all(|at| parts[at] == " "), "{line}");
        let object = parts[10].trim();
        ensure!(object == "-" || serde_json::from_str::<Value>(object)?.is_object(), "{line}");
    }
    Ok(())
}

/// All that filter state says in the logs.
fn evidence(envoy: &Envoy) -> Result<String> {
    let text = std::fs::read_to_string(envoy.path("sinks.txt"))?;
    let lines = ["http.log", "tcp.log", "listener.log"].map(|log| envoy.log(log));
    let lines = lines.into_iter().collect::<Result<Vec<_>>>()?.concat();
    let reported = lines.iter().flat_map(|line| ["meshwhy", "evidence"].map(|key| line[key].to_string()));
    Ok(reported.chain([text]).collect())
}

fn json_logs(envoy: &Envoy, reported: &mut BTreeSet<String>) -> Result<()> {
    for line in ["http.log", "tcp.log", "listener.log"]
        .map(|log| envoy.log(log))
        .into_iter()
        .collect::<Result<Vec<_>>>()?
        .concat()
    {
        for key in ["cause", "confidence", "side", "resource", "evidence", "fix"] {
            let Some(value) = line[key].as_str() else { continue };
            plain(value)?;
            ensure!(value.len() <= LONGEST_VALUE && !value.contains(['"', '\\']), "{key}: {value}");
        }
        if let Some(object) = line["meshwhy"].as_str() {
            let object: Value = serde_json::from_str(object)?;
            ensure!(object["cause"] == line["cause"] && object["evidence"] == line["evidence"], "{line}");
            reported.insert(known_cause(object["cause"].as_str().unwrap_or_default())?);
        }
    }
    Ok(())
}

/// The lines in the proxy's own log.
fn own_log(envoy: &Envoy, reported: &mut BTreeSet<String>) -> Result<()> {
    let log = envoy.own_log();
    let lines: Vec<&str> =
        log.lines().filter_map(|line| line.find("{\"event\"").map(|at| &line[at..])).collect();
    ensure!(lines.len() >= REPORTED.len(), "{} lines", lines.len());
    for line in lines {
        plain(line)?;
        ensure!(line.len() <= LONGEST_LINE, "{line}");
        let object: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        reported.insert(known_cause(object["cause"].as_str().unwrap_or_default())?);
        let evidence = object["evidence"].as_str().unwrap_or_default();
        let keys = evidence.split("; ").map(|field| field.split_once('=').map(|(key, _)| key));
        // A second `cause` within the evidence would come from a name.
        ensure!(
            evidence.is_empty() || keys.clone().all(|key| key.is_some_and(|key| key != "cause")),
            "{line}"
        );
    }
    Ok(())
}

fn labels(envoy: &Envoy, reported: &mut BTreeSet<String>) -> Result<()> {
    for sample in envoy.meshwhy_samples()? {
        if sample.name == "meshwhy_build_info" {
            continue;
        }
        let names: Vec<&str> = sample.labels.keys().map(String::as_str).collect();
        ensure!(names == ["cause", "confidence", "direction", "resource", "side"], "{sample:?}");
        reported.insert(known_cause(&sample.labels["cause"])?);
        sample.labels.values().try_for_each(|value| plain(value))?;
        ensure!(sample.labels.values().all(|value| value.len() <= LONGEST_LABEL), "{sample:?}");
    }
    Ok(())
}

fn known_cause(id: &str) -> Result<String> {
    Cause::from_id(id).map(|cause| cause.id().to_owned()).with_context(|| format!("{id:?} is no cause"))
}

fn plain(text: &str) -> Result<()> {
    ensure!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "not printable ASCII: {text:?}");
    Ok(())
}
