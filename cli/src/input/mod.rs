//! What is read: files, standard input and gzip; cut into pieces of whole lines.

pub mod chunks;
pub mod colours;
pub mod encoding;
pub mod program;
pub mod records;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use self::program::Program;

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// How what is packed otherwise begins, what it is, and what unpacks it.
const PACKED: &[(&[u8], &str, &str)] = &[
    (b"PK\x03\x04", "a zip archive", "unzip"),
    (b"\x28\xb5\x2f\xfd", "zstd data", "zstd -d"),
    (b"\xfd7zXZ", "xz data", "xz -d"),
    (b"BZh", "bzip2 data", "bzip2 -d"),
];
/// So many bytes tell what a stream is.
const LONGEST_MAGIC: u64 = 5;
/// A member's header in a tar archive.
const TAR_BLOCK: u64 = 512;

/// Where an access log comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
    /// What a program prints.
    Program(Program),
}

impl Input {
    /// What the command line names; nothing is standard input.
    pub fn all(files: &[PathBuf]) -> Vec<Self> {
        let one =
            |path: &PathBuf| if path == Path::new("-") { Self::Stdin } else { Self::File(path.clone()) };
        if files.is_empty() { vec![Self::Stdin] } else { files.iter().map(one).collect() }
    }

    /// Its name in messages.
    pub fn name(&self) -> String {
        match self {
            Self::Stdin => "standard input".into(),
            Self::File(path) => path.display().to_string(),
            Self::Program(program) => program.name.clone(),
        }
    }

    /// How many bytes a file has.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Stdin | Self::Program(_) => None,
            Self::File(path) => {
                std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|m| m.len())
            }
        }
    }

    /// Opens it, unpacking gzip, as UTF-8 and without colours; `taken` counts the bytes read.
    pub fn open(&self, taken: &Arc<AtomicU64>, streams: Streams) -> io::Result<Box<dyn Read>> {
        let stream: Box<dyn Read> = match self {
            Self::Stdin => Box::new(io::stdin().lock()),
            Self::File(path) => Box::new(regular(path, streams)?),
            Self::Program(program) => Box::new(program.start()?),
        };
        let text = encoding::decoded(unpacked(Counted { stream, taken: Arc::clone(taken) })?)?;
        Ok(Box::new(colours::Plain::new(text)))
    }
}

/// What may be opened beside files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// Pipes: `<(kubectl logs ...)`. They are read once.
    Pipes,
    /// Nothing: what is read twice, or again and again.
    None,
}

/// Opens a file. Devices are refused, for they have no end, and pipes where they are of no use.
pub fn regular(path: &Path, streams: Streams) -> io::Result<File> {
    let refused =
        |what: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, format!("is {what}, no file")));
    // Looked at before it is opened: opening a pipe waits for its writer, and opening a device may do something.
    let kind = Kind::of(&std::fs::metadata(path)?);
    match kind {
        Kind::Folder => return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory")),
        Kind::Pipe if streams == Streams::None => return refused("a pipe"),
        Kind::Other => return refused("a device or socket"),
        Kind::File | Kind::Pipe => {}
    }
    let file = File::open(path)?;
    // Another may have taken its place.
    if Kind::of(&file.metadata()?) == kind { Ok(file) } else { refused("something else by now") }
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    Pipe,
    Other,
}

impl Kind {
    fn of(metadata: &std::fs::Metadata) -> Self {
        match metadata.file_type() {
            kind if kind.is_file() => Self::File,
            kind if kind.is_dir() => Self::Folder,
            kind if is_pipe(kind) => Self::Pipe,
            _ => Self::Other,
        }
    }
}

#[cfg(unix)]
fn is_pipe(kind: std::fs::FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&kind)
}

#[cfg(not(unix))]
fn is_pipe(_: std::fs::FileType) -> bool {
    false
}

/// Unpacks what begins like gzip; refuses what is packed in another way.
pub fn unpacked(mut stream: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut head = Vec::new();
    // One read may bring one byte; a pipe's first bytes may be a while.
    stream.by_ref().take(LONGEST_MAGIC).read_to_end(&mut head)?;
    if let Some((_, name, tool)) = PACKED.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Err(io::Error::other(format!("{name}: unpack it first ({tool})")));
    }
    let is_gzip = head.starts_with(&GZIP);
    let whole = io::Cursor::new(head).chain(stream);
    if !is_gzip {
        return Ok(Box::new(whole));
    }
    let mut whole = Unpacked(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, whole)));
    let mut block = Vec::new();
    let result = whole.by_ref().take(TAR_BLOCK).read_to_end(&mut block);
    if block.get(257..262) == Some(b"ustar") {
        return Err(io::Error::other("a tar archive: unpack it first (tar xzf)"));
    }
    // What came before an error is read, and then the error again.
    let whole = io::Cursor::new(block).chain(Again(result.err())).chain(whole);
    Ok(Box::new(whole))
}

/// An error that was met while looking ahead.
struct Again(Option<io::Error>);

impl Read for Again {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// A decoder whose errors say that it is gzip that is broken.
struct Unpacked<R>(R);

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| {
            let what = match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    "the gzip data ends too early; what came before was read".into()
                }
                _ => format!("broken gzip data ({error}); what came before was read"),
            };
            io::Error::new(error.kind(), what)
        })
    }
}

struct Counted {
    stream: Box<dyn Read>,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
