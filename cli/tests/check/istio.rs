//! Istio's own YAML: samples that work, and the broken ones of its analyzers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::{check, findings, skip, text};

/// Istio's own examples of mistakes.
const BROKEN: &str = "pkg/config/analysis/analyzers/testdata/";

/// Findings below `certain` in Istio's tests and samples that were read and are right: the test
/// data does have the mistake, as it is only ever translated and never sees traffic.
const READ: [&str; 3] = [
    // `name: https-ports2` with `protocol: HTTP`.
    "tls_on_plaintext_port tests/testdata/config/external_services.yaml",
    // Port 443 of a ServiceEntry that has only 15004, twice.
    "cluster_missing tests/testdata/networking/ingress-gateway/configs.yaml",
    "cluster_missing tests/testdata/networking/ingress-gateway/configs.yaml",
];

/// The one that is certain: two rules without conditions, of which the second is never reached.
const CERTAIN: &str =
    "virtual_service_not_applied samples/bookinfo/networking/fault-injection-details-v1.yaml";

/// Istio's source: `ISTIO_SOURCE`, or what Go's module cache has of the version that the rig runs.
fn source() -> Option<PathBuf> {
    if let Some(folder) = env::var_os("ISTIO_SOURCE") {
        return Some(folder.into());
    }
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e/istio/istio-1.31");
    let output = Command::new("go")
        .args(["list", "-f", "{{.Module.Dir}}", "istio.io/istio/pilot/cmd/pilot-agent"])
        .env("GOPROXY", "off")
        .env("GOFLAGS", "-mod=readonly")
        .current_dir(module)
        .output()
        .ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    folder.is_absolute().then_some(folder)
}

fn yaml_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, files);
        } else if path.extension().is_some_and(|end| end == "yaml") {
            files.push(path);
        }
    }
}

#[test]
fn no_false_finding_in_any_file() {
    let Some(source) = source() else {
        return skip("no_false_finding_in_any_file", "no ISTIO_SOURCE, no Go module");
    };
    let mut files = Vec::new();
    for folder in ["samples", "manifests", "pilot", "pkg", "tests", "operator"] {
        yaml_files(&source.join(folder), &mut files);
    }
    assert!(files.len() > 1000, "{}", files.len());
    let mut likely = Vec::new();
    let mut broken = 0;
    for file in files.iter().filter(|file| worth_reading(file)) {
        for finding in findings(&[&file.to_string_lossy()]) {
            let name = file.strip_prefix(&source).unwrap().to_string_lossy().into_owned();
            match text(&finding, "confidence") {
                _ if name.starts_with(BROKEN) => broken += 1,
                "certain" => assert_eq!(format!("{} {name}", text(&finding, "cause")), CERTAIN, "{finding}"),
                "likely" => likely.push(format!("{} {name}", text(&finding, "cause"))),
                _ => {}
            }
        }
    }
    likely.sort_unstable_by(|one, two| two.cmp(one));
    assert_eq!(likely, READ);
    assert!(broken >= 15, "{broken}");
}

/// A process for each file takes its time: most hold nothing of Istio's networking.
fn worth_reading(file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains("istio.io/"))
}

#[test]
fn samples_as_one_folder() {
    let Some(source) = source() else {
        return skip("samples_as_one_folder", "no ISTIO_SOURCE, no Go module");
    };
    for folder in [
        "samples",
        "samples/bookinfo",
        "samples/bookinfo/networking",
        "samples/helloworld",
        "samples/httpbin",
    ] {
        let run = check(&["--json", &source.join(folder).to_string_lossy()], "");
        assert!(
            !run.stdout.contains("\"certain\"") && !run.stdout.contains("\"likely\""),
            "{folder}: {}",
            run.stdout
        );
    }
}
