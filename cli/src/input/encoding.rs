//! Bytes → UTF-8: byte order marks are passed over, UTF-16 (PowerShell's `>`, Excel) is put into UTF-8.

use std::io::{self, Read};

/// Bytes taken at once.
const BLOCK: usize = 1 << 14;

/// The most that has to be seen to know the encoding.
const HEAD: usize = 3;

/// The stream in UTF-8, whatever it begins like.
pub fn decoded(mut stream: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut head = Vec::new();
    // One read may bring one byte; a pipe's first bytes may be a while.
    stream.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    let (order, skipped) = order(&head);
    let stream = io::Cursor::new(head.split_off(skipped.min(head.len()))).chain(stream);
    Ok(match order {
        None => Box::new(stream),
        Some(order) => Box::new(Utf16 { stream, decoder: Decoder::new(order) }),
    })
}

type Order = fn([u8; 2]) -> u16;

/// How the bytes of UTF-16 that begins so are ordered, if it is that, and how long its mark is.
fn order(head: &[u8]) -> (Option<Order>, usize) {
    match head {
        [0xef, 0xbb, 0xbf] => (None, 3),
        [0xff, 0xfe, ..] => (Some(u16::from_le_bytes), 2),
        [0xfe, 0xff, ..] => (Some(u16::from_be_bytes), 2),
        // Without a mark: no log begins with a zero byte, or has one behind its first letter.
        [first, 0, ..] if first.is_ascii_graphic() => (Some(u16::from_le_bytes), 0),
        [0, second, ..] if second.is_ascii_graphic() => (Some(u16::from_be_bytes), 0),
        _ => (None, 0),
    }
}

struct Utf16<R> {
    stream: R,
    decoder: Decoder,
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(&mut self.stream, buffer, true)
    }
}

/// The beginning of a file that grows, whose encoding is known once there is enough of it.
#[derive(Debug, Default)]
pub struct Growing {
    head: Vec<u8>,
    /// Known once the head is whole: what puts it into UTF-8, if it is anything else.
    decoder: Option<Option<Decoder>>,
}

impl Growing {
    /// The file in UTF-8, as far as it is there.
    pub fn of<'a>(&'a mut self, stream: &'a mut impl Read) -> impl Read + 'a {
        Grown { growing: self, stream }
    }

    fn read(&mut self, stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.is_none() {
            let missing = HEAD.saturating_sub(self.head.len());
            let read = stream.take(missing as u64).read_to_end(&mut self.head)?;
            if self.head.len() >= HEAD {
                let (order, skipped) = order(&self.head);
                self.head.drain(..skipped);
                self.decoder = Some(order.map(Decoder::new));
            } else if read == 0 {
                return Ok(0);
            }
        }
        let head = std::mem::take(&mut self.head);
        let mut whole = head.as_slice().chain(stream);
        match &mut self.decoder {
            Some(Some(decoder)) => decoder.read(&mut whole, buffer, false),
            _ => {
                let read = whole.read(buffer)?;
                self.head = whole.into_inner().0.to_vec();
                Ok(read)
            }
        }
    }
}

struct Grown<'a, R> {
    growing: &'a mut Growing,
    stream: &'a mut R,
}

impl<R: Read> Read for Grown<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.growing.read(self.stream, buffer)
    }
}

/// Puts UTF-16 into UTF-8.
#[derive(Debug)]
struct Decoder {
    order: Order,
    /// Bytes of a character whose rest is still to come.
    held: Vec<u8>,
    ready: Vec<u8>,
    given: usize,
}

impl Decoder {
    fn new(order: Order) -> Self {
        Self { order, held: Vec::new(), ready: Vec::new(), given: 0 }
    }

    /// Reads on; `ends` says whether there is nothing more where the stream has nothing.
    fn read(&mut self, stream: &mut impl Read, buffer: &mut [u8], ends: bool) -> io::Result<usize> {
        while self.given >= self.ready.len() {
            let mut block = vec![0; BLOCK];
            let read = stream.read(&mut block)?;
            if read == 0 && (self.held.is_empty() || !ends) {
                return Ok(0);
            }
            self.held.extend(block.get(..read).unwrap_or_default());
            self.decode(read == 0);
        }
        let ready = self.ready.get(self.given..).unwrap_or_default();
        let count = ready.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(ready) {
            *to = *from;
        }
        self.given = self.given.saturating_add(count);
        Ok(count)
    }

    /// Of what is held, all but a character whose rest may come; of broken ones the sign that stands for them.
    fn decode(&mut self, is_all: bool) {
        let bytes = std::mem::take(&mut self.held);
        let (pairs, odd) = bytes.as_chunks::<2>();
        let mut units: Vec<u16> = pairs.iter().map(|pair| (self.order)(*pair)).collect();
        if !is_all {
            let is_half = units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit));
            if is_half && units.pop().is_some() {
                self.held.extend(pairs.last().into_iter().flatten());
            }
            self.held.extend(odd);
        }
        let text: String =
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        (self.ready, self.given) = (text.into_bytes(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Drops(Vec<u8>, usize);

    impl Read for Drops {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    fn read(bytes: &[u8], drop: usize) -> Vec<u8> {
        let mut out = Vec::new();
        decoded(Drops(bytes.to_vec(), drop)).unwrap().read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn each_encoding_is_the_same_text() {
        let text = "[2026-11-20] \"GET /\u{e9}\u{1f600}\" 503\r\n".repeat(2_000);
        let wide = |order: fn(u16) -> [u8; 2]| -> Vec<u8> { text.encode_utf16().flat_map(order).collect() };
        let (little, big) = (wide(u16::to_le_bytes), wide(u16::to_be_bytes));
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            [b"\xff\xfe", little.as_slice()].concat(),
            [b"\xfe\xff", big.as_slice()].concat(),
            little,
            big,
        ] {
            for drop in [1, 2, 3, 5, 8_192] {
                assert_eq!(read(&bytes, drop), text.as_bytes(), "{:?}", &bytes[..4]);
            }
        }
    }

    #[test]
    fn what_is_short_or_broken_is_read_to_its_end() {
        for bytes in [b"".as_slice(), b"a", b"ab", b"\xef\xbb", b"\n", b"{}\n"] {
            assert_eq!(read(bytes, 1), bytes);
        }
        // Half a character, and half of a pair.
        assert_eq!(read(b"\xff\xfea\0b", 1), "a".as_bytes());
        assert_eq!(read(b"\xff\xfea\0\x3d\xd8", 1), "a\u{fffd}".as_bytes());
    }

    #[test]
    fn a_file_that_grows_is_the_same_text() {
        let text = "[2026-11-20] \"GET /\u{e9}\u{1f600}\" 503\r\n".repeat(20);
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [text.as_bytes().to_vec(), [b"\xff\xfe", wide.as_slice()].concat(), wide] {
            for drop in [1, 2, 3, 5, 100] {
                let (mut growing, mut out) = (Growing::default(), Vec::new());
                for mut piece in bytes.chunks(drop) {
                    growing.of(&mut piece).read_to_end(&mut out).unwrap();
                }
                assert_eq!(out, text.as_bytes(), "{drop} {:?}", &bytes[..4]);
            }
        }
    }
}
