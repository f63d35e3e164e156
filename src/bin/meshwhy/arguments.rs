//! What can be asked for on the command line.

use std::io;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

/// Says why requests failed in an Istio or Envoy mesh.
#[derive(Debug, Parser)]
#[command(name = "meshwhy", version, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the completions of a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page (roff)
    #[command(hide = true)]
    Man,
}

/// Prints the completions.
pub fn completions(shell: Shell) {
    clap_complete::generate(shell, &mut Arguments::command(), "meshwhy", &mut io::stdout());
}

/// Prints the manual page.
pub fn man_page() -> io::Result<()> {
    clap_mangen::Man::new(Arguments::command()).render(&mut io::stdout())
}
