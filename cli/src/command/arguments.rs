//! What can be asked for on the command line.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use meshwhy::causes::Cause;

use super::check::Check;

const EXAMPLES: &str = "\
Examples:
  kubectl logs deploy/reviews -c istio-proxy | meshwhy explain
  kubectl logs -f -l app=reviews -c istio-proxy --prefix | meshwhy explain
  meshwhy explain --summary access.log access.log.1.gz
  meshwhy check manifests/
  meshwhy causes tls_on_plaintext_port";

const EXPLAIN: &str = "\
Reads access logs of Envoy and Istio from files (gzip as well) or from standard input, and says of each \
request that failed why it did: the cause, how sure that is, who has to act, and what to change. The rules \
are those of meshwhy's filter. A log shows less than the filter sees; where the difference matters, the \
confidence is lower, or all causes are named that fit the line. A line that carries the filter's own verdict \
shows that one; a failure that stands in meshwhy's line of the proxy's own log, too, is reported once.\n\n\
Known by themselves, also mixed: Istio's default format in text (1.0 to today) and in JSON, Envoy's default \
format, meshwhy's own, and all these behind the prefixes of `kubectl logs --prefix`, `--timestamps`, stern, \
Docker and CRI. Anything else with --format.";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  # why do requests fail, right now?
  kubectl logs -f deploy/reviews -c istio-proxy | meshwhy explain

  # which failures are there, how many, since when?
  meshwhy explain --summary /var/log/envoy/access.log /var/log/envoy/access.log.*.gz

  # a format of your own: copy accessLogFormat from the mesh config
  meshwhy explain --format '%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%' f.log
  meshwhy explain --format '{\"status\": \"%RESPONSE_CODE%\", \"flags\": \"%RESPONSE_FLAGS%\"}' f.log

  # for scripts
  meshwhy explain --json access.log | jq -r 'select(.side == \"mesh\") | .cause' | sort | uniq -c
  meshwhy explain --quiet access.log || echo 'something failed'

Exit status:
  0  nothing failed
  1  failures were found
  2  wrong usage, or an input could not be read, or no line of it could";

const CORRELATE: &str = "\
Joins the access logs of several proxies by x-request-id and gives one verdict for each request that failed \
anywhere: the proxy where the failure began, its cause, and what the others saw of it.\n\n\
A proxy is the pod that a line's prefix names (`kubectl logs --prefix`), or else the name of the file. The \
files are read twice, so standard input can't be one.";

const CORRELATE_EXAMPLES: &str = "\
Examples:
  kubectl logs -n istio-system deploy/istio-ingressgateway > gateway.log
  kubectl logs deploy/reviews -c istio-proxy > reviews.log
  meshwhy correlate gateway.log reviews.log
  meshwhy correlate --id 84961386-6d84-929d-98bd-c5aee93b5c88 *.log";

const CHECK: &str = "\
Reads Istio's and Kubernetes' YAML (or JSON) and names the mistakes of Istio's page \"Traffic Management Problems\" in it:
the cause, how sure that is, the resource, file and line, what happens, and what to change. No cluster is asked.";

const CHECK_EXAMPLES: &str = "\
Examples:
  meshwhy check manifests/
  kustomize build overlays/prod | meshwhy check -
  kubectl get gw,vs,dr,se,svc,pa,ap,sidecar,deploy,sts,ds,po,ns -A -o yaml | meshwhy check -
  meshwhy check --fail-on likely --json manifests/ | jq -r .cause

Exit status:
  0  nothing certain was found (--fail-on: nothing of that confidence)
  1  it was
  2  wrong usage, or something could not be read";

/// Says why requests failed in an Istio or Envoy mesh.
#[derive(Debug, Parser)]
#[command(name = "meshwhy", version, max_term_width = 120, after_help = EXAMPLES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say why the requests in access logs failed
    #[command(long_about = EXPLAIN, after_help = EXPLAIN_EXAMPLES)]
    Explain(Explain),
    /// Join the access logs of several proxies: one verdict for each request
    #[command(long_about = CORRELATE, after_help = CORRELATE_EXAMPLES)]
    Correlate(Correlate),
    /// Find configuration mistakes in Istio YAML, also those that no proxy sees
    #[command(long_about = CHECK, after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Print what is known of a cause: what happened, how to confirm it, how to fix it; without ID, list them all
    Causes {
        /// Id of a cause, or a part of it
        #[arg(value_parser = one_or_part_of_an_id)]
        id: Option<String>,
    },
    /// Print the completions of a shell
    #[command(after_help = "Example:\n  meshwhy completions bash > /etc/bash_completion.d/meshwhy")]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the manual pages (roff) into a folder
    #[command(hide = true)]
    Man {
        /// Where to
        folder: PathBuf,
    },
}

/// What `explain` takes.
#[derive(Debug, Args)]
pub struct Explain {
    /// Access logs; none, or `-`, is standard input
    pub files: Vec<PathBuf>,
    /// What comes of them.
    #[command(flatten)]
    pub reporting: Reporting,
    /// Wait for more at the end of the files, also when they are rotated (as `tail -F`)
    #[arg(long, short)]
    pub follow: bool,
}

/// How logs are read, and what is said of them.
#[derive(Debug, Args)]
pub struct Reporting {
    /// The log's format as Envoy or Istio is given it: text, or a JSON object of keys and operators. May be repeated
    #[arg(long, value_name = "FORMAT", value_parser = crate::explain::Format::parse)]
    pub format: Vec<crate::explain::Format>,
    /// Count by cause, host and resource instead of reporting each failure
    #[arg(long)]
    pub summary: bool,
    /// With --summary: show this many of the most frequent (10 if it isn't given, with --json all), and count the others by cause. 0 shows all
    #[arg(long, value_name = "NUMBER", requires = "summary")]
    pub top: Option<usize>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Say nothing; only the exit status shows a failure. Stops at the first failure
    #[arg(long, short, conflicts_with_all = ["summary", "json", "follow"])]
    pub quiet: bool,
}

/// What `correlate` takes.
#[derive(Debug, Args)]
pub struct Correlate {
    /// Access logs of the proxies
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Only this request; the beginning of its id is enough
    #[arg(long, value_name = "REQUEST-ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: Option<String>,
    /// The logs' format, as for `explain`
    #[arg(long, value_name = "FORMAT", value_parser = crate::explain::Format::parse)]
    pub format: Vec<crate::explain::Format>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// An argument of `causes`.
pub fn one_or_part_of_an_id(text: &str) -> Result<String, String> {
    let known = Cause::ALL.iter().any(|cause| cause.id().contains(text));
    known
        .then(|| text.to_owned())
        .ok_or_else(|| "no cause has that in its id; `meshwhy causes` lists them".into())
}

/// Prints the completions.
pub fn completions(shell: Shell) -> io::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "meshwhy", &mut text);
    io::stdout().write_all(&text)
}

/// Writes the manual pages, one for each command.
pub fn man_pages(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)
}
