//! What can be asked for of a cluster.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};

use crate::cluster::{Kubectl, Scope};
use crate::command::arguments::{Reporting, one_or_part_of_an_id};
use crate::command::check;
use crate::explain::Format;

const EXAMPLES: &str = "\
Examples:
  kubectl meshwhy status -A                              # is it loaded, and what does it count?
  kubectl meshwhy explain deploy/reviews -n shop --since 10m
  kubectl meshwhy request 84961386-6d84-929d-98bd-c5aee93b5c88 -n shop --check
  kubectl meshwhy check -A

It calls kubectl, so that contexts, credentials and plugins are yours; it writes nothing to the cluster.

Exit status: 0 nothing is wrong, 1 something was found, 2 wrong usage or something could not be read.";

const EXPLAIN: &str = "\
Reads the access logs of a workload's proxies (`kubectl logs -c istio-proxy`), and says of each request that failed why it did. \
KIND is whatever selects pods: a Deployment, StatefulSet, DaemonSet, Job, Service, or a Gateway of either kind. The filter need \
not be installed.\n\nNeeds: get of that kind and of pods, and of pods/log.";

const CHECK: &str = "\
Reads what the cluster holds of Istio's and the Gateway API's configuration and of what that refers to, Secrets excepted, and names \
the mistakes in it.\n\nNeeds: list of these kinds. Without -A what isn't in the namespace isn't known, so less is said.";

const STATUS: &str = "\
Asks each proxy (`kubectl exec -c istio-proxy -- pilot-agent request GET ...`) whether it has meshwhy, in which version and roles, \
whether the module could not be fetched, was refused, or ended, what it has counted since it was loaded, and what of that within \
the last few seconds.\n\n\
Needs: list of pods, create of pods/exec, get of pods/log.";

const REQUEST: &str = "\
Looks for the request in the logs of the gateways and of the namespace's proxies, goes on to the proxies at the other ends of its \
connections, and gives one verdict: where it failed first, the cause, the fix, and what the others saw of it.\n\n\
Needs: list of pods and of Gateways in all namespaces, get of pods/log.";

/// Says why requests failed in this cluster's mesh.
#[derive(Debug, Parser)]
#[command(name = "kubectl meshwhy", bin_name = "kubectl meshwhy", version, max_term_width = 120, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    pub reach: Reach,
    #[command(subcommand)]
    pub command: Command,
}

/// Which cluster and namespace; kubectl's own options.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct Reach {
    /// Namespace; without it, the context's own
    #[arg(long, short, global = true, value_parser = NonEmptyStringValueParser::new())]
    namespace: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, global = true)]
    context: Option<String>,
    /// The kubeconfig's path
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<String>,
    /// Cluster of the kubeconfig
    #[arg(long, global = true)]
    cluster: Option<String>,
    /// User of the kubeconfig
    #[arg(long, global = true)]
    user: Option<String>,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER")]
    impersonated: Option<String>,
    /// Group to impersonate; may be repeated
    #[arg(long, global = true, value_name = "GROUP")]
    as_group: Vec<String>,
    /// How long to wait for one answer of the server, as `10s`
    #[arg(long, global = true, value_name = "TIME")]
    request_timeout: Option<String>,
}

impl Reach {
    /// kubectl with these options.
    pub fn kubectl(&self) -> Kubectl {
        let given = [
            ("context", &self.context),
            ("kubeconfig", &self.kubeconfig),
            ("cluster", &self.cluster),
            ("user", &self.user),
            ("as", &self.impersonated),
            ("request-timeout", &self.request_timeout),
        ];
        let given =
            given.into_iter().filter_map(|(name, value)| Some(format!("--{name}={}", value.as_ref()?)));
        let groups = self.as_group.iter().map(|group| format!("--as-group={group}"));
        Kubectl { options: given.chain(groups).collect() }
    }

    /// The namespace that is meant.
    pub fn namespace(&self, kubectl: &Kubectl) -> anyhow::Result<String> {
        self.namespace.clone().map_or_else(|| kubectl.own_namespace(), Ok)
    }

    /// The namespaces that are meant.
    pub fn scope(&self, kubectl: &Kubectl, all: bool) -> anyhow::Result<Scope> {
        if all { Ok(Scope::All) } else { self.namespace(kubectl).map(Scope::Namespace) }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say why the requests of a workload failed, from its proxies' access logs
    #[command(long_about = EXPLAIN)]
    Explain(Explain),
    /// Find configuration mistakes in what the cluster holds
    #[command(long_about = CHECK)]
    Check(Check),
    /// Say of each proxy whether meshwhy is in it, how it is, and what it has counted
    #[command(long_about = STATUS)]
    Status(Status),
    /// Follow one request through its proxies: one verdict
    #[command(long_about = REQUEST)]
    Request(Request),
    /// Print what is known of a cause: what happened, how to confirm it, how to fix it; without ID, list them all
    Causes {
        /// Id of a cause, or a part of it
        #[arg(value_parser = one_or_part_of_an_id)]
        id: Option<String>,
    },
}

/// What `explain` takes.
#[derive(Debug, Args)]
pub struct Explain {
    /// A workload, Service or Gateway (`deploy/reviews`); a name alone is a pod's
    #[arg(value_name = "KIND/NAME", value_parser = NonEmptyStringValueParser::new())]
    pub what: String,
    /// Only what is not older than this (`30s`, `10m`, `3h`)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub since: Option<String>,
    /// Go on: tell each failure as it happens, in the pods there are now
    #[arg(long, short, conflicts_with = "quiet")]
    pub follow: bool,
    /// The logs of the gateways, too
    #[arg(long)]
    pub with_gateway: bool,
    /// The log of the container before, where it was restarted
    #[arg(long, conflicts_with = "follow")]
    pub previous: bool,
    #[command(flatten)]
    pub reporting: Reporting,
}

/// What `check` takes.
#[derive(Debug, Args)]
pub struct Check {
    /// All namespaces
    #[arg(long, short = 'A')]
    pub all_namespaces: bool,
    #[command(flatten)]
    pub reporting: check::Reporting,
}

/// What `status` takes.
#[derive(Debug, Args)]
pub struct Status {
    /// All namespaces
    #[arg(long, short = 'A')]
    pub all_namespaces: bool,
    /// Only pods with these labels
    #[arg(long, short = 'l', value_name = "LABELS", value_parser = NonEmptyStringValueParser::new())]
    pub selector: Option<String>,
    /// How long to watch the counters (`30s`, `2m`), to tell what fails now from what has failed; `0s` doesn't wait
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = window)]
    pub over: Duration,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// What `request` takes.
#[derive(Debug, Args)]
pub struct Request {
    /// Its x-request-id, or the beginning of it
    #[arg(value_name = "REQUEST-ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: String,
    /// Look in the proxies of all namespaces
    #[arg(long, short = 'A')]
    pub all_namespaces: bool,
    /// Only what is not older than this (`30s`, `10m`, `3h`)
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub since: String,
    /// Check the resources that the verdict names, as the cluster holds them
    #[arg(long)]
    pub check: bool,
    /// The logs' format, as for `explain`
    #[arg(long, value_name = "FORMAT", value_parser = Format::parse)]
    pub format: Vec<Format>,
    /// One JSON object a line
    #[arg(long, conflicts_with = "check")]
    pub json: bool,
}

/// kubectl says itself whether it likes it; what looks like an option never gets there.
fn duration(text: &str) -> Result<String, String> {
    let fits = text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(['s', 'm', 'h'])
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    fits.then(|| text.to_owned()).ok_or_else(|| "a time is a number with its unit: 30s, 10m, 3h".into())
}

/// Whole seconds, minutes or hours.
fn window(text: &str) -> Result<Duration, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    let found = units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*seconds)
    });
    found.map(Duration::from_secs).ok_or_else(|| "a time is a whole number with its unit: 30s, 2m".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_units() {
        assert_eq!(window("0s"), Ok(Duration::ZERO));
        assert_eq!(window("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "5", "s", "-1s", "1.5s", "5ms", "99999999999999999999s", "18446744073709551615h"] {
            assert!(window(wrong).is_err(), "{wrong}");
        }
    }
}
