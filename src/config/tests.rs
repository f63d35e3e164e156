//! The configuration: values, mistakes, and the same judgement of JSON as `serde_json`.

use proptest::prelude::*;

use super::*;

#[test]
fn nothing_is_valid() {
    for empty in ["", "  \n", "{}", "null"] {
        assert_eq!(Config::parse(empty.as_bytes()), Ok(Config::default()), "{empty:?}");
    }
}

#[test]
fn every_key_is_read() {
    let text = r#"{"role":"access_log","log":"all","log_per_minute":1,"observe_every":0,
        "resource_label":false,"max_series":2.0,"response_header":"X-Meshwhy-Cause"}"#;
    let config = Config::parse(text.as_bytes()).unwrap();
    assert_eq!((config.role, config.log_mode()), (Role::AccessLog, LogMode::All));
    assert_eq!((config.log_per_minute, config.observe_every, config.max_series), (1, 0, 2));
    assert!(!config.resource_label);
    assert_eq!(config.response_header.as_deref(), Some("x-meshwhy-cause"));
}

#[test]
fn a_mistake_is_named_with_its_key_and_what_was_expected() {
    for (text, parts) in [
        ("{", &["not valid JSON"][..]),
        ("[]", &["JSON object"]),
        (r#"{"rolle":"http"}"#, &["`rolle`", "role, log"]),
        (r#"{"role":"tcp"}"#, &["`role`", "\"connection\"", "'tcp'"]),
        (r#"{"role":7}"#, &["`role`", "got 7"]),
        (r#"{"log":true}"#, &["`log`", "\"limited\""]),
        (r#"{"log_per_minute":-1}"#, &["`log_per_minute`", "from 0", "got -1"]),
        (r#"{"observe_every":1.5}"#, &["`observe_every`", "whole number"]),
        (r#"{"observe_every":"100"}"#, &["`observe_every`", "whole number"]),
        (r#"{"max_series":0}"#, &["`max_series`", "from 1"]),
        (r#"{"max_series":99999999999}"#, &["`max_series`"]),
        (r#"{"resource_label":"yes"}"#, &["`resource_label`", "true or false"]),
        (r#"{"response_header":"a b"}"#, &["`response_header`", "header name"]),
        (r#"{"response_header":""}"#, &["`response_header`"]),
    ] {
        let error = Config::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        for part in parts {
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}

#[test]
fn arbitrary_bytes_are_refused_without_panic() {
    for bytes in [&[0xff, 0xfe][..], b"\0", b"{\"role\":\"\xff\"}", &[b'['; 4096]] {
        assert!(Config::parse(bytes).is_err());
    }
}

#[test]
fn every_key_is_checked_and_the_first_mistake_in_their_order_is_named() {
    for (index, key) in KEYS.iter().enumerate() {
        let rest: Vec<String> = KEYS.iter().skip(index).rev().map(|key| format!("\"{key}\":[]")).collect();
        let error = Config::parse(format!("{{{}}}", rest.join(",")).as_bytes()).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("`{key}`: expected ")) && error.ends_with("got a list"),
            "{error}"
        );
    }
    // Unknown keys come first, in their alphabetical order.
    let error = Config::parse(br#"{"role":1,"b":1,"a":1}"#).unwrap_err();
    assert_eq!(error, ConfigError::UnknownKey("a".into()));
}

/// Whole documents, by `serde_json`.
fn documents() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1_000_000.0..1_000_000.0).prop_map(|f: f64| f.into()),
        (0_u32..2_000_000).prop_map(|n| f64::from(n).into()),
        any::<String>().prop_map(Into::into),
    ];
    let key = prop_oneof![proptest::sample::select(KEYS).prop_map(str::to_owned), any::<String>()];
    let value = leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            proptest::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    });
    proptest::collection::vec((key, value), 0..6)
        .prop_map(|members| serde_json::Value::Object(members.into_iter().collect()).to_string())
}

proptest! {
    #[test]
    fn an_error_is_one_printable_line(bytes in any::<Vec<u8>>(), text in documents()) {
        for bytes in [&bytes, text.as_bytes()] {
            if let Err(error) = Config::parse(bytes) {
                let line = error.to_string();
                prop_assert!(line.len() < 400 && line.chars().all(|c| matches!(c, ' '..='~')), "{line}");
            }
        }
    }
}
