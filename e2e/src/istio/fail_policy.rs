//! What a broken module does to traffic through Istio's agent, by fail strategy: for `docs/deployment-safety.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::deployment::{self, PATIENCE, eventually};
use crate::harness::rig::{MODULE_URL, Rig};
use crate::harness::{documents, manifests};
use crate::hostile::fail_policy::TRAPS;

/// A fail strategy, and the pod whose outgoing requests it decides about.
const STRATEGIES: &[(&str, &str)] =
    &[("FAIL_OPEN", "client"), ("FAIL_RELOAD", "frontend"), ("FAIL_CLOSE", "orders"), ("", "reports")];

/// What is wrong, how the plugin comes there, where its module lies, whether a hash is given, and what the agent or proxy says.
struct Case {
    about: &'static str,
    plug: Plug,
    file: &'static str,
    hash: bool,
    says: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Plug {
    Http,
    Network,
    EnvoyFilter,
}

const CASES: &[Case] = &[
    Case {
        about: "traps at each request",
        plug: Plug::Http,
        file: "traps.wasm",
        hash: false,
        says: "RuntimeError: unreachable",
    },
    Case {
        about: "traps at each connection",
        plug: Plug::Network,
        file: "traps.wasm",
        hash: false,
        says: "RuntimeError: unreachable",
    },
    Case { about: "answers 404", plug: Plug::Http, file: "nowhere.wasm", hash: false, says: "404" },
    Case { about: "answers 404", plug: Plug::Network, file: "nowhere.wasm", hash: false, says: "404" },
    Case {
        about: "has another `sha256`",
        plug: Plug::Http,
        file: "meshwhy.wasm",
        hash: true,
        says: "checksum",
    },
    Case {
        about: "is cut off",
        plug: Plug::Http,
        file: "truncated.wasm",
        hash: false,
        says: "Unable to create Wasm plugin",
    },
    Case { about: "answers 404", plug: Plug::EnvoyFilter, file: "nowhere.wasm", hash: false, says: "404" },
];

/// Plays all cases and compares the table; the rig is then as it was.
pub fn check(rig: &Rig) -> Result<()> {
    let module = rig.folder().join("module");
    fs::write(module.join("traps.wasm"), TRAPS)?;
    let whole = fs::read(module.join("meshwhy.wasm"))?;
    // Still a module by its first bytes.
    fs::write(module.join("truncated.wasm"), whole.get(..whole.len() / 2).unwrap_or_default())?;
    let seen: Result<Vec<_>> = CASES.iter().map(|case| play(rig, case)).collect();
    fs::remove_file(module.join("traps.wasm"))?;
    fs::remove_file(module.join("truncated.wasm"))?;
    let shipped = shipped_without_module(rig);
    deployment::deploy(rig)?;
    shipped?;
    documents::check("docs/deployment-safety.md", "istio", &table(&seen?))
}

/// What is shipped, with a module that can't be fetched: every proxy takes it, and what no service claims still passes.
fn shipped_without_module(rig: &Rig) -> Result<()> {
    let url = MODULE_URL.replace("meshwhy.wasm", "nowhere.wasm");
    for name in ["wasmplugin-http.yaml", "wasmplugin-connection.yaml", "envoyfilter-passthrough.yaml"] {
        rig.apply(&manifests::rendered(name, &url, &manifests::module_sha256()?)?).context(name)?;
    }
    for (_, pod) in STRATEGIES {
        eventually(|| Ok((ask(rig, pod)? == "served").then_some(())))
            .with_context(|| format!("{pod} without a module"))?;
    }
    let passed = status(rig, "client", "https://httpbin.org/")?;
    ensure!(passed == "200", "without a module: {passed}");
    Ok(())
}

fn play(rig: &Rig, case: &Case) -> Result<BTreeMap<&'static str, String>> {
    let yaml: Vec<String> = STRATEGIES.iter().map(|(strategy, pod)| case.yaml(strategy, pod)).collect();
    let yaml = yaml.join("\n---\n");
    let marks: Vec<usize> = outputs(rig)?.iter().map(String::len).collect();
    // What is refused is never acknowledged.
    if case.refused() {
        rig.plane.kubectl(&["apply", "-f", "-"], &yaml)?;
    } else {
        rig.apply(&yaml)?;
    }
    let seen = outcomes(rig, case);
    let said: String =
        outputs(rig)?.iter().zip(marks).filter_map(|(output, mark)| output.get(mark..)).collect();
    rig.delete(&yaml)?;
    let seen = seen.with_context(|| format!("{} ({})", case.about, case.name("POD")))?;
    ensure!(said.contains(case.says), "{}: nobody says {:?}: {said}", case.about, case.says);
    for (_, pod) in STRATEGIES {
        eventually(|| Ok((ask(rig, pod)? == "served").then_some(())))
            .with_context(|| format!("{pod} after {} was removed", case.about))?;
    }
    Ok(seen)
}

fn outputs(rig: &Rig) -> Result<Vec<String>> {
    STRATEGIES.iter().map(|(_, pod)| Ok(rig.pod(pod)?.output())).collect()
}

/// What each pod's requests get, once its proxy has the plugin or has refused it.
fn outcomes(rig: &Rig, case: &Case) -> Result<BTreeMap<&'static str, String>> {
    let outcome = |pod: &'static str| -> Result<String> {
        let (proxy, name) = (rig.pod(pod)?, case.name(pod));
        eventually(|| {
            if case.refused() {
                let output = proxy.output();
                let refused = output.lines().any(|line| line.contains(case.says) && line.contains(&name));
                return Ok(refused.then_some(()));
            }
            Ok((!proxy.is_warming()? && proxy.admin("/config_dump")?.contains(&name)).then_some(()))
        })
        .with_context(|| format!("{pod} has no {name}"))?;
        if case.refused() {
            return Ok(format!("{} (the plugin is refused)", ask(rig, pod)?));
        }
        // A listener that was replaced still finishes what it began.
        let mut last = ask(rig, pod)?;
        let mut same = 0;
        let deadline = Instant::now() + PATIENCE;
        while same < 3 {
            std::thread::sleep(Duration::from_millis(100));
            let now = ask(rig, pod)?;
            same = if now == last { same + 1 } else { 0 };
            last = now;
            ensure!(Instant::now() < deadline, "{pod}: now one thing, now another");
        }
        Ok(last)
    };
    STRATEGIES.iter().map(|(strategy, pod)| Ok((*strategy, outcome(pod)?))).collect()
}

/// The status that curl gets, `000` for none.
fn status(rig: &Rig, pod: &str, url: &str) -> Result<String> {
    let command = ["curl", "-sk", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", url];
    Ok(rig.pod(pod)?.exec(&command)?.text.trim().to_owned())
}

fn ask(rig: &Rig, pod: &str) -> Result<String> {
    Ok(match status(rig, pod, "http://helloworld/")?.as_str() {
        "200" => "served".into(),
        "000" => "closed".into(),
        status => status.to_owned(),
    })
}

impl Case {
    /// Whether proxies refuse the configuration itself.
    fn refused(&self) -> bool {
        self.file == "truncated.wasm"
    }

    /// One of its own: what Envoy counts of a name may outlast it.
    fn name(&self, pod: &str) -> String {
        let plug = match self.plug {
            Plug::Http => "http",
            Plug::Network => "network",
            Plug::EnvoyFilter => "envoyfilter",
        };
        format!("broken-{}-{plug}-{pod}", self.file.trim_end_matches(".wasm"))
    }

    fn yaml(&self, strategy: &str, pod: &str) -> String {
        let url = MODULE_URL.replace("meshwhy.wasm", self.file);
        let name = self.name(pod);
        let hash = if self.hash { format!("  sha256: \"{}\"\n", "0".repeat(64)) } else { String::new() };
        let line =
            |key: &str| if strategy.is_empty() { String::new() } else { format!("{key}: {strategy}\n") };
        if self.plug == Plug::EnvoyFilter {
            let policy = line("              failure_policy").replace("FAIL_CLOSE\n", "FAIL_CLOSED\n");
            return ENVOY_FILTER
                .replace("NAME", &name)
                .replace("POD", pod)
                .replace("URL", &url)
                .replace("              POLICY\n", &policy);
        }
        let kind = if self.plug == Plug::Network { "NETWORK" } else { "HTTP" };
        format!(
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n\
             metadata: {{name: {name}, namespace: default}}\nspec:\n  selector: {{matchLabels: {{app: {pod}}}}}\n\
             \x20 match: [{{mode: CLIENT}}]\n  type: {kind}\n  url: {url}\n{hash}{}",
            line("  failStrategy")
        )
    }
}

/// As `envoyfilter-passthrough.yaml` brings its plugin, in front of HTTP.
const ENVOY_FILTER: &str = "apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: NAME, namespace: default}
spec:
  workloadSelector: {labels: {app: POD}}
  configPatches:
    - applyTo: EXTENSION_CONFIG
      match: {context: SIDECAR_OUTBOUND}
      patch:
        operation: ADD
        value:
          name: NAME
          typed_config:
            \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
            config:
              POLICY
              vm_config:
                runtime: envoy.wasm.runtime.v8
                code: {remote: {http_uri: {uri: URL, cluster: unused, timeout: 30s}}}
    - applyTo: HTTP_FILTER
      match: {context: SIDECAR_OUTBOUND}
      patch:
        operation: INSERT_FIRST
        value:
          name: NAME
          config_discovery:
            config_source: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s}
            type_urls:
              - type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              - type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
";

fn table(seen: &[BTreeMap<&'static str, String>]) -> String {
    let mut text = "| the module | as | `FAIL_OPEN` | `FAIL_RELOAD` | `FAIL_CLOSE` | not set |\n|---|---|---|---|---|---|\n".to_owned();
    for (case, seen) in CASES.iter().zip(seen) {
        let plug = match case.plug {
            Plug::Http => "WasmPlugin HTTP",
            Plug::Network => "WasmPlugin NETWORK",
            Plug::EnvoyFilter => "EnvoyFilter, ECDS, HTTP",
        };
        let cells: Vec<&str> = STRATEGIES.iter().map(|(strategy, _)| seen[strategy].as_str()).collect();
        let _ = writeln!(text, "| {} | {plug} | {} |", case.about, cells.join(" | "));
    }
    text
}
