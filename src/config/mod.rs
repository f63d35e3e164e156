//! The configuration: parsed once, every mistake named with its key and what was expected.

mod json;
#[cfg(test)]
mod tests;

use crate::concat::concat;
use crate::number;
use crate::prelude::*;

use core::fmt;

pub use json::SyntaxError;
use json::Value;

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
    Syntax(SyntaxError),
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
        /// The keys, in the order in which they are looked at.
        const KEYS: &[&str] = &[$first $(, $rest)*];
        const KEY_LIST: &str = concat!($first $(, ", ", $rest)*);
    };
}

keys!("role", "log", "log_per_minute", "observe_every", "resource_label", "max_series", "response_header");

/// What the object holds: the last value of each key that there is, and the first one that there isn't.
#[derive(Default)]
struct Members {
    values: [Option<Value>; KEYS.len()],
    unknown: Option<String>,
}

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
        let mut members = Members::default();
        match json::parse(bytes, &mut |key, value| members.take(key, value)).map_err(ConfigError::Syntax)? {
            Value::Object => {}
            // A WasmPlugin without pluginConfig can come as null.
            Value::Null => return Ok(config),
            _ => return Err(ConfigError::NotAnObject),
        }
        if let Some(key) = members.unknown {
            return Err(ConfigError::UnknownKey(crate::report::clean(&key, 64)));
        }
        for (key, value) in KEYS.iter().zip(&members.values) {
            if let Some(value) = value {
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
                self.resource_label = one_of("resource_label", "true or false", value, boolean)?;
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

impl Members {
    fn take(&mut self, key: String, value: Value) {
        let slot = KEYS.iter().position(|known| *known == key).and_then(|i| self.values.get_mut(i));
        match slot {
            Some(slot) => *slot = Some(value),
            None => self.unknown = self.unknown.take().or(Some(key)),
        }
    }
}

fn boolean(value: &Value) -> Option<bool> {
    if let Value::Bool(value) = value { Some(*value) } else { None }
}

fn text(value: &Value) -> Option<&str> {
    if let Value::Text(value) = value { Some(value) } else { None }
}

fn role(value: &Value) -> Option<Role> {
    match text(value)? {
        "http" => Some(Role::Http),
        "connection" => Some(Role::Connection),
        "access_log" => Some(Role::AccessLog),
        _ => None,
    }
}

fn log_mode(value: &Value) -> Option<LogMode> {
    match text(value)? {
        "off" => Some(LogMode::Off),
        "limited" => Some(LogMode::Limited),
        "all" => Some(LogMode::All),
        _ => None,
    }
}

fn header_name(value: &Value) -> Option<String> {
    let name = text(value)?.to_ascii_lowercase();
    let proper = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (!name.is_empty() && name.len() <= 64 && name.bytes().all(proper)).then_some(name)
}

fn number(key: &'static str, least: u32, value: &Value) -> Result<u32, ConfigError> {
    let expected =
        if least == 0 { "a whole number from 0 to 1000000" } else { "a whole number from 1 to 1000000" };
    one_of(key, expected, value, |v| {
        let whole = match v {
            Value::Whole(n) => u32::try_from(*n).ok()?,
            Value::Float(float) => whole_float(*float)?,
            _ => return None,
        };
        (least..=1_000_000).contains(&whole).then_some(whole)
    })
}

/// Istio passes pluginConfig through a protobuf Struct, whose numbers are doubles: `60` may come as `60.0`.
fn whole_float(float: f64) -> Option<u32> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is cut off shows below")]
    let whole = float as u32;
    (f64::from(whole) == float).then_some(whole)
}

/// Beyond 2^53 all are.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "exact below that")]
fn is_whole(float: f64) -> bool {
    float.abs() >= 9_007_199_254_740_992.0 || float as i64 as f64 == float
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
        Value::Whole(n) => number::shown(*n),
        Value::Negative(n) => concat(&["-", &number::shown(n.unsigned_abs())]),
        Value::Float(float) => if is_whole(*float) { "a number" } else { "a fraction" }.into(),
        Value::Text(text) => concat(&["'", &crate::report::clean(text, 64), "'"]),
        Value::List => "a list".into(),
        Value::Object => "an object".into(),
    }
}

impl ConfigError {
    /// One line that names the key and what was expected.
    pub fn text(&self) -> String {
        match self {
            Self::Syntax(error) => concat(&["not valid JSON: ", &error.text()]),
            Self::NotAnObject => concat(&["expected a JSON object with any of the keys ", KEY_LIST]),
            Self::UnknownKey(key) => concat(&["unknown key `", key, "`: expected one of ", KEY_LIST]),
            Self::Invalid { key, expected, got } => {
                concat(&["`", key, "`: expected ", expected, ", got ", got])
            }
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}
