//! How `check` is used in a pipeline: formats, exit codes, and what may be left out.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Run, check, folder, text};

const CERTAIN: &str = "mistakes/missing-port.yaml";
const LIKELY: &str = "mistakes/double-tls.yaml";

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stdout))
}

/// A folder for one test.
fn temporary(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("meshwhy-check-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_whole_as_one_object() {
    let run = check(&["--format", "json", CERTAIN, LIKELY, "templates/helm.yaml", "-"], "a: [1\n");
    let whole = json(&run);
    assert_eq!((whole["version"].as_u64(), run.code), (Some(1), 2));
    let summary = &whole["summary"];
    assert_eq!(
        (&summary["certain"], &summary["likely"], &summary["possible"]),
        (&1.into(), &1.into(), &0.into())
    );
    assert_eq!((&summary["findings"], &summary["fails"]), (&2.into(), &true.into()));
    assert_eq!(text(&whole["findings"][0], "cause"), "double_tls");
    assert_eq!(text(&whole["unreadable"][0], "file"), "-");
    assert_eq!(text(&whole["templates"][0], "file"), "templates/helm.yaml");
}

#[test]
fn what_does_not_count_is_said() {
    let last = |arguments: &[&str]| check(arguments, "").stdout.lines().last().unwrap().to_owned();
    assert_eq!(last(&[LIKELY]), "1 likely finding doesn't fail the check; --fail-on likely makes it count");
    assert_eq!(last(&["--fail-on", "likely", LIKELY]), "2 resources checked, 1 finding");
    assert_eq!(last(&["--fail-on", "never", LIKELY]), "2 resources checked, 1 finding");
    let both = check(&[CERTAIN, LIKELY], "").stdout;
    assert!(both.contains("5 resources checked, 2 findings (1 certain, 1 likely)\n"), "{both}");
}

#[test]
fn sarif_is_what_code_scanning_takes() {
    let allowed = "# meshwhy: allow cluster_missing the port comes next week\n";
    let mistake = fs::read_to_string(folder().join(CERTAIN)).unwrap();
    let run =
        check(&["--format", "sarif", LIKELY, "-"], &mistake.replace("---\n", &format!("---\n{allowed}")));
    let log = json(&run);
    assert_eq!(text(&log, "version"), "2.1.0");
    let run = &log["runs"][0];
    let rules: Vec<_> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| text(rule, "id")).collect();
    assert_eq!(rules, ["cluster_missing", "double_tls"]);
    let results = run["results"].as_array().unwrap();
    let of = |index: usize| (text(&results[index], "ruleId"), text(&results[index], "level"));
    assert_eq!((of(0), of(1)), (("double_tls", "warning"), ("cluster_missing", "error")));
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(text(&place["artifactLocation"], "uri"), LIKELY);
    assert_eq!(place["region"]["startLine"], 21);
    assert!(results[0].get("suppressions").is_none());
    assert_eq!(text(&results[1]["suppressions"][0], "justification"), "the port comes next week");
}

#[test]
fn names_break_out_of_no_format() {
    let folder = temporary("names");
    let file = folder.join("a b,100%:x.yaml");
    fs::copy(super::folder().join(CERTAIN), &file).unwrap();
    let of = |format: &str| check(&["--format", format, name(&file)], "").stdout;
    let github = of("github");
    let first = github.lines().next().unwrap();
    assert!(
        first.starts_with("::error file=") && first.contains("a b%2C100%25%3Ax.yaml,line=41,title="),
        "{first}"
    );
    assert!(of("sarif").contains("a%20b,100%25:x.yaml"), "{}", of("sarif"));
    let hostile = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: \"a<b>&\\n::error::\\e[31m\"}\n\
                   spec: {hosts: [x.com], ports: [{number: 443, name: http, protocol: HTTP}]}";
    for format in ["text", "json", "jsonl", "sarif", "github", "junit"] {
        let run = check(&["--format", format, "-"], hostile);
        assert!(
            !run.stdout.contains('\x1b') && !run.stdout.contains("\n::error::"),
            "{format}: {}",
            run.stdout
        );
        assert!(run.stdout.contains("tls_on_plaintext_port"), "{format}: {}", run.stdout);
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn junit_has_a_test_for_each_finding() {
    let xml = check(&["--format", "junit", "--fail-on", "certain", CERTAIN, LIKELY], "").stdout;
    assert!(xml.contains("tests=\"2\" skipped=\"1\" errors=\"0\" failures=\"1\""), "{xml}");
    assert!(
        xml.contains("<failure message=") && xml.contains("classname=\"mistakes/missing-port.yaml\""),
        "{xml}"
    );
    let xml = check(&["--format", "junit", "healthy/tls-origination-from-port-80.yaml"], "").stdout;
    assert!(xml.contains("tests=\"1\"") && xml.contains("failures=\"0\""), "{xml}");
}

#[test]
fn comments_allow_findings_of_their_document() {
    let mistake = fs::read_to_string(folder().join(CERTAIN)).unwrap();
    let with = |comment: &str| {
        let (before, after) = mistake.rsplit_once("---\n").unwrap();
        check(&["-"], &format!("{before}---\n{comment}\n{after}"))
    };
    let allowed = with("# meshwhy: allow cluster_missing the port comes with the next release");
    assert_eq!((allowed.code, allowed.stderr.as_str()), (0, ""));
    assert!(allowed.stdout.ends_with("0 findings, 1 allowed by comments\n"), "{}", allowed.stdout);
    for (comment, note) in [
        ("# meshwhy: allow cluster_missing", "without a reason"),
        ("# meshwhy: allow no_such_cause because", "is no cause"),
        ("# meshwhy: allow double_tls because", "nothing to allow: this document has no double_tls"),
    ] {
        let run = with(comment);
        assert!(run.code == 1 && run.stderr.contains(note), "{comment}: {}", run.stderr);
    }
    // Another document's comment.
    let elsewhere = format!("# meshwhy: allow cluster_missing because\n{mistake}");
    let run = check(&["-"], &elsewhere);
    assert!(run.code == 1 && run.stderr.contains("nothing to allow"), "{}", run.stderr);
}

#[test]
fn a_baseline_holds_what_was_there_before() {
    let folder = temporary("baseline");
    let (baseline, file) = (folder.join("baseline.json"), folder.join("a.yaml"));
    fs::copy(super::folder().join(CERTAIN), &file).unwrap();
    let run = |more: &[&str]| check(&[&["--baseline", name(&baseline), name(&file)], more].concat(), "");
    assert_eq!(run(&[]).code, 2, "there is none yet");
    assert_eq!(run(&["--update-baseline"]).code, 0);
    let again = run(&[]);
    assert!(again.code == 0 && again.stdout.ends_with("0 findings, 1 in the baseline\n"), "{}", again.stdout);
    // On another line it is the same mistake; a second of the kind is not.
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("# moved\n{text}")).unwrap();
    assert_eq!(run(&[]).code, 0);
    fs::write(
        &file,
        format!("{text}  - route:\n    - destination: {{host: reviews, port: {{number: 9999}}}}\n"),
    )
    .unwrap();
    let (code, out) = (run(&[]).code, run(&["--format", "jsonl"]).stdout);
    // And its rule is behind one that takes every request.
    let causes: Vec<_> =
        out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["cause"].clone()).collect();
    assert_eq!((code, causes), (1, vec!["virtual_service_not_applied".into(), "cluster_missing".into()]));
    fs::write(&baseline, "{\"version\": 2, \"findings\": []}").unwrap();
    assert!(run(&[]).stderr.contains("version 2 is not known"));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn files_and_folders_are_passed_over_by_name_or_path() {
    let top = temporary("exclude");
    let charts = top.join("apps/charts");
    fs::create_dir_all(&charts).unwrap();
    fs::copy(folder().join(CERTAIN), top.join("port.yaml")).unwrap();
    fs::copy(folder().join(LIKELY), charts.join("tls.tmpl.yaml")).unwrap();
    let found = |globs: &[&str]| {
        let options: Vec<&str> = globs.iter().flat_map(|glob| ["--exclude", *glob]).collect();
        let out = check(&[&["--json"], &options[..], &[name(&top)]].concat(), "").stdout;
        (out.contains("cluster_missing"), out.contains("double_tls"))
    };
    assert_eq!(found(&[]), (true, true));
    for glob in ["charts", "**/charts", "apps", "apps/charts/*", "*.tmpl.yaml", "**/tls.*"] {
        assert_eq!(found(&[glob]), (true, false), "{glob}");
    }
    for glob in ["apps/*.yaml", "chart", "tls"] {
        assert_eq!(found(&[glob]), (true, true), "{glob}");
    }
    assert_eq!(found(&["port.yaml", "charts"]), (false, false));
    let none = check(&["--exclude", "**", name(&top)], "");
    assert!(none.code == 2 && none.stderr.contains("no .yaml, .yml or .json file in it"), "{}", none.stderr);
    assert_eq!(check(&["--exclude", "a[", name(&top)], "").code, 2);
    fs::remove_dir_all(top).unwrap();
}

#[test]
fn nothing_is_passed_over_in_silence() {
    let folder = temporary("silence");
    let write = |file: &str, text: &str| fs::write(folder.join(file), text).unwrap();
    let empty = folder.join("empty");
    fs::create_dir(&empty).unwrap();
    let run = check(&[name(&empty)], "");
    assert!(run.code == 2 && run.stderr.contains("no .yaml, .yml or .json file in it"), "{}", run.stderr);
    write("prose.yaml", "Dear reader, this is not a manifest.\n");
    let run = check(&[name(&folder.join("prose.yaml"))], "");
    assert!(run.code == 0 && run.stderr.contains("no Kubernetes resource in it"), "{}", run.stderr);
    // A JSON array, capitals, a key that is there twice.
    let entry = r#"{"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": "x", "name": "x"},
        "spec": {"hosts": ["x.com"], "ports": [{"number": 443, "name": "http", "protocol": "HTTP"}]}}"#;
    write("array.JSON", &format!("[{entry}]"));
    let run = check(&[name(&folder)], "");
    assert!(run.stdout.contains("tls_on_plaintext_port"), "{}", run.stdout);
    assert!(run.stderr.contains("the key name is there twice"), "{}", run.stderr);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_namespace_can_be_given() {
    let text = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec: {selector: {a: b}, servers: [{port: {number: 80, \
                name: http, protocol: HTTP}, hosts: ['*']}]}\n---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: vs, namespace: web}\n\
                spec: {hosts: [a.com], gateways: [gw], http: [{route: [{destination: {host: a}}]}]}";
    let assumed = check(&["-"], text).stdout;
    assert!(assumed.contains("(possible)") && assumed.contains("default was assumed"), "{assumed}");
    assert!(check(&["--namespace", "web", "-"], text).stdout.ends_with(" 0 findings\n"));
    let elsewhere = check(&["--namespace", "edge", "-"], text).stdout;
    assert!(elsewhere.contains("(likely)") && !elsewhere.contains("assumed"), "{elsewhere}");
}

#[test]
fn what_could_not_be_read_is_in_every_format() {
    let broken = "a: [1\n";
    let run = |format: &str| check(&["--format", format, "-"], broken);
    assert!(run("github").stdout.starts_with("::error file=-,line=1::no YAML: "), "{}", run("github").stdout);
    let junit = run("junit").stdout;
    assert!(junit.contains("tests=\"1\" skipped=\"0\" errors=\"1\" failures=\"0\""), "{junit}");
    let invocation = &json(&run("sarif"))["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(text(&invocation["toolExecutionNotifications"][0], "level"), "error");
    // What was not checked, too.
    let template = json(&check(&["--format", "sarif", "templates/helm.yaml"], ""));
    let notifications = &template["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    assert!(
        text(&notifications[0]["message"], "text").ends_with("has placeholders: not checked"),
        "{notifications}"
    );
}

/// As where a program before the pipe failed.
#[test]
fn nothing_on_standard_input_is_no_success() {
    for nothing in ["", "\n \n"] {
        let run = check(&["-"], nothing);
        assert!(run.code == 2 && run.stderr.contains("nothing on standard input"), "{}", run.stderr);
    }
}

#[test]
fn a_baseline_knows_a_file_by_either_spelling() {
    let folder = temporary("spelling");
    let baseline = folder.join("baseline.json");
    let run =
        |path: &str, more: &[&str]| check(&[&["--baseline", name(&baseline), path], more].concat(), "").code;
    assert_eq!(run(CERTAIN, &["--update-baseline"]), 0);
    assert_eq!((run(CERTAIN, &[]), run(&format!("./{CERTAIN}"), &[])), (0, 0));
    fs::remove_dir_all(folder).unwrap();
}
