//! Anybody's sentences, and what only has their words.

use super::*;

#[test]
fn what_became_of_a_connection_is_said_by_anybody() {
    for (text, symptom) in [
        ("{:error, :econnrefused}", Refused),
        ("our gateway's connections are being refused", Refused),
        ("gocql: no hosts available in the pool", Refused),
        ("a.b.ConnectionShutdown: Connection to 10.0.0.1:9042 was closed", Dropped),
        ("(Postgrex) tcp recv: closed", Dropped),
        ("NatsError: CONNECTION_CLOSED", Dropped),
        ("JedisException: Failed to create socket.", Dropped),
        ("nats: stale connection", Pooled),
        ("invalid connection", Pooled),
        ("{:error, :connect_timeout}", NoConnection),
        ("tcp connect error: deadline has elapsed", NoConnection),
        ("error: request timeout", NoAnswer),
        ("{:tls_alert, {:unknown_ca, 'x'}}", NoAgreement),
        ("failed DNS lookup of a.shop", NoName),
        ("WARN upstream host is now unreachable", NoRoute),
        ("the server won't send its initial greeting", NoGreeting),
        ("no banner received", NoGreeting),
        ("flyway is not able to (error: Unable to obtain connection from database)", Dropped),
        ("a.TcpOutgoingConnection: Connect timeout of Some(10 seconds) expired", NoConnection),
        (" ResponseTimeout", NoAnswer),
        ("Idle timeout reached for \"http://a\"", NoAnswer),
        ("each of our calls times out", NoAnswer),
        ("Error: Post request fails with EOF", Dropped),
    ] {
        assert_eq!(read(text).map(|(symptom, _)| symptom), Some(symptom), "{text}");
    }
}

#[test]
fn a_sentence_ends_somewhere() {
    let behind = |bytes| read(&format!("{} connection was refused", "x".repeat(bytes)));
    assert!(behind(LONGEST / 2).is_some());
    assert_eq!(behind(LONGEST), None);
}

#[test]
fn a_time_out_is_more_than_a_failure_of_a_connection() {
    let of = |symptom, text| narrower(symptom, text).map(|(symptom, _)| symptom);
    let text = "last connection error: failed to receive server preface within timeout";
    assert_eq!(of(Dropped, text), Some(NoAnswer));
    assert_eq!(of(NoAnswer, "connection #3 to a:80 timed out after 10 seconds"), Some(NoConnection));
    assert_eq!(of(NoAnswer, "the request timed out"), None);
    assert_eq!(of(Dropped, "connection failed, connect_timeout: 30s"), None);
}

#[test]
fn settings_counters_and_what_did_not_happen_are_none() {
    for text in [
        "connection errors: 0",
        "connection timeout set to 30 seconds",
        "Connection timeout: 30s",
        "proxy_connect_timeout 60s;",
        "connectionTimeout...............30000",
        "spring.datasource.hikari.connection-timeout=30000",
        "upstream_cx_connect_timeout: 0",
        "on-connection-failure: retry",
        "connection-refused-handler: enabled",
        "retryOn: connect-failure,refused-stream,unavailable,cancelled,503",
        "All connections were closed cleanly at shutdown.",
        "the connection was never refused",
        "no connection was lost",
        "How do I choose a connection timeout?",
        "the dns lookup took 3ms",
        "all hosts are available",
        "DEBUG closed connection",
        "cat <<EOF > request.json",
        "it retries if a request times out",
        "the greeting was sent",
        "spring.main.banner-mode=off",
        "an unreachable server does not leave its origin empty",
    ] {
        assert_eq!(read(text).map(|(symptom, said)| format!("{symptom:?} {said}")), None, "{text}");
    }
}
