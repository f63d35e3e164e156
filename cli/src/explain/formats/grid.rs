//! Tables as pages, tickets and database consoles draw them: a row of names, a rule, and rows of values, divided by bars.

use std::borrow::Cow;

use super::odd;
use crate::explain::{Column, Line};

/// The most rows of one.
const MOST_ROWS: usize = 100;

/// What such a table's rows are, and how many rows there are behind the first; nothing where it names no column of Envoy's.
pub(in crate::explain) fn read(
    first: &str,
    rest: impl Iterator<Item = impl AsRef<str>>,
) -> Option<(Vec<Line<'static>>, usize)> {
    // Most lines with bars are none: istiod's names of clusters have some.
    ["lag", "etail", "eason"].iter().any(|end| first.contains(end)).then_some(())?;
    let names = cells(first)?;
    let columns: Vec<Option<Column>> = names.iter().map(|name| Column::of_key(name)).collect();
    let is_envoys = columns.iter().flatten().any(|column| column.is_envoys());
    let common = names.iter().map(|name| Column::of_common_key(name));
    let columns: Vec<Option<Column>> =
        columns.iter().zip(common).map(|(column, other)| column.or(other)).collect();
    let both = [Column::Code, Column::Flags];
    (is_envoys || both.iter().all(|one| columns.contains(&Some(*one)))).then_some(())?;
    let (mut lines, mut count, mut ruled) = (Vec::new(), 0_usize, false);
    for row in rest.take(MOST_ROWS) {
        let row = row.as_ref();
        if is_rule(row) {
            ruled = true;
        } else if let Some(cells) = cells(row).filter(|cells| ruled && cells.len() == columns.len()) {
            let mut line = Line::default();
            for (column, cell) in columns.iter().zip(cells) {
                if let Some(column) = column.filter(|column| column.takes(&cell)) {
                    line.set(column, Cow::Owned(cell));
                }
            }
            lines.push(line);
        } else {
            break;
        }
        count = count.saturating_add(1);
    }
    // Names that are not Envoy's may be anything's.
    let flags =
        |line: &Line<'_>| line.shows(Column::Flags) && line.get(Column::Flags).is_none_or(odd::are_flags);
    let fit = |line: &Line<'_>| line.get(Column::Code).is_some() && flags(line);
    (!lines.is_empty() && (is_envoys || lines.iter().all(fit))).then_some((lines, count))
}

/// The cells of a row, without the bars around it.
fn cells(row: &str) -> Option<Vec<String>> {
    let row = row.replace('\u{2502}', "|");
    let row = row.trim().trim_start_matches('|').trim_end_matches('|');
    let cells: Vec<String> =
        row.split('|').map(|cell| cell.trim().trim_matches(['`', '*', '"']).replace("\\_", "_")).collect();
    (cells.len() > 1).then_some(cells)
}

/// `-- | :--: |`, `----+----`, and what boxes are drawn with.
pub(in crate::explain) fn is_rule(row: &str) -> bool {
    let row = row.trim();
    let drawn = |c: char| matches!(c, '-' | '=' | '\u{2500}' | '\u{2550}');
    let between = |c: char| drawn(c) || matches!(c, '|' | ':' | '+' | ' ' | '\u{2500}'..='\u{257f}');
    row.chars().filter(|c| drawn(*c)).count() > 1 && row.chars().all(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Option<(Vec<String>, usize)> {
        let (first, rest) = text.split_once('\n')?;
        let (lines, rows) = read(first, rest.lines())?;
        let both = |line: &Line<'_>| {
            let get = |column| line.get(column).unwrap_or("-").to_owned();
            get(Column::Code) + " " + &get(Column::Flags)
        };
        Some((lines.iter().map(both).collect(), rows))
    }

    #[test]
    fn rows_under_names_are_lines() {
        let expected = Some((vec!["503 UC".to_owned(), "200 -".to_owned()], 3));
        for text in [
            "requests | response_code | response_flags\n-- | -- | --\n4 | 503 | UC\n21 | 200 | -\n\nx",
            "| requests | `response_code` | response\\_flags |\n|---|:-:|---|\n| 4 | 503 | UC |\n| 21 | 200 | - |",
            "| path | code | flags |\n|---|---|---|\n| /a | 503 | UC |\n| /b | 200 | - |",
            " requests | Response Code | Response Flags\n----------+---------+-------\n 4 | 503 | UC\n 21 | 200 | -\n(2 rows)",
        ] {
            assert_eq!(codes(text), expected, "{text}");
        }
        for text in [
            "a | b\n--|--\n1 | 2",
            "a | response_flags\n1 | UF",
            "name | code | flags\n--|--|--\na | 503 | verbose",
            "name | code | flags\n--|--|--\na | 503 | UF\nb | x | UF",
            "response_flags\n--\nUF",
            "a | response_flags\n--|--\n1 | UF | 2",
        ] {
            assert_eq!(codes(text), None, "{text}");
        }
    }
}
