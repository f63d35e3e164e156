//! `kubectl`, run as the user would run it.

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::input::program::Program;

const KUBECTL: &str = "kubectl";

/// Which namespaces are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// This one.
    Namespace(String),
    /// Every one.
    All,
}

impl Scope {
    /// kubectl's arguments for it.
    pub fn arguments(&self) -> Vec<&str> {
        match self {
            Self::Namespace(name) => vec!["-n", name],
            Self::All => vec!["-A"],
        }
    }
}

/// What kubectl said.
struct Answer {
    succeeded: bool,
    out: String,
    said: String,
}

/// In its words.
const FORBIDDEN: &str = "(Forbidden)";

/// How to reach a cluster.
#[derive(Debug, Clone, Default)]
pub struct Kubectl {
    /// kubectl's own options (`--context`, ...), passed on with each call.
    pub options: Vec<String>,
}

impl Kubectl {
    /// What a call prints.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let answer = self.ask(arguments)?;
        if answer.succeeded {
            Ok(answer.out)
        } else {
            bail!("kubectl {}: {}", shown(arguments), reason(&answer.said))
        }
    }

    /// Objects of several resources as YAML, and what the user may not list of them, in kubectl's words.
    pub fn list(&self, arguments: &[&str]) -> anyhow::Result<(String, Vec<String>)> {
        let answer = self.ask(arguments)?;
        let refused: Vec<&str> = answer.said.lines().filter(|line| line.contains(FORBIDDEN)).collect();
        // It goes on behind those, and prints the others.
        if answer.succeeded || (!refused.is_empty() && !answer.out.trim().is_empty()) {
            return Ok((answer.out, refused.into_iter().map(str::to_owned).collect()));
        }
        bail!("kubectl {}: {}", shown(arguments), reason(&answer.said))
    }

    fn ask(&self, arguments: &[&str]) -> anyhow::Result<Answer> {
        let command = self.command(arguments);
        let (program, rest) = command.split_first().context("no program")?;
        let output = match Command::new(program).args(rest).stdin(Stdio::null()).output() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                bail!(
                    "kubectl is not in PATH: it is what asks the cluster (https://kubernetes.io/docs/tasks/tools/)"
                )
            }
            other => other.context("can't run kubectl")?,
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Answer {
            succeeded: output.status.success(),
            out: text(&output.stdout),
            said: text(&output.stderr),
        })
    }

    /// What a call prints with `-o json`.
    pub fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let text = self.run(&[arguments, &["-o", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("kubectl {}: no JSON", shown(arguments)))
    }

    /// A call whose output is read like a file of this name.
    pub fn program(&self, name: String, arguments: &[&str]) -> Program {
        Program { name, command: self.command(arguments) }
    }

    /// The namespace that is meant where none is named.
    pub fn own_namespace(&self) -> anyhow::Result<String> {
        let name = self.run(&["config", "view", "--minify", "-o", "jsonpath={..namespace}"])?;
        let name = name.trim();
        Ok(if name.is_empty() { "default".into() } else { name.to_owned() })
    }

    /// The user's options stand behind the verb: in front of a `--`.
    fn command(&self, arguments: &[&str]) -> Vec<String> {
        let (verb, rest) = arguments.split_at_checked(1).unwrap_or_default();
        let words = std::iter::once(KUBECTL).chain(verb.iter().copied());
        words
            .chain(self.options.iter().map(String::as_str))
            .chain(rest.iter().copied())
            .map(str::to_owned)
            .collect()
    }
}

/// The call without what makes it long.
fn shown(arguments: &[&str]) -> String {
    const LONGEST: usize = 60;
    let text = arguments.join(" ");
    let short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() { short + " ..." } else { text }
}

/// kubectl's reason, and what to do about it where that isn't in it.
fn reason(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // Client-side warnings stand in front.
    let reason = lines
        .iter()
        .rev()
        .find(|line| line.starts_with("Error") || line.starts_with("error"))
        .or(lines.last());
    let reason = reason.copied().unwrap_or("it failed and gave no reason");
    let hint = if reason.contains(FORBIDDEN) {
        " (the user of this context lacks that right; --context and --as choose another)"
    } else if reason.contains("doesn't have a resource type") {
        " (KIND is one of kubectl's: deploy, sts, ds, pod, svc, gateway, ...)"
    } else {
        ""
    };
    format!("{reason}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_user_stand_where_kubectl_takes_them() {
        let kubectl = Kubectl { options: vec!["--context=test".into()] };
        assert_eq!(
            kubectl.command(&["exec", "a", "--", "pilot-agent"]),
            ["kubectl", "exec", "--context=test", "a", "--", "pilot-agent"]
        );
    }

    #[test]
    fn the_reason_is_kubectls_own() {
        let forbidden =
            "W1130 warning\nError from server (Forbidden): pods is forbidden: User \"dev\" cannot list\n";
        assert!(reason(forbidden).starts_with("Error from server (Forbidden): pods is forbidden"));
        assert!(reason(forbidden).contains("--context"));
        let missing = "Error from server (NotFound): deployments.apps \"a\" not found\n";
        assert_eq!(reason(missing), missing.trim());
        assert_eq!(
            reason("Unable to connect to the server: no route to host"),
            "Unable to connect to the server: no route to host"
        );
        assert_eq!(reason(""), "it failed and gave no reason");
    }
}
