//! What chats, mails and web pages make of a line, undone.

use crate::explain::column;

/// More marks in front of a line are no quoting.
const MOST_MARKS: usize = 8;

/// Whether a line only surrounds others: the fence of a code block in Markdown.
pub(in crate::explain) fn is_fence(text: &str) -> bool {
    let text = text.trim_start_matches([' ', '>']);
    let word = text.strip_prefix("```").or_else(|| text.strip_prefix("~~~"));
    word.is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

/// The line as it was, if anything about it looks like a chat's or a page's doing. Envoy writes quotes and JSON's encoders escape
/// backslashes, so nothing that a client sent gets quotes of its own by this.
pub(in crate::explain) fn restored(text: &str) -> Option<String> {
    let is_marked = text.starts_with([' ', '\t', '>', '-', '*', '#', '`', '"', '\'', '|', '<'])
        || text.ends_with('`')
        || text.contains("\"\"")
        || text.contains("**")
        || grepped(text).is_some();
    if !is_marked && text.is_ascii() && !text.contains(['\\', '&']) {
        return None;
    }
    let mut line = text.replace(['\u{a0}', '\u{202f}'], " ").replace(['\u{200b}', '\u{feff}'], "");
    line = without_marks(without_tags(&line)).replace("**", "");
    if is_cell(&line) {
        line = line.get(1..line.len().saturating_sub(1)).unwrap_or_default().replace("\"\"", "\"");
    }
    if let Some(string) = cut_string(&line) {
        line = string;
    }
    // A cell that has lost its own quotes.
    let doubled = line.matches("\"\"").count();
    if doubled > 1 && line.matches('"').count() == doubled.saturating_mul(2) {
        line = line.replace("\"\"", "\"");
    }
    line = without_backslashes(&line);
    // Where a quote is left, the others are somebody's text.
    if !line.contains('"') {
        line = with_quotes(&line);
    }
    (line != text).then_some(line)
}

/// The same of a line that can be read as it is: its words alone are Markdown's.
pub(in crate::explain) fn unescaped(text: &str) -> Option<String> {
    // JSON has no such escape, and no text quotes so.
    text.contains("\\_").then(|| without_backslashes(text))
}

/// Without the marks of quoting, lists and code in front, and of code behind.
fn without_marks(text: &str) -> &str {
    const MARKS: &[&str] = &[">", "- ", "* ", "# ", "\u{2022} ", "`", "'", "**", "| ", "\u{2502}"];
    let mut rest = text.trim();
    rest = grepped(rest).unwrap_or(rest);
    for _ in 0..MOST_MARKS {
        // A comment of a script: `#[2026-...`.
        let comment = || rest.strip_prefix('#').filter(|inner| inner.starts_with(['[', '{', '#']));
        let Some(inner) = MARKS.iter().find_map(|mark| rest.strip_prefix(mark)).or_else(comment) else {
            break;
        };
        rest = inner.trim_start();
    }
    let rest = rest.trim_end_matches(['`', '\'', '\u{2502}', ' ']);
    rest.strip_suffix("**").or_else(|| rest.strip_suffix(" |")).unwrap_or(rest).trim_end()
}

/// A line behind what `grep -n` and `grep -C` put in front of it: `12:[2026-...`, `istio.log-12-[2026-...`.
fn grepped(text: &str) -> Option<&str> {
    let at = text.find(['[', '{'])?;
    let (before, line) = text.split_at_checked(at)?;
    let is_place = before.ends_with([':', '-']) && !before.contains([' ', '"', '\'', '=', '\t']);
    let begins = line.strip_prefix('[').is_some_and(|rest| rest.starts_with("20")) || line.starts_with("{\"");
    (is_place && begins).then_some(line)
}

/// An object as somebody cut it down by hand: JSON has no dots for what was left out, and no comma behind the last member.
pub(in crate::explain) fn without_commas(text: &str) -> Option<String> {
    const CUTS: [&str; 3] = [",}", ",]", "..."];
    (text.starts_with('{') && CUTS.iter().any(|cut| text.contains(cut))).then(|| {
        let text = text.replace("...,", "").replace(",...", "").replace("...", "");
        text.replace(",}", "}").replace(",]", "]")
    })
}

/// Without a page's tags and comments around it.
fn without_tags(text: &str) -> &str {
    let mut rest = text.trim();
    for _ in 0..MOST_MARKS {
        let begins = |c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!');
        let Some((_, inner)) =
            rest.strip_prefix('<').filter(|tag| tag.starts_with(begins)).and_then(|tag| tag.split_once('>'))
        else {
            break;
        };
        rest = inner.trim_start();
    }
    // Without one in front, what stands behind may be a name in brackets.
    let is_tagged = rest.len() < text.trim().len();
    for _ in 0..MOST_MARKS {
        let tag = rest.strip_suffix('>').filter(|_| is_tagged).and_then(|tag| tag.rsplit_once('<'));
        let Some((inner, _)) = tag.filter(|(_, tag)| tag.starts_with(['/', '!'])) else { break };
        rest = inner.trim_end();
    }
    rest
}

/// The line that somebody shows in a sentence, as code: ``I see `[2026-...] "GET / HTTP/1.1" 503 UF ...`. Why?``
pub(in crate::explain) fn shown(text: &str) -> Option<&str> {
    let (before, rest) = text.split_once('`')?;
    let (line, _) = rest.trim_start_matches('`').rsplit_once('`')?;
    let line = line.trim_end_matches('`');
    // Words of people's, and none of a log's.
    let is_word = |word: &str| {
        word.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | ',' | '.' | ':' | '(' | ')' | '-' | '*'))
    };
    let mut words = before.split_whitespace();
    let are_words = words.clone().count() > 1 && words.all(is_word);
    (are_words && before.ends_with(' ') && !line.contains('`')).then_some(line.trim())
}

/// The text of a value in YAML or the like, of which somebody's words are the key: `symptom: "\"GET / HTTP/1.1\" 503 UC ..."`.
pub(in crate::explain) fn value(text: &str) -> Option<String> {
    let (key, value) = text.trim().trim_start_matches("- ").split_once(": ")?;
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    // Cloud Logging's key for a line.
    (is_key && (key == "textPayload" || !column::is_clients(key))).then_some(())?;
    // Within single quotes they alone are doubled.
    let single = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
    match single {
        Some(inner) => (!inner.replace("''", "").contains('\'')).then(|| inner.replace("''", "'")),
        None => value.ends_with('"').then(|| cut_string(value))?,
    }
}

/// Whether it is a quoted cell of a table, in which each quote is doubled.
fn is_cell(text: &str) -> bool {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.is_some_and(|inner| inner.contains("\"\"") && !inner.replace("\"\"", "").contains('"'))
}

/// A JSON string of which the end may be missing: all quotes in it are escaped.
fn cut_string(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?;
    let inner = inner.strip_suffix('"').filter(|inner| !inner.ends_with('\\')).unwrap_or(inner);
    let quotes = inner.matches('"').count();
    let are_escaped = quotes > 0 && inner.matches("\\\"").count() == quotes;
    are_escaped.then(|| inner.replace("\\\"", "\""))
}

/// Without those that Markdown's writers put before its signs; JSON has none before these.
fn without_backslashes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        out.push_str(before);
        if !behind.starts_with(['_', '*', '|', '[', ']', '<', '>', '~', '#', '-', '.', '{', '}', '(', ')']) {
            out.push('\\');
            // A backslash and what it stands before are one.
            if let Some(escaped) = behind.chars().next() {
                out.push(escaped);
                rest = behind.get(escaped.len_utf8()..).unwrap_or_default();
                continue;
            }
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// With the quotes that a page wrote as entities and a chat as typographic ones.
fn with_quotes(text: &str) -> String {
    const ENTITIES: &[(&str, &str)] = &[
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#x22;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&nbsp;", " "),
        // Last: what it stood before was escaped twice.
        ("&amp;", "&"),
    ];
    let mut line = text.to_owned();
    // Some pages escape what was escaped.
    for _ in 0..2 {
        for (entity, sign) in ENTITIES {
            line = line.replace(entity, sign);
        }
        if line.contains('"') {
            return line;
        }
    }
    line.replace(['\u{201c}', '\u{201d}', '\u{201e}', '\u{201f}', '\u{2033}'], "\"")
        .replace(['\u{2018}', '\u{2019}'], "'")
        .replace(['\u{2013}', '\u{2212}'], "-")
}

/// How an escape is written where it isn't one any more.
const WRITTEN: &[&str] = &["^[[", "\\u001b[", "\\u001B[", "\\x1b[", "\\033[", "\\e[", "#033["];

/// A text without a terminal's colours, where they are written out (`cat -v`, syslog), if it begins with one: `^[[36mfront_1  |^[[0m ...`.
pub(in crate::explain) fn without_written_colours(text: &str) -> Option<String> {
    let escape = WRITTEN.iter().find(|escape| text.starts_with(**escape))?;
    let mut parts = text.split(escape);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (colour, behind) = part.split_once('m')?;
        colour.bytes().all(|byte| byte.is_ascii_digit() || byte == b';').then_some(())?;
        plain.push_str(behind);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_that_are_written_out_are_none() {
        for escape in WRITTEN {
            let text = format!("{escape}36mfront_1  |{escape}0m [a]");
            assert_eq!(without_written_colours(&text).as_deref(), Some("front_1  | [a]"), "{escape}");
        }
        assert_eq!(without_written_colours("^[[ a"), None);
        assert_eq!(without_written_colours("a ^[[0m"), None);
    }

    #[test]
    fn whatever_was_done_to_it_is_undone() {
        const LINE: &str = r#"[2026] "GET /a_b?c=1&d=2 HTTP/1.1" 503 UF "-" outbound|80||a"#;
        for pasted in [
            LINE.replace('"', "\u{201d}"),
            LINE.replace("\"G", "\u{201c}G")
                .replace("1.1\"", "1.1\u{201d}")
                .replace("\"-\"", "\u{201c}-\u{201d}"),
            LINE.replace('&', "&amp;").replace('"', "&quot;"),
            LINE.replace('&', "&amp;").replace('"', "&quot;").replace('&', "&amp;"),
            LINE.replace('"', "&#34;"),
            format!("> {LINE}"),
            format!("#{LINE}"),
            format!("## {LINE}"),
            format!(">> {LINE}"),
            format!("12:{LINE}"),
            format!("istio.log-12-{LINE}"),
            format!("- `{LINE}`"),
            format!("'{LINE}'"),
            format!("<pre class=\"x\"><code>{LINE}</code></pre>"),
            format!("<!-- --> {LINE}"),
            format!("            {LINE}"),
            format!("\"{}\"", LINE.replace('"', "\"\"")),
            format!("\"{}\"", LINE.replace('"', "\\\"")),
            format!("\"{}", LINE.replace('"', "\\\"")),
            LINE.replace('_', "\\_").replace('|', "\\|").replace('[', "\\["),
            LINE.replace(' ', "\u{a0}"),
        ] {
            assert_eq!(restored(&pasted).as_deref(), Some(LINE), "{pasted}");
        }
        assert_eq!(restored(LINE), None);
    }

    #[test]
    fn where_a_quote_is_left_the_others_are_text() {
        for text in [
            "{\"ua\":\"x\u{201d},\u{201c}response_flags\u{201d}:\u{201c}UF\"}",
            "GET \"&quot; 503 UF &quot;\" 200",
            r#"{"ua":"x\",\"response_flags\":\"UF"}"#,
            r#""a" ""b"" "c""#,
        ] {
            assert_eq!(restored(text), None, "{text}");
        }
    }

    #[test]
    fn a_sentence_shows_a_line_as_code() {
        assert_eq!(shown("I now see `\"GET / HTTP/1.1\" 503 UF`. Why?"), Some("\"GET / HTTP/1.1\" 503 UF"));
        assert_eq!(shown("In the log: ```503 UF```"), Some("503 UF"));
        for text in
            ["GET /a 200 `503 UF`", "curl `503 UF`", "it is \"x\" `503 UF`", "I see `a` and `b`", "I see 503"]
        {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn a_comma_behind_the_last_member_and_dots_are_somebodys() {
        assert_eq!(without_commas(r#"{"a":[1,],}"#).as_deref(), Some(r#"{"a":[1]}"#));
        assert_eq!(without_commas(r#"{...,"a":{..."b":1,...}}"#).as_deref(), Some(r#"{"a":{"b":1}}"#));
        assert_eq!(without_commas(r#"{"a":1}"#), None);
        assert_eq!(without_commas("a,}"), None);
    }

    #[test]
    fn a_value_of_yaml_is_shown() {
        let line = value(r#"symptom: "\"GET / HTTP/1.1\" 503 UC""#);
        assert_eq!(line.as_deref(), Some(r#""GET / HTTP/1.1" 503 UC"#));
        let line = value(r#"  textPayload: '"GET /it''s HTTP/1.1" 503 UC'"#);
        assert_eq!(line.as_deref(), Some(r#""GET /it's HTTP/1.1" 503 UC"#));
        for text in [
            r#"a: 'x' '"GET / HTTP/1.1" 503 UC'"#,
            r#"user-agent: "\"GET / HTTP/1.1\" 503 UC""#,
            r#"GET /a: "\"GET / HTTP/1.1\" 503 UC""#,
            r#"a: "x" "\"GET / HTTP/1.1\" 503 UC""#,
        ] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn fences() {
        for fence in ["```", "```json", "~~~", "> ```", "``` "] {
            assert!(is_fence(fence.trim_end()), "{fence}");
        }
        assert!(!is_fence("``` 503 UF") && !is_fence("a```") && !is_fence("`` `"));
    }
}
