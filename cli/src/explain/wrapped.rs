//! Lines that were broken into rows: by a terminal at its width, or by hand between columns.

use super::around::pasted;
use super::walk::{MOST_ROWS, begins};
use super::{Reader, Reading, Source};
use crate::input::records::Record;

/// A terminal is at least so wide.
const NARROWEST: usize = 40;
/// The most rows of one that was broken by hand: the longest formats have no more columns.
const MOST_BROKEN: usize = 25;

impl Reader {
    /// A line that was copied from a terminal: rows of one width, of which none but the first begins like a line, and which together
    /// are one in one way alone.
    pub(super) fn mended<'a>(
        &self,
        first: &str,
        rest: impl Iterator<Item = Record<'a>>,
        keep: bool,
    ) -> Option<(Reading, usize)> {
        let mut whole = first.trim_end_matches(['\r', '\n']).to_owned();
        let mut width = whole.chars().count();
        let mut found = None;
        for (row, record) in rest.take(MOST_ROWS).enumerate() {
            let text = String::from_utf8_lossy(&record.bytes);
            let text = text.trim_end_matches(['\r', '\n']);
            let length = text.chars().count();
            // A space at the end of a row is lost.
            let lost = width.checked_add(1) == Some(length);
            let is_row = !text.trim().is_empty() && !begins(text) && length <= width.saturating_add(1);
            if !is_row || width < NARROWEST {
                return found;
            }
            if lost && row == 0 {
                whole.push(' ');
                width = length;
            } else if lost {
                return found;
            }
            whole.push_str(text);
            let reading = self.read_strictly(whole.as_bytes(), keep);
            let good = matches!(&reading, Reading::Fine(_))
                || matches!(&reading, Reading::Failed(_, finding) if finding.source != Source::Ambiguous);
            // A line may be cut where it could end as well.
            if good {
                found = Some((reading, row.saturating_add(1)));
            }
            match width.checked_sub(length) {
                Some(0) => {}
                Some(1) => whole.push(' '),
                _ => return found,
            }
        }
        found
    }

    /// A line that was broken by hand, as books and wikis do it: rows of any width that together are one of a format that is known, and
    /// of which none but the first begins like a line.
    pub(super) fn broken<'a>(
        &self,
        first: &str,
        rest: impl Iterator<Item = Record<'a>>,
        keep: bool,
    ) -> Option<(Reading, usize)> {
        let mut whole = first.trim_end().to_owned();
        let mut found = None;
        for (row, record) in rest.take(MOST_BROKEN).enumerate() {
            let text = String::from_utf8_lossy(&record.bytes);
            let text = text.trim();
            if text.is_empty() || begins(text) || pasted::is_fence(text) {
                break;
            }
            // Within a value a break may be where no space was.
            let is_open = whole.matches('"').count() % 2 == 1;
            if !(is_open && whole.ends_with(['|', '_', ':', '/', '-'])) {
                whole.push(' ');
            }
            whole.push_str(text);
            let reading = self.read_strictly(whole.as_bytes(), keep);
            let good = matches!(&reading, Reading::Fine(_))
                || matches!(&reading, Reading::Failed(_, finding) if finding.source != Source::Ambiguous);
            // A line may be broken where it could end as well.
            if good {
                found = Some((reading, row.saturating_add(1)));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use crate::explain::{Column, Reader, Reading};
    use crate::input::chunks::Chunks;

    /// What each record is: its endpoint, if it is a line that failed.
    fn read(text: &str) -> Vec<Option<String>> {
        let (reader, mut chunks, mut found) = (Reader::new(Vec::new()), Chunks::new(0), Vec::new());
        let mut give = |chunk| {
            reader.walk_chunk(&chunk, false, |read| {
                found.push(match read.reading {
                    Reading::Failed(line, _) => {
                        Some(line.get(Column::UpstreamHost).unwrap_or("-").to_owned())
                    }
                    _ => None,
                });
                true
            });
            true
        };
        chunks.read(&mut text.as_bytes(), true, &mut give).unwrap();
        chunks.finish(&mut give);
        found
    }

    const LINE: &str = r#"[2026-03-01T08:00:00.123Z] "GET / HTTP/1.1" 503 UF,URX upstream_reset_before_response_started{connection_failure,TLS_error:|268435588:SSL_routines:OPENSSL_internal:CLIENTHELLO_TLSEXT} - "TLS_error:|268435588:SSL_routines:OPENSSL_internal:CLIENTHELLO_TLSEXT" 0 91 24 - "-" "curl/8 (X11; Linux)" "94de6761-681b-482d-89ce-e349a541d8e9" "a" "10.0.0.1:80" outbound|80||a.b.svc.cluster.local - 10.96.0.1:80 10.0.0.9:50000 - default"#;

    #[test]
    fn a_line_is_put_together_wherever_it_was_broken() {
        let spaces: Vec<usize> = LINE.match_indices(' ').map(|(at, _)| at).skip(6).collect();
        for at in &spaces {
            let (first, second) = LINE.split_at(*at);
            let broken = format!("{first}\n{}", second.trim_start());
            assert_eq!(read(&broken), [Some("10.0.0.1:80".to_owned())], "{broken}");
        }
        let rows = LINE.replace(" \"", "\n\"").replace("\n\"GET", " \"GET");
        assert_eq!(read(&rows), [Some("10.0.0.1:80".to_owned())], "{rows}");
        let within = LINE.replace("TLS_error:|", "TLS_error:|\n");
        let (first, second) = within.split_at(within.rfind("|\n").unwrap());
        let within = first.replace("|\n", "|") + second;
        assert_eq!(read(&within), [Some("10.0.0.1:80".to_owned())], "{within}");
    }

    #[test]
    fn what_doesnt_belong_to_it_stays_what_it_is() {
        let (first, second) = LINE.split_at(LINE.find(" 0 91").unwrap());
        // Another line, or words, come between.
        for between in [LINE, "retrying in 5 s", "", "```"] {
            let text = format!("{first}\n{between}\n{}", second.trim_start());
            let found = read(&text);
            let whole = usize::from(between == LINE);
            assert_eq!(
                found.iter().filter(|at| at.as_deref() == Some("10.0.0.1:80")).count(),
                whole,
                "{text}"
            );
        }
    }
}
