//! What lies around the code: the Makefile and the workflows, as an attacker would read them, and
//! what the filter is built on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use meshwhy::causes::{Cause, Sender};
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
            let of_kinds = value["strategy"]["matrix"]["include"].as_array().into_iter().flatten();
            let images = of_kinds.chain([&value["container"]]).filter_map(|kind| kind["image"].as_str());
            for image in images.filter(|image| !image.is_empty()) {
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
    assert_eq!(release["jobs"]["publish"]["needs"], serde_json::json!(["test", "pack"]));
    assert_eq!(release["jobs"]["pack"]["needs"], serde_json::json!(["build", "tool"]));
    // Each of the files that are signed is published.
    let text = release["jobs"]["publish"].to_string();
    for name in [
        "kubectl-meshwhy_*.tar.gz",
        "meshwhy.krew.yaml",
        "meshwhy-*.tgz",
        "meshwhy.oci.tar",
        "meshwhy.cdx.json",
    ] {
        assert!(text.contains(name), "{name} is not published");
    }
    let order: Vec<String> = steps(&release["jobs"]["publish"]).iter().map(Value::to_string).collect();
    let at = |word: &str| order.iter().position(|step| step.contains(word)).unwrap();
    assert!(
        at("sha256sum -c") < at("attest-build-provenance")
            && at("attest-build-provenance") < at("gh release create")
    );
}

#[test]
fn known_vulnerabilities_are_asked_for() {
    let (_, ci) = workflows().into_iter().find(|(file, _)| file == "ci.yml").unwrap();
    assert!(ci["on"]["schedule"][0]["cron"].is_string(), "the database grows while nobody pushes");
    let jobs = jobs(&ci);
    let mut lints = jobs.iter().flat_map(|(_, job)| steps(job)).filter(|step| step["run"] == "make lint");
    assert!(lints.any(|step| step["env"]["ADVISORIES"] == "1"));
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

/// Every attribute that the sources read is in the list that users are pointed to. Playing at random doesn't reach all of them.
#[test]
fn every_attribute_that_is_read_is_listed() {
    let list = read("e2e/vm/tests/hostile.rs");
    let (_, list) = list.split_once("const PROPERTIES: &[&str] = &[\n").unwrap();
    let (list, _) = list.split_once("\n];").unwrap();
    // Filter state of meshwhy's own has a bare name.
    let listed: BTreeSet<&str> = list
        .lines()
        .map(|line| line.trim().trim_matches(['"', ',']))
        .filter(|name| !name.starts_with("meshwhy."))
        .collect();
    let folders =
        ["src/filter", "src/filter/collect"].map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let filter = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let sources = filter.filter(|path| path.is_file()).chain([root().join("src/contexts.rs")]);
    let mut asked = BTreeSet::new();
    for source in sources {
        let text = fs::read_to_string(source).unwrap();
        let paths = text.split('"').filter(|text| text.contains(r"\0"));
        asked.extend(paths.map(|path| path.replace(r"\0", ".")));
    }
    assert!(asked.len() > 30, "{asked:?}");
    assert_eq!(asked.iter().map(String::as_str).collect::<BTreeSet<_>>(), listed);
}

fn manifests(name: &str) -> Vec<Value> {
    let text = read(&format!("envoyfilter/{name}"));
    text.split("\n---\n").map(|document| serde_norway::from_str(document).unwrap()).collect()
}

/// What an access logger's VM may do: `SECURITY.md` says so. One that may do more could change traffic, were its file another.
#[test]
fn access_loggers_may_read_count_and_log() {
    let allowed: BTreeSet<&str> = [
        "proxy_on_context_create",
        "proxy_on_configure",
        "proxy_on_log",
        "proxy_on_delete",
        "proxy_define_metric",
        "proxy_get_buffer_bytes",
        "proxy_get_current_time_nanoseconds",
        "proxy_get_header_map_value",
        "proxy_get_property",
        "proxy_increment_metric",
        "proxy_log",
        "proxy_record_metric",
    ]
    .into();
    let mut seen = 0;
    for manifest in manifests("base/envoyfilter-access-log.yaml") {
        let value = &manifest["spec"]["configPatches"][0]["patch"]["value"];
        let logger = [&value["access_log"][0], &value["typed_config"]["access_log"][0]];
        let logger = logger.into_iter().find(|logger| logger.is_object()).unwrap();
        let config = &logger["typed_config"]["config"];
        let capabilities = &config["vm_config"]["capability_restriction_config"]["allowed_capabilities"];
        let names: BTreeSet<&str> = capabilities.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, allowed, "{}", manifest["metadata"]["name"]);
        // Shared with a filter, the VM would do what that may, or keep it from that.
        assert_eq!(config["vm_config"]["vm_id"], "meshwhy-access-log");
        seen += 1;
    }
    assert_eq!(seen, 2);
}

/// On the agent's port 15020 an application can write `meshwhy_*` series of its own.
#[test]
fn only_the_proxys_own_port_is_scraped() {
    let monitor = &manifests("podmonitor.yaml")[0];
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    let addresses = |rules: &Value, target: &str| -> Vec<String> {
        let rules = rules.as_array().unwrap().iter().filter(|rule| rule[target] == "__address__");
        rules.map(|rule| rule["replacement"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(addresses(&endpoint["relabelings"], "targetLabel"), ["$1:15090"]);
    assert_eq!(monitor["spec"]["podMetricsEndpoints"].as_array().unwrap().len(), 1);
    let plain = &manifests("scrape-config.yaml")[0];
    let jobs = plain["scrape_configs"].as_array().or(plain.as_array()).unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(addresses(&jobs[0]["relabel_configs"], "target_label"), ["$1:15090"]);
}

/// The anchor that a heading gets: small letters, digits, `-` and `_`, spaces as `-`.
fn anchor(heading: &str) -> String {
    let letters = heading.trim_start_matches('#').trim().chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ => c.is_alphanumeric().then(|| c.to_ascii_lowercase()),
    });
    letters.collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let own = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for file in docs.chain(own).filter(|path| path.extension().is_some_and(|end| end == "md")) {
        let text = fs::read_to_string(&file).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            let (path, place) = link.split_once('#').unwrap_or((link, ""));
            let to = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(to.exists(), "{}: {link}", file.display());
            if place.is_empty() {
                continue;
            }
            let target = fs::read_to_string(&to).unwrap();
            let is_there = target.lines().any(|line| {
                (line.starts_with('#') && anchor(line) == place)
                    || line.contains(&format!("<a id=\"{place}\">"))
            });
            assert!(is_there, "{}: {link} has no such section", file.display());
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn every_document_says_the_modules_greatest_size() {
    let xtask = read("xtask/src/main.rs");
    let (_, rest) = xtask.split_once("const DEFAULT_MAX_BYTES: usize = ").unwrap();
    let most = rest.split(';').next().unwrap().replace('_', ",");
    for document in ["README.md", "CHANGELOG.md", "docs/development.md", "docs/performance.md"] {
        let text = read(document);
        let sizes: BTreeSet<&str> = text
            .match_indices(",000 bytes")
            .map(|(at, _)| text.get(at - 3..at + 4).unwrap())
            .filter(|size| size.starts_with(|c: char| c.is_ascii_digit()))
            .collect();
        assert_eq!(sizes, [most.as_str()].into(), "{document}");
    }
}

/// The causes that a selector leaves out.
fn left_out(selector: &str) -> BTreeSet<&str> {
    let lists = selector.split("cause!=\"").skip(1).chain(selector.split("cause!~\"").skip(1));
    lists.flat_map(|list| list.split('"').next().unwrap().split('|')).collect()
}

#[test]
fn alerts_leave_out_what_the_causes_say() {
    let by_design = |cause: &Cause| cause.definition().by_design;
    let imitated = |cause: &Cause| cause.definition().sender == Sender::Imitator;
    let rules: Value = serde_norway::from_str(&read("envoyfilter/monitoring/rules.yaml")).unwrap();
    for alert in rules["groups"][0]["rules"].as_array().unwrap() {
        let query = alert["expr"].as_str().unwrap();
        for selector in
            query.split("meshwhy_failures_total{").skip(1).map(|rest| rest.split('}').next().unwrap())
        {
            // What clients imitate, they do at gateways.
            let at_gateways = selector.contains("side!=\"downstream\"");
            let is_left_out = |cause: &Cause| match alert["alert"].as_str() {
                Some("MeshwhyNewCause") => at_gateways && imitated(cause),
                Some("MeshwhyCauseAboveRate") => by_design(cause) || at_gateways && imitated(cause),
                Some("MeshwhyFailuresAfterConfigChange") => imitated(cause),
                _ => false,
            };
            let expected: BTreeSet<&str> =
                Cause::ALL.iter().filter(|cause| is_left_out(cause)).map(|cause| cause.id()).collect();
            let regex = Vec::from_iter(expected.iter().copied()).join("|");
            assert_eq!(left_out(selector), expected, "{}: {selector}: cause!~\"{regex}\"", alert["alert"]);
        }
    }
}
