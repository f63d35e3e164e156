//! `make demo-istio` as a person uses it, and what is left of it when it is killed.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::harness::programs::{PACKAGES, Programs, Version};
use e2e::harness::rig::sandbox;
use e2e::harness::tools::{self, root};
use libtest_mimic::{Arguments, Failed, Trial};

const NAME: &str = "the_readmes_walk_and_nothing_left_when_killed";

fn main() {
    let arguments = Arguments::from_args();
    let obstacle = if arguments.list { None } else { obstacle() };
    let trial = Trial::test(NAME, || walk().map_err(|error| Failed::from(format!("{error:?}"))));
    if let Some(obstacle) = &obstacle {
        eprintln!("no real Istio: {obstacle}");
    }
    let trial = tools::unless_lacking(trial, obstacle.map(|_| "Istio"));
    libtest_mimic::run(&arguments, vec![trial]).exit();
}

fn obstacle() -> Option<String> {
    let missing = tools::install(PACKAGES.iter().copied());
    missing
        .first()
        .map(|program| format!("{program} is missing"))
        .or_else(sandbox::obstacle)
        .or_else(|| Programs::of(Version::V1_31).err().map(|error| format!("{error:#}")))
}

fn walk() -> Result<()> {
    let links = interfaces()?;
    // Of one that was killed.
    let _ = fs::remove_dir_all(root().join("target/istio/demo"));
    let mut demo = Demo(
        Command::new(env!("CARGO_BIN_EXE_demo_istio")).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?,
    );
    let (id, programs) = (demo.0.id(), root().join("target/istio/demo/bin"));
    eventually(Duration::from_secs(120), || {
        Ok(demo.0.try_wait()?.is_none() && programs.join("istioctl").exists())
    })?;
    let result = play(&programs);
    demo.0.kill()?;
    demo.0.wait()?;
    eventually(Duration::from_secs(10), || Ok(processes_of(id)? == 0))?;
    ensure!(interfaces()? == links, "network interfaces are left");
    result
}

/// The commands of the README.
fn play(programs: &Path) -> Result<()> {
    let run = |line: &str| {
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        let output = Command::new("sh").args(["-c", line]).current_dir(root()).env("PATH", path).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        anyhow::Ok(text + &String::from_utf8_lossy(&output.stderr))
    };
    let readme = words(&fs::read_to_string(root().join("README.md"))?);
    for (line, says) in [
        ("kubectl get pods -A", "helloworld-v1"),
        ("istioctl version --remote=false", "version"),
        ("kubectl apply -f target/istio/demo/meshwhy/", "meshwhy-http created"),
        ("kubectl apply -f target/istio/demo/page/gateway-termination.yaml", "virtualservice"),
        (&format!("kubectl exec outside -- curl -sik {RETRY}"), "HTTP/2 404"),
        ("sleep 2; kubectl logs -n istio-system ingress --tail=3", "gateway_without_http_routes"),
        ("kubectl meshwhy explain pod/ingress -n istio-system", "gateway_without_http_routes"),
        ("kubectl meshwhy status -A", "gateway_without_http_routes 1"),
        (FIX, "patched"),
        (&format!("kubectl exec outside -- curl -sikf {RETRY}"), "HTTP/2 200"),
        // A Service of one's own: it has endpoints and a name.
        ("kubectl expose pod helloworld-v1 --name fresh --port 80 --target-port 8080", "exposed"),
        ("kubectl exec client -- curl -si http://fresh/", "200 OK"),
    ] {
        // The README only says that istioctl is there, and nothing of Services.
        let own = line.starts_with("istioctl") || line.contains("fresh");
        ensure!(own || readme.contains(&words(line)), "the README has no {line}");
        let mut last = String::new();
        // Configuration takes a moment, and so does Envoy's log.
        eventually(Duration::from_secs(15), || {
            last = run(line)?;
            Ok(last.contains(says))
        })
        .map_err(|error| error.context(format!("{line}: no {says:?} in {last}")))?;
    }
    Ok(())
}

/// A text without its line breaks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const RETRY: &str = "--retry 20 --retry-delay 1 --retry-all-errors https://httpbin.example.com/";

const FIX: &str = r#"kubectl patch virtualservice httpbin --type json -p '[{"op": "remove", "path": "/spec/tls"},
    {"op": "add", "path": "/spec/http", "value": [{"route": [{"destination": {"host": "helloworld.default.svc.cluster.local"}}]}]}]'"#;

/// Killed, never asked to end.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The processes that live, or lived, in the sandbox that this one held.
fn processes_of(outside: u32) -> Result<usize> {
    let mark = format!("MESHWHY_SANDBOX={outside}");
    let marked = |entry: fs::DirEntry| {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    Ok(fs::read_dir("/proc")?.flatten().map(marked).filter(|is| *is).count())
}

fn interfaces() -> Result<Vec<String>> {
    let mut names: Vec<String> = fs::read_dir("/sys/class/net")?
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

fn eventually(patience: Duration, mut what: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + patience;
    while !what()? {
        ensure!(Instant::now() < deadline, "not within {} s", patience.as_secs());
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
