//! The command-line tool: explains access logs with the same rules as the filter.

mod arguments;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Command};

/// What scripts go by.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("meshwhy: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Completions { shell } => arguments::completions(shell),
        Command::Man => arguments::man_page()?,
    }
    Ok(ExitCode::SUCCESS)
}
