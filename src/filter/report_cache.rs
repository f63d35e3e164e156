//! A cache of reports. Failures repeat, and equal evidence has an equal report.

use std::rc::Rc;

use crate::diagnosis::diagnose;
use crate::evidence::Evidence;
use crate::report::Report;

/// The last few reports, each with its evidence: the whole of it is compared.
#[derive(Debug, Default)]
pub(super) struct ReportCache {
    reports: Vec<(Box<Evidence>, Rc<Report>)>,
    next: usize,
}

/// How many reports are kept.
const CAPACITY: usize = 8;

impl ReportCache {
    /// The report of this evidence, from the cache or new; none if nothing failed.
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
        self.next = self.next.saturating_add(1).checked_rem(CAPACITY).unwrap_or_default();
        Some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{ClusterName, Details, Flags};

    /// A refused connection to the endpoint of this number.
    fn refused(endpoint: usize) -> Box<Evidence> {
        let mut e = Box::<Evidence>::default();
        e.code = Some(503);
        e.flags = Flags::UPSTREAM_CONNECTION_FAILURE;
        e.details = Details::new(
            "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}",
        );
        e.upstream.transport_failure = e.details.transport_failure().cloned();
        e.upstream.cluster = ClusterName::new("outbound|80||a.b");
        e.upstream.address = Some(format!("10.0.0.{endpoint}:80"));
        e
    }

    #[test]
    fn equal_evidence_has_one_report_and_any_other_its_own() {
        let mut report_cache = ReportCache::default();
        let first = report_cache.report(refused(1)).unwrap();
        let other = report_cache.report(refused(2)).unwrap();
        assert!(Rc::ptr_eq(&first, &report_cache.report(refused(1)).unwrap()));
        assert!(Rc::ptr_eq(&other, &report_cache.report(refused(2)).unwrap()));
        assert!(first.evidence.contains("10.0.0.1:80") && other.evidence.contains("10.0.0.2:80"));
        // Nothing that was seen is left out of the comparison, be it shown or not.
        let changes: &[fn(&mut Evidence)] = &[
            |e| e.code = Some(502),
            |e| e.direction = crate::evidence::Direction::Inbound,
            |e| e.past.took_mtls = true,
            |e| e.answer.by_proxy = Some(true),
            |e| e.upstream.cluster = ClusterName::new("outbound|80||a.c"),
            |e| e.route.name = Some("r".into()),
        ];
        for change in changes {
            let mut changed = refused(1);
            change(&mut changed);
            assert!(!Rc::ptr_eq(&first, &report_cache.report(changed).unwrap()));
        }
    }

    #[test]
    fn a_cached_report_is_what_a_new_one_would_be_and_the_cache_is_bounded() {
        let mut report_cache = ReportCache::default();
        for endpoint in (0..1_000).map(|at| at * at % 23) {
            let e = refused(endpoint);
            let fresh = Report::new(&diagnose(&e).unwrap(), &e);
            assert_eq!(*report_cache.report(e).unwrap(), fresh);
            assert!(report_cache.reports.len() <= CAPACITY);
        }
        assert!(report_cache.report(Box::default()).is_none(), "a success has no report");
    }
}
