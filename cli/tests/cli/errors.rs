//! `docs/errors.md`: what it says of each line is what the tool says.

use std::path::Path;

use serde_json::Value;

use super::{fed, out};

#[test]
fn the_first_cause_of_each_section_is_that_of_its_line() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut compared = 0;
    for section in page.split("\n## ").skip(1) {
        let line = section.lines().find_map(|line| line.strip_prefix("    ")).unwrap();
        let (_, rest) = section.split_once("**[").unwrap();
        let (cause, link) = rest.split_once("](causes.md#").unwrap();
        assert!(link.starts_with(&format!("{cause})")), "{section}");
        let failure = out(&fed(&["explain", "--json", "-"], line.as_bytes()));
        let said: Value = serde_json::from_str(failure.lines().next().unwrap()).unwrap();
        assert_eq!(said["cause"], cause, "{section}");
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}
