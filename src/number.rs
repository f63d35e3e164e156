//! Whole numbers as text and back: one way for all sizes, where the standard library has one for each, and formats besides.

use crate::prelude::*;

/// The number that decimal digits, and nothing else, make.
pub(crate) fn parse<T: TryFrom<u64>>(digits: &[u8]) -> Option<T> {
    parse_u64(digits)?.try_into().ok()
}

fn parse_u64(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then_some(digit & 0xf)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// In decimal.
pub(crate) fn shown(number: impl Into<u64>) -> String {
    shown_u64(number.into())
}

fn shown_u64(mut left: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from(b'0' | u8::try_from(left % 10).unwrap_or_default()));
        left /= 10;
        if left == 0 {
            return digits.iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_digits_that_fit_are_a_number() {
        for wrong in [&b""[..], b"-1", b"+1", b" 1", b"1x", b"\xff", b"18446744073709551616"] {
            assert_eq!(parse::<u64>(wrong), None);
        }
        assert_eq!((parse::<u8>(b"255"), parse::<u8>(b"256")), (Some(255), None));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(number: u64) {
            prop_assert_eq!(shown(number), number.to_string());
            prop_assert_eq!(parse(shown(number).as_bytes()), Some(number));
        }
    }
}
