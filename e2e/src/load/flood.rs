//! Many failures at once on a real Envoy: series and log lines are bounded, and every failure is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::envoy::config::{Listener, Proxy, Roles};
use crate::harness::envoy::parts::{direct, istio_config, route, vhost, with};
use crate::harness::envoy::{Envoy, Sample};
use crate::harness::process::wait_for;
use crate::harness::tools;

/// The bound in this test; small, so that most is beyond it.
const MAX_SERIES: usize = 64;

/// Envoy keeps the counters of series that made place, which are bounded, too.
const MOST_SERIES: usize = 4 * MAX_SERIES;

/// What no log line may hold.
const SECRET: &str = "s3cr3t";

/// `each` unknown hosts and as many Istio resources with hostile names: the number of series stays
/// bounded, and all that failed is counted.
pub fn series(each: usize) -> Result<()> {
    let mut hosts: Vec<Value> = (0..each)
        .map(|number| {
            let config = format!(
                "/apis/networking.istio.io/v1/namespaces/{}/virtual-service/{}",
                hostile_namespace(number),
                hostile_resource(number)
            );
            let mut route = route("/", &format!("missing-{number}\";.;"));
            route["metadata"] = json!({ "filter_metadata": { "istio": { "config": config } } });
            vhost(&number.to_string(), &[&format!("r{number}.example")], vec![route])
        })
        .collect();
    hosts.push(vhost("healthy", &["healthy.example"], vec![direct("/", 200, "ok")]));
    let role = |role: &str| Some(json!({ "role": role, "log": "limited", "max_series": MAX_SERIES }));
    let roles = Roles {
        http: role("http"),
        connection: role("connection"),
        access_log: role("access_log"),
        ..Roles::default()
    };
    let mut envoy = start(&Proxy::new([quiet(Listener::http("http", json!(hosts)))], []).roles(roles))?;
    let port = envoy.port("http")?;
    let to_resources: Vec<Vec<u8>> = (0..each).map(|number| get(&format!("r{number}.example"))).collect();
    let mut sent = Clients::connect(port)?.errors(&to_resources)?;
    ensure!(sent == each, "{sent} of {each} requests to resources failed");
    for host in (0..each).map(hostile_host) {
        let request = [b"GET / HTTP/1.1\r\nHost: ", &host[..], b"\r\n\r\n"].concat();
        let mut stream = connect(port)?;
        stream.write_all(&request)?;
        let answer = answer(&mut stream).with_context(|| format!("{:?}", String::from_utf8_lossy(&host)))?;
        ensure!(is_error(&answer), "no error for {:?}", String::from_utf8_lossy(&host));
        sent += 1;
    }
    let samples = settled(&envoy, sent)?;
    let failures: Vec<&Sample> = samples.iter().filter(|s| s.name == "meshwhy_failures_total").collect();
    let total: f64 = failures.iter().map(|s| s.value).sum();
    ensure!(total as usize == sent, "{total} counted, {sent} failed");
    let of = |resource: &str| {
        failures.iter().filter(|s| s.labels["resource"] == resource).map(|s| s.value).sum::<f64>()
    };
    let dropped: f64 =
        samples.iter().filter(|s| s.name == "meshwhy_series_dropped_total").map(|s| s.value).sum();
    ensure!(
        dropped > 0.0 && (dropped - of("_other")).abs() < f64::EPSILON,
        "{dropped} dropped, {} other",
        of("_other")
    );
    let named = failures.iter().filter(|s| !["", "_other"].contains(&s.labels["resource"].as_str())).count();
    let kinds: BTreeSet<_> =
        failures.iter().map(|s| ["cause", "confidence", "direction"].map(|l| &s.labels[l])).collect();
    ensure!(named > 0 && named <= MOST_SERIES, "{named} series with resources");
    ensure!(
        failures.len() <= MOST_SERIES + kinds.len(),
        "{} series of {} kinds",
        failures.len(),
        kinds.len()
    );
    let labels: BTreeSet<_> = failures.iter().flat_map(|s| s.labels.keys().map(String::as_str)).collect();
    ensure!(labels == BTreeSet::from(["cause", "confidence", "direction", "resource", "side"]), "{labels:?}");
    let exposed =
        samples.iter().any(|s| s.labels.values().any(|v| v.contains(".example") || v.contains('"')));
    ensure!(!exposed, "a host in a label");
    envoy.check_health()
}

/// One tenant has more resources that fail than there is room for, all the time: another one's get series of their own all the
/// same, and what makes place for them is lost from no sum.
pub fn tenants() -> Result<()> {
    let resources: Vec<(String, &str, usize)> = [("greedy", MAX_SERIES + 16), ("modest", 10), ("late", 5)]
        .into_iter()
        .flat_map(|(tenant, many)| {
            (0..many).map(move |number| (format!("{tenant}{number}.example"), tenant, number))
        })
        .collect();
    let hosts: Vec<Value> = resources
        .iter()
        .map(|(host, tenant, number)| {
            let resource = istio_config("virtual-service", tenant, &format!("vs-{number}"));
            vhost(host, &[host], vec![with(route("/", "missing"), resource)])
        })
        .collect();
    let role = Some(json!({ "role": "http", "max_series": MAX_SERIES }));
    let roles = Roles { http: role, ..Roles::default() };
    let mut envoy = start(&Proxy::new([quiet(Listener::http("http", json!(hosts)))], []).roles(roles))?;
    let mut clients = Clients::connect(envoy.port("http")?)?;
    let mut sent = BTreeMap::<&str, usize>::new();
    // The greedy one first, and again after each of the others.
    for tenant in ["greedy", "modest", "greedy", "late", "greedy", "modest", "late"] {
        let own = resources.iter().filter(|(_, owner, _)| *owner == tenant);
        let requests: Vec<Vec<u8>> = own.map(|(host, ..)| get(host)).collect();
        let failed = clients.errors(&requests)?;
        ensure!(failed == requests.len(), "{failed} of {} failed", requests.len());
        *sent.entry(tenant).or_default() += failed;
    }
    let samples = settled(&envoy, sent.values().sum())?;
    let failures = || samples.iter().filter(|s| s.name == "meshwhy_failures_total");
    let total: f64 = failures().map(|s| s.value).sum();
    ensure!(total as usize == sent.values().sum::<usize>(), "{total} counted of {sent:?}");
    for tenant in ["modest", "late"] {
        let own =
            failures().filter(|s| s.labels["resource"].starts_with(&format!("VirtualService/{tenant}/")));
        let own: f64 = own.map(|s| s.value).sum();
        ensure!(
            own as usize == sent[tenant],
            "{own} of {tenant}'s {} failures have a series of their own",
            sent[tenant]
        );
    }
    let of = |name: &str| samples.iter().filter(|s| s.name == name).map(|s| s.value).sum::<f64>();
    let other: f64 = failures().filter(|s| s.labels["resource"] == "_other").map(|s| s.value).sum();
    ensure!(other > 0.0 && other == of("meshwhy_series_dropped_total"), "{other} other");
    ensure!(failures().count() <= MOST_SERIES + 1, "{} series", failures().count());
    envoy.check_health()
}

/// Failures of one cause as fast as they go: `log_per_minute` lines, and all are counted. With `patience`
/// it waits for the next minute, whose first line says how many were left out.
pub fn log(failures: usize, patience: bool) -> Result<()> {
    const LINES: usize = 60;
    let known = json!([vhost("known", &["known.example"], vec![direct("/", 200, "ok")])]);
    let roles = Roles { http: Some(json!({ "role": "http", "log": "limited" })), ..Roles::default() };
    let mut envoy = start(&Proxy::new([quiet(Listener::http("http", known))], []).roles(roles))?;
    let port = envoy.port("http")?;
    let request = format!(
        "GET /{SECRET}?token={SECRET} HTTP/1.1\r\nHost: unknown.example\r\nCookie: {SECRET}\r\nAuthorization: Bearer {SECRET}\r\n\r\n"
    );
    let began = Instant::now();
    let mut clients = Clients::connect(port)?;
    let mut sent = clients.errors(&vec![request.clone().into_bytes(); failures])?;
    ensure!(sent == failures, "{sent} of {failures} failed");
    let took = began.elapsed();
    println!("{sent} failures in {} ms", took.as_millis());
    let count = |envoy: &Envoy| -> Result<f64> {
        Ok(envoy
            .meshwhy_samples()?
            .iter()
            .filter(|s| s.name == "meshwhy_failures_total")
            .map(|s| s.value)
            .sum())
    };
    settled(&envoy, sent)?;
    let lines = own_lines(&envoy)?;
    let minutes = usize::try_from(took.as_secs() / 60)? + 1;
    ensure!(lines.len() >= LINES && lines.len() <= LINES * minutes, "{} lines", lines.len());
    let size: usize = lines.iter().map(|line| line.to_string().len()).sum();
    ensure!(size < 64 * 1024 * minutes, "{size} bytes of log");
    if patience {
        std::thread::sleep(Duration::from_secs(61).saturating_sub(took));
        sent += clients.errors(&[request.into_bytes()])?;
        let lines = wait_for("the line of the next minute", || {
            let lines = own_lines(&envoy)?;
            Ok((lines.len() > LINES).then_some(lines))
        })?;
        let accounted: u64 =
            lines.iter().map(|line| 1 + line["suppressed"].as_u64().unwrap_or_default()).sum();
        ensure!(accounted == sent as u64, "the log accounts for {accounted} of {sent}");
    }
    settled(&envoy, sent)?;
    ensure!(count(&envoy)? as usize == sent, "{} of {sent} are counted", count(&envoy)?);
    // However many there are, they are one and the same failure.
    let series = envoy.meshwhy_samples()?.iter().filter(|s| s.name == "meshwhy_failures_total").count();
    ensure!(series == 1, "{series} series of one failure");
    ensure!(!envoy.own_log().contains(SECRET), "a secret is in the log");
    envoy.check_health()
}

/// Without access logs, which are not what is looked at here.
fn quiet(listener: Listener) -> Listener {
    listener.filter(json!({ "access_log": [] }))
}

fn start(proxy: &Proxy) -> Result<Envoy> {
    Envoy::start(&proxy.bootstrap(&tools::module()?.display().to_string()))
}

/// meshwhy's lines in the proxy's log, each of them whole.
fn own_lines(envoy: &Envoy) -> Result<Vec<Value>> {
    let log = envoy.own_log();
    let objects = log.lines().filter_map(|line| line.find("{\"event\"").map(|at| &line[at..]));
    objects.map(|object| serde_json::from_str(object).with_context(|| object.to_owned())).collect()
}

/// meshwhy's samples once they have reached this sum; more would come within the wait, too.
fn settled(envoy: &Envoy, failures: usize) -> Result<Vec<Sample>> {
    let sum = |samples: &[Sample]| -> f64 {
        samples.iter().filter(|s| s.name == "meshwhy_failures_total").map(|s| s.value).sum()
    };
    wait_for("the counters", || {
        let samples = envoy.meshwhy_samples()?;
        Ok((sum(&samples) as usize >= failures).then_some(()))
    })?;
    std::thread::sleep(Duration::from_millis(200));
    envoy.meshwhy_samples()
}

fn get(host: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes()
}

/// Connections on which one request after the other is sent: Envoy gives up those with many requests at once.
struct Clients(Vec<TcpStream>);

impl Clients {
    fn connect(port: u16) -> Result<Self> {
        (0..64).map(|_| connect(port)).collect::<Result<_>>().map(Self)
    }

    /// Sends these, and counts the errors among the answers.
    fn errors(&mut self, requests: &[Vec<u8>]) -> Result<usize> {
        let mut errors = 0;
        for some in requests.chunks(self.0.len()) {
            let pairs = || self.0.iter().zip(some);
            pairs().try_for_each(|(mut stream, request)| stream.write_all(request))?;
            for (mut stream, _) in pairs() {
                errors += usize::from(is_error(&answer(&mut stream)?));
            }
        }
        Ok(errors)
    }
}

fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The head of an answer; Envoy's own errors have a body only where the codec refused.
fn answer(stream: &mut impl Read) -> Result<Vec<u8>> {
    let (mut head, mut buffer) = (Vec::new(), [0; 2048]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let size = stream.read(&mut buffer)?;
        ensure!(size > 0, "the proxy hung up after {:?}", String::from_utf8_lossy(&head));
        head.extend_from_slice(&buffer[..size]);
    }
    Ok(head)
}

fn is_error(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.1 ") && matches!(answer.get(9), Some(b'4' | b'5'))
}

/// Names that try to be more labels, other metrics, or very long; some are proper.
fn hostile_resource(number: usize) -> String {
    match number % 8 {
        0 => format!("vs-{number};.;cause=.=x;.;"),
        1 => format!("vs-{number}\"}} 1\n meshwhy_failures_total 99"),
        2 => format!("{}-{number}", "v".repeat(240)),
        3 => format!("vs-{number}-\u{e9}\u{202e}\u{1f600}"),
        4 => format!("vs-{number}/../../x"),
        _ => format!("vs-{number}"),
    }
}

fn hostile_namespace(number: usize) -> String {
    if number % 16 == 7 { "n".repeat(300) } else { format!("ns-{}", number % 100) }
}

/// Hosts of every kind of garbage; none is known, none ends the request.
fn hostile_host(number: usize) -> Vec<u8> {
    let name = format!("h{number}");
    let text = match number % 16 {
        0 => format!("{name}.example"),
        1 => format!("{name}\";.;cause=.=x;.;"),
        2 => format!("{name}.example:99999999"),
        3 => format!("[::{number:x}]:80"),
        4 => format!("{name}.{}", "x".repeat(2_000)),
        5 => format!("{name}%0d%0aX: y"),
        6 => format!("{name} with spaces"),
        7 => format!("{name}\t{{}}[]<>`|^"),
        8 => format!("*.{name}"),
        9 => format!("https://{name}.example/"),
        10 => format!("user:pass@{name}.example"),
        11 => String::new(),
        12 => format!("{name}.example\r\nHost: other-{name}.example"),
        _ => return garbage(number),
    };
    text.into_bytes()
}

fn garbage(number: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(number as u64);
    (0..40).map(|_| random.u8(..)).filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()
}
