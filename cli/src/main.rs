//! The program.

use std::process::ExitCode;

fn main() -> ExitCode {
    meshwhy_cli::command::main()
}
