//! Threads that ask, one turn after the other, until it is enough.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};

/// What came of the turns of a thread.
pub trait Record: Default + Send + 'static {
    /// Adds another thread's.
    fn merge(&mut self, other: Self);
}

/// The threads, and whether they are to stop.
#[derive(Debug)]
pub struct Generator<R> {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<R>>>,
}

impl<R: Record> Generator<R> {
    /// Starts the threads. Each takes the next turn and hands its number to `act`, until that breaks off or fails, or the
    /// generator is finished.
    pub fn start(
        threads: usize,
        act: impl Fn(usize, &mut R) -> Result<ControlFlow<()>> + Send + Sync + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (act, next) = (Arc::new(act), Arc::new(AtomicUsize::new(0)));
        let thread = |_| {
            let (act, next, stop) = (Arc::clone(&act), Arc::clone(&next), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut record = R::default();
                while !stop.load(Ordering::SeqCst) {
                    if act(next.fetch_add(1, Ordering::Relaxed), &mut record)?.is_break() {
                        break;
                    }
                }
                Ok(record)
            })
        };
        let threads = (0..threads).map(thread).collect();
        Self { stop, threads }
    }

    /// Whether every thread has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Ends it after the turns that are under way; what all threads recorded.
    pub fn finish(self) -> Result<R> {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = R::default();
        for thread in self.threads {
            all.merge(thread.join().ok().context("a client panicked")??);
        }
        Ok(all)
    }
}
