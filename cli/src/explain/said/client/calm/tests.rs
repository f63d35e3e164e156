//! Lines in which nothing failed, and those that hide nothing.

use super::*;

#[test]
fn what_a_healthy_application_writes_is_a_logs() {
    for text in [
        "2026-11-20 10:00:00.000  INFO 1 --- [main] c.z.hikari.HikariDataSource : HikariPool-1 - Start completed.",
        "INFO 2026-11-20 10:00:00 retries=3 timeout=30s connect_timeout=5s",
        "time=\"2026-11-20T10:00:00Z\" level=info msg=\"retry policy\" attempts=3 retryOn=\"5xx,reset\"",
        "[2026-11-20 10:00:00 +0000] [7] [INFO] Booting worker with pid: 7",
        "2026/11/20 10:00:00 [notice] 1#1: start worker processes",
        "INFO: 10.0.0.1:53720 - \"GET /healthz HTTP/1.1\" 200 OK",
        "info: Microsoft.Hosting.Lifetime[14]",
        "I1120 10:00:00.000000       1 leaderelection.go:258] successfully acquired lease a/b",
        "%7|1604738812.184|RECV|rdkafka#consumer-1| [thrd:a:9092/1]: Received MetadataResponse",
        "[   230.226352s] DEBUG ThreadId(02) daemon: linkerd_app_core::serve: Connection closed",
        "=INFO REPORT==== 31-May-2017::06:12:15 ===",
        "2026/11/20 10:00:00 http2: Framer 0xc00: read HEADERS flags=END_HEADERS stream=39 len=26",
        "NAME                     READY   STATUS    RESTARTS   AGE",
        "orders-5d8c6b9f4-kq2zt   2/2     Running   0          5d",
        "[INF] the job ended with errors=0",
        "istio-proxy debug envoy upstream\tmembership update for TLS cluster a added 1 removed 0",
        "1604142402: New connection from 10.0.0.1 on port 1883.",
        "[2018-04-26 16:48:21,230: DEBUG/MainProcess] | Consumer: Starting Connection",
        "[2023/02/01 03:26:36] [ info] [output:http:http.0] a.shop:443, HTTP status=200",
        "[2023/02/01 03:26:35] [debug] [task] created task=0x7fe8 id=0 OK",
        "{\"event\": \"Starting gunicorn 26.0.0\", \"level\": \"info\", \"logger\": \"gunicorn.error\"}",
        "{\"asctime\": \"2026-11-20 10:00:00\", \"levelname\": \"INFO\", \"message\": \"ready\"}",
        "{\"level\":30,\"time\":1700000000000,\"pid\":1,\"msg\":\"Server listening at http://0.0.0.0:3000\"}",
        "  Normal  Pulled     7s    kubelet, node01    Successfully pulled image",
        "  ioredis:redis status[a:6379]: wait -> connecting +1ms",
        "INFO session timeout set to 30 s",
        "INFO idle timeout: 30000",
        "INFO timeoutMs 5000",
        "INFO request.timeout.ms = 30000",
        "INFO connectionTimeout...............30000",
        "INFO {\"timeout\": 5}",
        "INFO read 512 rows of 450",
        "INFO HTTP/1.1 200 in 450 ms",
    ] {
        assert!(is_of_a_log(text), "{text}");
    }
}

#[test]
fn what_may_be_a_failure_is_none_of_it() {
    for text in [
        "",
        "Server running at http://0.0.0.0:3000/",
        "for your info: it is slow",
        "2026-11-20 10:00:00 WARN pool is small",
        "INFO Node -2 disconnected.",
        "INFO could not fetch the list, retrying in 5s",
        "INFO: 10.0.0.1:53720 - \"GET /orders HTTP/1.1\" 503 Service Unavailable",
        "INFO status=500 path=/a",
        "{\"status\": 503, \"level\": \"info\", \"msg\": \"answered\"}",
        "{\"level\":50,\"time\":1700000000000,\"msg\":\"a\"}",
        "{\"level\": \"error\", \"event\": \"a\"}",
        "[error] 12#12: the INFO of it",
        "orders-5d8c6b9f4-kq2zt   1/2     CrashLoopBackOff   12   5d",
        "orders-5d8c6b9f4-kq2zt   1/2     Running   0          5d",
        "level=warning msg=\"INFO\"",
        "istio-proxy warning envoy upstream\tmembership update",
        "1604142402: Client a disconnected.",
        "[2023/02/01 03:26:35] [ warn] [engine] a chunk is late",
        "  ioredis:redis status[a:6379]: error +1ms",
        "INFO backend timeout after 30000 ms",
        "INFO request timeout",
        "INFO [Timeout] waiting for a",
        "INFO remote hung up on us, connection closed by remote",
        "INFO socket hang up",
        "INFO status=505",
        "INFO statusCode: 520",
        "INFO HTTP 522",
        "INFO got HTTP/1.1 511",
        "INFO http status 451.",
        "{\"level\":\"info\",\"status\":599}",
    ] {
        assert!(!is_of_a_log(text), "{text}");
    }
}
