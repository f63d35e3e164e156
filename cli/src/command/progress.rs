//! How far a long run is, on a terminal.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::input::Input;

/// Below this it is over before anybody looks.
const WORTH_IT: u64 = 64 << 20;
/// Drawings a second.
const RATE: u8 = 2;

/// Shows progress, or nothing at all.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    taken: Arc<AtomicU64>,
}

impl Progress {
    /// For these inputs, if it is wanted and they are large.
    pub fn new(inputs: &[Input], taken: &Arc<AtomicU64>, wanted: bool) -> Self {
        let total: Option<u64> = inputs.iter().map(Input::size).sum();
        let shown = total.filter(|total| wanted && *total >= WORTH_IT && std::io::stderr().is_terminal());
        let bar = match (shown, ProgressStyle::with_template("{percent:>3} %  {binary_bytes_per_sec}  {msg}"))
        {
            (Some(total), Ok(style)) => {
                let target = ProgressDrawTarget::stderr_with_hz(RATE);
                ProgressBar::with_draw_target(Some(total), target).with_style(style)
            }
            _ => ProgressBar::hidden(),
        };
        Self { bar, taken: Arc::clone(taken) }
    }

    /// Shows it.
    pub fn show(&self, requests: u64, failures: u64) {
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{requests} requests, {failures} failed"));
            self.bar.set_position(self.taken.load(Ordering::Relaxed));
        }
    }

    /// Clears the line.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
