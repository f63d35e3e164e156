//! Puts texts together, in a quarter of the size of the standard library's ways, which are made for speed.

use crate::prelude::*;

/// One behind the other.
pub(crate) fn concat(parts: &[&str]) -> String {
    let mut out = String::with_capacity(parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| out.push_str(part));
    out
}

/// With `separator` between them.
pub(crate) fn join(parts: &[String], separator: &str) -> String {
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            out.push_str(separator);
        }
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_the_standard_library_makes(parts in proptest::collection::vec("[ab]{0,2}", 0..4)) {
            let texts: Vec<&str> = parts.iter().map(String::as_str).collect();
            prop_assert_eq!(super::concat(&texts), texts.concat());
            prop_assert_eq!(super::join(&parts, ", "), parts.join(", "));
        }
    }
}
