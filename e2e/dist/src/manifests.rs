//! The manifests of `envoyfilter/`, rendered for the place that the module is downloaded from.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::files::write_if_changed;

/// What the checked-in manifests have where the module's address and hash belong.
const PLACEHOLDER_URL: &str = "https://example.com/REPLACE-ME/meshwhy.wasm";
const PLACEHOLDER_SHA256: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The URL, if Istio would take it and it can't break the YAML it goes into.
pub fn checked_url(url: &str) -> Result<&str> {
    let scheme = ["https://", "http://", "oci://"].into_iter().find(|scheme| url.starts_with(scheme));
    ensure!(
        scheme.is_some_and(|scheme| url.len() > scheme.len()),
        "{url:?} is no URL that a WasmPlugin can have: expected https://, http:// or oci://"
    );
    ensure!(
        url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'#' | b'\\')),
        "{url:?} has a character that is not allowed in a URL"
    );
    Ok(url)
}

/// Renders each YAML file of one folder into another; tells their names.
pub fn render_folder(from: &Path, to: &Path, url: &str, sha256: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".yaml") {
            continue;
        }
        let text = fs::read_to_string(from.join(&name)).with_context(|| format!("read {name}"))?;
        write_if_changed(&to.join(&name), render(&text, url, sha256).as_bytes())?;
        names.push(name);
    }
    names.sort();
    Ok(names)
}

fn render(manifest: &str, url: &str, sha256: &str) -> String {
    manifest
        .lines()
        // An image's sha256 is that of its manifest, not of the module in it.
        .filter(|line| !(url.starts_with("oci://") && line.trim_start().starts_with("sha256:")))
        .map(|line| line.replace(PLACEHOLDER_URL, url).replace(PLACEHOLDER_SHA256, sha256) + "\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "\
spec:
  url: https://example.com/REPLACE-ME/meshwhy.wasm
  sha256: \"0000000000000000000000000000000000000000000000000000000000000000\"
  type: HTTP
";

    #[test]
    fn address_and_hash_are_filled_in() {
        let rendered = render(MANIFEST, "http://10.0.0.1:8000/m.wasm", "abc");
        assert_eq!(rendered, "spec:\n  url: http://10.0.0.1:8000/m.wasm\n  sha256: \"abc\"\n  type: HTTP\n");
    }

    #[test]
    fn an_image_has_a_hash_of_its_own() {
        let rendered = render(MANIFEST, "oci://registry.example/meshwhy:0.1.0", "abc");
        assert_eq!(rendered, "spec:\n  url: oci://registry.example/meshwhy:0.1.0\n  type: HTTP\n");
    }

    #[test]
    fn only_urls_that_istio_takes() {
        for url in ["https://a/b.wasm", "http://a:80/b", "oci://a/b:1"] {
            assert_eq!(checked_url(url).unwrap(), url);
        }
        for url in
            ["", "https://", "ftp://a/b", "file:///a", "https://a/b c", "https://a/\"\nx: y", "https://a/#b"]
        {
            assert!(checked_url(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn checked_in_manifests_have_the_placeholders_wherever_a_module_is_fetched() {
        let folder = crate::workspace_root().unwrap().join("envoyfilter");
        let mut fetching = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let urls = text.matches(&format!(": {PLACEHOLDER_URL}\n")).count();
            let hashes = text.matches(&format!("sha256: \"{PLACEHOLDER_SHA256}\"\n")).count();
            assert_eq!(
                (urls, hashes),
                if text.contains("sha256:") { (1, 1) } else { (0, 0) },
                "{}",
                path.display()
            );
            fetching += urls;
        }
        assert_eq!(fetching, 3);
    }
}
