//! What stands around a client's words and changes them: that it happens now and then, or didn't happen.

use super::mention;
use super::symptom::{Symptom, Where};

/// What is said of a connection that has worked before.
const SELDOM: &[&str] = &[
    "intermittent",
    "sporadic",
    "occasional",
    "sometimes",
    "randomly",
    "random ",
    "from time to time",
    "once in a while",
    "after a while",
    "after some time",
    "every few",
    "after being idle",
    "idle connection",
    "keep-alive",
    "keepalive",
    "keep alive",
    "kept alive",
    "reusedSocket: true",
    "recycle count=",
    "reused connection",
    "long-lived",
    "[ACTIVE]",
];

/// What a symptom is of a connection that worked before: no policy is against it.
pub(super) fn narrowed(symptom: Symptom, place: Where, text: &str) -> Symptom {
    let is_kept = symptom == Symptom::Reset && matches!(place, Where::Within | Where::Outwards);
    let lower = || text.to_ascii_lowercase();
    if is_kept && SELDOM.iter().any(|words| lower().contains(&words.to_ascii_lowercase())) {
        return Symptom::ClosedIdle;
    }
    symptom
}

/// Whether what begins at a place of a text is denied: nothing was refused, nobody was reset.
pub(super) fn is_denied(text: &str, begin: usize) -> bool {
    const NOT: &[&str] = &["nothing", "never", "not", "without", "no", "nobody", "zero"];
    let before = mention::before(text, begin);
    let word = before.trim_end().rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    NOT.iter().any(|not| word.eq_ignore_ascii_case(not))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_denied_did_not_happen() {
        let of = |text: &str| is_denied(text, text.find("timed out").unwrap());
        assert!(of("it passes; nothing timed out") && of("that never timed out"));
        assert!(!of("timed out") && !of("it says no. It timed out") && !of("the note: timed out"));
    }

    #[test]
    fn a_reset_now_and_then_is_of_a_kept_connection() {
        let narrowed = |text| narrowed(Symptom::Reset, Where::Within, text);
        assert_eq!(narrowed("we see ECONNRESET intermittently"), Symptom::ClosedIdle);
        assert_eq!(narrowed("ECONNRESET"), Symptom::Reset);
    }
}
