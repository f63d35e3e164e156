//! How far a long run is, on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::input::Input;

/// Below this it is over before anybody looks.
const WORTH_IT: u64 = 64 << 20;
const EVERY: Duration = Duration::from_millis(500);

/// Shows progress, or nothing at all.
#[derive(Debug)]
pub struct Progress {
    total: Option<u64>,
    taken: Arc<AtomicU64>,
    begun: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// For these inputs, if it is wanted and they are large.
    pub fn new(inputs: &[Input], taken: &Arc<AtomicU64>, wanted: bool) -> Self {
        let total: Option<u64> = inputs.iter().map(Input::size).sum();
        let total = total.filter(|total| wanted && *total >= WORTH_IT && std::io::stderr().is_terminal());
        Self { total, taken: Arc::clone(taken), begun: Instant::now(), shown: None }
    }

    /// Shows it, twice a second.
    pub fn show(&mut self, requests: u64, failures: u64) {
        let Some(total) = self.total else { return };
        if self.shown.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        let taken = self.taken.load(Ordering::Relaxed);
        let percent = (taken * 100).checked_div(total).unwrap_or(100).min(100);
        let rate = taken / (self.begun.elapsed().as_millis().max(1) as u64 * 1_000);
        eprint!("\r\x1b[K{percent:>3} %  {rate} MB/s  {requests} requests, {failures} failed");
        let _ = std::io::stderr().flush();
    }

    /// Clears the line.
    pub fn end(&mut self) {
        if self.shown.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
