//! What several rows say of one request: the command, whom curl asked, and what came of it.

use std::borrow::Cow;

use crate::explain::said::client::calm::says_of_no_failure;
use crate::explain::said::client::whom::{Whom, is_address};
use crate::explain::said::client::{is_of_webhook, is_request, is_vague, of_a_webhook};
use crate::explain::{Column, Finding, Line};

/// How many rows one message may have, from the words that wrap around the reason to those that are it.
const SAME: u64 = 12;

/// What curl writes first of a request.
const BEGINS: &[&str] = &[
    "Trying ",
    "Rebuilt URL",
    "Host ",
    "Found bundle for host",
    "Re-using existing",
    "Uses proxy env",
    "Could not find host",
    "Hostname ",
    "Added ",
];

/// The request that the rows are about.
#[derive(Debug, Default)]
pub(in crate::explain) struct Story {
    whom: Option<Whom>,
    method: Option<String>,
    path: Option<String>,
    /// Whether curl has begun to write of it.
    has_begun: bool,
    /// Whether it is over: what comes next begins another one.
    is_over: bool,
    /// For how many more rows a message goes on that began with a webhook's name.
    of_webhook: u64,
    /// A failure that the next rows may repeat.
    held: Option<Held>,
}

/// A client's words that were read.
#[derive(Debug)]
pub(in crate::explain) struct Held {
    pub(in crate::explain) number: u64,
    pub(in crate::explain) bytes: Vec<u8>,
    pub(in crate::explain) line: Box<Line<'static>>,
    pub(in crate::explain) finding: Box<Finding>,
}

impl Story {
    /// Hears a row that nothing else can be made of; whether it is one of the story's.
    pub(in crate::explain) fn hear(&mut self, row: &str) -> bool {
        let row = without_meter(row).trim().trim_start_matches('`');
        self.of_webhook = if is_of_webhook(row) { SAME } else { self.of_webhook.saturating_sub(1) };
        if self.held.is_some() && is_frame(row) {
            return true;
        }
        if let Some(command) = command(row) {
            *self = Self { whom: asked(command), held: self.held.take(), has_begun: true, ..Self::default() };
            return self.whom.is_some();
        }
        let marked = row.split_once(' ').unwrap_or((row, ""));
        let (mark, said) = marked;
        if is_usual_event(row) {
            return true;
        }
        if row.is_empty() || row.starts_with("% Total ") || row.starts_with("Dload ") {
            return self.has_begun;
        }
        if matches!(mark, "<" | "{" | "}") || row == ">" || row == "*" {
            return self.has_begun;
        }
        if !matches!(mark, "*" | ">") {
            // PHP shows a request's headers without a mark.
            let header = row.split_once(": ").filter(|(name, _)| !name.contains(' '));
            let is_header = header.is_some() && self.has_begun && self.method.is_some() && !self.is_over;
            return is_header || is_prompt(row);
        }
        let said = said.trim_start();
        let begins = mark == "*" && BEGINS.iter().any(|begin| said.starts_with(begin));
        if begins && self.is_over {
            *self = Self { held: self.held.take(), ..Self::default() };
        }
        self.has_begun |= begins || said.starts_with("Connected to ");
        match mark {
            "*" => self.hear_curl(said),
            _ => self.hear_request(said),
        }
        self.has_begun
    }

    /// `Trying 10.0.0.1:80...`, `Connected to a.b (10.0.0.1) port 80 (#0)`.
    fn hear_curl(&mut self, said: &str) {
        if let Some(whom) = said.strip_prefix("Trying ").and_then(Whom::begins) {
            let known = self.whom.get_or_insert_default();
            known.port = known.port.or(whom.port);
            match known.host.is_empty() {
                true => known.host = whom.host,
                false => known.address = Some(whom.host),
            }
        } else if let Some(behind) = said.strip_prefix("Connected to ")
            && let Some(mut whom) = Whom::begins(behind)
        {
            // Of the addresses that it tried, one answered.
            self.held.take_if(|held| is_attempt(&held.bytes));
            let address = behind.split_once('(').and_then(|(_, rest)| Whom::begins(rest));
            whom.address =
                address.map(|inner| inner.host).filter(|host| is_address(host) && *host != whom.host);
            let port = behind.split_once(" port ").and_then(|(_, port)| port.split(' ').next()?.parse().ok());
            let before = self.whom.take().unwrap_or_default();
            whom.port = port.or(before.port);
            // The name that was asked for says more than the address that was found.
            if is_address(&whom.host) && !before.host.is_empty() && !is_address(&before.host) {
                whom = Whom { address: Some(whom.host), host: before.host, ..whom };
            }
            self.whom = Some(whom);
        }
    }

    /// `GET /a HTTP/1.1`, `Host: a.b:80`.
    fn hear_request(&mut self, said: &str) {
        if let Some(host) = said.strip_prefix("Host: ").or_else(|| said.strip_prefix("Host:")) {
            let Some(asked) = Whom::begins(host.trim()) else { return };
            let known = self.whom.get_or_insert_default();
            known.port = asked.port.or(known.port);
            let before = std::mem::replace(&mut known.host, asked.host);
            if is_address(&before) {
                known.address = Some(before);
            }
        } else if let [method, path, protocol] = said.split(' ').collect::<Vec<_>>().as_slice()
            && protocol.starts_with("HTTP/")
            && method.bytes().all(|byte| byte.is_ascii_uppercase())
        {
            self.has_begun = true;
            self.method = Some((*method).to_owned());
            self.path = Some((*path).to_owned());
        }
    }

    /// Puts what is known of the request into what was found of it.
    pub(in crate::explain) fn complete(&mut self, line: &mut Line<'static>, finding: &mut Finding) {
        if self.of_webhook > 0 {
            of_a_webhook(finding);
        }
        if self.is_over {
            return;
        }
        // An object or a line that names another host is another request's.
        let is_others = line.shows(Column::Authority) || line.shows(Column::Path);
        if let Some(whom) = self.whom.as_ref().filter(|whom| !whom.host.is_empty()) {
            whom.name(line, finding);
        }
        if !is_others {
            let columns = [(Column::Method, &self.method), (Column::Path, &self.path)];
            for (column, value) in columns {
                value.iter().for_each(|value| line.set(column, Cow::Owned(value.clone())));
            }
        }
    }

    /// Nothing that comes later belongs to it.
    pub(in crate::explain) fn end(&mut self) {
        self.is_over = true;
    }

    /// Whether a row repeats what is held: curl's last word after its first ones, the causes of an exception.
    fn is_same_failure(&self, row: &str, number: u64, line: &Line<'_>, finding: &Finding) -> bool {
        let Some(held) = &self.held else { return false };
        // Rows of one message, of which one names whom it asked.
        let apart = number.saturating_sub(held.number);
        let is_next = apart == 1;
        // A title and a heading.
        let is_html = |row: &str| row.trim_start().starts_with('<');
        let is_wrapped = apart < SAME && (is_vague(&held.finding) || is_vague(finding));
        let names = |line: &Line<'_>| line.shows(Column::Authority);
        let has_one_name = !names(&held.line) || !names(line);
        let before = String::from_utf8_lossy(&held.bytes);
        let (before, row) = (before.trim(), row.trim());
        if held.finding.evidence == finding.evidence && are_apart(before, row) {
            return false;
        }
        let is_curls =
            |row: &str| row.starts_with("* ") || row.starts_with("`* ") || row.starts_with("curl: (");
        let ended = before.starts_with("curl: (");
        const CAUSES: &[&str] =
            &["Caused by", "caused by", "--->", "at ", "Suppressed:", "nested exception", "... "];
        (is_curls(before) && is_curls(row) && !ended)
            || (is_wrapped && !ended && has_one_name)
            || CAUSES.iter().any(|words| row.starts_with(words))
            || (before == row && finding.cause == held.finding.cause)
            || (is_next && held.finding.evidence == finding.evidence && has_one_name)
            || (is_html(before) && is_html(row) && held.finding.evidence == finding.evidence)
    }

    /// Keeps a failure until the rows behind it are read; gives back the one that was kept, unless this is the same again. Of the two the one
    /// that names more stays.
    pub(in crate::explain) fn hold(&mut self, new: Held) -> Option<Held> {
        let row = String::from_utf8_lossy(&new.bytes).into_owned();
        if !self.is_same_failure(&row, new.number, &new.line, &new.finding) {
            return self.held.replace(new);
        }
        let names =
            |held: &Held| held.line.shows(Column::Authority) && held.finding.evidence == new.finding.evidence;
        let says_less = |held: &Held| is_vague(&new.finding) && !is_vague(&held.finding);
        let is_better = |held: &Held| !says_less(held) && (!names(held) || new.line.shows(Column::Authority));
        if self.held.as_ref().is_none_or(is_better) {
            self.held = Some(new);
        }
        None
    }

    /// Gives back what was kept.
    pub(in crate::explain) fn release(&mut self) -> Option<Held> {
        self.held.take()
    }
}

/// Whether two rows that say the same are two messages: each begins with its own time, or is a request of a server's access log.
fn are_apart(before: &str, row: &str) -> bool {
    let are_requests = || before != row && is_request(before) && is_request(row);
    matches!((clock(before), clock(row)), (Some(before), Some(row)) if before != row) || are_requests()
}

/// What a row begins with, to the end of the time of day in it.
fn clock(row: &str) -> Option<&str> {
    /// How far into a row.
    const FRONT: usize = 40;
    let bytes = row.as_bytes();
    let shape = |time: &[u8]| {
        time.iter().zip(b"00:00:00").all(|(byte, like)| match like {
            b':' => byte == like,
            _ => byte.is_ascii_digit(),
        })
    };
    let at = bytes.windows(8).take(FRONT).position(shape)?;
    let is_more = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b',');
    let fraction = bytes.iter().skip(at.saturating_add(8)).take_while(|byte| is_more(byte)).count();
    row.get(..at.saturating_add(8).saturating_add(fraction))
}

/// What stands behind the name of the program, where a row is a command that asks for something: at its beginning, or behind a prompt.
fn command(row: &str) -> Option<&str> {
    const PROGRAMS: &[&str] = &["curl ", "wget ", "grpcurl "];
    PROGRAMS.iter().find_map(|program| {
        let (before, behind) = row.split_once(program)?;
        // A client may be called so, behind what came of its request.
        let is_quoted = before.matches('"').count() % 2 == 1;
        (!is_quoted && says_of_no_failure(before)).then_some(())?;
        let ends =
            ["#", "$", ">", "%", "`", "--", "|", ";", "&&", "time", "sudo", "\u{276f}", "\u{279c}", "("];
        let is_prompt = ends.iter().any(|end| before.trim_end().ends_with(end));
        // In a sentence the next word is one of it.
        let is_asked =
            behind.starts_with(['-', '\'', '"', '$']) || behind.split(' ').next()?.contains(['.', ':', '/']);
        ((before.is_empty() && is_asked) || is_prompt).then_some(behind)
    })
}

/// Whether it is a command behind a prompt, of a program that asks for nothing by itself.
fn is_prompt(row: &str) -> bool {
    const PROGRAMS: &[&str] =
        &["kubectl", "istioctl", "helm", "docker", "oc", "k", "minikube", "cd", "export", "redis-cli"];
    let behind = row.strip_prefix("$ ").or_else(|| {
        let (prompt, command) = row.split_once("# ").or_else(|| row.split_once("$ "))?;
        (prompt.contains('@') && !prompt.contains("  ") && says_of_no_failure(prompt)).then_some(command)
    });
    behind.and_then(|command| command.split(' ').next()).is_some_and(|program| PROGRAMS.contains(&program))
}

/// Without curl's meter, in front of what it says besides: `  0     0    0     0 --:--:-- --:--:-- --:--:--     0* ALPN: offers h2`.
fn without_meter(row: &str) -> &str {
    let Some((meter, behind)) = row.rsplit_once("--:--:--") else { return row };
    let is_meter = meter.chars().all(|c| c.is_ascii_digit() || " -:.kMG".contains(c));
    if is_meter { behind.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()) } else { row }
}

/// Whether it is a row of a stack trace, as Java and .NET write it behind an exception's words.
fn is_frame(row: &str) -> bool {
    const BEGINS: &[&str] = &["at ", "---> ", "--- End of ", "... ", "Suppressed: ", "|_ checkpoint "];
    BEGINS.iter().any(|begin| row.starts_with(begin))
}

/// Whether it is what curl says of one of the addresses that it tries.
fn is_attempt(row: &[u8]) -> bool {
    let row = String::from_utf8_lossy(row);
    let said = row.trim().trim_start_matches('`');
    said.strip_prefix("* ")
        .is_some_and(|said| said.starts_with("connect to ") || said.contains("onnect fail"))
}

/// Whether it is an event of Kubernetes' that says nothing of a failure, as `kubectl describe` shows it.
fn is_usual_event(row: &str) -> bool {
    row.strip_prefix("Normal").is_some_and(|rest| rest.starts_with("  "))
}

/// The URL or the host among a command's words.
fn asked(arguments: &str) -> Option<Whom> {
    if let Some(whom) = Whom::of(arguments).filter(|_| arguments.contains("://")) {
        return Some(whom);
    }
    // Options and what they take: `-H "Host: a"`, `-s`, `--max-time 10`.
    let mut is_value = false;
    for word in arguments.split_whitespace() {
        if word.starts_with('-') {
            let takes_none = word.len() > 2 && !word.starts_with("--");
            is_value = matches!(word, "-H" | "-X" | "-d" | "-o" | "-m" | "-u" | "-A" | "-w") && !takes_none;
        } else if is_value {
            is_value = !word.ends_with(['"', '\'']) && word.starts_with(['"', '\'']);
        } else if let Some(whom) = Whom::begins(word) {
            return Some(whom);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: &[&str]) -> Option<String> {
        let mut story = Story::default();
        rows.iter().for_each(|row| _ = story.hear(row));
        Some(story.whom?.authority())
    }

    #[test]
    fn whom_was_asked_stands_in_the_rows_before() {
        for (rows, expected) in [
            (&["$ curl -s http://a.b:8080/x"][..], "a.b:8080"),
            (&["root@c:/# curl ratings:9080/ratings"], "ratings:9080"),
            (&["curl -H \"Host: x\" 10.0.0.1:80/"], "10.0.0.1:80"),
            (
                &["*   Trying 10.0.0.1:8200...", "* Connected to vault (10.0.0.1) port 8200 (#0)"],
                "vault:8200",
            ),
            (
                &[
                    "* Connected to 10.0.0.1 (10.0.0.1) port 31380 (#0)",
                    "> GET /a HTTP/1.1",
                    "> Host: shop.example.com",
                ],
                "shop.example.com:31380",
            ),
        ] {
            assert_eq!(found(rows).as_deref(), Some(expected), "{rows:?}");
        }
        for row in ["> a quotation", "* a list", "the curly one", ""] {
            assert_eq!(found(&[row]), None, "{row}");
        }
    }
}
