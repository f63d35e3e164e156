//! The HTTP role: every stream of a connection manager, also those that its codec rejected.

use super::{Plugin, collect};
use crate::causes::Cause;
use crate::diagnosis::is_server_error;
use crate::evidence::{Answer, ClusterName, Details, Flags, GrpcStatus, LONGEST_REPLY, Maker, Page};
use crate::host::{Buffer, HeaderMap, Host};
use crate::report::Series;

/// The state of a stream until its end: a few bytes, and a box for the few streams that need more.
#[derive(Debug, Clone, Default)]
pub struct HttpStream {
    code: Option<u16>,
    complete: bool,
    page_seen: bool,
    sampled: bool,
    /// Whether a response header carries the cause to the client: upstreams' own is removed.
    marked: bool,
    noted: Option<Box<Noted>>,
}

/// What was seen while the response passed.
#[derive(Debug, Clone, Default)]
struct Noted {
    answer: Answer,
    /// As they were when an error's headers passed.
    details: Details,
    /// The length that the body of an error is to have, if a proxy's own reply may be so long.
    length: Option<u64>,
    /// Who wrote a page that may name a TLS mistake.
    maker: Option<Maker>,
    /// Whether the report is in the filter state already.
    reported: bool,
}

/// With these flags something happened after the response had passed, and left its own details.
const LATE: Flags = Flags::DOWNSTREAM_CONNECTION_TERMINATION
    .union(Flags::DOWNSTREAM_REMOTE_RESET)
    .union(Flags::DOWNSTREAM_PROTOCOL_ERROR)
    .union(Flags::LOCAL_RESET)
    .union(Flags::STREAM_IDLE_TIMEOUT)
    .union(Flags::DURATION_TIMEOUT)
    .union(Flags::UPSTREAM_MAX_STREAM_DURATION_REACHED)
    .union(Flags::OVERLOAD_MANAGER);

/// The most bytes of an error page that are read: those that are known are shorter.
const LONGEST_PAGE: usize = 2048;

/// The most bytes that are read of a `server` header.
const LONGEST_SERVER: usize = 256;

impl HttpStream {
    /// A new stream; a `sampled` one is observed if it succeeds.
    pub fn new(sampled: bool) -> Self {
        Self { sampled, ..Self::default() }
    }

    /// The same, where a response header carries the cause.
    #[must_use]
    pub fn marked(self, marked: bool) -> Self {
        Self { marked, ..self }
    }

    /// The response's headers pass, before the connection manager rewrites them; whether [`Self::on_notable_headers`] has to see them.
    pub fn on_response_headers(&mut self, host: &impl Host, end_of_stream: bool) -> bool {
        // One read decides here and in `on_log`: most responses are no errors.
        self.code = status(host);
        self.complete = end_of_stream;
        if self.sampled && !end_of_stream && is_unframed(host) {
            self.note().unframed = Some(true);
        }
        if end_of_stream && self.code == Some(200) {
            // A gRPC error without a message, this proxy's own ones included. Other answers lack the header.
            self.note_grpc_status(grpc_status(host, HeaderMap::Response));
        }
        self.marked || self.is_error()
    }

    /// The same headers, if they are an error's: the last moment to see who made it, and to set the
    /// cause header. An upstream's own header of that name is removed from all responses, as
    /// clients would take it for this proxy's.
    pub fn on_notable_headers(&mut self, host: &impl Host, plugin: &mut Plugin) {
        if let Some(name) = &plugin.config.response_header {
            let _ = host.remove_header(HeaderMap::Response, name);
        }
        let Some(code) = self.code.filter(|_| self.is_error()) else { return };
        let details = plugin.details(host);
        if !details.via_upstream() {
            self.report_early(host, plugin, code, &details);
        } else if self.is_server_error() {
            self.note_maker(host);
        } else if code == 421 {
            self.note().page = Some(Page::Misdirected);
        } else if matches!(code, 400 | 495..=497) {
            // Later the response gets this proxy's name.
            let header = |name| host.header(HeaderMap::Response, name).ok().flatten();
            let server = header("server").and_then(|mut name| {
                name.truncate(LONGEST_SERVER);
                String::from_utf8(name).ok()
            });
            let typed = server.is_some() || header("content-type").is_some();
            self.noted.get_or_insert_default().maker = Some(Maker { server, typed });
        }
        self.noted.get_or_insert_default().details = details;
    }

    /// A part of the response's body passes: servers name TLS mistakes in their 400 pages.
    pub fn on_response_body(&mut self, host: &impl Host, end_of_stream: bool) {
        self.complete |= end_of_stream;
        let Some(noted) = self.noted.as_mut().filter(|noted| noted.details.via_upstream()) else { return };
        if self.page_seen || !(noted.maker.is_some() || noted.length.is_some()) {
            return;
        }
        self.page_seen = true;
        let body = host.buffer(Buffer::ResponseBody, 0, LONGEST_PAGE).unwrap_or_default();
        let whole = u64::try_from(body.len()).ok();
        match &noted.maker {
            Some(maker) => {
                let (page, repeats) = Page::recognise(maker, &body).unzip();
                (noted.answer.page, noted.answer.repeats) = (page, repeats == Some(true));
            }
            None => noted.answer.page = Page::of_proxy(&body).filter(|_| whole == noted.length),
        }
    }

    /// Who made this error, as far as its headers say it.
    fn note_maker(&mut self, host: &impl Host) {
        let grpc = self.is_grpc_server_error();
        let header = |name: &str| host.header(HeaderMap::Response, name).ok().flatten();
        let answer = self.note();
        let mut server = header("server");
        let via = || header("via").is_some();
        if let Some(server) = &mut server {
            server.truncate(LONGEST_SERVER);
        }
        let envoys = server.as_ref().is_some_and(|name| name.windows(5).any(|word| word == b"envoy"));
        answer.by_proxy = Some(envoys || via());
        answer.anonymous = server.is_none() && answer.by_proxy == Some(false);
        if grpc {
            // A reply without a body: its text is in a header.
            answer.page = header("grpc-message").and_then(|message| Page::of_proxy(&message));
            return;
        }
        let length = header("content-length").and_then(|length| str::from_utf8(&length).ok()?.parse().ok());
        self.noted.get_or_insert_default().length =
            length.filter(|length| (1..=LONGEST_REPLY).contains(length));
    }

    /// The stream has ended.
    pub fn on_log(&mut self, host: &impl Host, plugin: &mut Plugin, series: &mut Series) {
        if self.passed_whole() {
            return;
        }
        if self.ended_in_grpc_trailers(host) && !self.is_grpc_server_error() && !self.sampled {
            return;
        }
        let mut flags = collect::flags(host).unwrap_or_default();
        if self.complete {
            // The response was complete.
            flags = flags.difference(Flags::CLIENT_LEFT);
        }
        let (is_error, is_server_error) = (self.is_error(), self.is_server_error());
        let Noted { answer, details: noted, reported, .. } = self.take_noted();
        if self.code.is_some() && !is_error && !flags.any_failure() {
            return self.observe(host, plugin, series, flags, answer);
        }
        let known = self.complete && !noted.is_empty() && !flags.intersects(LATE);
        let details = if known { noted } else { plugin.details(host) };
        if reported && !known {
            // The report may become another, which leaves unset what it doesn't know.
            let _ = host.set_property(collect::RESOURCE, b"");
        }
        // The application's own 4xx ends here, and what corresponds to it in gRPC.
        let own_4xx =
            details.via_upstream() && self.code.is_some() && !is_server_error && answer.page.is_none();
        if own_4xx && !flags.any_failure() {
            return self.observe(host, plugin, series, flags, answer);
        }
        let moment = plugin.moment(host);
        let direction = plugin.direction(host);
        let mut evidence = if moment.brief && collect::is_left(&details, flags) {
            collect::left(host, flags, self.code, details, answer)
        } else {
            let code = self.code.or_else(|| collect::code(host));
            let mut evidence = collect::http(host, flags, code, details, answer);
            evidence.past = plugin.history.failure(&evidence);
            evidence
        };
        evidence.direction = direction;
        let cause = plugin.conclude(host, series, evidence, moment);
        let remembered = cause.is_some_and(Cause::ends_by_itself) && !moment.brief;
        if remembered && plugin.config.observe_every > 0 {
            plugin.history.recoveries().failed(collect::request_key(host), moment.now);
        }
    }

    /// A complete response without error: no flag can say that it failed. (An HTTP/2 client that
    /// resets the stream while the last bytes wait for its window goes unnoticed: nothing failed
    /// before.)
    pub fn passed_whole(&self) -> bool {
        !self.sampled && self.complete && self.code.is_some() && !self.is_error()
    }

    fn observe(
        &self,
        host: &impl Host,
        plugin: &mut Plugin,
        series: &mut Series,
        flags: Flags,
        answer: Answer,
    ) {
        if !self.sampled {
            return;
        }
        let cluster = collect::cluster(host);
        let awaited = plugin.history.recoveries().awaited();
        let may_be_old = answer.unframed == Some(true) || self.code == Some(411);
        let attempts = collect::attempts(host);
        let eventful = flags.contains(Flags::DELAY_INJECTED) || attempts.is_some_and(|attempts| attempts > 1);
        // Of a cluster that isn't Istio's there is nothing else to know.
        let istios = cluster.as_ref().is_some_and(ClusterName::is_istios);
        if !awaited && !may_be_old && !eventful && !istios {
            return;
        }
        let direction = plugin.direction(host);
        let bypasses = cluster.as_ref().is_some_and(ClusterName::is_passthrough);
        let compared = awaited || bypasses || eventful || plugin.history.compares();
        let mut evidence = collect::success(host, direction, cluster, answer, compared);
        evidence.code = self.code;
        evidence.flags = flags;
        evidence.upstream.attempts = attempts;
        evidence.past = plugin.history.success(&evidence);
        if awaited {
            let now = host.now().unwrap_or_default();
            let request = collect::request_key(host);
            evidence.past.failed_for = plugin.history.recoveries().succeeded(request, now);
        }
        plugin.observe(host, series, &evidence);
    }

    /// What the response says of itself; most say nothing.
    fn note(&mut self) -> &mut Answer {
        &mut self.noted.get_or_insert_default().answer
    }

    fn take_noted(&mut self) -> Noted {
        self.noted.take().map_or_else(Noted::default, |noted| *noted)
    }

    fn note_grpc_status(&mut self, status: Option<GrpcStatus>) {
        if let Some(status) = status.filter(|status| !status.is_ok()) {
            self.note().grpc_status = Some(status);
        }
    }

    fn grpc_status(&self) -> Option<GrpcStatus> {
        self.noted.as_ref()?.answer.grpc_status
    }

    fn is_error(&self) -> bool {
        self.code.is_some_and(|code| code >= 400) || self.grpc_status().is_some()
    }

    fn is_server_error(&self) -> bool {
        self.code.is_some_and(is_server_error) || self.is_grpc_server_error()
    }

    fn is_grpc_server_error(&self) -> bool {
        self.grpc_status().is_some_and(GrpcStatus::is_server_error)
    }

    /// Whether the response passed to its end, which was gRPC's trailers: then its status is known. Other streams
    /// that did not pass whole have none, and asking for it returns no data.
    fn ended_in_grpc_trailers(&mut self, host: &impl Host) -> bool {
        if self.complete || self.code != Some(200) {
            return false;
        }
        let status = grpc_status(host, HeaderMap::ResponseTrailers);
        self.note_grpc_status(status);
        status.is_some()
    }

    /// Sets the cause header on Envoy's local replies, if configured, and the filter state: a span ends before
    /// `on_log` (1.40), and what its tags are to show has to be there.
    fn report_early(&mut self, host: &impl Host, plugin: &mut Plugin, code: u16, details: &Details) {
        let Some(name) = plugin.config.response_header.clone() else { return };
        if details.is_empty() {
            return;
        }
        let flags = collect::flags(host).unwrap_or_default();
        let answer = self.noted.as_ref().map(|noted| noted.answer.clone()).unwrap_or_default();
        let mut evidence = collect::http(host, flags, Some(code), details.clone(), answer);
        evidence.direction = plugin.direction(host);
        evidence.past = plugin.history.before(&evidence);
        if let Some(report) = plugin.report_cache.report(evidence) {
            super::write_state(host, &report, false);
            // Where the host refuses the header, the access log still has the cause.
            let _ = host.set_header(HeaderMap::Response, &name, report.cause.id());
            self.noted.get_or_insert_default().reported = true;
        }
    }
}

fn status(host: &impl Host) -> Option<u16> {
    let code = host.header(HeaderMap::Response, ":status").ok().flatten()?;
    str::from_utf8(&code).ok()?.parse().ok()
}

/// Whether the body is framed neither by a length nor by chunks, nor its end announced by
/// `connection: close`, which HTTP/1.1 servers have to send (RFC 9112, section 9.6).
fn is_unframed(host: &impl Host) -> bool {
    // A body that a proxy's filter has compressed has lost its length.
    const FRAMES: &[&str] = &["content-length", "transfer-encoding", "connection", "content-encoding"];
    FRAMES.iter().all(|name| host.header(HeaderMap::Response, name).is_ok_and(|value| value.is_none()))
}

fn grpc_status(host: &impl Host, map: HeaderMap) -> Option<GrpcStatus> {
    Some(GrpcStatus::parse(&host.header(map, "grpc-status").ok().flatten()?))
}
