//! The rate limiter of the proxy's own log, by cause.

use crate::causes::Cause;

const MINUTE: u64 = 60_000_000_000;

/// Counts lines by cause and minute. Its size is the number of causes.
#[derive(Debug)]
pub struct LogLimiter {
    per_minute: Option<u64>,
    windows: Vec<Window>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    started: u64,
    written: u64,
    suppressed: u64,
}

impl LogLimiter {
    /// At most `per_minute` lines of each cause a minute; `None` lets all pass.
    pub fn new(per_minute: Option<u64>) -> Self {
        Self { per_minute, windows: vec![Window::default(); Cause::ALL.len()] }
    }

    /// Whether a line may be written now (nanoseconds of any clock); if so, how many were left out before it.
    pub fn admit(&mut self, cause: Cause, now: u64) -> Option<u64> {
        let Some(limit) = self.per_minute else { return Some(0) };
        let window = self.windows.get_mut(cause as usize)?;
        // A clock that went back opens a new window, too: a line too many is better than silence.
        if now.checked_sub(window.started).is_none_or(|age| age >= MINUTE) {
            window.started = now;
            window.written = 0;
        }
        if window.written >= limit {
            window.suppressed = window.suppressed.saturating_add(1);
            return None;
        }
        window.written = window.written.saturating_add(1);
        Some(std::mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_minute_says_how_many_were_left_out() {
        let mut limiter = LogLimiter::new(Some(2));
        let now = 1_000 * MINUTE;
        let first: Vec<_> = (0..5).map(|i| limiter.admit(Cause::RouteNoMatch, now + i)).collect();
        assert_eq!(first, [Some(0), Some(0), None, None, None]);
        assert_eq!(limiter.admit(Cause::NoEndpoints, now), Some(0), "each cause has its own");
        assert_eq!(limiter.admit(Cause::RouteNoMatch, now + MINUTE), Some(3));
        assert_eq!(limiter.admit(Cause::RouteNoMatch, now + MINUTE + 1), Some(0));
        assert_eq!(limiter.admit(Cause::RouteNoMatch, now + MINUTE + 2), None);
    }

    #[test]
    fn without_a_limit_every_line_passes() {
        let mut limiter = LogLimiter::new(None);
        assert!((0..1_000).all(|_| limiter.admit(Cause::RouteNoMatch, 0) == Some(0)));
    }

    #[test]
    fn a_limit_of_zero_is_silence() {
        assert_eq!(LogLimiter::new(Some(0)).admit(Cause::RouteNoMatch, MINUTE), None);
    }
}
