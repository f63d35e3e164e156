//! Hand-made servers, for misbehaviour that no real server shows on demand.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;

/// What the server does with every connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Closes as soon as it has read something.
    CloseAfterRequest,
    /// Closes at once, reading nothing.
    CloseAtOnce,
    /// Resets (RST) as soon as it has read something.
    ResetAfterRequest,
    /// Reads and never answers.
    NeverAnswer,
    /// Answers these bytes to the first read, then closes.
    Answer(&'static [u8]),
    /// Answers these bytes to the first read, then resets (RST).
    AnswerAndReset(&'static [u8]),
    /// Answers these bytes to the first read and keeps the connection.
    AnswerOnce(&'static [u8]),
    /// Answers these bytes to every read and keeps the connection.
    AnswerAndKeep(&'static [u8]),
    /// Answers these bytes to the first read, and closes when more comes, after this many milliseconds.
    AnswerThenClose(&'static [u8], u64),
    /// Sends these bytes before it reads anything, as servers of many protocols do.
    GreetFirst(&'static [u8]),
    /// Listens, but its queue is full: connections are never answered.
    FullQueue,
    /// Echoes.
    Echo,
    /// Another habit for each connection in turn; the last one is kept.
    InTurn(&'static [Habit]),
}

/// A running one; ends when dropped.
#[derive(Debug)]
pub struct Misbehaving {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    _held: Option<(TcpListener, Vec<TcpStream>)>,
}

impl Misbehaving {
    /// Starts it on a free port.
    pub fn start(habit: Habit) -> Result<Self> {
        if habit == Habit::FullQueue {
            return Self::with_full_queue();
        }
        if let Habit::InTurn(habits) = habit {
            let turn = Arc::new(AtomicUsize::new(0));
            return Self::serving(move |stream| {
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                if let Some(habit) = habits.get(turn).or(habits.last()) {
                    serve(stream, *habit);
                }
            });
        }
        Self::serving(move |stream| serve(stream, habit))
    }

    /// Starts one that does this with every connection, each in a thread of its own.
    pub fn serving(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> Result<Self> {
        Self::serving_at(SocketAddr::from(([127, 0, 0, 1], 0)), serve)
    }

    /// The same at this address.
    pub fn serving_at(
        address: SocketAddr,
        serve: impl Fn(TcpStream) + Clone + Send + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind(address)?;
        let (address, ended) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let stop = Arc::clone(&ended);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let serve = serve.clone();
                std::thread::spawn(move || serve(stream));
            }
        });
        Ok(Self { address, ended, _held: None })
    }

    fn with_full_queue() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        // A backlog of zero has room for one.
        rustix::net::listen(&listener, 0)?;
        let quickly = Duration::from_millis(100);
        let held: Vec<_> = (0..4).map_while(|_| TcpStream::connect_timeout(&address, quickly).ok()).collect();
        Ok(Self { address, ended: Arc::new(AtomicBool::new(false)), _held: Some((listener, held)) })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Misbehaving {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the accepting thread.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(50));
    }
}

/// Errors end the connection: that is what a misbehaving server does anyway.
fn serve(mut stream: TcpStream, habit: Habit) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let mut buffer = [0; 16 * 1024];
    match habit {
        Habit::CloseAtOnce | Habit::FullQueue | Habit::InTurn(_) => {}
        Habit::CloseAfterRequest => {
            let _ = stream.read(&mut buffer);
        }
        Habit::ResetAfterRequest => {
            let _ = stream.read(&mut buffer);
            let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
        }
        Habit::NeverAnswer => while stream.read(&mut buffer).is_ok_and(|n| n > 0) {},
        Habit::Answer(bytes) => {
            let _ = stream.read(&mut buffer);
            let _ = stream.write_all(bytes);
            let _ = stream.shutdown(Shutdown::Write);
            while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
        }
        Habit::AnswerAndReset(bytes) => {
            let _ = stream.read(&mut buffer);
            let _ = stream.write_all(bytes);
            // What was sent before a reset is lost unless it is on its way.
            std::thread::sleep(Duration::from_millis(100));
            let _ = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
        }
        Habit::AnswerOnce(bytes) => {
            let _ = stream.read(&mut buffer);
            let _ = stream.write_all(bytes);
            while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
        }
        Habit::AnswerAndKeep(bytes) => {
            while stream.read(&mut buffer).is_ok_and(|n| n > 0) && stream.write_all(bytes).is_ok() {}
        }
        Habit::AnswerThenClose(bytes, after) => {
            let _ = stream.read(&mut buffer);
            let _ = stream.write_all(bytes);
            let _ = stream.read(&mut buffer);
            std::thread::sleep(Duration::from_millis(after));
        }
        Habit::GreetFirst(bytes) => {
            let _ = stream.write_all(bytes);
            while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
        }
        Habit::Echo => {
            while let Ok(n) = stream.read(&mut buffer) {
                if n == 0 || stream.write_all(&buffer[..n]).is_err() {
                    break;
                }
            }
        }
    }
}
