//! The catalogue against the contract, and its texts against their rules.

use std::collections::HashSet;
use std::path::Path;

use super::manual::{PageSection, entry};
use super::markdown::causes_markdown;
use super::{Cause, Group, Side, Softness};

/// The contract's table of ids.
const CONTRACT: &[(Group, &[&str])] = &[
    (
        Group::ClientBytes,
        &[
            "tls_on_plaintext_port",
            "plaintext_on_tls_port",
            "http10_client",
            "not_http_on_http_port",
            "https_url_on_plaintext_port",
            "invalid_http_request",
        ],
    ),
    (
        Group::DownstreamTls,
        &[
            "client_certificate_missing",
            "client_certificate_rejected",
            "downstream_tls_failed",
            "plaintext_to_strict_mtls",
            "no_filter_chain_for_sni",
        ],
    ),
    (
        Group::Routes,
        &[
            "route_host_unknown",
            "route_no_match",
            "route_table_missing",
            "gateway_without_http_routes",
            "connection_reused_across_gateways",
            "cluster_missing",
            "egress_blocked",
        ],
    ),
    (
        Group::Reaching,
        &[
            "no_endpoints",
            "no_healthy_endpoints",
            "upstream_refused",
            "upstream_unreachable",
            "upstream_connect_timeout",
            "upstream_dns_failure",
            "circuit_breaker_overflow",
            "file_descriptors_exhausted",
        ],
    ),
    (
        Group::UpstreamTls,
        &[
            "destination_rule_tls_conflict",
            "upstream_expects_tls",
            "upstream_speaks_plaintext",
            "upstream_certificate_rejected",
            "upstream_requires_client_certificate",
            "upstream_tls_failed",
            "double_tls",
        ],
    ),
    (
        Group::Answer,
        &[
            "http10_upstream",
            "http2_to_http1_upstream",
            "upstream_protocol_error",
            "upstream_timeout",
            "upstream_reset",
            "upstream_closed_connection",
            "application_error",
        ],
    ),
    (
        Group::Policy,
        &[
            "authorization_policy_denied",
            "jwt_rejected",
            "ext_authz_denied",
            "ext_authz_unavailable",
            "rate_limited",
            "rate_limit_service_unavailable",
            "fault_injected",
            "mixer_unavailable",
            "mixer_unauthenticated",
            "mixer_permission_denied",
            "mixer_resource_exhausted",
            "mixer_internal",
        ],
    ),
    (
        Group::Limits,
        &[
            "client_disconnected",
            "idle_timeout",
            "max_duration_reached",
            "proxy_overloaded",
            "local_health_check_failed",
            "filter_config_missing",
        ],
    ),
    (
        Group::Soft,
        &[
            "virtual_service_not_applied",
            "gateway_ignores_mesh_routes",
            "http_treated_as_tcp",
            "traffic_bypasses_mesh",
            "weights_not_settled",
            "config_propagating",
        ],
    ),
    (Group::Unknown, &["unclassified"]),
];

#[test]
fn ids_are_those_of_the_contract_in_its_order() {
    let contract: Vec<(Group, &str)> =
        CONTRACT.iter().flat_map(|(group, ids)| ids.iter().map(|id| (*group, *id))).collect();
    let catalogue: Vec<(Group, &str)> = Cause::ALL.iter().map(|c| (c.group(), c.id())).collect();
    let unlisted: Vec<_> = catalogue.iter().filter(|one| !contract.contains(one)).collect();
    let unknown: Vec<_> = contract.iter().filter(|one| !catalogue.contains(one)).collect();
    assert!(unlisted.is_empty(), "CONTRACT in src/catalogue/tests.rs lacks {unlisted:?}");
    assert!(unknown.is_empty(), "the catalogue lacks {unknown:?}: ids are an interface and stay");
    assert_eq!(catalogue, contract, "same ids, other order");
}

#[test]
fn ids_are_unique_snake_case_and_found_again() {
    let mut seen = HashSet::new();
    for cause in Cause::ALL {
        let id = cause.id();
        assert!(seen.insert(id), "{id} twice");
        assert!(
            id.split('_')
                .all(|word| !word.is_empty()
                    && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())),
            "{id}"
        );
        assert_eq!(Cause::from_id(id), Some(*cause));
    }
    assert_eq!(Cause::from_id("no_such_cause"), None);
}

#[test]
fn softness_is_that_of_the_contract() {
    let also: Vec<&str> = Cause::ALL.iter().filter(|c| c.soft() == Softness::Also).map(|c| c.id()).collect();
    assert_eq!(also, ["tls_on_plaintext_port", "http10_client", "not_http_on_http_port", "http10_upstream"]);
    for cause in Cause::ALL {
        assert_eq!(cause.soft() == Softness::Only, cause.group() == Group::Soft, "{}", cause.id());
        assert_eq!(cause.only_soft(), cause.group() == Group::Soft);
    }
}

#[test]
fn side_and_fix_of_the_contracts_example() {
    assert_eq!(Cause::TlsOnPlaintextPort.side(), Side::Mesh);
    assert_eq!(Cause::TlsOnPlaintextPort.fix(), "Declare the port as HTTPS, or send plain HTTP to it.");
}

#[test]
fn fixes_are_one_short_sentence_safe_in_any_log() {
    for cause in Cause::ALL {
        let (id, fix) = (cause.id(), cause.fix());
        assert!(fix.len() <= 160, "{id}: {} characters", fix.len());
        assert!(fix.bytes().all(|b| (0x20..0x7f).contains(&b)), "{id}: not printable ASCII");
        assert!(!fix.contains(['"', '\\', ';', '=', '%']), "{id}: {fix}");
        assert!(fix.starts_with(|c: char| c.is_ascii_uppercase()), "{id}: {fix}");
        assert!(fix.ends_with('.') && !fix.contains(". "), "{id}: not one sentence: {fix}");
    }
}

#[test]
fn every_text_is_there_and_tidy() {
    for cause in Cause::ALL {
        let (id, e) = (cause.id(), entry(*cause));
        for (name, text) in [
            ("title", e.title),
            ("happened", e.happened),
            ("looks_like", e.looks_like),
            ("confirm", e.confirm),
            ("fix", e.fix),
        ] {
            assert!(!text.trim().is_empty(), "{id}.{name} is empty");
            assert_eq!(text.trim(), text, "{id}.{name}: space around it");
            assert!(text.is_ascii(), "{id}.{name}: not ASCII");
        }
        for (name, text) in [
            ("happened", e.happened),
            ("looks_like", e.looks_like),
            ("fix", e.fix),
            ("tell_apart", e.tell_apart),
        ] {
            assert!(!text.contains("  "), "{id}.{name}: two spaces");
            assert!(text.matches('`').count().is_multiple_of(2), "{id}.{name}: odd backticks");
            assert!(text.is_empty() || text.ends_with('.'), "{id}.{name}: no full stop: {text}");
        }
        assert!(!e.title.ends_with('.'), "{id}.title: a headline has no full stop");
        assert!(!e.confirm.contains("```"), "{id}.confirm");
    }
}

#[test]
fn titles_are_unique() {
    let titles: HashSet<&str> = Cause::ALL.iter().map(|c| entry(*c).title).collect();
    assert_eq!(titles.len(), Cause::ALL.len());
}

#[test]
fn confusions_are_others_and_explained() {
    for cause in Cause::ALL {
        let (id, e) = (cause.id(), entry(*cause));
        let others: HashSet<&Cause> = e.confused_with.iter().collect();
        assert!(!others.contains(cause), "{id} confused with itself");
        assert_eq!(others.len(), e.confused_with.len(), "{id}: one twice");
        assert_eq!(e.confused_with.is_empty(), e.tell_apart.is_empty(), "{id}: how to tell");
    }
}

#[test]
fn yaml_is_valid_and_says_what_it_is() {
    use serde::Deserialize;
    for cause in Cause::ALL {
        let id = cause.id();
        let Some(yaml) = entry(*cause).fix_yaml else {
            continue;
        };
        assert!(yaml.ends_with('\n'), "{id}: no line feed at the end");
        for document in serde_norway::Deserializer::from_str(yaml) {
            let value = serde_norway::Value::deserialize(document)
                .unwrap_or_else(|error| panic!("{id}: {error}\n{yaml}"));
            // A comment on the first line says where a fragment belongs; all else is a resource.
            if yaml.starts_with('#') {
                assert!(value.is_mapping(), "{id}");
                continue;
            }
            for key in ["apiVersion", "kind", "metadata", "spec"] {
                assert!(value.get(key).is_some(), "{id}: no {key}");
            }
            assert!(value["metadata"]["name"].is_string(), "{id}: no name");
        }
    }
}

#[test]
fn every_section_of_the_page_is_covered() {
    let mut covered = HashSet::new();
    for cause in Cause::ALL {
        let mut section = entry(*cause).section;
        while let Some(s) = section {
            covered.insert(s);
            section = s.parent();
        }
    }
    for section in PageSection::ALL {
        assert!(covered.contains(section), "{}", section.title());
    }
}

#[test]
fn anchors_follow_from_titles_unless_the_page_sets_them() {
    for section in PageSection::ALL {
        let from_title: String = section
            .title()
            .to_ascii_lowercase()
            .replace(' ', "-")
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect();
        match section {
            PageSection::GatewayMismatch => assert_eq!(section.anchor(), "gateway-mismatch"),
            PageSection::DoubleTls => assert_eq!(section.anchor(), "double-tls"),
            _ => assert_eq!(section.anchor(), from_title),
        }
    }
}

#[test]
fn every_cause_has_an_anchor_equal_to_its_id() {
    let text = causes_markdown();
    for cause in Cause::ALL {
        let heading = format!("\n### {}\n", cause.id());
        assert_eq!(text.matches(&heading).count(), 1, "{}", cause.id());
    }
}

#[test]
fn docs_causes_md_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/causes.md");
    let current = causes_markdown();
    if std::env::var_os("MESHWHY_BLESS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &current).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == current, "docs/causes.md is old: run `make docs`");
}
