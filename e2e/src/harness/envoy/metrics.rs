//! Prometheus' text format, as far as Envoy writes it. Thirty lines: `prometheus-parse` (0.2.5) would bring twelve crates, and
//! `openmetrics-parser` is LGPL.

use std::collections::BTreeMap;

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Metric name.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Value.
    pub value: f64,
}

/// The samples of an exposition; comments are skipped.
pub fn parse(text: &str) -> Vec<Sample> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect()
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    Some(Sample {
        name: name.to_owned(),
        labels: labels_of(labels.strip_suffix('}')?),
        value: value.parse().ok()?,
    })
}

fn labels_of(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let Some((value, next)) = after.split_once('"') else { break };
        labels.insert(name.to_owned(), value.to_owned());
        rest = next.strip_prefix(',').unwrap_or(next);
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn samples_with_and_without_labels() {
        let samples = parse("# TYPE a counter\na{x=\"1\",y=\"VirtualService/ns/n\"} 2\nb{} 0\nc 1.5\n");
        assert_eq!(samples.len(), 3);
        assert_eq!(samples[0].labels["y"], "VirtualService/ns/n");
        assert!(samples[1].labels.is_empty());
        assert!((samples[2].value - 1.5).abs() < f64::EPSILON);
    }
}
