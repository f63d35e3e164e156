//! One thread reads, the others work on chunks, the results come back in order. A bounded channel limits memory.

use std::fs::{File, Metadata};
use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::input::chunks::{Chunk, Chunks};
use crate::input::encoding::Growing;
use crate::input::program::{self, Program};
use crate::input::{self, Input, Streams};

/// How often a followed file is looked at, and how often the collector looks up.
const TICK: Duration = Duration::from_millis(200);

/// What comes of reading.
#[derive(Debug)]
pub enum Piece {
    /// Lines.
    Lines(Chunk),
    /// An input that could not be read, or not to its end.
    Broken(String),
}

/// What is shared with the thread that reads.
#[derive(Debug, Clone, Default)]
pub struct Control {
    /// Bytes read so far.
    pub taken: Arc<AtomicU64>,
    /// Whether to stop reading.
    pub stop: Arc<AtomicBool>,
}

/// Reads the inputs, has `work` done on each piece by several threads, and gives the results to `collect` in order,
/// until that says false. `tick` is called several times a second.
pub fn run<R: Send + 'static>(
    inputs: Vec<Input>,
    follow: bool,
    control: &Control,
    work: impl Fn(Piece) -> R + Send + Sync + 'static,
    mut collect: impl FnMut(R) -> anyhow::Result<bool>,
    mut tick: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let workers = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(1, 16));
    // What is underway, in the order of reading: one receiver for each result.
    let (underway_in, underway) = sync_channel::<Receiver<R>>(workers * 3);
    let (jobs_in, jobs) = channel::<Job<R>>();
    let has_own = vec![false; inputs.len()];
    let reading = Reading { inputs, underway: underway_in, jobs: jobs_in, control: control.clone(), has_own };
    // Not joined: where nobody wants more, it may be waiting for bytes that never come.
    std::thread::spawn(move || if follow { reading.follow() } else { reading.read_all() });
    let (jobs, work) = (Arc::new(Mutex::new(jobs)), Arc::new(work));
    for _ in 0..workers {
        let (jobs, work) = (Arc::clone(&jobs), Arc::clone(&work));
        std::thread::spawn(move || {
            while let Some((piece, result)) = take(&jobs) {
                if result.send(work(piece)).is_err() {
                    break;
                }
            }
        });
    }
    let mut next: Option<Receiver<R>> = None;
    loop {
        let waited = match &next {
            Some(result) => result.recv_timeout(TICK).map(Some),
            None => underway.recv_timeout(TICK).map(|result| {
                next = Some(result);
                None
            }),
        };
        match waited {
            Ok(Some(result)) => {
                next = None;
                if !collect(result)? {
                    return Ok(());
                }
            }
            Ok(None) => continue,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        tick()?;
        if control.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

/// A piece, and where its result goes.
type Job<R> = (Piece, SyncSender<R>);

fn take<T>(jobs: &Mutex<Receiver<T>>) -> Option<T> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

struct Reading<R> {
    inputs: Vec<Input>,
    underway: SyncSender<Receiver<R>>,
    jobs: Sender<Job<R>>,
    control: Control,
    /// In which inputs meshwhy's own lines were found.
    has_own: Vec<bool>,
}

impl<R> Reading<R> {
    /// Sends a piece on once there is room for it; false when nobody wants more.
    fn send(&mut self, mut piece: Piece) -> bool {
        if let Piece::Lines(chunk) = &mut piece
            && let Some(has_own) = self.has_own.get_mut(chunk.input)
        {
            *has_own = *has_own || chunk.mentions_own();
            chunk.has_own = *has_own;
        }
        let (result_in, result) = sync_channel(1);
        let sent = self.underway.send(result).is_ok() && self.jobs.send((piece, result_in)).is_ok();
        sent && !self.control.stop.load(Ordering::Relaxed)
    }

    fn read_all(mut self) {
        for (number, input) in std::mem::take(&mut self.inputs).iter().enumerate() {
            let mut chunks = Chunks::new(number);
            let live = input.size().is_none();
            let result = input.open(&self.control.taken, Streams::Pipes).and_then(|mut stream| {
                chunks.read(&mut stream, live, &mut |chunk| self.send(Piece::Lines(chunk)))
            });
            // What came before an error counts.
            chunks.finish(&mut |chunk| self.send(Piece::Lines(chunk)));
            match result {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    if !self.send(Piece::Broken(format!("{}: {error}", input.name()))) {
                        return;
                    }
                }
            }
        }
    }

    fn follow(mut self) {
        let mut files: Vec<Followed> = Vec::new();
        let mut programs: Vec<Running> = Vec::new();
        for (number, input) in std::mem::take(&mut self.inputs).into_iter().enumerate() {
            match input {
                Input::File(path) => files.push(Followed::new(number, path)),
                Input::Program(program) => match Running::start(number, &program) {
                    Ok(running) => programs.push(running),
                    Err(error) => {
                        if !self.send(Piece::Broken(format!("{}: {error}", program.name))) {
                            return;
                        }
                    }
                },
                Input::Stdin => {
                    if !self.send(Piece::Broken("standard input can't be followed beside files".into())) {
                        return;
                    }
                }
            }
        }
        while !self.control.stop.load(Ordering::Relaxed) {
            for file in &mut files {
                if !file.read_on(&mut |piece| self.send(piece)) {
                    return;
                }
            }
            for program in &mut programs {
                if !program.read_on(&mut |piece| self.send(piece)) {
                    return;
                }
            }
            programs.retain(|program| !program.output.has_ended());
            if files.is_empty() && programs.is_empty() {
                return;
            }
            std::thread::sleep(TICK);
        }
    }
}

/// A file that grows, and may be replaced or cut short.
struct Followed {
    path: PathBuf,
    open: Option<(File, Metadata)>,
    encoding: Growing,
    chunks: Chunks,
    reported: bool,
}

impl Followed {
    fn new(number: usize, path: PathBuf) -> Self {
        let (open, encoding) = (None, Growing::default());
        Self { path, open, encoding, chunks: Chunks::new(number), reported: false }
    }

    fn read_on(&mut self, send: &mut impl FnMut(Piece) -> bool) -> bool {
        let result = self.try_read_on(send);
        match result {
            Ok(going) => {
                self.reported = false;
                going
            }
            // It may come back; once is enough to say that it isn't there.
            Err(error) if !self.reported => {
                self.reported = true;
                send(Piece::Broken(format!("{}: {error}", self.path.display())))
            }
            Err(_) => true,
        }
    }

    fn try_read_on(&mut self, send: &mut impl FnMut(Piece) -> bool) -> std::io::Result<bool> {
        let mut give = |chunk| send(Piece::Lines(chunk));
        if let Some((file, _)) = &mut self.open {
            let length = file.metadata()?.len();
            if length < file.stream_position()? {
                // Cut short: `copytruncate` of logrotate.
                file.seek(SeekFrom::Start(0))?;
                self.encoding = Growing::default();
                if !self.chunks.begin_anew(&mut give) {
                    return Ok(false);
                }
            }
            if !self.chunks.read(&mut self.encoding.of(file), true, &mut give)? {
                return Ok(false);
            }
        }
        let now = std::fs::metadata(&self.path);
        match (&self.open, now) {
            (Some((_, old)), Ok(new)) if identity(old) == identity(&new) => Ok(true),
            (Some(_), Err(_)) => Ok(true),
            (opened, Ok(_)) => {
                let going = opened.is_none() || self.chunks.begin_anew(&mut give);
                self.open = Some(open(&self.path)?);
                self.encoding = Growing::default();
                Ok(going)
            }
            (None, Err(error)) => Err(error),
        }
    }
}

/// A program that goes on printing.
struct Running {
    name: String,
    output: program::Followed,
    chunks: Chunks,
}

impl Running {
    fn start(number: usize, program: &Program) -> std::io::Result<Self> {
        Ok(Self { name: program.name.clone(), output: program.follow()?, chunks: Chunks::new(number) })
    }

    fn read_on(&mut self, send: &mut impl FnMut(Piece) -> bool) -> bool {
        let result = self.chunks.read(&mut self.output, true, &mut |chunk| send(Piece::Lines(chunk)));
        if self.output.has_ended() {
            self.chunks.finish(&mut |chunk| send(Piece::Lines(chunk)));
        }
        match result {
            Ok(going) => going,
            Err(error) => send(Piece::Broken(format!("{}: {error}", self.name))),
        }
    }
}

/// What stays the same when a file grows and differs when another takes its name.
#[cfg(unix)]
fn identity(file: &Metadata) -> impl PartialEq {
    use std::os::unix::fs::MetadataExt as _;
    (file.dev(), file.ino())
}

#[cfg(not(unix))]
fn identity(file: &Metadata) -> impl PartialEq {
    file.created().ok()
}

fn open(path: &Path) -> std::io::Result<(File, Metadata)> {
    let file = input::regular(path, Streams::None)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}
