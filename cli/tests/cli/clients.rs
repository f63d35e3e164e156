//! What clients show, in place of a log.

use super::*;

const REFUSED: &str = "\
$ curl -v http://reviews.shop.svc.cluster.local:9080/r
*   Trying 10.0.0.7:9080...
* connect to 10.0.0.7 port 9080 failed: Connection refused
* Failed to connect to reviews.shop.svc.cluster.local port 9080: Connection refused
* Closing connection 0
curl: (7) Failed to connect to reviews.shop.svc.cluster.local port 9080: Connection refused
";

#[test]
fn a_failure_that_curl_tells_of_in_several_rows_is_one_and_the_fix_names_whom_it_asked() {
    let output = fed(&["explain"], REFUSED.as_bytes());
    assert!(err(&output).contains("1 of 1 request failed"), "{}", err(&output));
    assert!(!err(&output).contains("could not be read"), "{}", err(&output));
    let says = out(&output);
    assert!(says.contains("reviews.shop.svc.cluster.local:9080"), "{says}");
    assert!(says.contains("Start the application of reviews.shop.svc.cluster.local"), "{says}");
    assert_eq!(output.status.code(), Some(1));
    // Two commands are two.
    assert!(err(&fed(&["explain"], REFUSED.repeat(2).as_bytes())).contains("2 of 2 requests failed"));
}

#[test]
fn an_answer_is_named_by_the_request_in_front_of_it() {
    let text = "* Connected to 10.0.0.9 (10.0.0.9) port 31380 (#0)\n> GET /a?token=x HTTP/1.1\n> Host: shop.example.com\n>\n\
        < HTTP/1.1 503 Service Unavailable\n< content-length: 19\n< content-type: text/plain\n< server: istio-envoy\n<\nno healthy upstream\n";
    let says = out(&fed(&["explain"], text.as_bytes()));
    assert!(says.contains("GET shop.example.com:31380/a  "), "{says}");
    assert!(says.contains("Give the ServiceEntry of shop.example.com"), "{says}");
}

#[test]
fn a_good_answer_is_a_request_and_hides_nothing() {
    let good = "$ curl -v http://a.b:80/\n*   Trying 10.0.0.7:80...\n* Connected to a.b (10.0.0.7) port 80 (#0)\n> GET / HTTP/1.1\n\
        > Host: a.b\n>\n< HTTP/1.1 200 OK\n< server: istio-envoy\n<\n";
    let output = fed(&["explain"], good.as_bytes());
    assert!(err(&output).contains("0 of 1 request failed"), "{}", err(&output));
    assert_eq!(output.status.code(), Some(0));
    let cut = good.to_owned()
        + "* transfer closed with 4 bytes remaining to read\ncurl: (18) transfer closed with 4 bytes remaining to read\n";
    let output = fed(&["explain"], cut.as_bytes());
    assert!(out(&output).contains("upstream_closed_connection"), "{}", out(&output));
    assert!(err(&output).contains("1 of 2 requests failed"), "{}", err(&output));
}

#[test]
fn an_address_that_refused_is_none_where_the_next_one_answered() {
    let text = "*   Trying [::1]:8080...\n* connect to ::1 port 8080 from ::1 port 40000 failed: Connection refused\n*   Trying 127.0.0.1:8080...\n\
        * Connected to localhost (127.0.0.1) port 8080\n> GET / HTTP/1.1\n> Host: localhost:8080\n>\n< HTTP/1.1 200 OK\n< server: istio-envoy\n<\n";
    let output = fed(&["explain"], text.as_bytes());
    assert!(err(&output).contains("0 of 1 request failed"), "{}", err(&output));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn an_exception_and_its_causes_are_one_failure() {
    let text = "io.grpc.StatusRuntimeException: UNAVAILABLE: io exception\n\tat io.grpc.Status.asRuntimeException(Status.java:539)\n\
        Caused by: io.netty.channel.AbstractChannel$AnnotatedConnectException: Connection refused: db.shop.svc.cluster.local/10.1.2.3:5432\n\
        Caused by: java.net.ConnectException: Connection refused\n";
    let output = fed(&["explain"], text.as_bytes());
    assert!(err(&output).contains("1 of 1 request failed"), "{}", err(&output));
    assert!(out(&output).contains("on 10.1.2.3:5432"), "{}", out(&output));
}

#[test]
fn an_agents_warning_is_read_and_what_is_usual_is_not() {
    let warning = "2026-11-20T10:00:00.000000Z\twarn\tsds\tfailed to warm certificate: create certificate: rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial tcp 10.96.0.9:15012: i/o timeout\"\n";
    let output = fed(&["explain"], warning.as_bytes());
    assert!(out(&output).contains("upstream_connect_timeout"), "{}", out(&output));
    assert!(out(&output).contains("10.96.0.9:15012"), "{}", out(&output));
    // Where there is an access log, it counts.
    let with_log = fed(&["explain"], format!("{warning}{FINE}\n").as_bytes());
    assert!(err(&with_log).contains("0 of 1 request failed"), "{}", err(&with_log));
    for usual in [
        "2026-11-20T10:00:00.000000Z     info    ads     All caches have been synced up in 5.038009041s, marking server ready",
        "2026-11-20T10:00:00.000000Z info Starting proxy agent",
        "2026-11-20T10:00:00.000000Z\terror\txdsproxy\tupstream [95] error: rpc error: code = Unavailable desc = closing transport due to: connection error: desc = \"error reading from server: EOF\", received prior goaway: code: NO_ERROR, debug data: \"max_age\"",
        "[2026-11-20 10:00:00.000][1][warning][config] [a/grpc_stream.h:1] StreamAggregatedResources gRPC config stream closed: 13, ",
    ] {
        let output = fed(&["explain"], format!("{usual}\n").as_bytes());
        assert!(err(&output).contains("0 of 0 requests failed"), "{usual}: {}", err(&output));
        assert_eq!(output.status.code(), Some(0), "{usual}");
    }
}

#[test]
fn where_to_read_on_is_said() {
    let output = fed(&["explain"], b"curl: (56) Recv failure: Connection reset by peer\n");
    assert!(err(&output).contains("meshwhy causes plaintext_to_strict_mtls"), "{}", err(&output));
    assert!(out(&output).contains("read the proxy's access log"), "{}", out(&output));
    assert!(!err(&fed(&["explain"], FINE.as_bytes())).contains("meshwhy causes"));
}

#[test]
fn what_blocks_all_names_the_host_that_was_asked_for() {
    let line = FINE
        .replace("200 - via_upstream", "502 - direct_response")
        .replace("\"ratings:9080\" \"10.0.0.8:9080\" outbound|9080||ratings", "\"api.example.com\" \"-\" -")
        .replace(" default", " block_all");
    let says = out(&fed(&["explain"], line.as_bytes()));
    assert!(says.contains("Add a ServiceEntry for api.example.com"), "{says}");
}

#[test]
fn what_wraps_around_a_reason_gives_way_to_it() {
    let text = "System.Net.Http.HttpRequestException: The SSL connection could not be established, see inner exception.\n \
        ---> System.IO.IOException: Unable to read data\n   at System.Net.Security.SslStream.Read()\n\
        System.Net.Sockets.SocketException (111): Connection refused\n";
    let output = fed(&["explain"], text.as_bytes());
    assert!(out(&output).contains("client=Connection refused"), "{}", out(&output));
    assert!(err(&output).contains("1 of 1 request failed"), "{}", err(&output));
    assert!(!err(&output).contains("could not be read"), "{}", err(&output));
    // A status says more than curl's number.
    let output = fed(&["explain"], b"curl: (56) Received HTTP code 503 from proxy after CONNECT\n");
    assert!(out(&output).contains("upstream_proxy_error"), "{}", out(&output));
}

#[test]
fn a_webhooks_message_goes_on_in_the_next_rows() {
    let text = "message: >-\n  failed calling webhook\n  \"namespace.sidecar-injector.istio.io\": failed to call webhook: Post\n  \
        \"https://istiod.istio-system.svc:443/inject?timeout=10s\": context\n  deadline exceeded\n";
    let says = out(&fed(&["explain"], text.as_bytes()));
    assert!(says.contains("upstream_connect_timeout (possible)"), "{says}");
}

#[test]
fn what_envoy_refuses_is_told_by_its_kind() {
    let refused = |kind: &str| {
        let line = format!(
            "[2026-11-20 10:00:00.000][1][warning][config] [a/b.cc:138] gRPC config for type.googleapis.com/{kind} rejected: x\n"
        );
        out(&fed(&["explain"], line.as_bytes()))
    };
    assert!(refused("envoy.config.cluster.v3.Cluster").contains("cluster_missing (possible)"));
    assert!(refused("envoy.config.listener.v3.Listener").contains("virtual_service_not_applied (possible)"));
}

#[test]
fn a_page_that_tells_of_a_failure_is_one_failure() {
    let page = "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>\n<center><h1>502 Bad Gateway</h1></center>\n</html>\n";
    assert!(err(&fed(&["explain"], page.as_bytes())).contains("1 of 1 request failed"));
    let head = "< HTTP/1.1 503 Service Unavailable\n< server: istio-envoy\n< content-type: text/html\n<\n";
    let page =
        "<html><title>503 Service Unavailable</title></html>\n* Connection #0 to host a.b left intact\n";
    let output =
        fed(&["explain"], format!("* Connected to a.b (10.0.0.7) port 80 (#0)\n{head}{page}").as_bytes());
    assert!(err(&output).contains("1 of 1 request failed"), "{}\n{}", out(&output), err(&output));
}

#[test]
fn curls_meter_is_passed_over() {
    let text = "$ curl -v http://a.b/\n  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n  \
        0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0*   Trying 10.0.0.7:80...\n\
        * Connected to a.b (10.0.0.7) port 80 (#0)\n  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0\n";
    let output = fed(&["explain"], text.as_bytes());
    assert!(!err(&output).contains("could not be read"), "{}", err(&output));
}

#[test]
fn an_applications_log_without_a_failure_is_passed_over_and_counted() {
    let log = "2026-11-20 10:00:00.000  INFO 1 --- [main] o.a.k.clients.producer.ProducerConfig : ProducerConfig values:\n\
        \tconnections.max.idle.ms = 540000\n\trequest.timeout.ms = 30000\n\
        2026-11-20 10:00:01.000 DEBUG 1 --- [main] com.zaxxer.hikari.HikariConfig : connectionTimeout...............30000\n";
    let output = fed(&["explain"], log.as_bytes());
    assert!(err(&output).contains("0 of 0 requests failed"), "{}", err(&output));
    assert!(err(&output).contains("4 lines without a failure passed over"), "{}", err(&output));
    assert_eq!(output.status.code(), Some(0));
    // A failure among them counts, and what may be one isn't hidden.
    let failed = log.to_owned()
        + "2026-11-20 10:00:02.000 ERROR 1 --- [main] a.B : java.net.ConnectException: Connection refused\n";
    let output = fed(&["explain"], failed.as_bytes());
    assert!(out(&output).contains("upstream_refused (possible)"), "{}", out(&output));
    let unknown = log.to_owned()
        + "2026-11-20 10:00:02.000  INFO 1 --- [main] a.B : the mirror is out of step, retrying\n";
    assert!(err(&fed(&["explain"], unknown.as_bytes())).contains("1 line could not be read"));
}

#[test]
fn what_a_load_tester_counts_is_read() {
    let summary = "Summary:\n  Total:\t10.1 secs\n\nStatus code distribution:\n  [200]\t561 responses\n  [503]\t439 responses\n";
    let says = out(&fed(&["explain"], summary.as_bytes()));
    assert!(says.contains("[503] 439 responses"), "{says}");
    let good = summary.replace("  [503]\t439 responses\n", "");
    assert!(out(&fed(&["explain"], good.as_bytes())).is_empty());
}

#[test]
fn anybodys_sentence_gives_way_to_a_clients_own_words() {
    let text = "the upstream connections of our gateway are broken\n\n2026 ERROR dial tcp: lookup a.shop: no such host\n";
    let output = fed(&["explain"], text.as_bytes());
    assert!(out(&output).contains("upstream_dns_failure"), "{}", out(&output));
    assert!(err(&output).contains("1 of 1 request failed"), "{}", err(&output));
    let output = fed(&["explain"], b"{:error, %Some.TransportError{reason: :closed}}\n");
    assert!(out(&output).contains("evidence  told="), "{}", out(&output));
}

#[test]
fn of_a_clusters_counters_one_is_told_and_the_rest_is_passed_over() {
    let stats = "cluster.outbound|80||a.b.svc.cluster.local.external.upstream_rq_503: 9\n\
        cluster.outbound|80||a.b.svc.cluster.local.lb_healthy_panic: 0\n\
        cluster.outbound|80||a.b.svc.cluster.local.upstream_cx_connect_fail: 9\n\
        cluster.outbound|80||a.b.svc.cluster.local.upstream_rq_503: 9\n";
    let output = fed(&["explain"], stats.as_bytes());
    assert!(out(&output).contains("counter=upstream_cx_connect_fail; value=9"), "{}", out(&output));
    assert!(err(&output).contains("1 of 1 request failed"), "{}", err(&output));
    assert!(err(&output).contains("1 line without a failure passed over"), "{}", err(&output));
    // Where there is an access log, it counts.
    let with_log = fed(&["explain"], format!("{stats}{FINE}\n").as_bytes());
    assert!(err(&with_log).contains("0 of 1 request failed"), "{}", err(&with_log));
    let none = "cluster.a.upstream_cx_connect_fail: 0\ncluster.a.upstream_rq_total: 12\n";
    assert_eq!(fed(&["explain"], none.as_bytes()).status.code(), Some(0));
}
