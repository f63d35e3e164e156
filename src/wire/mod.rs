//! The first bytes of a connection: which protocol they are, and what they say of themselves.
//!
//! Ambiguity is decided towards the less specific answer: a wrong protocol name is worse than
//! `text` or `binary`. Every decision rests on a fixed beginning of the bytes, so that it is the
//! same however the reads are split. Of a request line only the version is kept: targets hold secrets.

mod binary;
mod encoding;
mod http1;
mod lines;
mod protocol;
mod tls;

pub use protocol::Protocol;
pub(crate) use tls::host_character;

/// The most bytes kept of each direction.
pub const MAX_BYTES: usize = 1024;

/// The number of bytes at which binary protocols are decided.
const ENOUGH_FOR_BINARY: usize = 16;

/// What the first bytes were.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FirstBytes {
    /// The protocol.
    pub protocol: Protocol,
    /// What a TLS ClientHello asks for.
    pub tls: Option<ClientHello>,
    /// What an HTTP/1 request or status line says.
    pub http: Option<HttpLine>,
}

/// What a TLS ClientHello asks for, as far as it lies within the kept bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct ClientHello {
    /// The server name, at most 255 characters; what no host name may hold is `?`.
    pub sni: Option<String>,
    /// The application protocols, at most 8; `?` stands for one that is not registered.
    pub alpn: Vec<String>,
}

/// What an HTTP/1 request or status line says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct HttpLine {
    /// Major and minor version; `None` if there is none, or if it lies beyond the kept bytes.
    pub version: Option<(u8, u8)>,
    /// Whether the request's target is an absolute `https://` URL.
    pub https_url: bool,
    /// The status code of a status line.
    pub status: Option<u16>,
}

/// Who sent the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    Client,
    Server,
}

/// Takes the reads of one direction until the protocol is decided.
#[derive(Debug, Clone)]
pub struct Sniffer {
    sender: Sender,
    bytes: Vec<u8>,
    found: Option<FirstBytes>,
    done: bool,
}

/// What the bytes so far say: for good, or as far as they go.
enum Step {
    Sure(FirstBytes),
    Unsure(FirstBytes),
}

impl FirstBytes {
    fn of(protocol: Protocol) -> Self {
        Self { protocol, tls: None, http: None }
    }

    /// The version in an HTTP/1 request or status line: major and minor.
    pub fn http_version(&self) -> Option<(u8, u8)> {
        self.http?.version
    }
}

impl Sniffer {
    /// For the client's bytes.
    pub fn client() -> Self {
        Self::new(Sender::Client)
    }

    /// For the upstream's bytes.
    pub fn server() -> Self {
        Self::new(Sender::Server)
    }

    fn new(sender: Sender) -> Self {
        Self { sender, bytes: Vec::new(), found: None, done: false }
    }

    /// How many more bytes it needs; 0 when it has decided.
    pub fn wants(&self) -> usize {
        if self.done { 0 } else { MAX_BYTES }
    }

    /// Takes what passes now.
    pub fn push(&mut self, passing: &[u8]) {
        if self.done || passing.is_empty() {
            return;
        }
        // Bytes that a filter behind this one holds back pass again, with those that have come since.
        let again = passing.len() > self.bytes.len() && passing.starts_with(&self.bytes);
        let appended = [&self.bytes, passing].concat();
        let (held, both) =
            (classify(self.sender, beginning(passing)), classify(self.sender, beginning(&appended)));
        // Zeros follow zeros, and an S may follow an S: then only the two together are a protocol's.
        let is_recognised = |step: &Step| step.found().protocol.is_recognised();
        let by_itself = is_recognised(&both) && !is_recognised(&held) && !lines::begins_preface(passing);
        let (bytes, step) = if again && !by_itself { (passing, held) } else { (appended.as_slice(), both) };
        self.bytes = beginning(bytes).to_vec();
        let (found, sure) = match step {
            Step::Sure(found) => (found, true),
            Step::Unsure(found) => (found, self.bytes.len() >= MAX_BYTES),
        };
        self.found = Some(found);
        if sure {
            self.done = true;
            // It is decided: the bytes themselves are dropped.
            self.bytes = Vec::new();
        }
    }

    /// The best answer for what has arrived; `None` before the first byte.
    pub fn seen(&self) -> Option<&FirstBytes> {
        self.found.as_ref()
    }
}

/// As much as is kept.
fn beginning(bytes: &[u8]) -> &[u8] {
    bytes.get(..MAX_BYTES).unwrap_or(bytes)
}

impl Step {
    const fn found(&self) -> &FirstBytes {
        match self {
            Self::Sure(found) | Self::Unsure(found) => found,
        }
    }
}

fn classify(sender: Sender, bytes: &[u8]) -> Step {
    if let Some(step) = tls::recognise(bytes) {
        return step;
    }
    if looks_like_text(bytes) {
        return lines::recognise(sender, bytes);
    }
    let protocol = binary::recognise(sender, bytes);
    let found = FirstBytes::of(protocol);
    if bytes.len() >= ENOUGH_FOR_BINARY { Step::Sure(found) } else { Step::Unsure(found) }
}

/// Whether the beginning, up to a line's end, is text. Letters beyond ASCII may follow an ASCII one.
fn looks_like_text(bytes: &[u8]) -> bool {
    let begins_ascii = bytes.first().is_some_and(u8::is_ascii);
    let is_text = |b: &u8| matches!(*b, b' '..=b'~' | b'\r' | b'\n' | b'\t') || (begins_ascii && *b >= 0x80);
    let beginning = bytes.get(..ENOUGH_FOR_BINARY).unwrap_or(bytes);
    let line = beginning.split_inclusive(|b| *b == b'\n').find(|line| *line != b"\r\n" && *line != b"\n");
    line.unwrap_or(beginning).iter().all(is_text)
}

#[cfg(test)]
mod tests;
