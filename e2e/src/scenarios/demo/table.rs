//! The table at the end: a row for each failure, under the title of the page's section.

use std::fmt::Write as _;

use super::{Played, Style};

/// As wide as the terminal takes: 80 columns hold what was done and the cause, more hold what the client saw and Envoy logged.
pub fn table(played: &[Played], width: usize, style: Style) -> String {
    let columns = Columns::of(width);
    let mut out = columns.row("what was done", "client saw", "Envoy logged", "meshwhy says");
    out = format!("{}\n", style.bold(&out));
    for section in played.chunk_by(|a, b| a.section == b.section) {
        let title = section.first().map_or("", |first| first.section);
        let _ = writeln!(out, "{}", style.bold(title));
        let mut healthy = 0;
        let mut silent = 0;
        for played in section {
            let said = said(played);
            if said.is_empty() && played.as_expected {
                silent += 1;
            }
            if said.is_empty() {
                healthy += 1;
                continue;
            }
            for (number, (cause, confidence, resource)) in said.into_iter().enumerate() {
                let mut says = format!("{} {confidence}", style.cause(&cause));
                if columns.resource && !resource.is_empty() {
                    says = format!("{says} {resource}");
                }
                let first = number == 0;
                let of_first = |text: &str| if first { text.to_owned() } else { String::new() };
                let (client, envoy) = (of_first(&played.client), of_first(short(&played.envoy)));
                let _ = writeln!(out, "{}", columns.row(&of_first(played.done), &client, &envoy, &says));
                if !columns.resource && !resource.is_empty() {
                    let _ = writeln!(out, "{}", columns.row("", "", "", &resource));
                }
            }
            if !played.as_expected {
                let _ = writeln!(out, "{}", columns.row("", "", "", "WRONG: not what was expected"));
            }
        }
        if healthy > 0 {
            let _ = writeln!(out, "  fixed or healthy: silent, {silent} of {healthy}");
        }
    }
    if played.iter().any(|played| !played.observed.is_empty()) {
        out.push_str("works: the request succeeded; only meshwhy_observations_total has the cause\n");
    }
    out
}

/// Cause, confidence and resource of all that was said.
fn said(played: &Played) -> Vec<(String, String, String)> {
    let text =
        |key: &str| played.report.as_ref().and_then(|r| r[key].as_str()).unwrap_or_default().to_owned();
    let failure = played.report.is_some().then(|| (text("cause"), text("confidence"), text("resource")));
    let observed = played.observed.iter();
    let observed =
        observed.map(|o| (o.cause.clone(), format!("{}, works", o.confidence), o.resource.clone()));
    failure.into_iter().chain(observed).collect()
}

/// The widths of the columns; 0 leaves one out.
struct Columns {
    done: usize,
    client: usize,
    envoy: usize,
    /// Whether the resource is in the row, or in the next.
    resource: bool,
}

impl Columns {
    fn of(width: usize) -> Self {
        match width {
            0..100 => Self { done: 34, client: 0, envoy: 0, resource: false },
            100..140 => Self { done: 44, client: 0, envoy: 10, resource: false },
            140..180 => Self { done: 50, client: 20, envoy: 24, resource: false },
            _ => Self { done: 50, client: 24, envoy: 32, resource: true },
        }
    }

    fn row(&self, done: &str, client: &str, envoy: &str, says: &str) -> String {
        let mut row = format!("  {:<width$}", cut(done, self.done), width = self.done);
        for (text, width) in [(client, self.client), (envoy, self.envoy)] {
            if width > 0 {
                let _ = write!(row, " {:<width$}", cut(text, width));
            }
        }
        format!("{row} {says}")
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Code, flags and details of a line in the default format.
fn short(line: &str) -> &str {
    let Some((_, after)) = line.split_once("\" ") else { return line };
    let end = after.match_indices(' ').nth(2).map_or(after.len(), |(at, _)| at);
    after.get(..end).unwrap_or(after)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Observed;
    use super::*;

    fn played() -> Vec<Played> {
        let one = |section, done, report, observed| Played {
            section,
            done,
            client: "HTTP 503".into(),
            envoy: "\"GET / HTTP/1.1\" 503 UO overflow - \"-\" 0 81 0".into(),
            report,
            observed,
            as_expected: true,
        };
        let overflow = json!({"cause": "circuit_breaker_overflow", "confidence": "certain", "resource": "DestinationRule/a/b"});
        let soft = Observed {
            cause: "http10_upstream".into(),
            confidence: "likely".into(),
            resource: String::new(),
        };
        vec![
            one("Section", "nobody may wait, whatever it is that is asked for", Some(overflow), Vec::new()),
            one("Section", "fixed", None, Vec::new()),
            one("Other section", "nginx speaks HTTP/1.0", None, vec![soft]),
        ]
    }

    #[test]
    fn a_row_for_each_failure_and_a_count_of_what_is_healthy() {
        let table = table(&played(), 80, Style { colours: false });
        let expected = "  what was done                      meshwhy says
Section
  nobody may wait, whatever it is t… circuit_breaker_overflow certain
                                     DestinationRule/a/b
  fixed or healthy: silent, 1 of 1
Other section
  nginx speaks HTTP/1.0              http10_upstream likely, works
works: the request succeeded; only meshwhy_observations_total has the cause
";
        assert_eq!(table, expected);
    }

    #[test]
    fn fits_the_terminal() {
        for width in [80, 100, 140, 180] {
            let table = table(&played(), width, Style { colours: false });
            assert!(table.lines().all(|line| line.chars().count() <= width), "{width}: {table}");
        }
        let wide = table(&played(), 180, Style { colours: false });
        assert!(wide.contains("HTTP 503                 503 UO overflow"), "{wide}");
    }
}
