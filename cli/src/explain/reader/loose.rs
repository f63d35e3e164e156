//! Lines of no format: what can be made of their front, or of the words in them.

use meshwhy::diagnosis::Confidence;

use super::{Reader, lead, text};
use crate::explain::Line;
use crate::explain::around::pasted;
use crate::explain::formats::{bare, front, labelled, odd, scattered};
use crate::explain::outcome::{Reading, explain, judged};
use crate::explain::said::{agentgateway, client, control, counters, reply, transcript, ztunnel};

impl Reader {
    /// A line of which the front is known.
    pub(in crate::explain) fn read_front(&self, bytes: &[u8], keep: bool) -> Reading {
        let text = text(bytes.trim_ascii_end());
        let restored = || front::read(&pasted::restored(&text)?, &self.known, keep);
        let reply = || Some(front::at_most(Confidence::Likely, explain(&reply::read(&text)?, keep)));
        let possible = |line: Line<'_>| front::at_most(Confidence::Possible, explain(&line, keep));
        let quoted = || {
            let (line, finding) = ztunnel::alone(&text).or_else(|| agentgateway::alone(&text))?;
            Some(front::at_most(Confidence::Possible, judged(line, finding, keep)))
        };
        let keys = || {
            let odd = || odd::read(&text).or_else(|| odd::read(&pasted::without_commas(&text)?));
            odd().or_else(|| scattered::read(&text)).map(possible)
        };
        // What Envoy says in its own log, quoted in a sentence.
        let spoken = || {
            let spans = text.split('`').skip(1).step_by(2);
            let mut leads = spans.filter_map(|span| match lead(span) {
                Reading::Lead(line, finding, _) => Some((line, finding)),
                _ => None,
            });
            let (line, mut finding) = leads.next()?;
            finding.confidence = Confidence::Possible;
            Some(Reading::Symptom(line, finding))
        };
        // A line of Envoy's own log without its time, or more of its front.
        let quoted_log = || {
            Some(match lead(control::quoted(&text)?) {
                Reading::Lead(line, mut finding, _) => {
                    finding.confidence = Confidence::Possible;
                    Reading::Symptom(line, finding)
                }
                _ => Reading::ProxyLog,
            })
        };
        let reported = || match possible(scattered::read_details(&text)?) {
            Reading::Failed(line, finding) => Some(Reading::Symptom(line, finding)),
            other => Some(other),
        };
        let repeated = || {
            // Looked for where there may be one.
            let line = reply::may_be_in(&text).then(|| reply::read_repeated(&text)).flatten()?;
            (!client::only_quotes(&text)).then(|| possible(line))
        };
        let unquoted = || bare::read(&text, keep).or_else(|| labelled::read(&text, keep));
        let symptom = || {
            let (line, finding) = client::read(&text)?;
            Some(Reading::Symptom(Box::new(line), Box::new(finding)))
        };
        let counter = || match counters::read(&text)? {
            counters::Row::Failed(line, finding) => Some(Reading::Symptom(line, finding)),
            counters::Row::Fine | counters::Row::Sound(_) => Some(Reading::Application),
        };
        let read = || front::read(&text, &self.known, keep);
        // A row of a request comes first: what a client asks for may have the words of any other output.
        let reading = read().or_else(restored).or_else(unquoted).or_else(reply).or_else(counter);
        let hand_made = || {
            let reading = self.read_strictly(pasted::without_commas(&text)?.as_bytes(), keep);
            (reading != Reading::Unreadable).then(|| front::at_most(Confidence::Likely, reading))
        };
        // Whose words a value of YAML has isn't known.
        let written = || {
            let value = pasted::value(&text)?;
            let whole = match self.read_strictly(value.as_bytes(), keep) {
                Reading::Unreadable => front::read(&value, &self.known, keep)?,
                reading => reading,
            };
            match front::at_most(Confidence::Possible, whole) {
                Reading::Failed(line, finding) => Some(Reading::Symptom(line, finding)),
                _ => None,
            }
        };
        let inline = || transcript::read_inline(&text, keep);
        let shown = || {
            let shown = pasted::shown(&text)?;
            match self.read_strictly(shown.as_bytes(), keep) {
                Reading::Unreadable => front::read(shown, &self.known, keep),
                reading => Some(front::at_most(Confidence::Likely, reading)),
            }
        };
        let reading =
            reading.or_else(shown).or_else(hand_made).or_else(repeated).or_else(quoted).or_else(keys);
        let reading = reading
            .or_else(quoted_log)
            .or_else(reported)
            .or_else(written)
            .or_else(inline)
            .or_else(spoken)
            .or_else(symptom);
        let application = || client::calm::is_of_a_log(&text).then_some(Reading::Application);
        reading.or_else(application).unwrap_or(Reading::Unreadable)
    }
}
