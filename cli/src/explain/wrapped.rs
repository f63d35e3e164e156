//! Lines that were broken into rows: by a terminal at its width, or by hand between columns.

use super::around::pasted;
use super::walk::begins;
use super::{Column, Reader, Reading, Source};
use crate::input::records::Record;

/// A terminal is at least so wide.
const NARROWEST: usize = 40;
/// The most rows of one that a terminal wrapped: a line is hardly longer than that at the narrowest.
const MOST_WRAPPED: usize = 40;
/// The most rows of one that was broken by hand: the longest formats have no more columns.
const MOST_BROKEN: usize = 25;
/// A line is hardly longer; each row more is another attempt.
const LONGEST: usize = 16 * 1024;

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
        for (row, record) in rest.take(MOST_WRAPPED).enumerate() {
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
            take(&mut found, reading, row.saturating_add(1));
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
            if text.is_empty() || begins(text) || pasted::is_fence(text) || whole.len() > LONGEST {
                break;
            }
            // Within a value a break may be where no space was.
            let is_open = whole.matches('"').count() % 2 == 1;
            // A request of its own is no part of another.
            let other = self.read_whole(text.as_bytes(), true);
            if let Reading::Failed(line, _) | Reading::Fine(Some(line)) = other
                && !is_open
                && line.shows(Column::Method)
            {
                break;
            }
            if !(is_open && whole.ends_with(['|', '_', ':', '/', '-'])) {
                whole.push(' ');
            }
            whole.push_str(text);
            let reading = self.read_strictly(whole.as_bytes(), true);
            // Pairs of a key and a value are read wherever they stand.
            let is_line = match &reading {
                Reading::Failed(line, finding) => {
                    line.shows(Column::LocalAddress) || finding.source == Source::Ambiguous
                }
                Reading::Fine(Some(line)) => line.shows(Column::UpstreamHost),
                Reading::Ambiguous => true,
                _ => false,
            };
            if !is_line {
                continue;
            }
            let reading = match reading {
                Reading::Fine(_) if !keep => Reading::Fine(None),
                reading => reading,
            };
            take(&mut found, reading, row.saturating_add(1));
        }
        found
    }
}

/// Keeps the longest: a line may be broken where it could end as well. One that can be read in several ways stands where no other does: its
/// front alone may be a client's.
fn take(found: &mut Option<(Reading, usize)>, reading: Reading, rows: usize) {
    let is_open = match &reading {
        Reading::Fine(_) => false,
        Reading::Ambiguous => true,
        Reading::Failed(_, finding) => finding.source == Source::Ambiguous,
        _ => return,
    };
    if !is_open || found.is_none() {
        *found = Some((reading, rows));
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
        for (left, at) in spaces.iter().rev().enumerate() {
            let (first, second) = LINE.split_at(*at);
            let broken = format!("{first}\n{}", second.trim_start());
            // Without the last columns it is a line already.
            let rest = (left < 2).then_some(None);
            let expected: Vec<_> = std::iter::once(Some("10.0.0.1:80".to_owned())).chain(rest).collect();
            assert_eq!(read(&broken), expected, "{broken}");
        }
        let rows = LINE.replace(" \"", "\n\"").replace("\n\"GET", " \"GET");
        assert_eq!(read(&rows), [Some("10.0.0.1:80".to_owned())], "{rows}");
        let within = LINE.replace("TLS_error:|", "TLS_error:|\n");
        let (first, second) = within.split_at(within.rfind("|\n").unwrap());
        let within = first.replace("|\n", "|") + second;
        assert_eq!(read(&within), [Some("10.0.0.1:80".to_owned())], "{within}");
    }

    #[test]
    fn a_line_whose_end_is_cut_off_takes_no_other_row() {
        let cut = LINE.rsplitn(3, ' ').last().unwrap();
        for row in ["GET /x 503 flags=UF", "still failing", "curl: (7) Connection refused"] {
            let found = read(&format!("{cut}\n{row}"));
            assert_eq!(found.first(), Some(&Some("10.0.0.1:80".to_owned())), "{row}");
            assert_eq!(found.len(), 2, "{row}: {found:?}");
        }
    }

    /// A client's quotes make the whole ambiguous, and the wrap hides that from the front.
    #[test]
    fn a_wrap_makes_no_line_of_a_clients_words() {
        let hostile = r#"[2026-03-01T08:00:00.123Z] "GET /a" 503 UF "x HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-" 0 19 0 - "-" "curl/8" "94de6761-681b-482d-89ce-e349a541d8e9" "a" "-" inbound|80|| - 10.0.0.1:80 10.0.0.9:50000 outbound_.80_._.a.b.svc.cluster.local default"#;
        let named = |text: &str| {
            let (reader, mut chunks, mut found) = (Reader::new(Vec::new()), Chunks::new(0), Vec::new());
            let mut give = |chunk| {
                reader.walk_chunk(&chunk, false, |read| {
                    if let Reading::Failed(_, finding) = read.reading {
                        found.push(finding.cause);
                    }
                    true
                });
                true
            };
            chunks.read(&mut text.as_bytes(), true, &mut give).unwrap();
            chunks.finish(&mut give);
            found
        };
        for width in [40, 50, 60, 70, 80, 100, 120, 200] {
            let rows: Vec<String> = hostile
                .as_bytes()
                .chunks(width)
                .map(|row| String::from_utf8_lossy(row).into_owned())
                .collect();
            let causes = named(&rows.join("\n"));
            assert!(!causes.contains(&meshwhy::causes::Cause::UpstreamRefused), "{width}: {causes:?}");
        }
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
