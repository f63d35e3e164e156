//! Times as logs write them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The length of `2026-01-01T00:00:00`.
const LENGTH: usize = 19;

/// Milliseconds since 1970 of a time like `2026-01-01T00:00:00.123Z`; with a space for the `T`, as Envoy's own log has it, too.
pub fn millis(text: &str) -> Option<i64> {
    begins(text).then_some(())?;
    let fraction = text.get(LENGTH..)?.strip_prefix('.').unwrap_or_default();
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count().min(9);
    // A point that no digit follows is not a part of it.
    let end = if digits == 0 { LENGTH } else { LENGTH.checked_add(1)?.checked_add(digits)? };
    let time: DateTime = text.get(..end)?.parse().ok()?;
    Some(TimeZone::UTC.to_timestamp(time).ok()?.as_millisecond())
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
    }
}
