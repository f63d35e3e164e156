//! Lines of other programs in which nothing failed: servers' access logs, and levels that stand where only one program has them.

use meshwhy::evidence::Flags;

use super::calm;

/// Whether it is another server's line of a request that it answered, with a status that is no failure.
pub(super) fn is_good_answer(text: &str) -> bool {
    let status = status(text);
    // A client that left isn't what this status is: nginx's own.
    status.is_some_and(|status| (200..500).contains(&status) && status != 499) && !fails_in_front(text)
}

/// Whether a failure stands in front of the request: whoever asked may have written a good one into a header, and the line is another format's.
fn fails_in_front(text: &str) -> bool {
    let front = text.split_once(" HTTP/").and_then(|(before, _)| before.rsplit_once('"'));
    front.is_some_and(|(front, _)| {
        let mut words = front.split(|c: char| !c.is_ascii_alphanumeric());
        !calm::says_of_no_failure(front) || words.any(|word| !Flags::from_short(word).is_empty())
    })
}

/// The status of a failure that such a server answered a request with, itself or for another one.
pub(super) fn bad_answer(text: &str) -> Option<u16> {
    status(text).filter(|status| (500..600).contains(status))
}

fn status(text: &str) -> Option<u16> {
    common(text)
        .or_else(|| haproxys(text))
        .or_else(|| traefiks(text))
        .or_else(|| uwsgis(text))
        .or_else(|| railss(text))
}

/// `"GET /a HTTP/1.1" 200 512`, `"GET /a HTTP/1.1" 200 OK`: behind the status is the length, where Envoy has flags.
fn common(text: &str) -> Option<u16> {
    let (before, behind) = text.split_once(" HTTP/")?;
    let request = before.rsplit('"').next()?;
    let is_request = request.split_once(' ').is_some_and(|(method, path)| {
        !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase()) && !path.contains(' ')
    });
    let (version, behind) = behind.split_once("\" ")?;
    let mut words = behind.split(' ');
    let status = number(words.next()?)?;
    // Uvicorn's has a phrase, or nothing.
    let length = words.next().unwrap_or("-");
    let is_length = length == "-"
        || length.bytes().all(|byte| byte.is_ascii_digit())
        || behind.split_once(' ').is_some_and(|(_, phrase)| is_phrase(phrase));
    // A format of one's own may have Envoy's flags further on.
    let is_flag = |word: &str| !Flags::from_short(word).is_empty();
    let has_flags = words.any(|word| word.trim_matches(['"', ',', '[', ']']).split(',').any(is_flag));
    // Whoever wrote more of it wrote the rest of the line.
    let is_whole = version.len() <= 3 && text.matches(" HTTP/").count() == 1;
    (is_request && is_length && is_whole && !has_flags).then_some(status)
}

/// `fe be/srv 0/0/1/5/6 200 612 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`: nothing ended it before its time.
fn haproxys(text: &str) -> Option<u16> {
    let (before, _) = text.split_once(" - - ---- ")?;
    // Quotes are around what a client chose, and behind.
    (!before.contains('"')).then_some(())?;
    let mut words = before.rsplitn(4, ' ');
    let (_length, status, timers) = (number(words.next()?), number(words.next()?)?, words.next()?);
    let is_timer = |time: &str| time.trim_start_matches(['+', '-']).bytes().all(|b| b.is_ascii_digit());
    // Nothing in front of its columns is another format's.
    let front = words.next().unwrap_or_default();
    (timers.split('/').all(is_timer) && calm::says_of_no_failure(front)).then_some(status)
}

/// `{..., "DownstreamStatus":200, ...}`
fn traefiks(text: &str) -> Option<u16> {
    // As text it may be what a client sent.
    text.contains("\"DownstreamStatus\":").then_some(())?;
    let object: serde_json::Value = serde_json::from_str(text.trim()).ok()?;
    object.get("DownstreamStatus")?.as_u64()?.try_into().ok()
}

/// `GET /a => generated 2 bytes in 46 msecs (HTTP/1.1 200) ...`
fn uwsgis(text: &str) -> Option<u16> {
    let (before, behind) = text.split_once(" msecs (HTTP/")?;
    // Nothing in front of its columns is another format's.
    let front = before.split_once("[pid: ").map(|(front, _)| front).or_else(|| {
        let (request, _) = before.split_once(" => generated ")?;
        let mut words = request.rsplitn(3, ' ').skip(1);
        let is_method = |word: &&str| word.bytes().all(|byte| byte.is_ascii_uppercase());
        words.next().filter(is_method)?;
        Some(words.next().unwrap_or_default())
    });
    (front.is_some_and(calm::says_of_no_failure) && !before.contains('"')).then_some(())?;
    number(behind.split_once(' ')?.1.split(')').next()?)
}

/// `Completed 200 OK in 79ms (Views: 78.8ms | ActiveRecord: 0.0ms)`
fn railss(text: &str) -> Option<u16> {
    let (status, behind) = text.trim_start().strip_prefix("Completed ")?.split_once(' ')?;
    let (phrase, took) = behind.split_once(" in ")?;
    let took = took.split(' ').next()?;
    (is_phrase(phrase) && took.ends_with("ms")).then(|| number(status))?
}

/// `OK`, `Internal Server Error`
fn is_phrase(text: &str) -> bool {
    let is_name = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_uppercase()) && word.bytes().all(|b| b.is_ascii_alphabetic())
    };
    text == "OK"
        || (text.len() > 4 && text.split(' ').all(is_name) && text.contains(|c: char| c.is_ascii_lowercase()))
}

fn number(text: &str) -> Option<u16> {
    (text.len() == 3).then(|| text.parse().ok())?
}

/// Whether a level below a warning's stands where one program has it.
pub(super) fn has_calm_level(text: &str) -> bool {
    /// How far into a line.
    const FRONT: usize = 120;
    // MySQL's, etcd's, Fluent Bit's, Postgres' own.
    const LEVELS: &[&str] =
        &[" [Note] ", " [System] ", " I | ", " N | ", "] [ info] ", "] [debug] ", "] LOG:  ", "= LOG:  "];
    let front = text.get(..text.floor_char_boundary(FRONT)).unwrap_or_default();
    LEVELS.iter().any(|level| front.contains(level))
        || is_klogs_behind_syslogs(front)
        || is_rediss(front)
        || is_mongos(front)
}

/// `2026-11-30T01:02:03.615+0000 I CONTROL  [initandlisten] db version v3.2.1`, and the objects of later ones.
fn is_mongos(front: &str) -> bool {
    let mut words = front.split(' ').filter(|word| !word.is_empty());
    let is_time = words.next().is_some_and(|time| time.len() > 20 && time.as_bytes().get(10) == Some(&b'T'));
    let is_named = is_time && matches!(words.next(), Some("I" | "D")) && {
        let is_component = |word: &str| word.bytes().all(|byte| byte.is_ascii_uppercase());
        words.next().is_some_and(is_component) && words.next().is_some_and(|thread| thread.starts_with('['))
    };
    is_named || (front.starts_with("{\"t\":{\"$date\":") && front.contains("\"s\":\"I\","))
}

/// `kubelet[787]: I0908 16:03:19.635667 ...`
fn is_klogs_behind_syslogs(front: &str) -> bool {
    let behind = front.split_once("]: I").map(|(_, behind)| behind);
    behind.is_some_and(calm::begins_with_klogs_date)
}

/// `1:M 08 Oct 2020 09:51:17.465 * Running mode=standalone, port=6379.`
fn is_rediss(front: &str) -> bool {
    front.find(":M ").or_else(|| front.find(":C ")).or_else(|| front.find(":S ")).is_some_and(|at| {
        let mut words = front.get(at..).unwrap_or_default().split(' ').skip(1);
        let is_date = words
            .by_ref()
            .take(3)
            .filter(|word| word.bytes().all(|byte| byte.is_ascii_alphanumeric()))
            .count()
            == 3;
        let is_time = words.next().is_some_and(|time| time.matches(':').count() == 2);
        is_date && is_time && words.next().is_some_and(|level| matches!(level, "*" | "-" | "."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_good_answer_is_no_failure() {
        for text in [
            "10.0.0.1 - - [30/Nov/2026:01:02:03 +0000] \"GET / HTTP/1.1\" 200 612 \"-\" \"curl/8\"",
            "10.0.0.1 - bob [30/Nov/2026:01:02:03 +0000] \"GET /x HTTP/2.0\" 404 153 \"-\" \"connection reset by peer\"",
            "[30/Nov/2026 01:02:03] \"GET /health HTTP/1.1\" 302 -",
            "lb haproxy[1]: 10.0.0.1:5000 [30/Nov/2026:01:02:03.000] fe~ be/srv 0/0/1/5/6 304 160 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"",
            "Completed 200 OK in 79ms (Views: 78.8ms | ActiveRecord: 0.0ms)",
            "{\"ClientHost\":\"10.0.0.1\",\"DownstreamStatus\":207,\"OriginStatus\":207}",
            "[pid: 126|app: 0|req: 4/22] 10.0.0.1 () {36 vars in 428 bytes} GET /a => generated 2 bytes in 46 msecs (HTTP/1.1 200) 10 headers",
        ] {
            assert!(is_good_answer(text), "{text}");
        }
        for text in [
            "10.0.0.1 - - [30/Nov/2026:01:02:03 +0000] \"GET / HTTP/1.1\" 503 612 \"-\" \"curl/8\"",
            "10.0.0.1 - - [30/Nov/2026:01:02:03 +0000] \"GET / HTTP/1.1\" 499 0 \"-\" \"curl/8\"",
            // Flags, and what a client wrote into its path.
            "\"GET / HTTP/1.1\" 200 UPE 5",
            "10.0.0.1 - - [30/Nov/2026:01:02:03 +0000] \"GET / HTTP/1.1\" 404 0 \"-\" NR",
            "10.0.0.1 - - [30/Nov/2026:01:02:03 +0000] \"GET / HTTP/1.1\" 200 5 \"UC,URX\"",
            "\"GET /\" HTTP/1.1\" 200 5 HTTP/1.1\" 503 UF",
            "lb haproxy[1]: fe be/srv 0/0/1/5/6 502 160 - - PH-- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"",
            "{\"DownstreamStatus\":502}",
        ] {
            assert!(!is_good_answer(text), "{text}");
        }
    }

    #[test]
    fn a_servers_failure_is_its_status() {
        for (text, code) in [
            (
                "10.0.0.1 - - [30/Nov/2026:01:02:03 +0000] \"GET /x HTTP/1.1\" 500 157 \"-\" \"connection refused\"",
                500,
            ),
            ("INFO:     127.0.0.1:38340 - \"GET /health HTTP/1.1\" 500 Internal Server Error", 500),
            ("[INFO] [uvicorn.access] 127.0.0.1:38340 - \"GET /health HTTP/1.1\" 500", 500),
            ("[30/Nov/2026 01:02:03] \"GET /x HTTP/1.1\" 502 -", 502),
        ] {
            assert_eq!(bad_answer(text), Some(code), "{text}");
            let (_, finding) = super::super::read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(finding.cause == meshwhy::causes::Cause::ApplicationError, code == 500, "{text}");
        }
        for text in [
            "INFO:     127.0.0.1:38340 - \"GET /health HTTP/1.1\" 200 OK",
            "\"GET / HTTP/1.1\" 503 UF 0",
            "\"GET / HTTP/1.1\" 503 via_upstream",
        ] {
            assert_eq!(bad_answer(text), None, "{text}");
        }
    }

    #[test]
    fn levels_that_one_program_has() {
        for text in [
            "Sep 08 16:03:19 a kubelet[787]: I0908 16:03:19.635667     787 reconciler.go:258] \"started\"",
            "2024-07-16 14:13:12.520 UTC [140] LOG:  received fast shutdown request",
            "2017-03-20 02:34:42.790167 I | mvcc: finished scheduled compaction at 6350",
            "db_1 | 2021-05-19 12:12:00 0 [Note] InnoDB: Using Linux native AIO",
            "[2026/04/02 17:04:54] [ info] [output:es:es.0] thread worker #0 stopped",
            "2026-11-30T01:02:03.615-0600 I CONTROL  [initandlisten] MongoDB starting : pid=12592 port=27017 64-bit",
            "{\"t\":{\"$date\":\"2026-11-30T01:02:03.615+00:00\"},\"s\":\"I\",  \"c\":\"NETWORK\", \"id\":23016,\"msg\":\"Waiting for connections\"}",
            "cache_1     | 1:M 07 Jan 2023 19:16:34.747 * Ready to accept connections",
        ] {
            assert!(has_calm_level(text), "{text}");
        }
        for text in [
            "Sep 08 16:03:19 a kubelet[787]: E0908 16:03:19.635667     787 reconciler.go:258] \"failed\"",
            "2024-07-16 14:13:12.520 UTC [140] FATAL:  terminating connection due to administrator command",
            "2017-03-20 02:34:42.790167 W | rafthttp: health check for peer a could not connect",
            "2026-11-30T01:02:03.615-0600 W NETWORK  [conn1] Failed to connect to 10.0.0.1:27017",
            "{\"t\":{\"$date\":\"2026-11-30T01:02:03.615+00:00\"},\"s\":\"W\",  \"c\":\"NETWORK\", \"msg\":\"a\"}",
            "1:M 07 Jan 2023 19:16:34.747 # Connection with replica lost.",
        ] {
            assert!(!has_calm_level(text), "{text}");
        }
    }
}
