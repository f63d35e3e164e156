//! What `kubectl logs`, `stern` and container engines put in front of a line.

/// The longest prefix that is looked through.
const LONGEST: usize = 512;

/// Where a line of Envoy's or Istio's default format begins: `[2026-01-01T...`.
pub(super) fn bracketed_time(text: &str) -> Option<usize> {
    let is_time = |rest: &str| {
        let bytes = rest.as_bytes().get(..12);
        bytes.is_some_and(|b| {
            b.iter().enumerate().all(|(at, byte)| match at {
                0 => *byte == b'[',
                5 | 8 => *byte == b'-',
                11 => *byte == b'T',
                _ => byte.is_ascii_digit(),
            })
        })
    };
    text.match_indices('[')
        .take_while(|(at, _)| *at <= LONGEST)
        .map(|(at, _)| at)
        .find(|at| text.get(*at..).is_some_and(is_time))
}

/// Where an object begins behind a prefix.
pub(super) fn object(text: &str) -> Option<usize> {
    text.find("{\"").filter(|at| *at <= LONGEST)
}

/// What may be a prefix is cut off, word by word: `[pod/NAME/CONTAINER]`, a time, stern's `POD CONTAINER`, CRI's `stdout F`.
pub(super) fn without(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    (0..5).map_while(move |_| {
        let (word, after) = rest.split_once(' ')?;
        rest = after;
        (!word.is_empty() && word.len() < LONGEST).then_some(after)
    })
}

/// The pod that a prefix names.
pub(super) fn proxy(prefix: &str) -> Option<String> {
    let name = |word: &str| {
        let proper = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        (!word.is_empty() && word.bytes().all(proper)).then(|| word.to_owned())
    };
    let mut words = prefix.split_whitespace().filter(|word| !is_time(word));
    let first = words.next()?;
    if let Some(inside) = first.strip_prefix('[').and_then(|w| w.strip_suffix(']')) {
        // [pod/NAME/CONTAINER]
        return name(inside.split('/').nth(1)?);
    }
    if matches!(first, "stdout" | "stderr") {
        return None;
    }
    // stern: `POD CONTAINER`, or `NAMESPACE POD CONTAINER` with -A. compose: `NAME |`.
    let rest: Vec<&str> = words.collect();
    match rest.as_slice() {
        [pod, _container] => name(pod),
        _ => name(first),
    }
}

fn is_time(word: &str) -> bool {
    word.len() >= 20 && word.as_bytes().get(10) == Some(&b'T') && word.ends_with('Z')
}

/// Whether it is a line of the proxy's own log, or its agent's: `[2026-01-01 00:00:00.000][1][warning]...`,
/// `2026-01-01T00:00:00.000000Z\tinfo\t...`.
pub(super) fn is_own_log(text: &str) -> bool {
    let level = ["trace", "debug", "info", "warning", "warn", "error", "critical"];
    let envoys = level.iter().any(|l| text.contains(&format!("][{l}]")));
    let agents = level.iter().any(|l| text.contains(&format!("Z\t{l}\t")));
    envoys || agents
}
