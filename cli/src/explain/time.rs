//! Times as logs write them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The length of `2026-01-01T00:00:00`.
const LENGTH: usize = 19;
/// That with nanoseconds.
const MOST_EXACT: usize = 29;

/// Milliseconds since 1970 of a time like `2026-01-01T00:00:00.123Z` or `...+02:00`; with a space for the `T`, as Envoy's own log has it, too.
/// Without a zone it is UTC. Of seconds, milliseconds, microseconds or nanoseconds since then (`%START_TIME(%s.%3f)%`), too.
pub fn millis(text: &str) -> Option<i64> {
    if !begins(text) {
        return since_1970(text);
    }
    let fraction = text.get(LENGTH..)?.strip_prefix('.').unwrap_or_default();
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    // A point that no digit follows is not a part of it.
    let end = if digits == 0 { LENGTH } else { LENGTH.checked_add(1)?.checked_add(digits)? };
    let time: DateTime = text.get(..end.min(MOST_EXACT))?.parse().ok()?;
    let local = TimeZone::UTC.to_timestamp(time).ok()?.as_millisecond();
    local.checked_sub(text.get(end..).and_then(offset).unwrap_or_default())
}

/// How far a zone like `+02:00`, `-0700` or ` +0200` is from UTC, in milliseconds.
fn offset(text: &str) -> Option<i64> {
    let text = text.strip_prefix(' ').unwrap_or(text);
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = text.get(1..3)?;
    let behind = text.get(3..)?;
    let behind = behind.strip_prefix(':').unwrap_or(behind);
    let minutes = behind.get(..2)?;
    // `2026-11-21 14:42:25 -1234567`: a zone ends here.
    let ends = !behind.as_bytes().get(2).is_some_and(u8::is_ascii_alphanumeric);
    let number = |text: &str| -> Option<i64> {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (ends && hours < 15 && minutes < 60).then(|| sign * (hours * 60 + minutes) * 60_000)
}

/// Milliseconds of a number that is a time of these years.
fn since_1970(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (whole.len() <= 19 && is_number(whole) && is_number(fraction)).then_some(())?;
    let number: i64 = whole.parse().ok()?;
    match whole.len() {
        10 => {
            let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
            number.checked_mul(1_000)?.checked_add(digits.parse().ok()?)
        }
        13 => Some(number),
        16 => Some(number / 1_000),
        19 => Some(number / 1_000_000),
        _ => None,
    }
}

/// Where the first time in a line is, if there is one.
pub fn first(text: &str) -> Option<i64> {
    let mut dashes = text.match_indices('-').map(|(dash, _)| dash);
    dashes.find_map(|dash| millis(text.get(dash.checked_sub(4)?..).filter(|text| begins(text))?))
}

/// Where the last time in the text begins.
pub(super) fn last(text: &str) -> Option<usize> {
    text.rmatch_indices('-').map(|(dash, _)| dash).find_map(|dash| {
        let at = dash.checked_sub(4)?;
        text.get(at..).is_some_and(begins).then_some(at)
    })
}

/// Whether the text begins with a date and a time of the day.
fn begins(text: &str) -> bool {
    let Some(head) = text.as_bytes().get(..LENGTH) else { return false };
    head.iter().enumerate().all(|(at, byte)| match at {
        4 | 7 => *byte == b'-',
        10 => matches!(byte, b'T' | b' '),
        13 | 16 => *byte == b':',
        _ => byte.is_ascii_digit(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_and_leap_days() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01 00:00:01.5", Some(1_500)),
            ("2024-02-29T23:59:59.999Z", Some(1_709_251_199_999)),
            ("2024-03-01T00:00:00.000001Z", Some(1_709_251_200_000)),
            ("2026-11-21 14:42:25.474][1][warning]", Some(1_795_272_145_474)),
            ("2026-11-21T14:42", None),
            ("21/Nov/2026:14:42:25", None),
            ("9999999999999999999", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-11-21T14:42:25.Z", Some(1_795_272_145_000)),
            ("2026-11-21T14:42:25.1234567891Z", Some(1_795_272_145_123)),
            ("2026-11-21T16:42:25.000+0200", Some(1_795_272_145_000)),
            ("2026-11-21T07:12:25-07:30", Some(1_795_272_145_000)),
            ("2026-11-21 16:42:25 +0200", Some(1_795_272_145_000)),
            ("2026-11-21T14:42:25 -my-pod", Some(1_795_272_145_000)),
            ("1795272145.5", Some(1_795_272_145_500)),
            ("1795272145123", Some(1_795_272_145_123)),
            ("1795272145123456789", Some(1_795_272_145_123)),
            ("8080", None),
            ("", None),
        ] {
            assert_eq!(millis(text), expected, "{text}");
        }
    }

    #[test]
    fn the_last_of_several() {
        let text = "2026-11-21T14:42:25.474Z stderr F [2026-11-21 14:42:25.470][7][warning] of my-pod-1";
        assert_eq!(last(text), Some(35));
        assert_eq!(last("my-pod istio-proxy"), None);
        assert_eq!(first(text), millis("2026-11-21T14:42:25.474Z"));
        assert_eq!(first("my-pod istio-proxy"), None);
    }
}
