//! What load testers sum up: hey, oha, ghz, fortio, vegeta, bombardier, wrk, ab, k6, siege, JMeter.

use super::status::failed;
use super::symptom::Symptom;

/// What a row of such a summary counts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Answers with a status that fails.
    Status(u16),
    /// What isn't an answer.
    Symptom(Symptom),
}

/// What a row counts of failures, and its words; one that counts none says nothing.
pub(super) fn read(text: &str) -> Option<(Counted, String)> {
    let row = text.trim();
    let counted = in_brackets(row)
        .or_else(|| behind_code(row))
        .or_else(|| of_vegeta(row))
        .or_else(|| of_bombardier(row))
        .or_else(|| of_wrk(row))
        .or_else(|| summed(row))?;
    Some((counted, row.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// Whether it is such a row, whatever it counts.
pub(super) fn is_row(text: &str) -> bool {
    const BEGINS: &[&str] = &[
        "Socket errors: ",
        "Non-2xx ",
        "Failed transactions:",
        "1xx - ",
        "Status Codes ",
        "http_req_failed",
        "summary ",
    ];
    BEGINS.iter().any(|begin| text.trim_start().starts_with(begin))
}

/// Whether it may be one: a quick look.
pub(super) fn may_be_row(text: &str) -> bool {
    text.trim_start().starts_with(['[', 'C']) || is_row(text)
}

/// hey's and oha's `[503] 12 responses`, ghz's `[Unavailable] 12 responses`.
fn in_brackets(row: &str) -> Option<Counted> {
    let (name, rest) = row.strip_prefix('[')?.split_once(']')?;
    let count = rest.trim().strip_suffix(" responses")?;
    (number(count)? > 0).then_some(())?;
    if let Some(code) = failed(name) {
        return Some(Counted::Status(code));
    }
    Some(match name {
        "Unavailable" => Counted::Symptom(Symptom::Dropped),
        "DeadlineExceeded" => Counted::Symptom(Symptom::NoAnswer),
        "PermissionDenied" => Counted::Status(403),
        "Unauthenticated" => Counted::Status(401),
        "ResourceExhausted" => Counted::Status(429),
        "Internal" | "Unknown" => Counted::Status(500),
        _ => return None,
    })
}

/// fortio's `Code 503 : 12 (1.2 %)`; -1 is no answer.
fn behind_code(row: &str) -> Option<Counted> {
    let (code, rest) = row.strip_prefix("Code ")?.trim_start().split_once(" : ")?;
    (rest.ends_with(" %)") && number(rest.split(' ').next()?)? > 0).then_some(())?;
    match code.trim() {
        "-1" => Some(Counted::Symptom(Symptom::Dropped)),
        code => failed(code).map(Counted::Status),
    }
}

/// vegeta's `Status Codes  [code:count]  200:98  503:2`; 0 is no answer.
fn of_vegeta(row: &str) -> Option<Counted> {
    let (_, counts) = row.strip_prefix("Status Codes")?.split_once("[code:count]")?;
    counts.split_whitespace().find_map(|pair| {
        let (code, count) = pair.split_once(':')?;
        (number(count)? > 0).then_some(())?;
        if code == "0" { Some(Counted::Symptom(Symptom::Dropped)) } else { failed(code).map(Counted::Status) }
    })
}

/// bombardier's `1xx - 0, 2xx - 980, 3xx - 0, 4xx - 0, 5xx - 20`.
fn of_bombardier(row: &str) -> Option<Counted> {
    let (_, count) = row.strip_prefix("1xx - ")?.split_once("5xx - ")?;
    (number(count)? > 0).then_some(Counted::Status(503))
}

/// wrk's `Socket errors: connect 0, read 12, write 0, timeout 3`.
fn of_wrk(row: &str) -> Option<Counted> {
    let errors = row.strip_prefix("Socket errors: ")?;
    let count = |name: &str| {
        let (_, rest) = errors.split_once(name)?;
        number(rest.split(',').next()?)
    };
    let kinds = [
        ("connect ", Symptom::Refused),
        ("read ", Symptom::Reset),
        ("write ", Symptom::Pooled),
        ("timeout ", Symptom::NoAnswer),
    ];
    let most = kinds.into_iter().max_by_key(|(name, _)| count(name))?;
    (count(most.0)? > 0).then_some(Counted::Symptom(most.1))
}

/// What has no more than how many weren't answered well.
fn summed(row: &str) -> Option<Counted> {
    const SUMS: &[&str] = &["Non-2xx or 3xx responses:", "Non-2xx responses:", "Failed transactions:"];
    let count = SUMS.iter().find_map(|sum| row.strip_prefix(sum)).and_then(number);
    let of_k6 = || {
        let rate = row.strip_prefix("http_req_failed")?.trim_start_matches('.').strip_prefix(':')?;
        let percent: f64 = rate.trim().split('%').next()?.parse().ok()?;
        Some(u64::from(percent > 0.0))
    };
    let of_jmeter = || {
        let (_, errors) = row.strip_prefix("summary ")?.split_once("Err:")?;
        number(errors.split('(').next()?)
    };
    (count.or_else(of_k6).or_else(of_jmeter)? > 0).then_some(Counted::Status(503))
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_counted_in_many_ways() {
        for (row, counted) in [
            ("  [503]\t439 responses", Counted::Status(503)),
            ("  [Unavailable]   12 responses", Counted::Symptom(Symptom::Dropped)),
            ("Code 503 : 12 (1.2 %)", Counted::Status(503)),
            ("Code  -1 : 12 (1.2 %)", Counted::Symptom(Symptom::Dropped)),
            ("Status Codes  [code:count]    200:98  502:2", Counted::Status(502)),
            ("1xx - 0, 2xx - 980, 3xx - 0, 4xx - 0, 5xx - 20", Counted::Status(503)),
            ("Socket errors: connect 0, read 12, write 0, timeout 3", Counted::Symptom(Symptom::Reset)),
            ("  Non-2xx or 3xx responses: 12", Counted::Status(503)),
            ("http_req_failed................: 12.50% 125 out of 1000", Counted::Status(503)),
            (
                "summary =   1000 in 00:00:10 =  100.0/s Avg: 5 Min: 1 Max: 9 Err:    12 (1.20%)",
                Counted::Status(503),
            ),
        ] {
            assert_eq!(read(row).map(|(counted, _)| counted), Some(counted), "{row}");
        }
        for row in [
            "  [200]\t1000 responses",
            "  [503]\t0 responses",
            "Code 200 : 1000 (100.0 %)",
            "Status Codes  [code:count]    200:100",
            "1xx - 0, 2xx - 1000, 3xx - 0, 4xx - 0, 5xx - 0",
            "Socket errors: connect 0, read 0, write 0, timeout 0",
            "Non-2xx or 3xx responses: 0",
            "http_req_failed................: 0.00% 0 out of 1000",
            "summary =   1000 in 00:00:10 =  100.0/s Avg: 5 Min: 1 Max: 9 Err:     0 (0.00%)",
            "Failed transactions:           0",
        ] {
            assert_eq!(read(row), None, "{row}");
        }
    }
}
