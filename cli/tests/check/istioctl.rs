//! The same files through `istioctl analyze`, as the table in docs/check.md.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use super::{examples, findings, folder, skip, text};

const BEGIN: &str = "<!-- istioctl: begin -->\n";
const END: &str = "<!-- istioctl: end -->\n";

/// `MESHWHY_BLESS=1` writes the table anew. The version of istioctl is the table's: 1.31.
#[test]
fn the_table_of_the_documentation() {
    let istioctl = env::var("ISTIOCTL").unwrap_or_else(|_| "istioctl".to_owned());
    if Command::new(&istioctl).args(["version", "--remote=false"]).output().is_err() {
        return skip("the_table_of_the_documentation", "no istioctl (set ISTIOCTL)");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/check.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let current = format!("{before}{BEGIN}{}{END}{after}", table(&istioctl));
    if env::var_os("MESHWHY_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, current).unwrap();
    } else {
        assert_eq!(page, current, "the table is out of date; MESHWHY_BLESS=1 writes it");
    }
}

fn table(istioctl: &str) -> String {
    let mut table = "| file | `meshwhy check` | `istioctl analyze` |\n|---|---|---|\n".to_owned();
    for example in [examples("mistakes"), examples("healthy")].concat() {
        let own = findings(&[&example]);
        let own = own
            .iter()
            .map(|finding| format!("`{}` ({})", text(finding, "cause"), text(finding, "confidence")));
        let cell = |findings: Vec<String>| {
            if findings.is_empty() { "nothing".to_owned() } else { findings.join(", ") }
        };
        let name = example.trim_end_matches(".yaml");
        let _ =
            writeln!(table, "| {name} | {} | {} |", cell(own.collect()), cell(analyze(istioctl, &example)));
    }
    table
}

/// The messages of istioctl: what it is about, by its number and level.
fn analyze(istioctl: &str, example: &str) -> Vec<String> {
    let output = Command::new(istioctl)
        .args(["analyze", "--use-kube=false", "--all-namespaces", "--color=false", example])
        .current_dir(folder())
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let messages: BTreeSet<_> = said.lines().filter_map(message).collect();
    assert!(!messages.is_empty() || said.contains("No validation issues found"), "{example}: {said}");
    messages.into_iter().collect()
}

/// `Error [IST0101] (VirtualService ...) Referenced gateway not found: "gw"` in short.
fn message(line: &str) -> Option<String> {
    let (level, rest) = line.split_once(" [")?;
    let (code, rest) = rest.split_once("] (")?;
    let what = rest.split_once(") ")?.1.split_once(':').map_or("", |(what, _)| what);
    let about = if code == "IST0101" {
        format!(": {}", what.trim_start_matches("Referenced "))
    } else {
        String::new()
    };
    Some(format!("{} {code}{about}", level.to_lowercase()))
}
