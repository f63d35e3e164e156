//! The configuration: parsed once, every mistake named with its key and what was expected.

use core::fmt;

use serde_json::Value;

/// Which plug point this plugin serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// HTTP filter.
    Http,
    /// Network filter.
    Connection,
    /// Access logger.
    AccessLog,
}

/// What goes to the proxy's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogMode {
    /// Nothing.
    Off,
    /// At most so many lines a minute for each cause.
    Limited,
    /// Everything.
    All,
}

/// A valid configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `role`
    pub role: Role,
    /// `log`; `None` leaves the role's default.
    pub log: Option<LogMode>,
    /// `log_per_minute`: lines for each cause.
    pub log_per_minute: u32,
    /// `observe_every`: 1 in so many successful requests; 0 is never.
    pub observe_every: u32,
    /// `resource_label`
    pub resource_label: bool,
    /// `max_series`: label sets for each worker thread.
    pub max_series: u32,
    /// `response_header`: a valid header name in lower case.
    pub response_header: Option<String>,
}

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// It is no JSON at all.
    Syntax(String),
    /// It is JSON, but no object.
    NotAnObject,
    /// There is no such key.
    UnknownKey(String),
    /// The value doesn't fit the key.
    Invalid {
        /// The key.
        key: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What it got, cut short.
        got: String,
    },
}

const KEYS: &str = "role, log, log_per_minute, observe_every, resource_label, max_series, response_header";

impl Default for Config {
    fn default() -> Self {
        Self {
            role: Role::Http,
            log: None,
            log_per_minute: 60,
            observe_every: 100,
            resource_label: true,
            max_series: 256,
            response_header: None,
        }
    }
}

impl Config {
    /// Parses the plugin's configuration; empty is valid.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(config);
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|e| ConfigError::Syntax(e.to_string()))?;
        let object = match &value {
            Value::Object(object) => object,
            // A WasmPlugin without pluginConfig can come as null.
            Value::Null => return Ok(config),
            _ => return Err(ConfigError::NotAnObject),
        };
        for (key, value) in object {
            config.set(key, value)?;
        }
        Ok(config)
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), ConfigError> {
        match key {
            "role" => {
                self.role = one_of("role", "\"http\", \"connection\" or \"access_log\"", value, role)?;
            }
            "log" => {
                self.log = Some(one_of("log", "\"off\", \"limited\" or \"all\"", value, log_mode)?);
            }
            "log_per_minute" => self.log_per_minute = number("log_per_minute", 0, value)?,
            "observe_every" => self.observe_every = number("observe_every", 0, value)?,
            "max_series" => self.max_series = number("max_series", 1, value)?,
            "resource_label" => {
                self.resource_label = one_of("resource_label", "true or false", value, Value::as_bool)?;
            }
            "response_header" => {
                let expected = "a header name of lower-case letters, digits and -, at most 64 characters";
                self.response_header = one_of("response_header", expected, value, |v| {
                    if v.is_null() { Some(None) } else { header_name(v).map(Some) }
                })?;
            }
            other => return Err(ConfigError::UnknownKey(crate::report::clean(other, 64))),
        }
        Ok(())
    }

    /// What goes to the log: what was asked for, or the role's default.
    pub fn log_mode(&self) -> LogMode {
        self.log.unwrap_or(match self.role {
            Role::Http => LogMode::Off,
            Role::Connection | Role::AccessLog => LogMode::Limited,
        })
    }
}

fn role(value: &Value) -> Option<Role> {
    match value.as_str()? {
        "http" => Some(Role::Http),
        "connection" => Some(Role::Connection),
        "access_log" => Some(Role::AccessLog),
        _ => None,
    }
}

fn log_mode(value: &Value) -> Option<LogMode> {
    match value.as_str()? {
        "off" => Some(LogMode::Off),
        "limited" => Some(LogMode::Limited),
        "all" => Some(LogMode::All),
        _ => None,
    }
}

fn header_name(value: &Value) -> Option<String> {
    let name = value.as_str()?.to_ascii_lowercase();
    let proper = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (!name.is_empty() && name.len() <= 64 && name.bytes().all(proper)).then_some(name)
}

fn number(key: &'static str, least: u32, value: &Value) -> Result<u32, ConfigError> {
    let expected =
        if least == 0 { "a whole number from 0 to 1000000" } else { "a whole number from 1 to 1000000" };
    one_of(key, expected, value, |v| {
        let whole = v.as_u64().or_else(|| whole_float(v))?;
        u32::try_from(whole).ok().filter(|n| (least..=1_000_000).contains(n))
    })
}

/// Istio passes pluginConfig through a protobuf Struct, whose numbers are doubles: `60` may come as `60.0`.
fn whole_float(value: &Value) -> Option<u64> {
    let float = value.as_f64()?;
    let whole = (0.0..=1_000_000.0).contains(&float) && float.fract() == 0.0;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and in range"
    )]
    whole.then_some(float as u64)
}

fn one_of<T>(
    key: &'static str,
    expected: &'static str,
    value: &Value,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<T, ConfigError> {
    read(value).ok_or_else(|| ConfigError::Invalid { key, expected, got: described(value) })
}

/// A value in a few words; floats are not printed, because the code for that is larger than this module.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(n), _) => n.to_string(),
            (None, Some(n)) => n.to_string(),
            (None, None) => "a fraction".into(),
        },
        Value::String(text) => format!("'{}'", crate::report::clean(text, 64)),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => write!(f, "not valid JSON: {error}"),
            Self::NotAnObject => write!(f, "expected a JSON object with any of the keys {KEYS}"),
            Self::UnknownKey(key) => write!(f, "unknown key `{key}`: expected one of {KEYS}"),
            Self::Invalid { key, expected, got } => write!(f, "`{key}`: expected {expected}, got {got}"),
        }
    }
}

#[cfg(test)]
mod tests {
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
}
