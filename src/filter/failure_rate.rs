//! How many failures a second are reported in full. Clients can cause any number: an HTTP/2 reset
//! costs them next to nothing.

/// For each worker and plugin; the other failures of the second get a brief report.
const FULL_REPORTS_PER_SECOND: u32 = 1_000;

/// In nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// Counts the failures of this second.
#[derive(Debug, Default)]
pub(super) struct FailureRate {
    began: u64,
    failures: u32,
}

impl FailureRate {
    /// Counts a failure at this time (nanoseconds of any clock); whether it is beyond the limit.
    pub(super) fn exceeded(&mut self, now: u64) -> bool {
        // A clock that went back begins a new second, too.
        if now.checked_sub(self.began).is_none_or(|age| age >= SECOND) {
            *self = Self { began: now, failures: 0 };
        }
        self.failures = self.failures.saturating_add(1);
        self.failures > FULL_REPORTS_PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_own() {
        let mut rate = FailureRate::default();
        for second in [5, 6, 9, 2] {
            let full = (0..3_000).filter(|at| !rate.exceeded(second * SECOND + at)).count();
            assert_eq!(full, 1_000, "{second}");
        }
    }
}
