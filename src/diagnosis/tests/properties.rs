//! What holds for any evidence: one verdict for each failure, and certainty rests on the facts that are shown, and goes
//! with them.

use proptest::prelude::*;

use super::arbitrary::{FAILURES, evidence};
use super::{first, stream};
use crate::causes::Softness;
use crate::diagnosis::{Confidence, Verdict, diagnose, observe};
use crate::evidence::{ClusterName, Details, Evidence, Fact, Flags, Layer, TlsVersion, TransportFailure};
use crate::wire::Protocol;

/// Facts that can be missing. Not the TLS versions: Envoy has them exactly where TLS was agreed, so there absence is
/// what was seen.
const MISSING: &[Fact] = &[
    Fact::Termination,
    Fact::Lived,
    Fact::FilterChain,
    Fact::FirstBytes,
    Fact::Sni,
    Fact::Protocol,
    Fact::Grpc,
    Fact::SniIsAuthority,
    Fact::CertificateCovers,
    Fact::Route,
    Fact::Cluster,
    Fact::Endpoint,
    Fact::Endpoints,
    Fact::EndpointMtls,
    Fact::Attempts,
    Fact::UpstreamFirstBytes,
    Fact::Mixer,
    Fact::Listener,
    Fact::Unframed,
    Fact::Page,
    Fact::ByProxy,
    Fact::GrpcStatus,
    Fact::PoolReady,
    Fact::Promised,
    Fact::Passed,
    Fact::Substitute,
    Fact::Connect,
];

/// Clears what a fact is taken from. No `_` arm: a new fact has to say what it is.
fn forget(fact: Fact, e: &mut Evidence) {
    let (down, up, answer) = (&mut e.downstream, &mut e.upstream, &mut e.answer);
    match fact {
        Fact::Details => e.details = Details::default(),
        Fact::Flags => e.flags = Flags::default(),
        Fact::Code => e.code = None,
        Fact::Termination => e.termination = Details::default(),
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
        Fact::PoolReady => up.pool_ready = None,
        Fact::Promised => answer.promised = None,
        Fact::Passed => answer.passed = None,
        Fact::Substitute => e.substitute = None,
        Fact::Connect => down.tunnel = None,
        Fact::Lived => e.lived = None,
        // Said by the details.
        Fact::Breaker | Fact::Filter => {}
        Fact::Mixer => e.mixer = None,
        Fact::RuleFor => e.past.rule_for = None,
        Fact::Versions => e.past.versions = None,
        Fact::Split => e.past.split = None,
        Fact::FailedFor => e.past.failed_for = None,
        Fact::EndpointTookMtls => e.past.took_mtls = false,
        Fact::EndpointFailed => e.past.endpoint_failed = None,
        Fact::Answered => e.past.answered = false,
        Fact::Port => down.port = None,
        Fact::Principal => down.principal = None,
        Fact::ClosedBy => e.cut_off = false,
    }
}

/// Whether flags that mean failures elsewhere are none here.
fn ended_well(e: &Evidence) -> bool {
    let retried = e.flags.difference(Flags::UPSTREAM_RETRY_LIMIT_EXCEEDED);
    e.is_ended_tunnel() || e.is_left_stream() || (e.details.via_upstream() && !retried.any_failure())
}

fn certain(e: &Evidence) -> Option<Verdict> {
    diagnose(e).filter(|verdict| verdict.confidence == Confidence::Certain)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn every_failure_has_one_verdict(e in evidence()) {
        let verdict = diagnose(&e);
        prop_assert_eq!(&diagnose(&e), &verdict);
        if e.layer == Layer::Http && e.flags.any_failure() && !ended_well(&e) {
            prop_assert!(verdict.is_some());
        }
    }

    #[test]
    fn a_failure_is_not_observed_as_well(e in evidence()) {
        let observed: Vec<Verdict> = observe(&e).collect();
        prop_assert!(diagnose(&e).is_none() || observed.is_empty());
        for verdict in observed {
            prop_assert!(verdict.cause.definition().soft != Softness::Never, "{verdict:?}");
            prop_assert!(verdict.facts.iter().any(|fact| fact.value(&e).is_some()), "{verdict:?}");
        }
    }

    #[test]
    fn a_certain_verdict_shows_what_it_rests_on(e in evidence()) {
        if let Some(verdict) = diagnose(&e).filter(|v| v.confidence == Confidence::Certain) {
            let decisive = verdict.facts.iter().any(|fact| fact.value(&e).is_some());
            prop_assert!(decisive, "{verdict:?}");
        }
    }

    #[test]
    fn forgetting_never_makes_a_cause_more_certain(e in evidence(), fact in proptest::sample::select(MISSING)) {
        let mut less = e.clone();
        forget(fact, &mut less);
        if let (Some(before), Some(after)) = (diagnose(&e), diagnose(&less)) {
            prop_assert!(
                after.cause != before.cause || after.confidence <= before.confidence,
                "{:?} {:?} became {:?}", before.cause, before.confidence, after.confidence
            );
        }
    }

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
        // Envoy has the TLS versions exactly where TLS was agreed, and the code where an answer began: there absence is what
        // was seen.
        // A ClientHello that was seen without a name has none.
        let hello = e.client_spoke_tls() == Some(true);
        let doubtful = |fact: &&Fact| match fact {
            Fact::TlsVersion | Fact::UpstreamTls | Fact::Code => false,
            Fact::Sni => !hello,
            _ => true,
        };
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

/// Evidence as the scenarios give it, where the verdict is a doubtful one.
fn doubtful() -> Vec<Evidence> {
    let mut conflict = stream(503, "UC", "upstream_reset_before_response_started{connection_termination}");
    conflict.upstream.takes_istio_mtls = Some(true);
    conflict.upstream.cluster = ClusterName::new("backend");
    let mut gave_up = stream(0, "DC", "downstream_remote_disconnect");
    gave_up.downstream.first_bytes = first(Protocol::Binary);
    let mut text = stream(400, "DPE", "http1.codec_error");
    text.downstream.first_bytes = first(Protocol::Text);
    let mut reused = stream(404, "NR", "route_not_found");
    reused.downstream.sni = Some("a.test.com".into());
    reused.downstream.tls_version = Some(TlsVersion::V1_3);
    reused.downstream.protocol = Some("HTTP/2".into());
    reused.downstream.sni_is_authority = Some(false);
    reused.downstream.certificate_covers_authority = Some(true);
    let mut empty = stream(503, "UH", "no_healthy_upstream");
    empty.upstream.endpoints = Some(0);
    let mut twice = Evidence { layer: Layer::Tcp, flags: Flags::from_short("UF,URX"), ..Evidence::default() };
    twice.downstream.sni = Some("a.test.com".into());
    twice.upstream.takes_istio_mtls = Some(false);
    twice.upstream.transport_failure = TransportFailure::new(FAILURES[2]);
    let mut chain = Evidence {
        layer: Layer::Listener,
        details: Details::new("filter_chain_not_found"),
        ..Evidence::default()
    };
    chain.downstream.sni = Some("a.test.com".into());
    let mut grpc = stream(200, "UPE", "upstream_reset_before_response_started{protocol_error}");
    grpc.downstream.grpc = Some(true);
    let mut cut_short = stream(200, "UPE", "upstream_reset_after_response_started{protocol_error}");
    (cut_short.answer.promised, cut_short.answer.passed) = (Some(100), Some(4));
    let mut passed_on = stream(503, "-", "via_upstream");
    passed_on.answer.by_proxy = Some(true);
    vec![conflict, gave_up, text, reused, empty, twice, chain, grpc, cut_short, passed_on]
}

#[test]
fn forgetting_never_turns_a_doubt_into_certainty() {
    for e in doubtful() {
        let before = diagnose(&e).unwrap();
        assert!(before.confidence < Confidence::Certain, "{before:?}");
        for fact in MISSING {
            let mut less = e.clone();
            forget(*fact, &mut less);
            let after = diagnose(&less);
            let certain = after.as_ref().is_some_and(|v| v.confidence == Confidence::Certain);
            assert!(!certain, "{before:?} became {after:?}");
        }
    }
}
