//! `meshwhy explain`.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::Ordering;

use meshwhy::explain::{Reader, Reading};

use crate::Outcome;
use crate::arguments::Explain;
use crate::chunks::Chunk;
use crate::input::Input;
use crate::pipeline::{self, Control, Piece};
use crate::progress::Progress;
use crate::record::Record;
use crate::summary::Summary;
use crate::{output, text};

/// Unreadable lines that are named, of one run.
const NAMED: usize = 3;

/// What one piece came to.
#[derive(Debug, Default)]
struct Part {
    out: String,
    summary: Summary,
    counts: Counts,
}

/// What was seen.
#[derive(Debug, Default)]
struct Counts {
    requests: u64,
    failures: u64,
    proxy_log: u64,
    unreadable: u64,
    named: Vec<String>,
    broken: Vec<String>,
}

/// How each failure is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Text,
    Json,
    Summary,
    Quiet,
}

/// Runs it.
pub fn run(options: Explain) -> anyhow::Result<Outcome> {
    let style = match (options.quiet, options.summary, options.json) {
        (true, _, _) => Style::Quiet,
        (_, true, _) => Style::Summary,
        (_, _, true) => Style::Json,
        _ => Style::Text,
    };
    let inputs = Input::all(&options.files);
    let control = Control::default();
    if style == Style::Summary {
        stop_on_interrupt(&control)?;
    }
    if inputs == [Input::Stdin] && std::io::stdin().is_terminal() {
        complain!("meshwhy: reading access-log lines from the terminal; end with Ctrl-D");
    }
    let shows_progress = style != Style::Text || !std::io::stdout().is_terminal();
    let mut progress = Progress::new(&inputs, &control.taken, shows_progress && !options.follow);
    let names: Vec<String> = inputs.iter().map(Input::name).collect();
    let reader = Reader::new(options.format);
    let mut total = Part::default();
    let mut out = anstream::AutoStream::auto(std::io::stdout());
    let counted = std::cell::Cell::new((0, 0));
    let work = move |piece| part(&reader, &names, style, piece);
    let collect = |part: Part| {
        counted.set((counted.get().0 + part.counts.requests, counted.get().1 + part.counts.failures));
        if !part.out.is_empty() {
            out.write_all(part.out.as_bytes())?;
            out.flush()?;
        }
        total.summary.merge(part.summary);
        total.counts.add(part.counts);
        Ok(style != Style::Quiet || total.counts.failures == 0)
    };
    let tick = || progress.show(counted.get().0, counted.get().1);
    let result = pipeline::run(inputs, options.follow, &control, work, collect, tick);
    progress.end();
    result?;
    if style == Style::Summary {
        let text = if options.json { total.summary.json()? } else { total.summary.text() };
        out.write_all(text.as_bytes())?;
        out.flush()?;
    }
    total.counts.report(style);
    Ok(total.counts.outcome())
}

/// The first interrupt ends the reading, and what was counted is shown; the second ends everything.
fn stop_on_interrupt(control: &Control) -> anyhow::Result<()> {
    let stop = control.stop.clone();
    ctrlc::set_handler(move || {
        if stop.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })?;
    Ok(())
}

fn part(reader: &Reader, names: &[String], style: Style, piece: Piece) -> Part {
    let mut part = Part::default();
    match piece {
        Piece::Broken(error) => part.counts.broken.push(error),
        Piece::Lines(chunk) => part.read(reader, names, style, &chunk),
    }
    part
}

impl Part {
    fn read(&mut self, reader: &Reader, names: &[String], style: Style, chunk: &Chunk) {
        let file = names.get(chunk.input).map_or("", String::as_str);
        for (bytes, number) in lines(&chunk.bytes).zip(chunk.first_line..) {
            match reader.read(bytes) {
                Reading::Blank => {}
                Reading::Fine(_) => self.counts.requests += 1,
                Reading::ProxyLog => self.counts.proxy_log += 1,
                Reading::Unreadable => {
                    self.counts.unreadable(|| format!("{file}:{number}: {}", text::excerpt(bytes)));
                }
                Reading::Failed(line, finding) => {
                    self.counts.requests += 1;
                    self.counts.failures += 1;
                    let place = || format!("{file}:{number}");
                    match style {
                        Style::Text => output::tell(&mut self.out, &line, &finding, &place()),
                        Style::Summary => self.summary.add(&line, *finding, &place()),
                        Style::Json => {
                            // Serializing strings and numbers can't fail.
                            let record = Record::new(&line, &finding, file, number);
                            self.out.push_str(&serde_json::to_string(&record).unwrap_or_default());
                            self.out.push('\n');
                        }
                        Style::Quiet => return,
                    }
                }
            }
        }
        for number in &chunk.too_long {
            let longest = crate::chunks::SIZE >> 20;
            self.counts.unreadable(|| format!("{file}:{number}: longer than {longest} MiB"));
        }
    }
}

/// The lines of a piece, without their ends.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at_checked(end)?;
        rest = after.get(1..).unwrap_or_default();
        Some(line)
    })
}

impl Counts {
    fn unreadable(&mut self, name: impl FnOnce() -> String) {
        self.unreadable += 1;
        if self.named.len() < NAMED {
            self.named.push(name());
        }
    }

    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.proxy_log += other.proxy_log;
        self.unreadable += other.unreadable;
        let room = NAMED.saturating_sub(self.named.len());
        self.named.extend(other.named.into_iter().take(room));
        // At once: with `--follow` there is no end to wait for.
        other.broken.iter().for_each(|error| complain!("meshwhy: {error}"));
        self.broken.extend(other.broken);
    }

    /// What was read, and what could not be.
    fn report(&self, style: Style) {
        if style == Style::Quiet {
            return;
        }
        complain!("meshwhy: {} of {} requests failed", self.failures, self.requests);
        if self.proxy_log > 0 {
            complain!("meshwhy: {} other lines of the proxy's log passed over", self.proxy_log);
        }
        if self.unreadable > 0 {
            complain!("meshwhy: {} lines could not be read (--format?):", self.unreadable);
            self.named.iter().for_each(|line| complain!("  {line}"));
            if self.unreadable > self.named.len() as u64 {
                complain!("  ...");
            }
        }
    }

    fn outcome(&self) -> Outcome {
        let none_readable = self.requests == 0 && self.proxy_log == 0 && self.unreadable > 0;
        match (none_readable || !self.broken.is_empty(), self.failures) {
            (true, _) => Outcome::Unreadable,
            (false, 0) => Outcome::Nothing,
            (false, _) => Outcome::Failures,
        }
    }
}
