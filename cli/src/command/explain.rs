//! `meshwhy explain`.

use std::cell::RefCell;
use std::io::IsTerminal as _;
use std::sync::atomic::Ordering;

use super::arguments::{Explain, Reporting};
use super::joining::Joining;
use super::outcome::Outcome;
use super::part::Part;
use super::pipeline::{self, Control};
use super::progress::Progress;
use super::reporter::Style;
use crate::explain::Reader;
use crate::input::Input;

/// Runs it.
pub fn run(options: Explain) -> anyhow::Result<Outcome> {
    let inputs = Input::all(&options.files);
    if inputs == [Input::Stdin] && std::io::stdin().is_terminal() {
        warn!("meshwhy: reading access-log lines from the terminal; end with Ctrl-D");
    }
    report(inputs, options.reporting, options.follow)
}

/// Reads the inputs, and says why requests failed.
pub fn report(inputs: Vec<Input>, reporting: Reporting, follow: bool) -> anyhow::Result<Outcome> {
    let style = match (reporting.quiet, reporting.summary, reporting.json) {
        (true, _, _) => Style::Quiet,
        (_, true, _) => Style::Summary,
        (_, _, true) => Style::Json,
        _ => Style::Text,
    };
    let control = Control::default();
    if style == Style::Summary {
        stop_on_interrupt(&control)?;
    }
    let shows_progress = style != Style::Text || !std::io::stdout().is_terminal();
    let progress = Progress::new(&inputs, &control.taken, shows_progress && !follow);
    let names: Vec<String> = inputs.iter().map(Input::name).collect();
    let reader = Reader::new(reporting.format);
    let joining = RefCell::new(Joining::new(style, names.clone(), follow));
    let work = move |piece| Part::of(piece, &reader, &names, style);
    let tick = || {
        let (requests, failures) = joining.borrow().counted();
        progress.show(requests, failures);
        joining.borrow_mut().tick()
    };
    let collect = |part| joining.borrow_mut().collect(part);
    let result = pipeline::run(inputs, follow, &control, work, collect, tick);
    progress.end();
    result?;
    joining.into_inner().finish(reporting.json, reporting.top)
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
