//! The configuration: values, mistakes, and the same judgement of JSON as `serde_json`.

use std::collections::BTreeMap;

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
fn every_key_is_looked_at_and_the_first_mistake_in_their_order_is_named() {
    for (index, key) in KEYS.iter().enumerate() {
        let rest: Vec<String> = KEYS.iter().skip(index).rev().map(|key| format!("\"{key}\":[]")).collect();
        let error = Config::parse(format!("{{{}}}", rest.join(",")).as_bytes()).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("`{key}`: expected ")) && error.ends_with("got a list"),
            "{error}"
        );
    }
    let error = Config::parse(br#"{"role":1,"b":1,"a":1}"#).unwrap_err();
    assert_eq!(error, ConfigError::UnknownKey("b".into()));
}

#[test]
fn a_syntax_error_says_where() {
    for (text, expected) in [
        ("{", "expected a key in quotes at line 1 column 2"),
        ("{\"role\":\n  http}", "expected a value at line 2 column 3"),
        ("{\"role\" \"http\"}", "expected `:` at line 1 column 9"),
        ("{\"a\":[1 2]}", "expected `,` or `]` at line 1 column 9"),
        ("{\"a\":1,}", "expected a key in quotes at line 1 column 8"),
        ("{} x", "expected the end at line 1 column 4"),
        ("{\"a\":01}", "a number that begins with 0 at line 1 column 8"),
        ("{\"a\":1e999}", "a number out of range at line 1 column 11"),
        ("{\"a\":\"b", "expected `\"` at line 1 column 8"),
        ("{\"a\":\"\\ud800\"}", "half of a surrogate pair at line 1 column 13"),
    ] {
        let error = Config::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, format!("not valid JSON: {expected}"), "{text}");
    }
}

/// `serde_json`'s judgement in this parser's terms.
fn reference(bytes: &[u8]) -> Option<(Value, BTreeMap<String, Value>)> {
    let shallow = |value: &serde_json::Value| match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(n), _) => Value::Whole(n),
            (None, Some(n)) => Value::Negative(n),
            (None, None) => Value::Float(number.as_f64().unwrap()),
        },
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(_) => Value::List,
        serde_json::Value::Object(_) => Value::Object,
    };
    let document: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    let members = document.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), shallow(v)));
    Some((shallow(&document), members.collect()))
}

fn ours(bytes: &[u8]) -> Option<(Value, BTreeMap<String, Value>)> {
    let mut members = BTreeMap::new();
    let document = json::parse(bytes, &mut |key, value| {
        members.insert(key, value);
    });
    Some((document.ok()?, members))
}

/// Equal, but for the last bits of floats that are far from what any key takes.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => {
            whole_float(*a) == whole_float(*b) && (a - b).abs() <= a.abs() * 1e-12
        }
        _ => a == b,
    }
}

fn assert_alike(bytes: &[u8]) {
    let (ours, reference) = (ours(bytes), reference(bytes));
    let same = match (&ours, &reference) {
        (Some((a, of_a)), Some((b, of_b))) => {
            alike(a, b)
                && of_a.len() == of_b.len()
                && of_a.iter().zip(of_b).all(|((key_a, a), (key_b, b))| key_a == key_b && alike(a, b))
        }
        (None, None) => true,
        _ => false,
    };
    assert!(same, "{:?}\n  ours: {ours:?}\n  serde_json: {reference:?}", String::from_utf8_lossy(bytes));
}

#[test]
fn known_corners_are_judged_like_serde_json() {
    let nested = |open: &str, count, close: &str| format!("{}{}", open.repeat(count), close.repeat(count));
    for text in [
        "",
        "nul",
        "nulll",
        "-",
        "-0",
        "00",
        "0.",
        ".5",
        "1e",
        "1e+",
        "1E-2",
        "1.e1",
        "-1",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "-9223372036854775809",
        "59.99999999999999999999",
        "60.00000000000000000001",
        "0.06e3",
        "6000e-2",
        "1e308",
        "1e309",
        "-1e309",
        "0e999",
        "1e-5000",
        "1e99999999999",
        "\"\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ude00\"",
        "\"\\ud83d\\n\"",
        "\"\\ud83d\\u0041\"",
        "\"\\u12\"",
        "\"\\x\"",
        "\"\u{7f}\"",
        "\"\t\"",
        "\"\\u0000\"",
        "[1,]",
        "{\"a\":1,\"a\":2}",
        "{\"a\" : [ ] , \"b\":{ } }",
        "\u{feff}{}",
        "{}\u{c}",
        "[}",
        "{\"a\"}",
        "{a:1}",
        "{,}",
        "[,]",
        "true false",
        "\"",
        "\"\\",
        "\"\\u",
        "[\"\\ud800",
    ] {
        assert_alike(text.as_bytes());
        assert_alike(format!("{{\"key\":{text}}}").as_bytes());
    }
    for depth in [126, 127, 128, 129] {
        assert_alike(nested("[", depth, "]").as_bytes());
        assert_alike(nested("{\"a\":", depth, "}").replace(":}", ":1}").as_bytes());
    }
    assert_alike(b"\"\xc3\x28\"");
    assert_alike(b"{\"a\":1}\xff");
}

/// Text that is JSON nearly: pieces of it in any order, so that many are whole.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just(" ".to_owned()),
        "null|true|false|nul",
        "-?[0-9]{1,22}",
        "-?[0-9]{0,3}\\.?[0-9]{0,22}([eE][+-]?[0-9]{0,3})?",
        r#""(\\["\\/bfnrtux]|\\u[0-9a-fD][0-9a-f8-9]{3}|[a-z\\"])*""#,
        proptest::sample::select(KEYS).prop_map(|key| format!("\"{key}\":")),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
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
    fn pieces_of_json_are_judged_like_serde_json(text in pieces()) {
        assert_alike(text.as_bytes());
        assert_alike(format!("{{\"a\":{text}}}").as_bytes());
    }

    #[test]
    fn documents_are_judged_like_serde_json(
        text in documents(), cut in any::<proptest::sample::Index>(), byte in any::<u8>(),
    ) {
        assert_alike(text.as_bytes());
        let mut broken = text.into_bytes();
        let at = cut.index(broken.len());
        assert_alike(&broken[..at]);
        broken[at] = byte;
        assert_alike(&broken);
        let _ = Config::parse(&broken);
    }

    #[test]
    fn arbitrary_bytes_are_judged_like_serde_json(bytes in any::<Vec<u8>>()) {
        assert_alike(&bytes);
    }

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
