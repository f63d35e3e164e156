//! TLS: records, and the ClientHello within them (RFC 8446, section 4.1.2).

use super::{ClientHello, FirstBytes, MAX_BYTES, Protocol, Step};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const RECORD_HEADER: usize = 5;
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const LONGEST_SNI: usize = 255;
const MOST_ALPN: usize = 8;

/// TLS, if the bytes begin like a record: its type, and version 3.0 to 3.4.
pub(super) fn recognise(bytes: &[u8]) -> Option<Step> {
    let kind = *bytes.first()?;
    if kind != HANDSHAKE && kind != ALERT {
        return None;
    }
    let version_fits = match bytes {
        [_] => true,
        [_, 3] => true,
        [_, 3, minor, ..] => *minor <= 4,
        _ => false,
    };
    if !version_fits {
        return None;
    }
    let found = |protocol, tls| FirstBytes { tls, ..FirstBytes::of(protocol) };
    let Some(handshake) = bytes.get(RECORD_HEADER).filter(|_| kind == HANDSHAKE) else {
        let whole_header = bytes.len() > RECORD_HEADER;
        return Some(if kind == ALERT && whole_header {
            Step::Sure(found(Protocol::TlsAlert, None))
        } else {
            Step::Unsure(found(Protocol::TlsOther, None))
        });
    };
    match *handshake {
        SERVER_HELLO => Some(Step::Sure(found(Protocol::TlsServerHello, None))),
        CLIENT_HELLO => Some(client_hello(bytes)),
        _ => Some(Step::Sure(found(Protocol::TlsOther, None))),
    }
}

fn client_hello(bytes: &[u8]) -> Step {
    let message = joined_records(bytes);
    let found = |protocol, tls| FirstBytes { tls, ..FirstBytes::of(protocol) };
    // Type, length, and a version of TLS or SSL 3: that is what makes it a ClientHello.
    let Some(([_, length @ .., 3, minor], _)) = message.split_first_chunk::<6>() else {
        return match message.len() {
            0..=5 => Step::Unsure(found(Protocol::TlsOther, None)),
            _ => Step::Sure(found(Protocol::TlsOther, None)),
        };
    };
    if *minor > 4 {
        return Step::Sure(found(Protocol::TlsOther, None));
    }
    let [high, middle, low] = *length;
    let body = usize::try_from(u32::from_be_bytes([0, high, middle, low])).unwrap_or(usize::MAX);
    let arrived = message.get(4..).unwrap_or_default();
    let complete = arrived.len() >= body;
    let mut hello = ClientHello::default();
    // Extensions are read as far as they have arrived; what follows is ignored.
    let _ = extensions(arrived.get(..body).unwrap_or(arrived), &mut hello);
    let found = found(Protocol::TlsClientHello, Some(hello));
    if complete || bytes.len() >= MAX_BYTES { Step::Sure(found) } else { Step::Unsure(found) }
}

/// The handshake message, which may be spread over several records.
fn joined_records(bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    let mut rest = bytes;
    while let Some(([HANDSHAKE, 3, _, high, low], after)) = rest.split_first_chunk::<RECORD_HEADER>() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (payload, next) = after.split_at_checked(length).unwrap_or((after, &[]));
        message.extend_from_slice(payload);
        if payload.is_empty() {
            break;
        }
        rest = next;
    }
    message
}

/// Reads on until the bytes end or make no sense.
fn extensions(hello: &[u8], into: &mut ClientHello) -> Option<()> {
    let mut reader = Reader(hello);
    reader.take(2 + 32)?;
    let session = reader.u8()?;
    reader.take(usize::from(session))?;
    let suites = reader.u16()?;
    reader.take(usize::from(suites))?;
    let compressions = reader.u8()?;
    reader.take(usize::from(compressions))?;
    let length = usize::from(reader.u16()?);
    let mut reader = Reader(reader.0.get(..length).unwrap_or(reader.0));
    loop {
        let kind = reader.u16()?;
        let length = reader.u16()?;
        let body = reader.take(usize::from(length))?;
        match kind {
            SERVER_NAME => into.sni = server_name(body),
            ALPN => into.alpn = protocols(body),
            _ => {}
        }
    }
}

fn server_name(extension: &[u8]) -> Option<String> {
    let mut reader = Reader(extension);
    reader.u16()?;
    // Type 0 is host_name, the only one there is.
    (reader.u8()? == 0).then_some(())?;
    let length = reader.u16()?;
    let name = reader.take(usize::from(length))?;
    (!name.is_empty()).then(|| name.iter().take(LONGEST_SNI).map(|b| host_character(*b)).collect())
}

fn protocols(extension: &[u8]) -> Vec<String> {
    let mut reader = Reader(extension);
    let mut names = Vec::new();
    let _ = reader.u16();
    while names.len() < MOST_ALPN {
        let Some(name) = reader.u8().and_then(|length| reader.take(usize::from(length))) else { break };
        names.push(known_protocol(name).to_owned());
    }
    names
}

/// The byte, or `?` where no host name holds it.
pub(crate) fn host_character(byte: u8) -> char {
    let fits = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'*' | b':');
    if fits { char::from(byte) } else { '?' }
}

/// A name that is registered or Istio's; any other is the client's own text, of which nothing is kept.
fn known_protocol(name: &[u8]) -> &'static str {
    const KNOWN: &[&str] = &[
        "h2",
        "http/1.1",
        "http/1.0",
        "http/0.9",
        "h3",
        "h2c",
        "istio",
        "istio-peer-exchange",
        "istio-http/1.0",
        "istio-http/1.1",
        "istio-h2",
        "grpc-exp",
        "acme-tls/1",
        "postgresql",
        "tds/8.0",
        "mqtt",
        "dot",
        "imap",
        "pop3",
        "ftp",
        "xmpp-client",
        "xmpp-server",
    ];
    KNOWN.iter().find(|known| known.as_bytes() == name).copied().unwrap_or("?")
}

/// Reads numbers and slices from the front; `None` at the end.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }
}
