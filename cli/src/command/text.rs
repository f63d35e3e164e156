//! Text from a log, safe to print: a log holds what strangers sent.

use meshwhy::evidence::{CUT, Details};
use meshwhy::report::clean;

use crate::explain::{Column, Line};

/// The longest path or host that is printed.
const LONGEST: usize = 200;

/// `1 line`, `2 lines`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// `1 proxy`, `2 proxies`.
pub fn proxies(number: usize) -> String {
    if number == 1 { "1 proxy".into() } else { format!("{number} proxies") }
}

/// A column's value; nothing in it can move the cursor or break out of quotes.
pub fn column(line: &Line<'_>, column: Column) -> Option<String> {
    line.get(column).map(|value| clean(value, LONGEST))
}

/// The response code details, as far as they are known vocabulary.
pub fn details(line: &Line<'_>) -> Option<String> {
    line.get(Column::Details).map(|value| clean(Details::new(value).as_str(), LONGEST))
}

/// The details as the log has them, where they hold more than that: a filter's free text, and what a client or a server put into it.
pub fn free_details(line: &Line<'_>) -> Option<String> {
    let text = line.get(Column::Details)?;
    Details::new(text).as_str().contains(CUT).then(|| clean(text, LONGEST))
}

/// The request's path without its query, which may hold secrets.
pub fn path(line: &Line<'_>) -> Option<String> {
    let path = line.get(Column::Path)?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    Some(clean(path, LONGEST))
}

/// The request in a few words: `503 UF  GET reviews:9080/reviews/0`, or what there is of it.
pub fn request(line: &Line<'_>) -> String {
    let code = line.code().map_or_else(|| "-".to_owned(), |code| code.to_string());
    let flags =
        column(line, Column::Flags).or_else(|| column(line, Column::FlagsLong)).unwrap_or_else(|| "-".into());
    let target = column(line, Column::Authority).unwrap_or_default() + &path(line).unwrap_or_default();
    // A method alone is what is sure of an ambiguous line.
    let no_method = !line.shows(Column::Method) || !line.shows(Column::Code);
    if no_method && !line.shows(Column::Path) && target.is_empty() {
        return format!("{code} {flags}  (no request logged)");
    }
    match (column(line, Column::Method), target.is_empty()) {
        (Some(method), _) => format!("{code} {flags}  {method} {target}"),
        (None, false) => format!("{code} {flags}  {target}"),
        (None, true) if line.code().is_some() => format!("{code} {flags}  (no whole request)"),
        (None, true) => format!("{code} {flags}  (connection)"),
    }
}

/// The beginning of a line that could not be read, without what may be a query.
pub fn excerpt(bytes: &[u8]) -> String {
    const LENGTH: usize = 80;
    let text = String::from_utf8_lossy(bytes.get(..4 * LENGTH).unwrap_or(bytes));
    let mut out = clean(&without_queries(text.trim_end()).replace('"', "'"), LENGTH);
    if text.chars().count() > LENGTH {
        out.push_str("...");
    }
    out
}

/// Each word up to its question mark.
fn without_queries(text: &str) -> String {
    let mut in_query = false;
    let shown = text.chars().filter(|c| {
        in_query = *c == '?' || (in_query && !c.is_whitespace() && *c != '"');
        !in_query
    });
    shown.collect()
}
