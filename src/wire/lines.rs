//! Protocols whose first line is text.

use super::{FirstBytes, HttpLine, MAX_BYTES, Protocol, Sender, Step, http1};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether these are the beginning of HTTP/2's preface.
pub(super) fn begins_preface(bytes: &[u8]) -> bool {
    PREFACE.starts_with(bytes)
}

/// Decides at the end of the first line that isn't empty, or when there is no more to come.
pub(super) fn recognise(sender: Sender, bytes: &[u8]) -> Step {
    if sender == Sender::Client && (bytes.starts_with(PREFACE) || begins_preface(bytes)) {
        return preface(bytes);
    }
    // A server is allowed to skip an empty line before the request (RFC 9112, section 2.2).
    let mut lines =
        bytes.split_inclusive(|b| *b == b'\n').skip_while(|line| *line == b"\r\n" || *line == b"\n");
    let line = lines.next().unwrap_or_default();
    match line.strip_suffix(b"\n") {
        Some(whole) => Step::Sure(named(sender, whole.strip_suffix(b"\r").unwrap_or(whole))),
        None => {
            let beginning = match sender {
                Sender::Client => http1::begins_request(line),
                Sender::Server => http1::status_line(line),
            };
            let found = beginning.map_or(FirstBytes::of(Protocol::Text), http);
            if bytes.len() >= MAX_BYTES { Step::Sure(found) } else { Step::Unsure(found) }
        }
    }
}

fn preface(bytes: &[u8]) -> Step {
    if bytes.len() >= PREFACE.len() {
        return Step::Sure(FirstBytes::of(Protocol::Http2Preface));
    }
    Step::Unsure(FirstBytes::of(Protocol::Text))
}

fn http(line: HttpLine) -> FirstBytes {
    FirstBytes { http: Some(line), ..FirstBytes::of(Protocol::Http1) }
}

fn named(sender: Sender, line: &[u8]) -> FirstBytes {
    if line.starts_with(b"SSH-") {
        return FirstBytes::of(Protocol::Ssh);
    }
    match sender {
        Sender::Client => client(line),
        Sender::Server => server(line),
    }
}

fn client(line: &[u8]) -> FirstBytes {
    // These borrow HTTP's methods: NATS' CONNECT carries JSON, the others end in their own version.
    for (end, protocol) in
        [(&b" RTSP/1.0"[..], Protocol::Rtsp), (b" RTSP/2.0", Protocol::Rtsp), (b" SIP/2.0", Protocol::Sip)]
    {
        if line.ends_with(end) {
            return FirstBytes::of(protocol);
        }
    }
    if line.starts_with(b"CONNECT {") {
        return FirstBytes::of(Protocol::Nats);
    }
    if let Some(version) = http1::request_line(line) {
        return http(version);
    }
    // Broken HTTP, it seems: its methods are memcached's commands as well.
    let last = line.rsplit(|b| *b == b' ').next().and_then(|word| word.get(..5));
    if last.is_some_and(|word| word.eq_ignore_ascii_case(b"HTTP/")) {
        return FirstBytes::of(Protocol::Text);
    }
    let starts = |words: &[&[u8]]| words.iter().any(|word| line.starts_with(word));
    let is = |words: &[&[u8]]| words.iter().any(|word| line.eq_ignore_ascii_case(word));
    let protocol = if starts(&[b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN"]) {
        Protocol::ProxyV1
    } else if is_resp_array(line) || is(&[b"PING", b"INFO"]) {
        // Redis' clients send arrays, people at a terminal send PING.
        Protocol::Redis
    } else if starts(&[b"EHLO ", b"HELO ", b"ehlo ", b"helo "]) {
        Protocol::Smtp
    } else if is(&[b"version", b"stats"]) || starts(&[b"get ", b"gets ", b"set ", b"add "]) {
        Protocol::Memcached
    } else if is_imap_command(line) {
        Protocol::Imap
    } else {
        Protocol::Text
    };
    FirstBytes::of(protocol)
}

fn server(line: &[u8]) -> FirstBytes {
    if let Some(status) = http1::status_line(line) {
        return http(status);
    }
    let upper = line.to_ascii_uppercase();
    let says = |word: &[u8]| upper.windows(word.len()).any(|part| part == word);
    let greets = line.starts_with(b"220 ") || line.starts_with(b"220-");
    let protocol = if greets && says(b"SMTP") {
        Protocol::Smtp
    } else if greets && says(b"FTP") {
        Protocol::Ftp
    } else if line.starts_with(b"+OK") && says(b"POP") {
        Protocol::Pop3
    } else if line.starts_with(b"* OK") && says(b"IMAP") {
        Protocol::Imap
    } else if line.starts_with(b"-ERR ") || line == b"+PONG" || line.starts_with(b"-NOAUTH") {
        Protocol::Redis
    } else if line.starts_with(b"INFO {") {
        Protocol::Nats
    } else {
        Protocol::Text
    };
    FirstBytes::of(protocol)
}

/// `*N`: how many parts the command has.
fn is_resp_array(line: &[u8]) -> bool {
    matches!(line, [b'*', digits @ ..] if !digits.is_empty() && digits.len() <= 4 && digits.iter().all(u8::is_ascii_digit))
}

/// A tag, then one of the commands with which sessions begin.
fn is_imap_command(line: &[u8]) -> bool {
    let mut words = line.split(|b| *b == b' ');
    let (tag, command) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let tagged = (1..=8).contains(&tag.len())
        && tag.iter().all(u8::is_ascii_alphanumeric)
        && tag.iter().any(u8::is_ascii_digit);
    tagged && [&b"CAPABILITY"[..], b"LOGIN", b"STARTTLS"].iter().any(|c| command.eq_ignore_ascii_case(c))
}
