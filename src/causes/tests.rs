//! The list of causes, and their texts against their rules. Ids, sides and softness:
//! `tests/reference.rs`.

use std::collections::HashSet;
use std::path::Path;

use super::manual::{SECTIONS, entry};
use super::markdown::causes_markdown;
use super::{Cause, Group, PageSection, Sender, Side, Softness};

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
fn the_soft_group_is_soft_only() {
    for cause in Cause::ALL {
        let only = cause.definition().soft == Softness::Only;
        assert_eq!(only, cause.group() == Group::Soft, "{}", cause.id());
    }
}

/// What a port scan makes, and the mistakes that no client makes alone.
#[test]
fn what_anyone_can_send_is_the_clients_side_at_a_gateway() {
    use crate::evidence::Direction::{Gateway, Inbound, Outbound};
    for cause in Cause::ALL {
        let by_anyone = cause.sender() == Sender::Anyone;
        assert_eq!((cause.side_at(Inbound), cause.side_at(Outbound)), (cause.side(), cause.side()));
        assert_eq!(cause.side_at(Gateway), if by_anyone { Side::Downstream } else { cause.side() });
        let bytes = matches!(cause.group(), Group::ClientBytes | Group::DownstreamTls);
        assert!(by_anyone || !bytes, "{}: it takes no more than a connection", cause.id());
    }
    for cause in
        [Cause::RouteHostUnknown, Cause::RouteNoMatch, Cause::AuthorizationPolicyDenied, Cause::DoubleTls]
    {
        assert_eq!(cause.side_at(Gateway), Side::Downstream, "{}", cause.id());
    }
    for cause in [Cause::ClusterMissing, Cause::GatewayWithoutHttpRoutes, Cause::FaultInjected] {
        assert_eq!(cause.side_at(Gateway), Side::Mesh, "{}", cause.id());
    }
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
            ("title", &e.title),
            ("happened", &e.happened),
            ("looks_like", &e.looks_like),
            ("confirm", &e.confirm),
            ("fix", &e.fix),
        ] {
            assert!(!text.trim().is_empty(), "{id}.{name} is empty");
            assert_eq!(text.trim(), text.as_str(), "{id}.{name}: space around it");
            assert!(text.is_ascii(), "{id}.{name}: not ASCII");
        }
        for (name, text) in [
            ("happened", &e.happened),
            ("looks_like", &e.looks_like),
            ("fix", &e.fix),
            ("tell_apart", &e.tell_apart),
        ] {
            assert!(text.matches('`').count().is_multiple_of(2), "{id}.{name}: odd backticks");
            assert!(text.is_empty() || text.ends_with('.'), "{id}.{name}: no full stop: {text}");
        }
        assert!(!e.title.ends_with('.'), "{id}.title: a headline has no full stop");
        assert!(!e.confirm.contains("```"), "{id}.confirm");
    }
}

/// A heading that nobody reads would hide what stands below it.
#[test]
fn pages_have_their_sections_in_order_and_no_others() {
    for cause in Cause::ALL {
        let page = cause.page();
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let (id, all) = (cause.id(), SECTIONS.as_slice());
        let expected =
            if cause.definition().look_alikes.is_empty() { all.split_last().unwrap().1 } else { all };
        assert_eq!(headings, expected, "{id}");
        assert!(page.starts_with("# ") && page.ends_with('\n'), "{id}");
        let (blocks, yaml) = (page.matches("```").count() / 2, entry(*cause).fix_yaml.is_some());
        assert_eq!(blocks, 1 + usize::from(yaml), "{id}: a block that isn't printed");
    }
}

/// What is broader than a cause is broader than what that one is broader than.
#[test]
fn special_cases_have_no_circle() {
    for cause in Cause::ALL {
        let general = cause.definition().special_case_of;
        assert!(!general.contains(cause) && !general.contains(&Cause::Unclassified), "{}", cause.id());
        assert!(general.iter().all(|other| !cause.is_broader_than(*other)), "{}", cause.id());
    }
}

#[test]
fn titles_are_unique() {
    let titles: HashSet<&str> = Cause::ALL.iter().map(|c| entry(*c).title.as_str()).collect();
    assert_eq!(titles.len(), Cause::ALL.len());
}

#[test]
fn look_alikes_are_others_and_explained() {
    for cause in Cause::ALL {
        let (id, e, look_alikes) = (cause.id(), entry(*cause), cause.definition().look_alikes);
        let others: HashSet<&Cause> = look_alikes.iter().collect();
        assert!(!others.contains(cause), "{id} confused with itself");
        assert_eq!(others.len(), look_alikes.len(), "{id}: one twice");
        assert_eq!(look_alikes.is_empty(), e.tell_apart.is_empty(), "{id}: how to tell");
    }
}

#[test]
fn yaml_is_valid_and_says_what_it_is() {
    use serde::Deserialize;
    for cause in Cause::ALL {
        let id = cause.id();
        let Some(yaml) = &entry(*cause).fix_yaml else {
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
        let mut section = cause.definition().section;
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
