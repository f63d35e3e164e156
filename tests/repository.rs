//! What lies around the code: the Makefile and the workflows, as an attacker would read them, and
//! what the filter is built on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// What the settings of the Makefile may be set to: each ends a quote, or is expanded by make or by a shell.
const HOSTILE: &[&str] = &[
    "v';touch${IFS}x;'",
    "v\";touch${IFS}x;\"",
    "$(shell touch x)",
    "$$(touch x)",
    "`touch x`",
    "v;touch x",
    "a b\n touch x",
    "--help",
];

fn settings() -> Vec<String> {
    let makefile = read("Makefile");
    let (_, rest) = makefile.split_once("SETTINGS := ").unwrap();
    let (list, _) = rest.split_once("\n$(foreach").unwrap();
    list.split_whitespace().filter(|word| *word != "\\").map(str::to_owned).collect()
}

#[test]
fn every_setting_goes_through_the_environment() {
    let makefile = read("Makefile");
    let settings = settings();
    let set: Vec<&str> =
        makefile.lines().filter_map(|line| line.split_once(" ?=")).map(|(name, _)| name).collect();
    assert!(set.iter().all(|name| settings.iter().any(|s| s == name)), "{set:?} {settings:?}");
    for line in makefile.lines().filter(|line| line.starts_with('\t')) {
        // What make itself puts in: a word of its own, and the names of makefiles.
        let known = line.replace("$(say)", "").replace("$(MAKEFILE_LIST)", "").replace("$$", "");
        assert!(!known.contains('$'), "make expands into a shell: {line}");
    }
}

/// Each target that has a setting, with programs that do nothing in place of cargo and the others.
#[cfg(unix)]
#[test]
fn no_setting_is_run() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = std::env::temp_dir().join(format!("meshwhy-make-{}", std::process::id()));
    let (bin, work) = (folder.join("bin"), folder.join("work"));
    fs::create_dir_all(work.join("fuzz")).unwrap();
    fs::create_dir_all(work.join("dist")).unwrap();
    fs::create_dir_all(&bin).unwrap();
    fs::copy(root().join("Makefile"), work.join("Makefile")).unwrap();
    fs::write(work.join("CHANGELOG.md"), "").unwrap();
    let log = folder.join("log");
    let script = format!(
        "#!/bin/sh\nfor word in \"$@\"; do printf '<%s>' \"$word\"; done >>{0}\nenv | grep ^MESHWHY_ >>{0}\necho >>{0}\n",
        log.display()
    );
    let programs = ["cargo", "rustup", "rustc", "git", "sha256sum"].map(|name| bin.join(name));
    for program in programs.iter().chain([&work.join("fuzz/run.sh")]) {
        fs::write(program, &script).unwrap();
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let targets = ["release-check", "manifests", "demo", "test-matrix", "fuzz", "chaos", "soak"];
    for value in HOSTILE {
        for target in targets {
            for on_command_line in [false, true] {
                let mut make = Command::new("make");
                make.args([target, "-C"]).arg(&work).env("PATH", &path).env_remove("MAKEFLAGS");
                for name in settings() {
                    if on_command_line {
                        make.arg(format!("{name}={value}"));
                    } else {
                        make.env(name, value);
                    }
                }
                let output = make.output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(!created(&work), "{target} ran {value:?}: {said}");
                assert!(!said.contains("unexpected EOF"), "{target} {value:?}: {said}");
            }
        }
    }
    // And what is passed on is what was set.
    let words = fs::read_to_string(&log).unwrap();
    let url = HOSTILE[0];
    assert!(
        words.contains(&format!("<manifests><--url><{url}><--namespace><{url}><--docs><{url}>")),
        "{words}"
    );
    fs::remove_dir_all(&folder).unwrap();
}

/// Whether something has made the file that the settings ask for.
fn created(work: &PathBuf) -> bool {
    let known = ["Makefile", "CHANGELOG.md", "fuzz", "dist"];
    let mut entries = fs::read_dir(work).unwrap().map(|entry| entry.unwrap().file_name());
    entries.any(|name| !known.iter().any(|k| name == **k))
}

fn workflows() -> Vec<(String, Value)> {
    let folder = root().join(".github/workflows");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let parsed = files.map(|file| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        (name, serde_norway::from_str(&fs::read_to_string(&file).unwrap()).unwrap())
    });
    parsed.collect()
}

fn jobs(workflow: &Value) -> Vec<(String, Value)> {
    workflow["jobs"].as_object().unwrap().iter().map(|(name, job)| (name.clone(), job.clone())).collect()
}

fn steps(job: &Value) -> Vec<Value> {
    job["steps"].as_array().cloned().unwrap_or_default()
}

#[test]
fn workflows_use_actions_by_their_commit() {
    let mut seen = 0;
    for (file, workflow) in workflows() {
        for (job, value) in jobs(&workflow) {
            for used in steps(&value).iter().chain([&value]).filter_map(|step| step["uses"].as_str()) {
                if used.starts_with("./") {
                    continue;
                }
                seen += 1;
                let (_, commit) = used.split_once('@').unwrap();
                let is_commit = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
                assert!(is_commit, "{file}: {job}: {used}");
                // For people, and for the robots that raise it.
                let text = read(&format!(".github/workflows/{file}"));
                assert!(text.contains(&format!("{used} # v")), "{file}: {used} without its tag");
            }
            if let Some(image) = value["container"]["image"].as_str() {
                let toolchain = read("rust-toolchain.toml");
                let version = image.strip_prefix("rust:").and_then(|image| image.split('-').next()).unwrap();
                assert!(toolchain.contains(&format!("channel = \"{version}\"")), "{file}: {image}");
            }
        }
    }
    assert!(seen >= 8);
}

#[test]
fn workflows_may_do_no_more_than_they_need() {
    for (file, workflow) in workflows() {
        assert_eq!(workflow["permissions"], serde_json::json!({}), "{file}");
        assert!(workflow["on"].get("pull_request_target").is_none(), "{file}");
        for (name, job) in jobs(&workflow) {
            let granted = job["permissions"].as_object().unwrap_or_else(|| panic!("{file}: {name}"));
            let writes = granted.values().any(|value| value == "write");
            let text = job.to_string();
            assert!(!text.contains("secrets."), "{file}: {name} has a secret");
            // Whoever may write runs nothing of the repository's.
            let runs = ["actions/checkout", "make ", "cargo "].iter().any(|word| text.contains(word));
            assert!(!(writes && runs), "{file}: {name}");
            for step in steps(&job) {
                // An expression in a script is text that becomes code.
                assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{file}: {name}: {step}");
                if step["uses"].as_str().is_some_and(|used| used.starts_with("actions/checkout@")) {
                    assert_eq!(step["with"]["persist-credentials"], false, "{file}: {name}");
                }
            }
            let privileged = text.contains("--privileged");
            assert!(!privileged || job["if"] == "github.event_name != 'pull_request'", "{file}: {name}");
        }
    }
}

#[test]
fn a_release_is_tested_and_signed() {
    let workflows = workflows();
    let of = |name: &str| workflows.iter().find(|(file, _)| file == name).unwrap().1.clone();
    let release = of("release.yml");
    assert_eq!(release["jobs"]["test"]["uses"], "./.github/workflows/ci.yml");
    assert!(of("ci.yml")["on"].as_object().unwrap().contains_key("workflow_call"));
    assert_eq!(release["jobs"]["publish"]["needs"], serde_json::json!(["test", "build"]));
    let order: Vec<String> = steps(&release["jobs"]["publish"]).iter().map(Value::to_string).collect();
    let at = |word: &str| order.iter().position(|step| step.contains(word)).unwrap();
    assert!(
        at("sha256sum -c") < at("attest-build-provenance")
            && at("attest-build-provenance") < at("gh release create")
    );
}

/// What the filter is built on, and nothing else.
#[test]
fn the_filter_has_its_own_dependencies_alone() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "--package", "meshwhy", "--edges", "normal,build", "--prefix", "none"])
        .args(["--target", "all", "--depth", "1", "--format", "{p}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates: Vec<_> = tree.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(crates, ["bitflags", "hashbrown", "log", "proxy-wasm", "serde", "serde_json"]);
}
