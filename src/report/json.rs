//! One flat JSON object, written directly: the strings are clean already, and the order is kept.

/// An object of texts and, behind them, numbers. The texts must be clean (see [`super::clean`]).
pub(super) fn object<'a>(
    texts: &mut dyn Iterator<Item = (&'a str, &'a str)>,
    numbers: &[(&str, u64)],
) -> String {
    // Most objects fit, and growing costs more than the room.
    let mut out = String::with_capacity(1024);
    out.push('{');
    let mut separator = "";
    for (key, value) in texts {
        out.extend([separator, "\"", key, "\":\"", value, "\""]);
        separator = ",";
    }
    for (key, value) in numbers {
        out.extend([separator, "\"", key, "\":", &*value.to_string()]);
        separator = ",";
    }
    out.push('}');
    out
}
