//! What is fuzzed: each target takes bytes and panics where a promise is broken.
//!
//! `make fuzz` feeds them from libFuzzer; `make test` from the corpus and its neighbours (`e2e/vm/tests/corpus.rs`).

use std::io::{self, Read, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use meshwhy::config::{Config, ConfigError};
use meshwhy::diagnosis::diagnose;
use meshwhy::evidence::{ClusterName, Details, Evidence, Flags, Layer, TransportFailure};
use meshwhy::filter::{Connection, HttpStream, Plugin};
use meshwhy::host::fake::FakeHost;
use meshwhy::host::{Buffer, HeaderMap};
use meshwhy::report::{Counter, LONGEST_VALUE, Report, Series};
use meshwhy::wire::{FirstBytes, Sniffer};
use meshwhy_cli::explain::{Format, Hop, Pairs, Part, Reader, Reading, Source, join};
use meshwhy_cli::input::{self, chunks};

/// Takes any bytes, and panics where a promise is broken.
pub type Target = fn(&[u8]);

/// The targets by name: one folder of the corpus each.
pub const TARGETS: &[(&str, Target)] = &[
    ("first_bytes", first_bytes),
    ("details", details),
    ("properties", properties),
    ("configuration", configuration),
    ("access_log", access_log),
    ("log_files", log_files),
];

/// The same answer however the reads are split, and one that survives its way through the proxy.
pub fn first_bytes(bytes: &[u8]) {
    let Some((split, bytes)) = bytes.split_first() else { return };
    let reads = bytes.chunks(usize::from(*split).max(1));
    for new in [Sniffer::client, Sniffer::server] {
        let (mut whole, mut parts) = (new(), new());
        whole.push(bytes);
        reads.clone().for_each(|read| parts.push(read));
        assert_eq!(whole.seen(), parts.seen(), "read at once, and {split} bytes at a time");
        if let Some(seen) = whole.seen() {
            let text = seen.encode();
            assert!(text.len() <= 600 && is_plain(&text), "{text:?}");
            let back = FirstBytes::decode(&text).expect("what was encoded can be decoded");
            assert_eq!(back.protocol, seen.protocol, "{text:?}");
            assert_eq!(back.encode(), text);
        }
    }
}

/// Envoy's own words: code, flags, and texts separated by line feeds.
pub fn details(bytes: &[u8]) {
    let Some((head, texts)) = bytes.split_first_chunk::<11>() else { return };
    let [layer, low, high, flags @ ..] = *head;
    let texts = String::from_utf8_lossy(texts);
    let mut texts = texts.split('\n');
    let mut evidence = Evidence {
        layer: [Layer::Http, Layer::Tcp, Layer::Listener][usize::from(layer % 3)],
        code: Some(u16::from_le_bytes([low, high])).filter(|code| *code != 0),
        flags: Flags::from_bits_retain(u64::from_le_bytes(flags)),
        details: Details::new(texts.next().unwrap_or_default()),
        ..Evidence::default()
    };
    evidence.upstream.transport_failure = texts.next().and_then(TransportFailure::new);
    evidence.upstream.cluster = texts.next().and_then(ClusterName::new);
    evidence.downstream.transport_failure = texts.next().and_then(TransportFailure::new);
    evidence.downstream.first_bytes = texts.next().and_then(FirstBytes::decode);
    evidence.termination = Details::new(texts.next().unwrap_or_default());
    let verdict = diagnose(&evidence);
    assert_eq!(verdict, diagnose(&evidence));
    if let Some(verdict) = verdict {
        let report = Report::new(&verdict, &evidence);
        report.fields().for_each(|(_, value)| assert!(is_plain(value) && value.len() <= LONGEST_VALUE));
        assert!(is_object(report.json()) && is_object(&report.log_line(Counter::Failures, 7)));
    }
}

/// All roles on attributes, headers and buffers of any content: lines of `name=value`.
pub fn properties(bytes: &[u8]) {
    let mut host = FakeHost::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b'=');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { continue };
        let name = String::from_utf8_lossy(name);
        host = match (name.as_ref(), str::from_utf8(value).ok().and_then(|text| text.parse().ok())) {
            ("client" | "server" | "page", _) => {
                let buffer = match name.as_ref() {
                    "client" => Buffer::DownstreamData,
                    "server" => Buffer::UpstreamData,
                    _ => Buffer::ResponseBody,
                };
                host.set_buffer(buffer, value);
                host
            }
            (header, _) if header.starts_with(':') || header == "via" || header == "server" => {
                host.with_header(HeaderMap::Response, header, &String::from_utf8_lossy(value))
            }
            (path, Some(number)) => host.with_number(path, number),
            (path, None) => host.with_property(path, value),
        };
    }
    let mut series = Series::default();
    let plugin = |config: &str| Plugin::new(Config::parse(config.as_bytes()).expect("it is valid"));

    let mut tcp = plugin(r#"{"role":"connection","log":"all","observe_every":1}"#);
    let mut connection = Connection::new(true);
    connection.on_downstream_data(&host, false);
    connection.on_upstream_data(&host, false);
    connection.on_downstream_close(true);
    connection.on_log(&host, &mut tcp, &mut series);

    let mut http = plugin(r#"{"log":"all","observe_every":1,"response_header":"x-meshwhy-cause"}"#);
    let mut stream = HttpStream::new(true);
    if stream.on_response_headers(&host, false) {
        stream.on_notable_headers(&host, &mut http);
    }
    stream.on_response_body(&host, true);
    stream.on_log(&host, &mut http, &mut series);

    plugin(r#"{"role":"access_log","log":"all"}"#).on_access_log(&host, &mut series);

    for key in host.state_keys() {
        let value = host.state(&key).unwrap_or_default();
        assert!(is_plain(&value), "{key}: {value:?}");
        assert!(key != "meshwhy" || is_object(&value), "{value:?}");
    }
    for (name, _) in host.metrics() {
        assert!(is_plain(&name) && name.len() <= 1024, "{name:?}");
    }
    host.lines().iter().for_each(|(_, line)| assert!(is_object(line), "{line:?}"));
}

/// The same judgement of JSON as `serde_json`, and one printable line for each mistake.
pub fn configuration(bytes: &[u8]) {
    let ours = Config::parse(bytes);
    let theirs = serde_json::from_slice::<serde_json::Value>(bytes);
    let nothing = bytes.iter().all(u8::is_ascii_whitespace);
    let refused = matches!(ours, Err(ConfigError::Syntax(_)));
    assert_eq!(refused, theirs.is_err() && !nothing, "{ours:?}, but serde_json: {theirs:?}");
    if let Err(error) = ours {
        let line = error.to_string();
        assert!(is_plain(&line) && line.len() < 400, "{line:?}");
    }
}

/// A format string, then lines: read alone and beside others, the same each time, in that format and in the known ones.
pub fn access_log(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let given = lines.next().map(String::from_utf8_lossy).unwrap_or_default();
    let format = Format::parse(&given);
    format.as_ref().err().inspect(|error| assert!(!error.to_string().is_empty()));
    let known = std::iter::once(Reader::new(Vec::new()));
    let readers: Vec<Reader> = known.chain(format.ok().map(|format| Reader::new(vec![format]))).collect();
    let mut hops = Vec::new();
    reported_once(&readers, lines.clone());
    for (number, line) in lines.take(64).enumerate() {
        for reader in &readers {
            let (short, whole) = (reader.read(line), reader.read_all(line));
            match (&short, &whole) {
                (Reading::Fine(_), Reading::Fine(_)) => {}
                _ => assert_eq!(short, whole, "{:?}", String::from_utf8_lossy(line)),
            }
            let (line, finding) = match whole {
                Reading::Failed(line, finding) => (line, Some(*finding)),
                Reading::Fine(Some(line)) => (line, None),
                _ => continue,
            };
            if let Some(finding) = &finding {
                // A line that anybody may have written has no fix, whatever it names.
                assert_eq!(finding.source != Source::Ambiguous, finding.fix().is_some());
            }
            hops.push(Hop { proxy: format!("{}", number % 3), line: *line, finding });
        }
    }
    let failed = hops.iter().any(|hop| hop.finding.is_some());
    let count = hops.len();
    let joined = join(hops);
    // Failures that all follow from one another have no beginning.
    assert!(failed || joined.is_none());
    if let Some(joined) = joined {
        assert_eq!(joined.hops.len(), count);
        let roots = joined.hops.iter().filter(|(_, part)| *part == Part::Root).count();
        assert_eq!(roots, 1);
    }
}

/// What stands in both of a container's logs: each failure is reported once, and none is lost.
fn reported_once<'a>(readers: &[Reader], lines: impl Iterator<Item = &'a [u8]> + Clone) {
    for reader in readers {
        let (mut pairs, mut reported) = (Pairs::default(), Vec::new());
        let (mut logged, mut own) = (0, 0);
        let mut emit = |failure: meshwhy_cli::explain::Failure<usize>| reported.push(failure.place);
        for (number, line) in lines.clone().take(64).enumerate() {
            match reader.read(line) {
                Reading::Failed(line, finding) => {
                    logged += 1;
                    pairs.line(line, finding, Some(number), &mut emit);
                }
                Reading::Own(line) => {
                    own += 1;
                    pairs.own(*line, number, &mut emit);
                }
                _ => {}
            }
            if number % 4 == 3 {
                pairs.tick(&mut emit);
            }
        }
        pairs.finish(&mut emit);
        let count = reported.len();
        reported.sort_unstable();
        reported.dedup();
        assert!(reported.len() == count && (logged.max(own)..=logged + own).contains(&count));
    }
}

/// A log as files and pipes bring it: split anywhere, plain or packed, the same lines with the same numbers.
pub fn log_files(bytes: &[u8]) {
    let Some((split, bytes)) = bytes.split_first() else { return };
    // Each read costs a megabyte's clearing: not too many.
    let most = 32 + 8 * usize::from(*split);
    // What claims to be gzip may break off anywhere, but is read like anything else.
    let plain = lines(Pieces { bytes: bytes.to_vec(), at: 0, most });
    let is_gzip = bytes.starts_with(&[0x1f, 0x8b]);
    assert!(is_gzip || plain == bytes, "lines got lost");
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).and_then(|()| packed.try_finish()).expect("memory takes everything");
    let packed = packed.finish().expect("it is finished");
    assert_eq!(lines(Pieces { bytes: packed, at: 0, most }), bytes);
}

/// All lines of a stream, put together again.
fn lines(stream: Pieces) -> Vec<u8> {
    let (mut all, mut line) = (Vec::new(), 1);
    let mut give = |chunk: chunks::Chunk| {
        if !chunk.bytes.is_empty() {
            assert_eq!(chunk.first_line, line);
        }
        line += chunk.bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        all.extend(chunk.bytes);
        true
    };
    let mut chunks = chunks::Chunks::new(0);
    if let Ok(mut stream) = input::unpacked(stream) {
        // Broken gzip data: what came before was read.
        let _ = chunks.read(&mut stream, false, &mut give);
    }
    chunks.finish(&mut give);
    all
}

/// Brings this many bytes at a time.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    most: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let size = rest.len().min(self.most).min(buffer.len());
        buffer[..size].copy_from_slice(&rest[..size]);
        self.at += size;
        Ok(size)
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn is_object(text: &str) -> bool {
    is_plain(text) && serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.is_object())
}
