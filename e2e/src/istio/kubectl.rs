//! `kubectl meshwhy` as a user runs it, on the rig's API server; of kubectl, `logs` and `exec` alone are stood in for.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::deployment::{self, eventually};
use crate::harness::rig::{MODULE_URL, Rig, kubelet};
use crate::harness::tools::root;
use crate::harness::{manifests, programs};
use crate::hostile::fail_policy::TRAPS;

/// A gateway in front of a port where nobody listens, behind the sidecar of another pod.
const GATEWAY: &str = through_ingress!(
    "plugin",
    "'*'",
    "
  http: [{route: [{destination: {host: reports, port: {number: 81}}}]}]
"
);

/// A subset that no DestinationRule has.
const SUBSET: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: plugin-subset, namespace: default}
spec:
  hosts: [helloworld]
  http: [{route: [{destination: {host: helloworld, subset: v9}}]}]
";

/// Plaintext to a workload that takes mutual TLS alone.
const PLAINTEXT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: plugin, namespace: default}
spec: {selector: {matchLabels: {app: orders}}, mtls: {mode: STRICT}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: plugin, namespace: default}
spec: {host: orders, trafficPolicy: {tls: {mode: DISABLE}}}
";

const DEVELOPER: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: developer, namespace: shop}
rules:
- {apiGroups: [''], resources: [pods, pods/log, services], verbs: [get, list]}
- {apiGroups: [networking.istio.io], resources: [virtualservices], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: developer, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: developer}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: developer}]
";

/// A shell with kubectl and the plugin in its PATH.
pub(super) struct Shell {
    path: String,
    variables: Vec<(&'static str, PathBuf)>,
}

/// What a command came to.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Shell {
    pub(super) fn new(rig: &Rig) -> Result<Self> {
        let folder = kubelet::stand_in(rig)?;
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
        Ok(Self { path, variables: vec![("KUBECONFIG", rig.plane.kubeconfig())] })
    }

    /// With Helm, and nothing of whoever runs the tests.
    pub(super) fn with_helm(self, rig: &Rig) -> Result<Self> {
        let helm = programs::helm()?;
        let path = format!("{}:{}", helm.parent().context("no folder")?.display(), self.path);
        let home = rig.folder().join("helm");
        let own = ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"];
        let own = own.map(|name| (name, home.join(name.to_ascii_lowercase())));
        Ok(Self { path, variables: self.variables.into_iter().chain(own).collect() })
    }

    pub(super) fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(root())
            .env("PATH", &self.path)
            .envs(self.variables.iter().map(|(name, path)| (name, path)))
            .stdin(Stdio::null());
        command
    }

    pub(super) fn run(&self, line: &str) -> Result<Said> {
        let output = self.command(line).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Said {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        })
    }

    /// A command that has to succeed; all that it printed.
    pub(super) fn succeeds(&self, line: &str) -> Result<String> {
        let said = self.run(line)?;
        ensure!(said.code == 0, "{line}: {said:#?}");
        Ok(said.out + &said.err)
    }

    /// Repeats a command until what it prints on standard output has all of this.
    pub(super) fn until(&self, line: &str, has: &[&str]) -> Result<Said> {
        let mut last = None;
        let found = eventually(|| {
            let said = self.run(line)?;
            let all = has.iter().all(|part| said.out.contains(part));
            last = Some(said);
            Ok(all.then_some(()))
        });
        let said = last.context("it never ran")?;
        found.with_context(|| format!("{line}: {has:?} expected, but {said:#?}"))?;
        Ok(said)
    }
}

/// Everything that the plugin does.
pub fn check(rig: &Rig) -> Result<()> {
    let shell = Shell::new(rig)?;
    explains(rig, &shell)?;
    follows(rig, &shell)?;
    one_request(rig, &shell)?;
    two_ends(rig, &shell)?;
    checks(rig, &shell)?;
    says_what_is_wrong(&shell)?;
    forbidden(rig, &shell)?;
    status(rig, &shell)
}

fn fail(rig: &Rig) -> Result<()> {
    rig.pod("client")?.exec(&["curl", "-s", "-m", "5", "http://legacy:81/plugin"]).map(drop)
}

fn explains(rig: &Rig, shell: &Shell) -> Result<()> {
    fail(rig)?;
    let said =
        shell.until("kubectl meshwhy explain pod/client --since 10m", &["/plugin", "upstream_refused"])?;
    ensure!(said.code == 1 && said.out.contains("pod/client:"), "{said:#?}");
    // Both pods of a Service, and a gateway by the object that selects it.
    let said = shell.run("kubectl meshwhy explain svc/helloworld --quiet")?;
    ensure!(said.code != 2, "{said:#?}");
    rig.apply(GATEWAY)?;
    let both = shell.run("kubectl meshwhy explain gateway.networking.istio.io/plugin --summary")?;
    ensure!(both.code != 2 && both.err.contains("failed"), "{both:#?}");
    let with = shell.run("kubectl meshwhy explain client --with-gateway --summary")?;
    ensure!(with.code == 1, "{with:#?}");
    rig.delete(GATEWAY)
}

fn follows(rig: &Rig, shell: &Shell) -> Result<()> {
    let mut command = shell.command("exec kubectl meshwhy explain pod/client -f --json");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let out = BufReader::new(child.stdout.take().context("no output")?);
    let (give, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || out.lines().map_while(Result::ok).all(|line| give.send(line).is_ok()));
    let seen = eventually(|| {
        rig.pod("client")?.exec(&["curl", "-s", "-m", "5", "http://legacy:81/followed"])?;
        let objects = lines.try_iter().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        let mut followed = objects.filter(|object| object["path"] == "/followed");
        Ok(followed.next())
    });
    child.kill()?;
    child.wait()?;
    let seen = seen?;
    ensure!(seen["cause"] == "upstream_refused" && seen["file"] == "pod/client", "{seen}");
    Ok(())
}

/// From a namespace in which none of its proxies is: the gateway's log leads to the server's.
fn one_request(rig: &Rig, shell: &Shell) -> Result<()> {
    rig.apply(GATEWAY)?;
    let id = id_at_the_gateway(rig, "/one")?;
    let asked = format!("kubectl meshwhy request {id} -n shop");
    let said = shell.until(&asked, &["reports", "ingress", "(a consequence)"])?;
    ensure!(said.code == 1 && said.out.contains("upstream_refused (certain) at reports"), "{said:#?}");
    let json = shell.run(&format!("{asked} --json"))?;
    let object: Value = serde_json::from_str(json.out.trim()).with_context(|| format!("{json:#?}"))?;
    ensure!(object["schema"] == "meshwhy.request/1" && object["proxy"] == "reports", "{object}");
    behind_a_tunnel(rig, shell)?;
    let nobody = shell.run("kubectl meshwhy request 00000000-nobody -n shop")?;
    ensure!(
        nobody.code == 2 && nobody.err.contains("none of") && nobody.err.contains("shop/elsewhere"),
        "{nobody:#?}"
    );
    Ok(())
}

/// Asks from outside; the gateway's log has the id.
fn id_at_the_gateway(rig: &Rig, path: &str) -> Result<String> {
    rig.pod("outside")?.exec(&["curl", "-s", "-m", "5", &format!("http://httpbin.example.com{path}")])?;
    eventually(|| {
        let log = rig.pod("ingress")?.output();
        let lines = log.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut ids = lines.filter(|line| line["path"] == path);
        Ok(ids.find_map(|line| line["request_id"].as_str().map(str::to_owned)))
    })
}

/// The gateway's log names the waypoint by the tunnel to it.
fn behind_a_tunnel(rig: &Rig, shell: &Shell) -> Result<()> {
    rig.apply(&GATEWAY.replace("host: reports, port: {number: 81}", "host: sold-out, port: {number: 80}"))?;
    let asked = format!("kubectl meshwhy request {} -n shop", id_at_the_gateway(rig, "/tunnel")?);
    let said = shell.until(&asked, &["no_endpoints (likely", " at waypoint", "(a consequence)"]);
    rig.delete(GATEWAY)?;
    said.map(drop)
}

/// The end that refused the connection logged no id: the socket joins the two.
fn two_ends(rig: &Rig, shell: &Shell) -> Result<()> {
    rig.apply(PLAINTEXT)?;
    let id = "7d1e3b58-0000-4000-8000-000000000025";
    let header = format!("x-request-id: {id}");
    rig.pod("client")?.exec(&["curl", "-s", "-m", "5", "-H", &header, "http://orders/plaintext"])?;
    let asked = format!("kubectl meshwhy request {id} -n shop -A");
    let said = shell.until(&asked, &["destination_rule_tls_conflict", "orders", "client"]);
    rig.delete(PLAINTEXT)?;
    let said = said?;
    ensure!(said.code == 1 && said.out.matches("plaintext_to_strict_mtls").count() == 1, "{said:#?}");
    Ok(())
}

/// A user who may see the pods of one namespace and their logs, and no more.
fn forbidden(rig: &Rig, shell: &Shell) -> Result<()> {
    rig.plane.kubectl(&["apply", "-f", "-"], DEVELOPER)?;
    for (line, codes, says) in [
        // Other tests have failed requests there, or none.
        ("explain pod/elsewhere -n shop", 0..=1, "requests failed"),
        (
            "explain pod/client -n default",
            2..=2,
            "Error from server (Forbidden): pods \"client\" is forbidden",
        ),
        ("status -A", 2..=2, "cannot list resource \"pods\" in API group \"\" at the cluster scope"),
        ("request 00000000-nobody -n shop", 2..=2, "without the gateways' logs"),
        (
            "check -n shop",
            2..=2,
            "not checked: Error from server (Forbidden): gateways.networking.istio.io is forbidden",
        ),
    ] {
        let line = format!("kubectl meshwhy {line} --as developer");
        let said = shell.run(&line)?;
        ensure!(codes.contains(&said.code) && said.err.contains(says), "{line}: {said:#?}");
    }
    Ok(())
}

fn checks(rig: &Rig, shell: &Shell) -> Result<()> {
    const MISTAKE: &str = "VirtualService/default/plugin-subset: cluster_missing (certain)";
    rig.apply(SUBSET)?;
    let said = shell.run("kubectl meshwhy check -A")?;
    ensure!(said.code == 1 && said.out.contains(MISTAKE), "{said:#?}");
    let own = shell.run("kubectl meshwhy check -n shop")?;
    ensure!(!own.out.contains("plugin-subset"), "{own:#?}");
    let id = "7d1e3b58-0000-4000-8000-000000000024";
    let header = format!("x-request-id: {id}");
    rig.pod("client")?.exec(&["curl", "-s", "-m", "5", "-H", &header, "http://helloworld/subset"])?;
    let said =
        shell.until(&format!("kubectl meshwhy request {id} --check"), &["cluster_missing", MISTAKE])?;
    ensure!(said.code == 1 && said.out.contains(" at client"), "{said:#?}");
    rig.delete(SUBSET)
}

fn says_what_is_wrong(shell: &Shell) -> Result<()> {
    for (line, says) in [
        ("kubectl meshwhy explain pod/outside", "pod/outside in default has no sidecar (1 pod"),
        ("kubectl meshwhy explain deploy/nowhere -n shop", "deployments.apps \"nowhere\" not found"),
        ("kubectl meshwhy explain noskind/nowhere", "doesn't have a resource type"),
        ("kubectl meshwhy explain svc/nobody", "svc/nobody in default has no pods"),
        ("kubectl meshwhy explain configmap/kube-root-ca.crt", "configmap"),
        ("kubectl meshwhy status --context=elsewhere", "cannot locate context elsewhere"),
        ("kubectl meshwhy status -n nowhere", "no pod with a proxy runs in nowhere"),
    ] {
        let said = shell.run(line)?;
        ensure!(said.code == 2 && said.err.contains(says) && said.out.is_empty(), "{line}: {said:#?}");
    }
    Ok(())
}

/// What each state of the module looks like in a real proxy.
fn status(rig: &Rig, shell: &Shell) -> Result<()> {
    let of = |pod: &str| -> Result<Value> {
        let said = shell.run("kubectl meshwhy status -A --over 0s --json")?;
        let mut objects = said.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        objects.find(|object| object["pod"] == pod).with_context(|| format!("no {pod}: {said:#?}"))
    };
    let client = of("client")?;
    ensure!(client["state"] == "runs" && client["version"] == env!("CARGO_PKG_VERSION"), "{client}");
    ensure!(client["roles"] == serde_json::json!(["access_log", "connection", "http"]), "{client}");
    ensure!(client["failures"]["upstream_refused"].as_u64() > Some(0), "{client}");
    // Without a Gateway it has no listener, and so nothing of meshwhy; Envoy may have no dump of plugins then.
    ensure!(of("ingress")?["state"] == "none", "{}", of("ingress")?);
    rig.apply(GATEWAY)?;
    let gateway = of("ingress")?;
    rig.delete(GATEWAY)?;
    ensure!(gateway["proxy"] == "gateway" && gateway["state"] == "runs", "{gateway}");
    lately(rig, shell)?;
    let table = shell.run("kubectl meshwhy status --over 0s")?;
    ensure!(
        table.code == 0 && table.out.contains("default/client") && !table.out.contains("outside"),
        "{table:#?}"
    );

    rig.delete(&deployment::everything(rig)?)?;
    // Listeners that were replaced drain, and what they hold counts until then.
    eventually(|| Ok((of("client")?["state"] == "none").then_some(())))
        .with_context(|| format!("{:?}", of("client")))?;
    let broken = broken(rig, shell);
    deployment::deploy(rig)?;
    broken
}

/// What fails while the counters are watched stands apart from what has failed.
fn lately(rig: &Rig, shell: &Shell) -> Result<()> {
    let status = || -> Result<Value> {
        let said = shell.run("kubectl meshwhy status -l app=client --over 2s --json")?;
        serde_json::from_str(said.out.trim()).with_context(|| format!("{said:#?}"))
    };
    // Envoy's workers hand their counts over now and then.
    std::thread::sleep(Duration::from_secs(1));
    let quiet = status()?;
    ensure!(quiet["lately"]["failures"] == serde_json::json!({}), "{quiet}");
    ensure!(quiet["failures"]["upstream_refused"].as_u64() > Some(0), "{quiet}");
    let failing = std::thread::scope(|scope| {
        let failing = scope.spawn(status);
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(150));
            fail(rig)?;
        }
        failing.join().map_err(|_| anyhow::anyhow!("it panicked"))?
    })?;
    let (counted, seconds) =
        (&failing["lately"]["failures"]["upstream_refused"], &failing["lately"]["seconds"]);
    ensure!(counted.as_u64() > Some(0) && seconds.as_f64() >= Some(2.0), "{failing}");
    Ok(())
}

/// One that can't be fetched, one that is cut off, one that traps: each beside what was shipped before.
fn broken(rig: &Rig, shell: &Shell) -> Result<()> {
    let module = rig.folder().join("module");
    fs::write(module.join("traps.wasm"), TRAPS)?;
    let whole = fs::read(module.join("meshwhy.wasm"))?;
    fs::write(module.join("truncated.wasm"), whole.get(..whole.len() / 2).unwrap_or_default())?;
    for (file, says) in
        [("nowhere.wasm", "not fetched"), ("truncated.wasm", "refused"), ("traps.wasm", "trapped")]
    {
        let yaml =
            manifests::rendered("wasmplugin-http.yaml", &MODULE_URL.replace("meshwhy.wasm", file), "")?
                .replace("  sha256: \"\"\n", "")
                .replace(
                    "name: meshwhy-http\n",
                    &format!("name: meshwhy-{}\n", file.trim_end_matches(".wasm")),
                );
        rig.plane.kubectl(&["apply", "-f", "-"], &yaml)?;
        let seen = eventually(|| {
            rig.pod("client")?.exec(&["curl", "-s", "-m", "5", "http://helloworld/"])?;
            let said = shell.run("kubectl meshwhy status -l app=client --over 0s")?;
            Ok((said.code == 1 && said.out.contains(says)).then_some(said))
        })
        .with_context(|| {
            format!("{file}: {says} expected, but {:#?}", shell.run("kubectl meshwhy status -l app=client"))
        });
        rig.plane.kubectl(&["delete", "-f", "-"], &yaml)?;
        seen?;
    }
    Ok(())
}
