//! What a story brought about: what the client got, and what every proxy logged and counted.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

use super::Counted;
use crate::harness::client::Seen;
use crate::harness::rig::Rig;

/// What happened.
#[derive(Debug)]
pub struct Outcome {
    /// What the client got.
    pub seen: Seen,
    /// Access-log lines of each proxy: in Istio's default format, and meshwhy's JSON.
    pub lines: BTreeMap<String, Lines>,
    /// What was counted since the request.
    pub counted: BTreeMap<Counted, u64>,
    /// What `istioctl analyze` said of the configuration.
    pub analyze: Option<String>,
}

/// Lines of one proxy.
#[derive(Debug, Default)]
pub struct Lines {
    /// Istio's default format.
    pub text: Vec<String>,
    /// meshwhy's format.
    pub json: Vec<Value>,
    /// What meshwhy wrote into the proxy's own log.
    pub own: Vec<String>,
    /// What it recorded there.
    pub records: Vec<String>,
}

impl Outcome {
    /// What was recorded on all proxies.
    pub fn records(&self) -> String {
        self.lines.values().flat_map(|lines| &lines.records).flat_map(|line| [line, "\n"]).collect()
    }

    /// What each proxy says, in words for people.
    pub fn verdicts(&self) -> Vec<String> {
        let word = |counted: &Counted| {
            let Counted { pod, cause, confidence, resource, .. } = counted;
            let how = if counted.soft { format!("observed, {confidence}") } else { confidence.clone() };
            let whose = if resource.is_empty() { String::new() } else { format!(", {resource}") };
            format!("{pod}: **{cause}** ({how}{whose})")
        };
        let said: Vec<String> = self.counted.keys().map(word).collect();
        if said.is_empty() { vec!["nothing: no proxy has evidence".into()] } else { said }
    }
}

/// Lines of a kind that are shown, at the most.
const SHOWN: usize = 8;

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "client: exit {} {:?}", self.seen.exit, self.seen.text)?;
        for (pod, lines) in &self.lines {
            for line in lines.text.iter().take(SHOWN) {
                writeln!(f, "{pod}: {line}")?;
            }
            for line in &lines.own {
                writeln!(f, "{pod}: {line}")?;
            }
            for line in lines.json.iter().filter(|l| !l["cause"].is_null()).take(SHOWN) {
                let (cause, evidence) = (&line["cause"], &line["evidence"]);
                writeln!(
                    f,
                    "{pod}: {cause} {} {} {evidence}; fix: {}",
                    line["confidence"], line["resource"], line["fix"]
                )?;
            }
        }
        for (counted, times) in &self.counted {
            writeln!(f, "counted {times}: {counted}")?;
        }
        Ok(())
    }
}

/// Where a story begins: the time, and the length of each proxy's output.
pub(super) struct Marks<'a> {
    begun: Timestamp,
    printed: BTreeMap<&'a str, u64>,
}

impl<'a> Marks<'a> {
    pub(super) fn now(rig: &'a Rig) -> Self {
        let printed = rig.proxies().map(|proxy| (proxy.pod.name, proxy.printed())).collect();
        Self { begun: Timestamp::now(), printed }
    }

    /// Whether a stream or connection with this start time is of the story: Envoy writes its access log once a second, so that lines
    /// of the one before may come late.
    fn has_begun(&self, start_time: &str) -> bool {
        // START_TIME has milliseconds.
        start_time
            .parse::<Timestamp>()
            .is_ok_and(|start| start.as_millisecond() >= self.begun.as_millisecond())
    }
}

pub(super) fn lines_since(rig: &Rig, marks: &Marks<'_>) -> BTreeMap<String, Lines> {
    let mut all = BTreeMap::new();
    for proxy in rig.proxies() {
        let mut lines = Lines::default();
        for line in proxy.output_after(marks.printed[proxy.pod.name]).lines() {
            if let Some((json, start)) = in_json(line) {
                if marks.has_begun(&start) {
                    lines.json.push(json);
                }
            } else if let Some(start) = start_in_text(line) {
                if marks.has_begun(start) {
                    lines.text.push(line.to_owned());
                }
            } else if line.contains(meshwhy::record::MARK) {
                lines.records.push(line.to_owned());
            } else if let Some((_, outcome)) = line.split_once("{\"event\":\"meshwhy\"") {
                lines.own.push(format!("{{{outcome}"));
            }
        }
        all.insert(proxy.pod.name.to_owned(), lines);
    }
    all
}

/// A line of meshwhy's format, and its start time.
fn in_json(line: &str) -> Option<(Value, String)> {
    let json = serde_json::from_str::<Value>(line).ok()?;
    let start = json["start_time"].as_str()?.to_owned();
    Some((json, start))
}

/// The start time in a line of Istio's default format.
fn start_in_text(line: &str) -> Option<&str> {
    let (start, rest) = line.strip_prefix('[')?.split_once("] ")?;
    (start.starts_with("20") && start.ends_with('Z') && rest.starts_with('"')).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"[2026-11-30T22:59:41.360Z] "- - HTTP/2" 0 DR http2.too_many_headers - "-" 0 0"#;
    const JSON: &str = r#"{"start_time":"2026-11-30T22:59:41.360Z","cause":"request_too_large"}"#;

    #[test]
    fn a_line_is_of_the_story_in_which_its_stream_began() {
        let marks = |begun: &str| {
            Marks { begun: begun.parse().unwrap(), printed: BTreeMap::new() }
                .has_begun(start_in_text(TEXT).unwrap())
        };
        assert!(marks("2026-11-30T22:59:40.999Z"));
        assert!(marks("2026-11-30T22:59:41.360999Z"), "the log has milliseconds");
        assert!(!marks("2026-11-30T22:59:41.361Z"));
        assert_eq!(in_json(JSON).unwrap().1, start_in_text(TEXT).unwrap());
    }

    #[test]
    fn what_proxies_say_of_themselves_is_no_line_of_a_stream() {
        for own in [
            "2026-11-30T22:59:41.360Z\twarning\tenvoy",
            "[2026-11-30 22:59:41.360][1][warning] \"x\"",
            r#"{"level":"info"}"#,
            "",
        ] {
            assert!(start_in_text(own).is_none() && in_json(own).is_none(), "{own}");
        }
    }
}
