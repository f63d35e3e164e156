//! The upstream's answer: late, broken, cut off, or an error of its own.

use super::reaching::NO_TUNNEL;
use super::{Advice, Verdict};
use crate::causes::Cause;
use crate::evidence::{Detail, Direction, Evidence, Fact, Flags, GrpcStatus, Layer, Page};
use crate::wire::Protocol;

pub(super) fn rule(e: &Evidence) -> Option<Verdict> {
    match e.layer {
        Layer::Http => {}
        Layer::Tcp => return tcp_reset(e),
        Layer::Listener => return None,
    }
    let is_applications = match e.details.detail() {
        // The upstream took no websocket: the same would happen without this proxy.
        Detail::WebsocketHandshakeUnsuccessful => true,
        // A custom response takes the error's place: the stream of its page has a line of its own (1.40).
        Detail::InternalRedirect => e.code.is_some_and(is_server_error) && !e.flags.any_failure(),
        _ => false,
    };
    if is_applications {
        const FACTS: &[Fact] = &[Fact::Details, Fact::Code, Fact::Cluster, Fact::Endpoint];
        return Some(Verdict::likely(Cause::ApplicationError, FACTS));
    }
    timeout(e).or_else(|| broken(e)).or_else(|| ended(e)).or_else(|| own_error(e))
}

/// Some servers end every connection with a reset (UR, 1.40): a lead at the most.
fn tcp_reset(e: &Evidence) -> Option<Verdict> {
    e.flags.contains(Flags::UPSTREAM_REMOTE_RESET).then_some(())?;
    // Closed silently, where an HTTP port's chain didn't match the bytes: the server didn't
    // understand them either.
    let refused = e.client_spoke_tls() == Some(true);
    if let Some(verdict) = super::passthrough::by_bytes(e).filter(|_| refused) {
        return Some(verdict);
    }
    let first = e.downstream.first_bytes.as_ref().map(|first| first.protocol);
    if matches!(first, Some(Protocol::ProxyV1 | Protocol::ProxyV2)) && e.upstream.first_bytes.is_none() {
        // Servers that don't expect it end such connections.
        const FACTS: &[Fact] = &[Fact::FirstBytes, Fact::Flags, Fact::Cluster, Fact::Endpoint];
        return Some(Verdict::possible(Cause::ProxyProtocolUnexpected, FACTS));
    }
    let reset = Verdict::possible(Cause::UpstreamReset, &[Fact::Flags, Fact::Cluster, Fact::Endpoint]);
    let in_plaintext = first.is_none_or(|first| !first.is_tls()) && e.upstream.first_bytes.is_none();
    Some(if in_plaintext && went_past_the_mesh(e) { reset.advising(&PAST_THE_MESH) } else { reset })
}

static PAST_THE_MESH: Advice = Advice {
    side: None,
    fix: "Ask a Service by a name and port that the mesh knows (Sidecar, exportTo): this went past it in plaintext, which servers with mutual TLS alone close.",
};

/// Whether the mesh didn't know the destination, such as a pod's address or what a Sidecar hides: nothing made mutual TLS of it.
pub(super) fn went_past_the_mesh(e: &Evidence) -> bool {
    e.direction == Direction::Outbound && e.upstream.cluster.as_ref().is_some_and(|c| c.is_passthrough())
}

fn timeout(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[
        Fact::Details,
        Fact::Lived,
        Fact::Flags,
        Fact::Cluster,
        Fact::Endpoint,
        Fact::Route,
        Fact::Attempts,
    ];
    let named = matches!(
        e.details.detail(),
        // The docs' name and the source's: the binary (1.40) has the second.
        Detail::UpstreamResponseTimeout
            | Detail::ResponseTimeout
            | Detail::UpstreamPerTryTimeout
            | Detail::UpstreamPerTryIdleTimeout
    );
    (named || e.flags.contains(Flags::UPSTREAM_REQUEST_TIMEOUT)).then_some(())?;
    static PER_TRY: Advice = Advice {
        side: None,
        fix: "Raise perTryTimeout in the VirtualService's retries, or make the upstream answer sooner.",
    };
    static DEADLINE: Advice = Advice {
        side: None,
        fix: "Raise the client's gRPC deadline, or the route's timeout, or make the upstream answer sooner.",
    };
    // The time-out is the route's, or the client's own (`grpc-timeout`).
    let late = Verdict::certain(Cause::UpstreamTimeout, FACTS).blaming(&e.route.resource);
    Some(match e.details.detail() {
        Detail::UpstreamPerTryTimeout | Detail::UpstreamPerTryIdleTimeout => late.advising(&PER_TRY),
        _ if e.downstream.grpc == Some(true) => late.advising(&DEADLINE),
        _ => late,
    })
}

/// `502 UPE`: what came back is not the HTTP that was expected.
fn broken(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[
        Fact::Details,
        Fact::Grpc,
        Fact::Flags,
        Fact::UpstreamFailure,
        Fact::Cluster,
        Fact::Endpoint,
        Fact::Attempts,
    ];
    const CUT_SHORT: &[Fact] = &[
        Fact::Details,
        Fact::Promised,
        Fact::Passed,
        Fact::Protocol,
        Fact::Flags,
        Fact::Cluster,
        Fact::Endpoint,
        Fact::Attempts,
    ];
    let named = e.details.reset_reason() == Some("protocol_error");
    (named || e.flags.contains(Flags::UPSTREAM_PROTOCOL_ERROR)).then_some(())?;
    // A body with a length has no form that could be broken: in HTTP/1 the connection was closed too early, in HTTP/2 (1.40: the same
    // details) the server ended the stream, and had promised more.
    if was_cut_short(e) && came_by_http1(e) {
        return Some(Verdict::likely(Cause::UpstreamClosedConnection, CUT_SHORT));
    }
    if was_cut_short(e) {
        static SHORT: Advice = Advice {
            side: None,
            fix: "Find out why the body ended before its content-length: the upstream died in the middle, or promises too much.",
        };
        return Some(Verdict::likely(Cause::UpstreamProtocolError, CUT_SHORT).advising(&SHORT));
    }
    if e.past.took_plaintext || e.past.took_mtls || e.past.answered {
        static ANSWERED: Advice = Advice {
            side: None,
            fix: "Correct the response, which breaks HTTP: the upstream answered well before, so the port is right.",
        };
        return Some(Verdict::likely(Cause::UpstreamProtocolError, FACTS).advising(&ANSWERED));
    }
    // No attribute tells which HTTP version the cluster speaks (1.40): an HTTP/1 server that met HTTP/2, an HTTP/2
    // server that met HTTP/1 and one that sends garbage look the same, for gRPC, too.
    Some(Verdict::likely(Cause::UpstreamProtocolError, FACTS))
}

/// Whether it came by HTTP/1. No attribute says so (1.40), and headers that HTTP/1 alone has are gone when the stream is logged, but
/// istiod's inbound clusters speak what the client speaks (1.29, 1.31).
fn came_by_http1(e: &Evidence) -> bool {
    e.direction == Direction::Inbound && e.downstream.protocol.as_deref() == Some("HTTP/1.1")
}

fn was_cut_short(e: &Evidence) -> bool {
    let lengths = e.answer.promised.zip(e.answer.passed);
    e.details.reset_after_response() && lengths.is_some_and(|(promised, passed)| passed < promised)
}

/// What a verdict rests on that depends on how long something took.
const TIMED: &[Fact] = &[
    Fact::Details,
    Fact::PoolReady,
    Fact::Lived,
    Fact::Flags,
    Fact::UpstreamTls,
    Fact::Cluster,
    Fact::Endpoint,
    Fact::Attempts,
];

/// Reset or closed before or during the response.
fn ended(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[
        Fact::Details,
        Fact::Flags,
        Fact::UpstreamTls,
        Fact::Answered,
        Fact::Cluster,
        Fact::Endpoint,
        Fact::Attempts,
    ];
    const CLOSED: &[Fact] = &[
        Fact::Details,
        Fact::PoolReady,
        Fact::Lived,
        Fact::Flags,
        Fact::UpstreamTls,
        Fact::Answered,
        Fact::Cluster,
        Fact::Endpoint,
        Fact::Attempts,
    ];
    static REFUSED: Advice = Advice {
        side: None,
        fix: "Retry on refused-stream: the server refused the request unprocessed (GOAWAY, or its stream limit).",
    };
    static IN_TUNNEL: Advice = Advice {
        side: None,
        fix: "Find connect_originate in this log: after tunnel_response ztunnel's log says why, else the application closed.",
    };
    if let Some(verdict) = closed_reused(e) {
        return Some(verdict);
    }
    match e.details.reset_reason() {
        Some("connection_termination") if e.upstream.is_tunneled() && is_connect_timeout(e.lived) => {
            return Some(Verdict::possible(Cause::UpstreamConnectTimeout, TIMED).advising(&NO_TUNNEL));
        }
        // The other end may have refused the tunnel: the stream sees no difference, the tunnel's line does (1.40).
        Some("connection_termination") if e.upstream.is_tunneled() => {
            return Some(Verdict::possible(Cause::UpstreamClosedConnection, FACTS).advising(&IN_TUNNEL));
        }
        Some("connection_termination") => {
            static NEW: Advice = Advice {
                side: None,
                fix: "See what the server expects there (another protocol, TLS, a PROXY header), or why it crashed: it closed a new connection at once.",
            };
            // TLS 1.3 refuses a client's certificate only after the handshake, and its alert is not logged (1.40).
            static NEW_TLS: Advice = Advice {
                side: None,
                fix: "Read the server's log: it closed a new TLS connection at once, as one that refuses this proxy's certificate, or crashes.",
            };
            let closed = Verdict::likely(Cause::UpstreamClosedConnection, CLOSED);
            let in_plaintext = e.upstream.tls_version.is_none();
            if in_plaintext && went_past_the_mesh(e) && closed_at_once(e) && !e.past.took_plaintext {
                return Some(closed.advising(&PAST_THE_MESH));
            }
            return Some(match (closed_new(e), in_plaintext) {
                (true, false) => closed.advising(&NEW_TLS),
                (true, true) => closed.advising(&NEW),
                (false, _) => closed,
            });
        }
        // 1.36 says the same of a stream that its server ends before what it promised, and what was promised may be unseen.
        Some("remote_reset") if e.details.reset_after_response() => {
            return Some(Verdict::likely(Cause::UpstreamReset, FACTS));
        }
        // The peer's RST_STREAM. On HTTP/1 nothing resets a stream.
        Some("remote_reset") => return Some(Verdict::certain(Cause::UpstreamReset, FACTS)),
        // GOAWAY leaves streams out like that, too (nginx, 1.40): whether it was about to close can't be told.
        Some("remote_refused_stream_reset") => {
            return Some(Verdict::certain(Cause::UpstreamReset, FACTS).advising(&REFUSED));
        }
        _ => {}
    }
    if e.flags.contains(Flags::UPSTREAM_REMOTE_RESET) {
        return Some(Verdict::likely(Cause::UpstreamReset, FACTS));
    }
    if e.flags.contains(Flags::UPSTREAM_CONNECTION_TERMINATION) {
        return Some(Verdict::likely(Cause::UpstreamClosedConnection, FACTS));
    }
    None
}

/// The longest that a connection of the pool takes to be there, in microseconds. Measured on Envoy 1.40 over loopback, through a relay
/// that holds bytes back for 3 ms each way (a real network makes new ones slower still), with Node, gunicorn, uvicorn and nginx, asked
/// just as they close; 1,961 requests on a busy machine: 3 to 40 on connections that were used before, 54 and more on new ones (with
/// TLS 6,900), none in between. Of the 432 that HTTP/1.1 lost, 12 took longer (48 to 6,227), and less is said of them.
const REUSED: u64 = 45;
/// The longest that such a request lives whose connection was being closed, in milliseconds: one round trip, and what a busy proxy
/// adds. Measured: 0.3 to 29, and 85 once.
const AT_ONCE: u64 = 50;

/// Whether a connection that nothing had used was closed as soon as it brought a request.
fn closed_at_once(e: &Evidence) -> bool {
    let new = e.upstream.pool_ready.is_some_and(|ready| ready > REUSED);
    new && e.details.closed_before_response() && e.lived.is_some_and(|lived| lived <= AT_ONCE)
}

/// The same, by an endpoint that isn't known to have answered.
fn closed_new(e: &Evidence) -> bool {
    closed_at_once(e) && !(e.past.answered || e.past.took_plaintext || e.past.took_mtls)
}

/// Whether the request got a connection that earlier ones had used. A new one takes longer even on
/// loopback; so may a reused one on a busy machine, and then the confidence is lower.
pub(super) fn was_reused(e: &Evidence) -> bool {
    // A connection to a tunnel's internal listener is always there at once.
    e.details.closed_before_response()
        && e.upstream.pool_ready.is_some_and(|ready| ready <= REUSED)
        && !e.upstream.is_tunneled()
}

/// `503 UC` on a connection that was used before. Closed at once, the server was closing it as the request came. Look-alike: a server
/// that crashes on that very request.
fn closed_reused(e: &Evidence) -> Option<Verdict> {
    let lived = e.lived.filter(|_| was_reused(e))?;
    if lived <= AT_ONCE {
        return Some(Verdict::likely(Cause::UpstreamClosedIdleConnection, TIMED));
    }
    Some(Verdict::likely(Cause::UpstreamClosedConnection, TIMED))
}

/// Whether it is as long as a connection to the other end of a tunnel may take by istiod's default, in milliseconds (1.31). The stream
/// has its connection, to the internal listener, from the beginning, and may be a little younger (9,998 was seen). Look-alike: an application that closes after just as long.
fn is_connect_timeout(lived: Option<u64>) -> bool {
    lived.is_some_and(|lived| (9_900..10_500).contains(&lived))
}

/// Whether HTTP calls it a server's error. Some applications have statuses of their own beyond.
pub fn is_server_error(code: u16) -> bool {
    (500..600).contains(&code)
}

/// A gRPC call that the server failed.
pub(super) fn is_grpc_error(e: &Evidence) -> bool {
    e.answer.grpc_status.is_some_and(GrpcStatus::is_server_error)
}

/// A 5xx that the upstream sent, or its like in gRPC. If the answer bears another proxy's marks, that one may have made it.
fn own_error(e: &Evidence) -> Option<Verdict> {
    const FACTS: &[Fact] = &[
        Fact::Details,
        Fact::GrpcStatus,
        Fact::Code,
        Fact::Page,
        Fact::ByProxy,
        Fact::Cluster,
        Fact::Endpoint,
        Fact::Attempts,
    ];
    static NAMELESS: Advice = Advice {
        side: None,
        fix: "Read the log of the endpoint in the evidence: the application there, or a proxy that gives no name, sent this error.",
    };
    static OF_A_GATEWAY: Advice = Advice {
        side: None,
        fix: "Read the log of the endpoint in the evidence: 502 and 504 are what a proxy there (nginx, a load balancer) says of the server behind it.",
    };
    let code = e.code.filter(|c| is_server_error(*c) || is_grpc_error(e))?;
    e.details.via_upstream().then_some(())?;
    // "HTTP Version Not Supported" to a request that is always HTTP/1.1 or later.
    if code == 505 {
        return Some(Verdict::likely(Cause::Http10Upstream, FACTS));
    }
    // A proxy behind this one made the answer: its own log knows why, and the application may never have been asked.
    // Look-alike: an application that passes on the page of a proxy that it called. Its sidecar puts its own name there; a
    // server that gives another name is no Envoy.
    if e.answer.page == Some(Page::ProxyReply) {
        return Some(match e.answer.by_proxy {
            Some(true) => Verdict::likely(Cause::UpstreamProxyError, FACTS),
            Some(false) if !e.answer.anonymous => Verdict::likely(Cause::ApplicationError, FACTS),
            _ => Verdict::possible(Cause::UpstreamProxyError, FACTS),
        });
    }
    let may_be_proxy = e.direction != Direction::Inbound;
    Some(match e.answer.by_proxy {
        // RFC 9110: a gateway's words for its own upstream. An application may pass them on.
        Some(false) if matches!(code, 502 | 504) => {
            let verdict = if may_be_proxy { Verdict::likely } else { Verdict::certain };
            verdict(Cause::ApplicationError, FACTS).advising(&OF_A_GATEWAY)
        }
        // An Envoy may hide its name and have error pages of its own (1.40: server_header_transformation PASS_THROUGH,
        // local_reply_config), and HAProxy's pages never have one. Behind a sidecar is the application itself.
        Some(false) if e.answer.anonymous && may_be_proxy => {
            Verdict::likely(Cause::ApplicationError, FACTS).advising(&NAMELESS)
        }
        // Whatever other server names itself there is the upstream.
        Some(false) => Verdict::certain(Cause::ApplicationError, FACTS),
        Some(true) | None => Verdict::likely(Cause::ApplicationError, FACTS),
    })
}
