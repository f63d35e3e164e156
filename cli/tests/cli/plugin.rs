//! `kubectl meshwhy`, with a script that answers as kubectl would. What it does on a cluster is tested on a real API server
//! (`e2e/src/istio/kubectl.rs`).

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{TIMEOUT, err, out};

/// A folder with the plugin, and a kubectl if it says something.
struct Plugin(PathBuf);

impl Plugin {
    fn new(name: &str, kubectl: Option<&str>) -> Self {
        let folder = std::env::temp_dir().join(format!("meshwhy-plugin-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        symlink(env!("CARGO_BIN_EXE_meshwhy"), folder.join("kubectl-meshwhy")).unwrap();
        if let Some(script) = kubectl {
            let file = folder.join("kubectl");
            fs::write(&file, format!("#!/bin/sh\n{script}")).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        }
        Self(folder)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        // With `sh` and what the scripts call, and no kubectl of this machine's.
        let tools = self.0.join("tools");
        fs::create_dir_all(&tools).unwrap();
        for tool in ["sh", "cat", "echo", "sleep"] {
            let _ = symlink(Path::new("/bin").join(tool), tools.join(tool));
        }
        Command::new(self.0.join("kubectl-meshwhy"))
            .args(arguments)
            .env("PATH", format!("{}:{}", self.0.display(), tools.display()))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A workload with one pod, whose proxy logged one failure.
fn cart(log: &str) -> String {
    cart_with(log, "exit 1")
}

/// The same, whose agent answers so.
fn cart_with(log: &str, exec: &str) -> String {
    r#"case "$1" in
config) echo shop ;;
get)
  case "$*" in
  *deploy/cart*) echo '{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "cart", "namespace": "shop"},
    "spec": {"selector": {"matchLabels": {"app": "cart"}}}}' ;;
  *pods*) echo '{"items": [
    {"metadata": {"name": "cart-1", "namespace": "shop"}, "status": {"phase": "Running"},
     "spec": {"containers": [{"name": "app"}, {"name": "istio-proxy", "args": ["proxy", "sidecar"]}]}},
    {"metadata": {"name": "cart-old", "namespace": "shop"}, "status": {"phase": "Running"},
     "spec": {"containers": [{"name": "app"}]}}]}' ;;
  esac ;;
logs) LOG
  ;;
exec) EXEC
  ;;
esac"#
        .replace("LOG", log)
        .replace("EXEC", exec)
}

#[test]
fn its_name_decides_what_it_is() {
    let help = out(&Plugin::new("name", None).run(&["--help"]));
    assert!(help.contains("kubectl meshwhy <COMMAND>") || help.contains("Usage: kubectl meshwhy"), "{help}");
    assert!(["explain", "check", "status", "request"].iter().all(|command| help.contains(command)), "{help}");
    assert!(!help.contains("correlate"), "{help}");
}

#[test]
fn without_kubectl_it_says_so() {
    let output = Plugin::new("missing", None).run(&["status", "-A"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).starts_with("meshwhy: kubectl is not in PATH"), "{}", err(&output));
}

#[test]
fn what_the_user_may_not_is_said_in_kubectls_words() {
    let script = "echo 'Error from server (Forbidden): pods is forbidden: User \"dev\" cannot list resource \"pods\"' >&2; exit 1";
    let output = Plugin::new("forbidden", Some(script)).run(&["status", "-n", "shop", "--as", "dev"]);
    assert_eq!(output.status.code(), Some(2));
    let said = err(&output);
    assert!(
        said.contains("kubectl get pods -n shop -o json: Error from server (Forbidden): pods is forbidden"),
        "{said}"
    );
    assert!(said.contains("--as choose another"), "{said}");
}

#[test]
fn a_log_that_cannot_be_had_is_named_and_the_rest_is_read() {
    let refused =
        format!("cat <<'END'\n{TIMEOUT}\nEND\necho 'Error from server (Forbidden): no pods/log' >&2; exit 1");
    let plugin = Plugin::new("log", Some(&cart(&refused)));
    let output = plugin.run(&["explain", "deploy/cart", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(out(&output).contains(r#""cause":"upstream_timeout""#), "{}", out(&output));
    let said = err(&output);
    assert!(said.contains("pod/cart-1: Error from server (Forbidden): no pods/log"), "{said}");
    assert!(said.contains("1 pod of deploy/cart without a proxy passed over"), "{said}");
}

#[test]
fn options_reach_kubectl() {
    let plugin = Plugin::new("options", Some(&cart("echo \"$*\" >&2; exit 1")));
    let output = plugin.run(&["explain", "deploy/cart", "--since", "10m", "--context", "test"]);
    let said = err(&output);
    assert!(said.contains("logs --context=test cart-1 -n shop -c istio-proxy --since=10m"), "{said}");
    for wrong in [
        &["explain", "deploy/cart", "--since", "ten"][..],
        &["explain", ""],
        &["explain"],
        &["status", "-n", ""],
    ] {
        assert_eq!(plugin.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn logs_are_followed_until_they_end() {
    let script = format!("cat <<'END'\n{TIMEOUT}\nEND\nsleep 0.3");
    let output = Plugin::new("follow", Some(&cart(&script))).run(&["explain", "deploy/cart", "-f"]);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert!(out(&output).contains("pod/cart-1:1"), "{}", out(&output));
}

#[test]
fn a_request_leaves_no_logs_behind() {
    let script = format!("cat <<'END'\n{TIMEOUT}\nEND");
    let plugin = Plugin::new("request", Some(&cart(&script)));
    let folder = plugin.0.join("tmp");
    fs::create_dir_all(&folder).unwrap();
    let output = Command::new(plugin.0.join("kubectl-meshwhy"))
        .args(["request", "id", "--json"])
        .env("PATH", format!("{}:/bin:/usr/bin", plugin.0.display()))
        .env("TMPDIR", &folder)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert!(out(&output).contains(r#""proxy":"cart-1""#), "{}", out(&output));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn status_shows_each_proxy_and_those_that_do_not_answer() {
    let answers = r#"case "$*" in
  *stats*) failures=7; [ -e "$0.asked" ] && failures=9; : >"$0.asked"; cat <<END
wasm.default.meshwhy-http.vm_reload: 0
wasmcustom.version=.=0.9.0;.;meshwhy_build_info: 1
wasmcustom.cause=.=no_endpoints;.;confidence=.=likely;.;meshwhy_failures_total: $failures
wasmcustom.cause=.=http10_client;.;confidence=.=likely;.;meshwhy_observations_total: 2
END
  ;;
  *) echo '{"configs": []}' ;;
  esac"#;
    let plugin = Plugin::new("status", Some(&cart_with("true", answers)));
    let output = plugin.run(&["status", "--over", "1s"]);
    let table = out(&output);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let row = "shop/cart-1  sidecar  0.9.0   http   no_endpoints 2  no_endpoints 7 (http10_client 2)\n";
    assert!(table.contains(row) && !table.contains("cart-old"), "{table}");
    assert!(table.contains("1 of 1 proxy run meshwhy; lately: within "), "{table}");
    let table = out(&plugin.run(&["status", "--over", "0s"]));
    let row = "shop/cart-1  sidecar  0.9.0   http   no_endpoints 9 (http10_client 2)\n";
    assert!(table.contains(row) && !table.contains("LATELY") && !table.contains("lately"), "{table}");
    let json = out(&plugin.run(&["status", "--over", "1s", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["schema"], "meshwhy.proxy/1");
    assert_eq!((&json["failures"]["no_endpoints"], &json["state"]), (&9.into(), &"runs".into()));
    assert_eq!(json["lately"]["failures"], serde_json::json!({}));
    assert!(json["lately"]["seconds"].as_f64() >= Some(1.0), "{json}");

    let refused = "echo 'Error from server (Forbidden): pods/exec' >&2; exit 1";
    let plugin = Plugin::new("no-exec", Some(&cart_with("true", refused)));
    let output = plugin.run(&["status"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(out(&output).contains("(Forbidden): pods/exec"), "{}", out(&output));
}
