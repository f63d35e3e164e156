//! What holds for any evidence: certainty rests on the facts that are shown, and goes with them.

use proptest::prelude::*;

use super::tests::evidence;
use super::{Confidence, Verdict, diagnose};
use crate::evidence::{Details, Evidence, Fact, Flags};

/// Clears what a fact is taken from. No `_` arm: a new fact has to say what it is.
fn forget(fact: Fact, e: &mut Evidence) {
    let (down, up, answer) = (&mut e.downstream, &mut e.upstream, &mut e.answer);
    match fact {
        Fact::Details => e.details = Details::default(),
        Fact::Flags => e.flags = Flags::default(),
        Fact::Code => e.code = None,
        Fact::Termination => e.termination = None,
        Fact::FilterChain => e.filter_chain = None,
        Fact::FirstBytes | Fact::RequestVersion => down.first_bytes = None,
        Fact::Sni => {
            down.sni = None;
            if let Some(first) = &mut down.first_bytes {
                first.tls = None;
            }
        }
        Fact::TlsVersion => down.tls_version = None,
        Fact::Protocol => down.protocol = None,
        Fact::Grpc => down.grpc = None,
        Fact::DownstreamFailure => down.transport_failure = None,
        Fact::SniIsAuthority => down.sni_is_authority = None,
        Fact::CertificateCovers => down.certificate_covers_authority = None,
        Fact::Listener => down.listener = None,
        Fact::VirtualHost => e.route.virtual_host = None,
        Fact::Route => e.route.name = None,
        Fact::Cluster => up.cluster = None,
        Fact::Endpoints => up.endpoints = None,
        Fact::Endpoint => up.address = None,
        Fact::EndpointMtls => up.takes_istio_mtls = None,
        Fact::UpstreamTls => up.tls_version = None,
        Fact::UpstreamTlsReason | Fact::ConnectError | Fact::UpstreamFailure => up.transport_failure = None,
        Fact::Attempts => up.attempts = None,
        Fact::UpstreamFirstBytes | Fact::AnswerVersion => up.first_bytes = None,
        Fact::Page => answer.page = None,
        Fact::ByProxy => answer.by_proxy = None,
        Fact::Unframed => answer.unframed = None,
        Fact::GrpcStatus => answer.grpc_status = None,
        Fact::Promised => answer.promised = None,
        Fact::Passed => answer.passed = None,
        Fact::Lived => e.lived = None,
        // Said by the details.
        Fact::Breaker => {}
        Fact::Mixer => e.mixer = None,
        Fact::RuleFor => e.past.rule_for = None,
        Fact::Versions => e.past.versions = None,
        Fact::Split => e.past.split = None,
        Fact::FailedFor => e.past.failed_for = None,
        Fact::EndpointTookMtls => e.past.took_mtls = false,
        Fact::EndpointFailed => e.past.endpoint_failed = None,
    }
}

fn certain(e: &Evidence) -> Option<Verdict> {
    diagnose(e).filter(|verdict| verdict.confidence == Confidence::Certain)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Whoever forgets what a verdict shows, and what the next one of the same cause shows, is left with no certainty.
    #[test]
    fn certainty_goes_with_the_facts_that_it_shows(e in evidence()) {
        let mut less = e.clone();
        let cause = certain(&e).map(|verdict| verdict.cause);
        while let Some(verdict) = certain(&less).filter(|verdict| Some(verdict.cause) == cause) {
            let shown: Vec<Fact> = verdict.facts.iter().copied().filter(|f| f.value(&less).is_some()).collect();
            prop_assert!(!shown.is_empty(), "{verdict:?} rests on nothing that it shows: {less:?}");
            let before = less.clone();
            shown.iter().for_each(|fact| forget(*fact, &mut less));
            prop_assert!(before != less, "{shown:?} can't be forgotten");
        }
    }

    /// Nor does forgetting one of them help.
    #[test]
    fn forgetting_a_shown_fact_never_makes_it_more_certain(e in evidence()) {
        let Some(before) = diagnose(&e) else { return Ok(()) };
        // Envoy has the TLS versions exactly where TLS was agreed: there absence is what was seen.
        let doubtful = |fact: &&Fact| !matches!(fact, Fact::TlsVersion | Fact::UpstreamTls);
        for fact in before.facts.iter().filter(doubtful) {
            let mut less = e.clone();
            forget(*fact, &mut less);
            // Without the flag or the details another rule may be the first to fit: only the same cause is compared.
            let after = diagnose(&less).filter(|after| after.cause == before.cause);
            let more = after.as_ref().is_some_and(|after| after.confidence > before.confidence);
            prop_assert!(!more, "{before:?} without {fact:?} became {after:?}");
        }
    }
}
