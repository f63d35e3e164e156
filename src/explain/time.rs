//! Times as logs write them.

/// The length of `2026-01-01T00:00:00`.
const LENGTH: usize = 19;

/// Milliseconds since 1970 of a time like `2026-01-01T00:00:00.123Z`; with a space for the `T`, as Envoy's own log has it, too.
pub(super) fn millis(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    begins(text).then_some(())?;
    let fraction = text.get(LENGTH..)?.strip_prefix('.').unwrap_or_default();
    let digits = fraction.bytes().chain(*b"000").take(3);
    let millis = digits.fold(0_i64, |all, digit| match digit {
        b'0'..=b'9' => all.saturating_mul(10).saturating_add(i64::from(digit.saturating_sub(b'0'))),
        _ => all.saturating_mul(10),
    });
    // Days from civil, by Howard Hinnant: years begin in March, so that the leap day is the last.
    let year = if month > 2 { year } else { year.checked_sub(1)? };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = month.checked_add(9)?.rem_euclid(12);
    let of_year = 153_i64.checked_mul(from_march)?.checked_add(2)?.div_euclid(5).checked_add(day)?;
    let leap = of_era.div_euclid(4).checked_sub(of_era.div_euclid(100))?;
    // 1 for the day, which counts from one.
    let days = [of_era.checked_mul(365)?, leap, of_year, -719_468, -1]
        .into_iter()
        .try_fold(era.checked_mul(146_097)?, i64::checked_add)?;
    let seconds = [(24, hour), (60, minute), (60, second)]
        .into_iter()
        .try_fold(days, |all, (unit, part)| all.checked_mul(unit)?.checked_add(part))?;
    seconds.checked_mul(1_000)?.checked_add(millis)
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
