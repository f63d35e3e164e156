//! `kubectl meshwhy`: the same tool with a running cluster as its input.

mod arguments;
mod check;
mod explain;
mod request;
mod status;

use std::ffi::OsString;
use std::path::Path;

pub use self::arguments::Arguments;
use self::arguments::Command;
use super::causes;
use super::outcome::Outcome;

/// The name under which kubectl looks for it.
const NAME: &str = "kubectl-meshwhy";

/// Whether this program was started as kubectl's plugin.
pub fn is_plugin(program: Option<OsString>) -> bool {
    program.is_some_and(|program| Path::new(&program).file_stem().is_some_and(|stem| stem == NAME))
}

/// Runs what the command line asks for.
pub fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let reach = arguments.reach;
    match arguments.command {
        Command::Explain(options) => explain::run(&reach, options),
        Command::Check(options) => check::run(&reach, &options),
        Command::Status(options) => status::run(&reach, &options),
        Command::Request(options) => request::run(&reach, &options),
        Command::Causes { id } => {
            causes::run(id)?;
            Ok(Outcome::Nothing)
        }
    }
}
