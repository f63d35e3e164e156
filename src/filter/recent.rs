//! What was told lately. A failure seldom comes alone, and those that show the same are told the same.

use alloc::rc::Rc;

use crate::diagnosis::diagnose;
use crate::evidence::Evidence;
use crate::prelude::*;
use crate::report::Report;

/// The last few reports and what they rest on: all of it, so that a report is found for its own evidence only.
#[derive(Debug, Default)]
pub(super) struct Recent {
    reports: Vec<(Box<Evidence>, Rc<Report>)>,
    next: usize,
}

/// So many.
const MOST: usize = 8;

impl Recent {
    /// What there is to tell of this, if it is a failure.
    pub(super) fn report(&mut self, e: Box<Evidence>) -> Option<Rc<Report>> {
        if let Some((_, report)) = self.reports.iter().find(|(seen, _)| *seen == e) {
            return Some(Rc::clone(report));
        }
        let report = Rc::new(Report::new(&diagnose(&e)?, &e));
        let known = (e, Rc::clone(&report));
        match self.reports.get_mut(self.next) {
            Some(oldest) => *oldest = known,
            None => self.reports.push(known),
        }
        self.next = self.next.saturating_add(1).checked_rem(MOST).unwrap_or_default();
        Some(report)
    }
}
