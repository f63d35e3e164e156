//! What meshwhy's filter has already said, in the access log or in the proxy's own log.

use serde_json::Value;

use super::{Column, Finding, Line};
use crate::catalogue::Cause;
use crate::diagnosis::Confidence;

/// The verdict that the line carries in filter state.
pub(super) fn in_line(line: &Line<'_>) -> Option<Finding> {
    let text = |column| line.get(column).map(str::to_owned);
    if let Some(cause) = line.get(Column::Cause).and_then(Cause::from_id) {
        let confidence = confidence(line.get(Column::Confidence));
        return Some(Finding::told(cause, confidence, text(Column::Resource), text(Column::Evidence)));
    }
    of_object(&serde_json::from_str(line.get(Column::Meshwhy)?).ok()?)
}

/// The verdict in a line of the proxy's own log: `... {"event":"meshwhy",...}`.
pub(super) fn in_proxy_log(text: &str) -> Option<Finding> {
    let (_, rest) = text.split_once("{\"event\":\"meshwhy\",")?;
    let (inside, _) = rest.rsplit_once('}')?;
    of_object(&serde_json::from_str(&format!("{{{inside}}}")).ok()?)
}

/// Whether it is what the filter observed on traffic that works: no failure.
pub(super) fn is_observation(text: &str) -> bool {
    text.contains("{\"event\":\"meshwhy_observation\",")
}

fn of_object(object: &Value) -> Option<Finding> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    let cause = Cause::from_id(&text("cause")?)?;
    Some(Finding::told(cause, confidence(text("confidence").as_deref()), text("resource"), text("evidence")))
}

fn confidence(id: Option<&str>) -> Confidence {
    [Confidence::Certain, Confidence::Likely]
        .into_iter()
        .find(|c| Some(c.id()) == id)
        .unwrap_or(Confidence::Possible)
}
