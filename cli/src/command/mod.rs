//! What a user runs: the commands, and how they print.

/// Says it on standard error, in one line whatever names it holds; where nobody can hear it, that is no reason to stop.
macro_rules! warn {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(anstream::stderr(), "{}", crate::check::visible(&format!($($words)*)));
    }};
}

mod arguments;
mod causes;
mod check;
mod correlate;
mod explain;
mod joining;
mod kubectl;
mod leads;
mod merging;
mod moment;
mod outcome;
mod output;
mod part;
mod pipeline;
mod progress;
mod rate;
mod record;
mod reporter;
mod summary;
mod text;
mod verdict;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;

use self::arguments::{Arguments, Command};
use self::outcome::Outcome;

/// Runs what the command line asks for.
pub fn main() -> ExitCode {
    let ran = if kubectl::is_plugin(std::env::args_os().next()) {
        kubectl::Arguments::try_parse().map(kubectl::run)
    } else {
        Arguments::try_parse().map(run)
    };
    match ran {
        Err(error) => wrong_usage(&error),
        Ok(Ok(outcome)) => outcome.into(),
        // Whoever reads has seen enough (`| head`).
        Ok(Err(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            warn!("meshwhy: {error:#}");
            Outcome::Unreadable.into()
        }
    }
}

/// Prints help, or what is wrong. An argument may be the name of a file, from a pattern of the shell's.
fn wrong_usage(error: &clap::Error) -> ExitCode {
    let has_controls = |argument: std::ffi::OsString| argument.to_string_lossy().contains(char::is_control);
    if error.use_stderr() && std::env::args_os().any(has_controls) {
        let message = error.render().to_string();
        warn!("{}", message.lines().next().unwrap_or_default());
    } else {
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Outcome::Unreadable.code()))
}

fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    match arguments.command {
        Command::Explain(options) => return explain::run(options),
        Command::Correlate(options) => return correlate::run(&options),
        Command::Check(options) => return check::run(&options),
        Command::Causes { id } => causes::run(id)?,
        Command::Completions { shell } => arguments::completions(shell)?,
        Command::Man { folder } => arguments::man_pages(&folder)?,
    }
    Ok(Outcome::Nothing)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}
