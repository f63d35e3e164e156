//! Istio's own YAML: samples that work, and the broken ones of its analyzers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde::Deserialize as _;
use serde_json::Value;

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

/// What istiod's tests have of the Gateway API, each with the status that istiod gives it.
const GATEWAY_API: &str = "pilot/pkg/config/kube/gateway/testdata/";

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
                // Has a test of its own.
                _ if name.starts_with(GATEWAY_API) => {}
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

/// The reasons for which istiod refuses a route of the Gateway API, by the route.
fn refused(golden: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut refused: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for document in serde_norway::Deserializer::from_str(golden) {
        let object = Value::deserialize(document).unwrap_or_default();
        let metadata = &object["metadata"];
        let id = format!(
            "{}/{}/{}",
            object["kind"].as_str().unwrap_or_default(),
            metadata["namespace"].as_str().unwrap_or_default(),
            metadata["name"].as_str().unwrap_or_default()
        );
        let parents = object["status"]["parents"].as_array().into_iter().flatten();
        for condition in parents.flat_map(|parent| parent["conditions"].as_array().into_iter().flatten()) {
            let about = condition["type"].as_str().unwrap_or_default();
            if condition["status"] == "False" && ["Accepted", "ResolvedRefs"].contains(&about) {
                let reason = condition["reason"].as_str().unwrap_or_default();
                refused.entry(id.clone()).or_default().insert(reason.to_owned());
            }
        }
    }
    refused
}

/// istiod's own verdict on each route of its tests, beside ours.
#[test]
fn what_istiod_says_of_gateway_api_routes() {
    let Some(source) = source() else {
        return skip("what_istiod_says_of_gateway_api_routes", "no ISTIO_SOURCE, no Go module");
    };
    let mut named: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    let mut files = Vec::new();
    yaml_files(&source.join(GATEWAY_API), &mut files);
    for file in files {
        let Ok(golden) = fs::read_to_string(file.with_extension("status.yaml.golden")) else { continue };
        let refused = refused(&golden);
        let found = findings(&[&file.to_string_lossy()]);
        let routes = found.iter().filter(|finding| text(finding, "resource").contains("Route/"));
        let found: BTreeSet<&str> = routes
            .clone()
            .filter(|finding| text(finding, "confidence") != "possible")
            .map(|finding| text(finding, "resource"))
            .collect();
        for route in &found {
            assert!(refused.contains_key(*route), "{}: istiod takes {route}", file.display());
        }
        for (route, reasons) in &refused {
            for reason in reasons {
                let [ours, all] = named.entry(reason.clone()).or_default();
                *ours += usize::from(found.contains(route.as_str()));
                *all += 1;
            }
        }
    }
    // These files hold no Services and few Namespaces: what takes one is not named here.
    for (reason, least) in [
        ("NoMatchingParent", 4),
        ("NoMatchingListenerHostname", 4),
        ("NotAllowedByListeners", 1),
        ("RefNotPermitted", 2),
    ] {
        let [ours, _] = named.get(reason).copied().unwrap_or_default();
        assert!(ours >= least, "{reason}: {named:?}");
    }
}
