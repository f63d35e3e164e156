//! Text that can't break out of where it is printed.

/// Keeps printable ASCII without `"` and `\`; everything else becomes `?`. At most `longest` bytes.
pub fn clean(text: &str, longest: usize) -> String {
    // Of what is not ASCII, one byte stands for the character.
    let characters = text.bytes().filter(|byte| byte & 0xc0 != 0x80).take(longest);
    characters.map(|byte| if is_plain(byte) { char::from(byte) } else { '?' }).collect()
}

/// Percent-encodes what could end a value in the evidence or a quoted string around it: `;`, `=`, `%`,
/// quotes, backslashes, and all that is not printable ASCII. At most `longest` bytes, cut at a whole character.
pub fn escape(text: &str, longest: usize) -> String {
    let needs_none = |byte: &u8| is_plain(*byte) && !matches!(byte, b';' | b'=' | b'%');
    // Nearly all values need no escape.
    if let Some(short) = text.get(..text.len().min(longest))
        && short.as_bytes().iter().all(needs_none)
    {
        return short.to_owned();
    }
    let mut out = String::new();
    for byte in text.bytes() {
        let room = longest.saturating_sub(out.len());
        if needs_none(&byte) && room >= 1 {
            out.push(char::from(byte));
        } else if !needs_none(&byte) && room >= 3 {
            out.push('%');
            out.extend(
                [byte >> 4, byte & 15]
                    .map(|half| char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase()),
            );
        } else {
            break;
        }
    }
    out
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hostile_name_stays_one_value() {
        assert_eq!(escape("a; cause=none\r\n\"x\\", 100), "a%3B cause%3Dnone%0D%0A%22x%5C");
        assert_eq!(escape("\u{e9}", 100), "%C3%A9");
        assert_eq!(escape("abc", 2), "ab");
        assert_eq!(escape("a\n", 3), "a");
        assert_eq!(clean("a\"b\\c\u{1b}[31m\u{e9}", 100), "a?b?c?[31m?");
    }

    proptest! {
        #[test]
        fn escaped_text_is_plain_and_bounded(text in any::<String>(), longest in 0_usize..64) {
            let out = escape(&text, longest);
            prop_assert!(out.len() <= longest);
            prop_assert!(out.bytes().all(|b| is_plain(b) && b != b';' && b != b'='));
            prop_assert!(clean(&text, longest).bytes().all(is_plain));
        }
    }
}
