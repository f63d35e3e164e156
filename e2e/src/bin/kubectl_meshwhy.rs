//! The command-line tool under the name that kubectl looks for, for the rig.

use std::process::ExitCode;

fn main() -> ExitCode {
    meshwhy_cli::command::main()
}
