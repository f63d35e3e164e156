//! The configuration: parsed once; an error names the key and what was expected.

#[cfg(test)]
mod tests;

use std::fmt;

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
    /// At most `log_per_minute` lines a minute for each cause.
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
    /// `observe_every`: 1 in N successful requests; 0 is never.
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

macro_rules! keys {
    ($first:literal $(, $rest:literal)*) => {
        /// The keys, in the order in which they are checked.
        const KEYS: &[&str] = &[$first $(, $rest)*];
        const KEY_LIST: &str = concat!($first $(, ", ", $rest)*);
    };
}

keys!("role", "log", "log_per_minute", "observe_every", "resource_label", "max_series", "response_header");

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
        let members = match serde_json::from_slice(bytes) {
            Ok(Value::Object(members)) => members,
            // A WasmPlugin without pluginConfig can come as null.
            Ok(Value::Null) => return Ok(config),
            Ok(_) => return Err(ConfigError::NotAnObject),
            Err(error) => return Err(ConfigError::Syntax(error.to_string())),
        };
        if let Some(key) = members.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(ConfigError::UnknownKey(crate::report::clean(key, 64)));
        }
        for key in KEYS {
            if let Some(value) = members.get(*key) {
                config.set(key, value)?;
            }
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
                    if *v == Value::Null { Some(None) } else { header_name(v).map(Some) }
                })?;
            }
            _ => {}
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
        let whole = v.as_u64().and_then(|n| u32::try_from(n).ok()).or_else(|| whole_float(v.as_f64()?))?;
        (least..=1_000_000).contains(&whole).then_some(whole)
    })
}

/// Istio passes pluginConfig through a protobuf Struct, whose numbers are doubles: `60` may come as `60.0`.
fn whole_float(float: f64) -> Option<u32> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is cut off shows below")]
    let whole = float as u32;
    (f64::from(whole) == float).then_some(whole)
}

fn one_of<T>(
    key: &'static str,
    expected: &'static str,
    value: &Value,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<T, ConfigError> {
    read(value).ok_or_else(|| ConfigError::Invalid { key, expected, got: described(value) })
}

/// A value in a few words.
fn described(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{}'", crate::report::clean(text, 64)),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        // Fractions are not printed: serde_json's way to do it takes 7 KB.
        Value::Number(number) => {
            let whole = number.as_i64().or_else(|| whole_float(number.as_f64()?).map(i64::from));
            whole.map_or_else(|| "a fraction, or a number out of range".into(), |whole| whole.to_string())
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => write!(f, "not valid JSON: {error}"),
            Self::NotAnObject => write!(f, "expected a JSON object with any of the keys {KEY_LIST}"),
            Self::UnknownKey(key) => write!(f, "unknown key `{key}`: expected one of {KEY_LIST}"),
            Self::Invalid { key, expected, got } => write!(f, "`{key}`: expected {expected}, got {got}"),
        }
    }
}
