//! Evidence as JSON: recorded on a real proxy, replayed in native tests. Not in the released module.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::diagnosis::{diagnose, observe};
use crate::evidence::Evidence;
use crate::report::Report;

/// What stands before a record in the proxy's log.
pub const MARK: &str = "meshwhy-record ";

/// What the filter recorded of a stream or connection: what it collected, and what it reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Whether it is an observation, of traffic that works.
    #[serde(default)]
    pub soft: bool,
    /// What it collected.
    pub evidence: Evidence,
    /// What it reported: the fields of each report, by their names without the prefix `meshwhy.`.
    pub reports: Vec<Map<String, Value>>,
}

impl Record {
    /// What the rules report of this evidence.
    pub fn of(evidence: Evidence, soft: bool) -> Self {
        let verdicts = if soft { observe(&evidence).collect() } else { Vec::from_iter(diagnose(&evidence)) };
        let reports = verdicts.iter().map(|verdict| fields(&Report::new(verdict, &evidence))).collect();
        Self { soft, evidence, reports }
    }

    /// As a line of `tests/recorded`, under the name of the scenario that it was seen in.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub fn recorded(&self, scenario: &str) -> serde_json::Result<String> {
        let (name, line) = (serde_json::to_string(scenario)?, self.line()?);
        Ok(format!("{{\"scenario\":{name},{}", line.trim_start_matches('{')))
    }

    /// As one line of JSON, without what is unset.
    ///
    /// # Errors
    /// Never in practice: all of it is plain data.
    pub fn line(&self) -> serde_json::Result<String> {
        let mut value = serde_json::to_value(self)?;
        if let Some(evidence) = value.get_mut("evidence") {
            shorten(evidence, &serde_json::to_value(Evidence::default())?);
        }
        shorten(&mut value, &serde_json::json!({"soft": false}));
        serde_json::to_string(&value)
    }
}

/// A cause's own fix follows from the cause, and is left out.
fn fields(report: &Report) -> Map<String, Value> {
    report
        .fields()
        .filter(|(key, value)| *key != "meshwhy.fix" || *value != report.cause.fix())
        .map(|(key, value)| (key.trim_start_matches("meshwhy.").to_owned(), Value::from(value)))
        .collect()
}

/// Leaves out what is null, and what is as in `default`.
fn shorten(value: &mut Value, default: &Value) {
    let Some(members) = value.as_object_mut() else { return };
    members.retain(|key, member| {
        let default = default.get(key).unwrap_or(&Value::Null);
        shorten(member, default);
        let empty = default.is_object() && member.as_object().is_some_and(Map::is_empty);
        !(member.is_null() || member == default || empty)
    });
}
