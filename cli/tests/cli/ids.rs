//! `meshwhy correlate` where the proxies gave one request different ids.

use std::process::{Command, Stdio};

use serde_json::Value;

/// What one proxy logs of a request that came from one socket and went out of another.
struct Seen<'a> {
    start: &'a str,
    request: &'a str,
    what: &'a str,
    took: u32,
    id: &'a str,
    /// Where it was sent, from which cluster and socket.
    sent: &'a str,
    /// Which address was asked, from where.
    came: &'a str,
}

const FINE: &str = r#"200 - via_upstream - "-""#;
const PASSED_ON: &str = r#"503 - via_upstream - "-""#;
const REFUSED: &str = r#"503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111} - "delayed_connect_error:_111""#;

impl Seen<'_> {
    fn line(&self) -> String {
        let Self { start, request, what, took, id, sent, came } = self;
        format!(
            "[2026-11-20T10:00:{start}Z] \"{request}\" {what} 0 91 {took} - \"-\" \"curl\" \"{id}\" \"web:8080\" {sent} {came} - default\n"
        )
    }
}

/// The gateway sent it from port 50122.
const GATEWAY: Seen<'_> = Seen {
    start: "01.000",
    request: "GET /a HTTP/1.1",
    what: PASSED_ON,
    took: 40,
    id: "aaaa",
    sent: "\"10.0.0.7:8080\" outbound|8080||web.shop.svc.cluster.local 10.0.0.2:50122",
    came: "10.0.0.2:80 192.0.2.1:4000",
};
/// The server's sidecar took it from there.
const SERVER: Seen<'_> = Seen {
    start: "01.010",
    request: "GET /a HTTP/1.1",
    what: REFUSED,
    took: 20,
    id: "bbbb",
    sent: "\"10.0.0.7:8080\" inbound|8080|| -",
    came: "10.0.0.7:8080 10.0.0.2:50122",
};

fn correlate(name: &str, gateway: &[Seen<'_>], server: &[Seen<'_>]) -> Vec<Value> {
    with(name, &[], gateway, server)
}

fn with(name: &str, options: &[&str], gateway: &[Seen<'_>], server: &[Seen<'_>]) -> Vec<Value> {
    let folder = std::env::temp_dir().join(format!("meshwhy-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let text = |lines: &[Seen<'_>]| lines.iter().map(Seen::line).collect::<String>();
    std::fs::write(folder.join("gateway.log"), text(gateway)).unwrap();
    std::fs::write(folder.join("server.log"), text(server)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_meshwhy"))
        .args(["correlate", "--json", "gateway.log", "server.log"])
        .args(options)
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn named(objects: &[Value]) -> Vec<(&str, &str, &str)> {
    objects
        .iter()
        .map(|object| {
            let get = |key: &str| object[key].as_str().unwrap_or_default();
            (get("request_id"), get("cause"), get("joined_by_connection"))
        })
        .collect()
}

#[test]
fn one_request_with_two_ids_is_joined_by_its_connection() {
    let objects = correlate("ids", &[GATEWAY], &[SERVER]);
    assert_eq!(named(&objects), [("aaaa", "upstream_refused", "certain")], "{objects:?}");
    assert_eq!(
        (objects[0]["proxy"].as_str(), &objects[0]["other_ids"]),
        (Some("server"), &serde_json::json!(["bbbb"]))
    );
    // Other requests of the same connection, before and after, have nothing to do with it.
    let before = Seen { start: "00.100", id: "cccc", ..GATEWAY };
    let after = Seen { start: "09.000", id: "dddd", what: FINE, ..SERVER };
    let objects = correlate("more", &[before, GATEWAY], &[SERVER, after]);
    let expected = [("aaaa", "upstream_refused", "certain"), ("cccc", "upstream_proxy_error", "")];
    assert_eq!(named(&objects), expected, "{objects:?}");
    // What the next proxy saw as fine says that it was another attempt's.
    let objects = correlate("fine", &[GATEWAY], &[Seen { what: FINE, ..SERVER }]);
    assert_eq!(named(&objects), [("aaaa", "upstream_proxy_error", "certain")], "{objects:?}");
    assert_eq!(
        (objects[0]["confidence"].as_str(), objects[0]["hops"].as_array().unwrap().len()),
        (Some("possible"), 2)
    );
}

#[test]
fn where_it_may_be_another_request_nothing_is_joined() {
    let apart = [("aaaa", "upstream_proxy_error", ""), ("bbbb", "upstream_refused", "")];
    let http2 = |seen: Seen<'static>| Seen { request: "POST /a HTTP/2", ..seen };
    for (name, gateway, server) in [
        ("port", vec![GATEWAY], vec![Seen { came: "10.0.0.7:8080 10.0.0.2:50123", ..SERVER }]),
        ("address", vec![GATEWAY], vec![Seen { came: "10.0.0.8:8080 10.0.0.2:50122", ..SERVER }]),
        ("path", vec![GATEWAY], vec![Seen { request: "GET /b HTTP/1.1", ..SERVER }]),
        ("time", vec![GATEWAY], vec![Seen { start: "05.000", ..SERVER }]),
        ("longer", vec![GATEWAY], vec![Seen { took: 9_000, ..SERVER }]),
    ] {
        let objects = correlate(name, &gateway, &server);
        assert_eq!(named(&objects), apart, "{name}: {objects:?}");
    }
    // Two streams of one HTTP/2 connection, alike and at once.
    let twin = Seen { id: "cccc", ..http2(GATEWAY) };
    let objects = correlate("twins", &[http2(GATEWAY), twin], &[http2(SERVER)]);
    assert_eq!(objects.len(), 3, "{objects:?}");
    // One alone is likely, for another one may be missing.
    let objects = correlate("http2", &[http2(GATEWAY)], &[http2(SERVER)]);
    assert_eq!(named(&objects), [("aaaa", "upstream_refused", "likely")], "{objects:?}");
}

/// Whichever of its ids one has.
#[test]
fn one_that_is_asked_for_is_joined_like_all_others() {
    let other = Seen { id: "cccc", start: "05.000", ..GATEWAY };
    let all = correlate("all", &[GATEWAY], &[SERVER]);
    for id in ["aaaa", "a", "bbbb"] {
        let one = with(
            &format!("one-{id}"),
            &["--id", id],
            &[GATEWAY, Seen { id: "cccc", start: "05.000", ..GATEWAY }],
            &[SERVER],
        );
        assert_eq!(one, all, "{id}");
    }
    let unjoined = with("unjoined", &["--id", "cccc"], &[GATEWAY, other], &[SERVER]);
    assert_eq!(named(&unjoined).len(), 1);
    assert_eq!(unjoined[0]["request_id"], "cccc");
}

/// Istio's default log and another one beside it.
#[test]
fn a_stream_that_a_proxy_logged_twice_is_one() {
    let once = correlate("once", &[GATEWAY], &[SERVER]);
    let twice = correlate("twice", &[GATEWAY, GATEWAY], &[SERVER, SERVER]);
    assert_eq!(once, twice);
    // Another attempt is another stream.
    let retry = Seen { start: "01.050", ..SERVER };
    let retried = with("retried", &["--id", "bbbb"], &[], &[SERVER, retry]);
    assert_eq!(retried[0]["hops"].as_array().unwrap().len(), 2, "{retried:?}");
}

#[test]
fn an_id_that_one_log_cut_off_is_the_same() {
    let whole = "8496d84a-13ac-4f17-b2c1-0a6d2c2b7f10";
    let elsewhere = "10.0.0.7:8080 10.0.0.99:50122";
    for cut in ["8496d84a", "8496d84a-13ac...", "8496d84a\u{2026}"] {
        let gateway = [Seen { id: whole, ..GATEWAY }];
        let server = [Seen { id: cut, came: elsewhere, ..SERVER }];
        for options in [&[][..], &["--id", whole], &["--id", "8496d84a"]] {
            let found = with("cut-ids", options, &gateway, &server);
            assert_eq!(found.len(), 1, "{cut} {options:?} {found:?}");
            assert_eq!(found[0]["hops"].as_array().unwrap().len(), 2, "{cut} {options:?}");
            assert_eq!(found[0]["cause"], "upstream_refused", "{cut} {options:?}");
        }
    }
    // Two that begin so, and a number that another begins with.
    let other =
        Seen { id: "8496d84a-13ac-4f17-b2c1-0a6d2c2b7f11", came: "10.0.0.2:80 192.0.2.1:4001", ..GATEWAY };
    let server = [Seen { id: "8496d84a", came: elsewhere, ..SERVER }];
    assert_eq!(correlate("cut-ids", &[Seen { id: whole, ..GATEWAY }, other], &server).len(), 3);
    let gateway = [Seen { id: "123456789", ..GATEWAY }];
    assert_eq!(
        correlate("cut-ids", &gateway, &[Seen { id: "12345678", came: elsewhere, ..SERVER }]).len(),
        2
    );
}
