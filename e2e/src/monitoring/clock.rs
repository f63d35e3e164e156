//! The shipped rules on a faster clock: an hour passes in seconds, and nothing else is different.

use anyhow::Result;
use serde_json::{Value, json};

/// How many times faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock(pub u64);

impl Clock {
    /// How long this takes on it, in milliseconds.
    pub fn millis(self, seconds: u64) -> u64 {
        seconds * 1_000 / self.0
    }

    /// A query with its ranges and offsets shortened.
    pub fn query(self, query: &str) -> String {
        let mut out = String::new();
        let mut rest = query;
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            let (before, number) = rest.split_at(at);
            out.push_str(before);
            let is_duration = out.ends_with('[') || out.ends_with("offset ");
            let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
            let (number, after) = number.split_at(digits);
            match seconds(number, after).filter(|_| is_duration) {
                Some(seconds) => {
                    out.push_str(&format!("{}ms", self.millis(seconds)));
                    rest = &after[1..];
                }
                None => {
                    out.push_str(number);
                    rest = after;
                }
            }
        }
        out + rest
    }

    /// All rules of this file, evaluated often enough.
    pub fn rules(self, text: &str) -> Result<Value> {
        let mut rules: Value = serde_norway::from_str(text)?;
        for group in rules["groups"].as_array_mut().into_iter().flatten() {
            group["interval"] = json!("200ms");
            for rule in group["rules"].as_array_mut().into_iter().flatten() {
                rule["expr"] = json!(self.query(rule["expr"].as_str().unwrap_or_default()));
                if let Some(wait) = rule["for"].as_str() {
                    rule["for"] = json!(self.query(&format!("[{wait}")).trim_start_matches('['));
                }
            }
        }
        Ok(rules)
    }
}

fn seconds(number: &str, unit: &str) -> Option<u64> {
    let unit = match unit.chars().next()? {
        's' => 1,
        'm' if !unit.starts_with("ms") => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()? * unit)
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn durations_and_nothing_else() {
        let clock = Clock(300);
        assert_eq!(clock.query("rate(x_5m[5m]) > 0.1"), "rate(x_5m[1000ms]) > 0.1");
        assert_eq!(clock.query("y:rate5m[1d] offset 1h"), "y:rate5m[288000ms] offset 12000ms");
        assert_eq!(clock.query("topk(10, x{a=\"5m\"})"), "topk(10, x{a=\"5m\"})");
        let rules =
            "groups: [{name: a, rules: [{alert: A, expr: 'x[15m] > 1', for: 5m}, {record: b, expr: '1'}]}]";
        let rules = clock.rules(rules).unwrap();
        assert_eq!(rules["groups"][0]["rules"][0]["expr"], "x[3000ms] > 1");
        assert_eq!(rules["groups"][0]["rules"][0]["for"], "1000ms");
        assert!(rules["groups"][0]["rules"][1]["for"].is_null());
    }
}
