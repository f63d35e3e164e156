//! The manifests of `envoyfilter/`, rendered for the place that the module is downloaded from.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::files::write_if_changed;
use crate::image::{gzip, tar};

/// What the checked-in manifests have where the module's address and hash belong.
const PLACEHOLDER_URL: &str = "https://example.com/REPLACE-ME/meshwhy.wasm";
const PLACEHOLDER_SHA256: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What the overlay for one namespace has.
const PLACEHOLDER_NAMESPACE: &str = "\nnamespace: default\n";

/// The name, if a namespace can have it.
pub fn checked_namespace(name: &str) -> Result<&str> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ensure!(
        !name.is_empty()
            && name.len() < 64
            && !name.starts_with('-')
            && !name.ends_with('-')
            && name.bytes().all(fits),
        "{name:?} is no name of a namespace"
    );
    Ok(name)
}

/// What rules and dashboard have where the address of `docs/` belongs.
const PLACEHOLDER_DOCS: &str = "https://example.com/REPLACE-ME/docs";

/// The address of `docs/`, without a slash at its end, if it can't break the YAML and JSON that it goes into.
pub fn checked_docs(url: &str) -> Result<&str> {
    ensure!(!is_image(url), "{url:?} is no address of a page");
    Ok(checked_url(url)?.trim_end_matches('/'))
}

/// Copies rules and dashboard; their links lead to `docs`, if it is known.
pub fn render_monitoring(from: &Path, to: &Path, docs: Option<&str>) -> Result<Vec<String>> {
    let names = ["rules.yaml", "prometheusrule.yaml", "dashboard.json"];
    for name in names {
        let text = fs::read_to_string(from.join(name)).with_context(|| format!("read {name}"))?;
        let text = text.replace(PLACEHOLDER_DOCS, docs.unwrap_or(PLACEHOLDER_DOCS));
        write_if_changed(&to.join(name), text.as_bytes())?;
    }
    Ok(names.map(str::to_owned).to_vec())
}

/// Whether the URL is an image's.
pub fn is_image(url: &str) -> bool {
    url.starts_with("oci://")
}

/// What `sha256` has to be, in WasmPlugins and EnvoyFilters alike (Istio 1.31's agent, `pkg/wasm/cache.go`): the module's own
/// hash, but for an image the digest of its manifest, and where the URL names that (`@sha256:`) no other.
pub fn pin<'a>(url: &'a str, module: &'a str, image: &'a str) -> &'a str {
    match url.split_once("@sha256:") {
        Some((_, digest)) if is_image(url) => digest,
        _ if is_image(url) => image,
        _ => module,
    }
}

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
    if let Some((_, digest)) = url.split_once('@').filter(|_| is_image(url)) {
        let hash = digest.strip_prefix("sha256:").unwrap_or_default();
        let is_hex = hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        ensure!(hash.len() == 64 && is_hex, "{url:?}: a digest is sha256: and 64 of 0-9 and a-f");
    }
    Ok(url)
}

/// What the manifests are rendered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where the module is downloaded from.
    pub url: String,
    /// The namespace of the overlay for one.
    pub namespace: Option<String>,
}

/// Renders each YAML file of one folder into another; returns their names. `base` and the overlays are folders in it; what is in
/// `monitoring` knows nothing of the module, and the chart has values ([`chart`]).
pub fn render_folder(from: &Path, to: &Path, place: &Place, sha256: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && ["monitoring", "chart"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            let below = render_folder(&path, &to.join(&name), place, sha256)?;
            names.extend(below.into_iter().map(|file| format!("{name}/{file}")));
        } else if name.ends_with(".yaml") {
            let text = fs::read_to_string(&path).with_context(|| format!("read {name}"))?;
            let rendered = render(&text, place, sha256);
            write_if_changed(&to.join(&name), rendered.as_bytes())?;
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The files of the Helm chart, whose links become files; its values have the module's address and hash, and that of `docs` if it is
/// known.
pub fn chart(
    from: &Path,
    place: &Place,
    sha256: &str,
    docs: Option<&str>,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = chart_files(from, "")?;
    let values = files.get_mut("values.yaml").context("the chart has no values")?;
    let text = render(std::str::from_utf8(values)?, place, sha256);
    *values = text.replace(PLACEHOLDER_DOCS, docs.unwrap_or(PLACEHOLDER_DOCS)).into_bytes();
    Ok(files)
}

/// Writes them into a folder.
pub fn write_chart(files: &BTreeMap<String, Vec<u8>>, to: &Path) -> Result<()> {
    files.iter().try_for_each(|(name, content)| write_if_changed(&to.join(name), content).map(drop))
}

/// The chart as an archive that Helm installs, and its name.
pub fn packed_chart(files: BTreeMap<String, Vec<u8>>) -> Result<(String, Vec<u8>)> {
    let name = format!("meshwhy-{}.tgz", env!("CARGO_PKG_VERSION"));
    let files = files.into_iter().map(|(name, content)| (format!("meshwhy/{name}"), content));
    Ok((name, gzip(&tar(&files.collect())?)?))
}

fn chart_files(folder: &Path, below: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        let name = format!("{below}{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            files.extend(chart_files(&path, &format!("{name}/"))?);
        } else {
            files.insert(name, fs::read(&path).with_context(|| format!("read {}", path.display()))?);
        }
    }
    Ok(files)
}

/// One manifest for this place, with this hash ([`pin`]).
pub fn render(manifest: &str, place: &Place, sha256: &str) -> String {
    let rendered = manifest.replace(PLACEHOLDER_URL, &place.url).replace(PLACEHOLDER_SHA256, sha256);
    match &place.namespace {
        Some(namespace) => rendered.replace(PLACEHOLDER_NAMESPACE, &format!("\nnamespace: {namespace}\n")),
        None => rendered,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const MANIFEST: &str = "\
spec:
  url: https://example.com/REPLACE-ME/meshwhy.wasm
  sha256: \"0000000000000000000000000000000000000000000000000000000000000000\"
  type: HTTP
";

    fn at(url: &str) -> Place {
        Place { url: url.to_owned(), namespace: None }
    }

    #[test]
    fn address_and_hash_are_filled_in() {
        let rendered = render(MANIFEST, &at("http://10.0.0.1:8000/m.wasm"), "abc");
        assert_eq!(rendered, "spec:\n  url: http://10.0.0.1:8000/m.wasm\n  sha256: \"abc\"\n  type: HTTP\n");
    }

    #[test]
    fn an_image_has_a_hash_of_its_own() {
        let c = "c".repeat(64);
        let pinned = format!("oci://registry.example/meshwhy:0.1.0@sha256:{c}");
        for (url, sha256) in [
            ("https://example.com/m@sha256:1.wasm", "module"),
            ("oci://registry.example/meshwhy:0.1.0", "image"),
            (&pinned, c.as_str()),
        ] {
            assert_eq!(pin(url, "module", "image"), sha256, "{url}");
        }
        let rendered = render(MANIFEST, &at(&pinned), &c);
        assert_eq!(rendered, format!("spec:\n  url: {pinned}\n  sha256: \"{c}\"\n  type: HTTP\n"));
    }

    #[test]
    fn links_in_rules_and_dashboard_lead_where_docs_are() {
        let from = crate::compile::workspace_root().unwrap().join("envoyfilter/monitoring");
        let to = std::env::temp_dir().join(format!("meshwhy-monitoring-{}", std::process::id()));
        let docs = checked_docs("https://git.example.com/meshwhy/blob/main/docs/").unwrap();
        for name in render_monitoring(&from, &to, Some(docs)).unwrap() {
            let text = fs::read_to_string(to.join(&name)).unwrap();
            assert!(!text.contains("REPLACE-ME"), "{name} still has a placeholder");
            assert!(text.contains("https://git.example.com/meshwhy/blob/main/docs/causes.md#"), "{name}");
        }
        render_monitoring(&from, &to, None).unwrap();
        assert!(fs::read_to_string(to.join("rules.yaml")).unwrap().contains(PLACEHOLDER_DOCS));
        fs::remove_dir_all(to).unwrap();
        assert!(checked_docs("oci://a/b").is_err() && checked_docs("docs").is_err());
    }

    #[test]
    fn only_urls_that_istio_takes() {
        for url in ["https://a/b.wasm", "http://a:80/b", "oci://a/b:1"] {
            assert_eq!(checked_url(url).unwrap(), url);
        }
        for url in [
            "",
            "https://",
            "ftp://a/b",
            "file:///a",
            "https://a/b c",
            "https://a/\"\nx: y",
            "https://a/#b",
            "oci://a/b@sha256:1",
            "oci://a/b@1",
        ] {
            assert!(checked_url(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn only_names_that_kubernetes_takes() {
        assert_eq!(checked_namespace("shop-1").unwrap(), "shop-1");
        for name in ["", "-a", "a-", "A", "a b", "a: b", "a\n"] {
            assert!(checked_namespace(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_namespace_is_filled_in_where_one_is_asked_for() {
        let folder = std::env::temp_dir().join(format!("meshwhy-manifests-{}", std::process::id()));
        let place = Place { url: "https://a/b.wasm".into(), namespace: Some("shop".into()) };
        let from = crate::compile::workspace_root().unwrap().join("envoyfilter");
        let names = render_folder(&from, &folder, &place, "abc").unwrap();
        assert!(names.contains(&"base/kustomization.yaml".to_owned()), "{names:?}");
        let read = |name: &str| fs::read_to_string(folder.join("overlays").join(name)).unwrap();
        assert!(read("one-namespace/kustomization.yaml").contains("\nnamespace: shop\n"));
        assert!(!read("gateways-only/kustomization.yaml").contains("shop"));
        assert!(read("log-only/envoyfilter.yaml").contains("uri: https://a/b.wasm\n"));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_chart_is_whole_and_knows_the_module() {
        let folder = std::env::temp_dir().join(format!("meshwhy-chart-{}", std::process::id()));
        let from = crate::compile::workspace_root().unwrap().join("envoyfilter/chart");
        let docs = Some("https://docs.test");
        let files = chart(&from, &at("https://a/b.wasm"), "abc", docs).unwrap();
        write_chart(&files, &folder).unwrap();
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let values = read("values.yaml");
        assert!(values.contains("  url: https://a/b.wasm\n  # The module's own hash"), "{values}");
        assert!(
            values.contains("  sha256: \"abc\"\n") && values.contains("docsUrl: https://docs.test\n"),
            "{values}"
        );
        assert!(!values.contains("REPLACE-ME"), "{values}");
        // What values change is as it was.
        assert!(read("files/base/wasmplugin-http.yaml").contains(PLACEHOLDER_URL));
        assert!(!folder.join("files/base").is_symlink());
        let names = crate::image::unpacked_gzip(&packed_chart(files).unwrap().1);
        for name in
            ["Chart.yaml", "templates/proxies.yaml", "files/log-only.yaml", "files/monitoring/dashboard.json"]
        {
            assert!(names.contains(&format!("meshwhy/{name}")), "{names:?}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn checked_in_manifests_have_the_placeholders_wherever_a_module_is_fetched() {
        let folder = crate::compile::workspace_root().unwrap().join("envoyfilter");
        let overlays = fs::read_dir(folder.join("overlays")).unwrap().map(|entry| entry.unwrap().path());
        let mut fetching = 0;
        for folder in overlays.chain([folder.clone(), folder.join("base")]) {
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
                    if text.contains("sha256: \"") { (1, 1) } else { (0, 0) },
                    "{}",
                    path.display()
                );
                fetching += urls;
            }
        }
        assert_eq!(fetching, 5);
    }

    #[test]
    fn log_only_keeps_metrics_from_the_module_and_nothing_else() {
        let root = crate::compile::workspace_root().unwrap();
        let overlay =
            fs::read_to_string(root.join("envoyfilter/overlays/log-only/envoyfilter.yaml")).unwrap();
        let allowed: BTreeSet<&str> = overlay
            .lines()
            .filter_map(|line| line.trim().strip_suffix(": {}"))
            .filter(|name| *name != "ads")
            .collect();
        let calls = crate::module::KEPT_IMPORTS.into_iter().filter(|name| !name.ends_with("_metric"));
        let callbacks = crate::module::KEPT_EXPORTS.into_iter().filter(|name| name.starts_with("proxy_on_"));
        assert_eq!(allowed, calls.chain(callbacks).collect());
    }

    /// One root context has streams of one type: the SDK panics where an HTTP and a network filter share name and configuration.
    #[test]
    fn http_and_network_plugins_have_different_names() {
        let folder = crate::compile::workspace_root().unwrap().join("envoyfilter");
        let (mut http, mut network) = (BTreeSet::new(), BTreeSet::new());
        let overlays = fs::read_dir(folder.join("overlays")).unwrap().map(|entry| entry.unwrap().path());
        for folder in overlays.chain([folder.join("base")]) {
            for entry in fs::read_dir(folder).unwrap() {
                let text = fs::read_to_string(entry.unwrap().path()).unwrap();
                let mut lines = text.lines().map(str::trim).peekable();
                let mut plugin = String::new();
                while let Some(line) = lines.next() {
                    if line == "metadata:" {
                        plugin = named(lines.next());
                    } else if line == "type: HTTP" {
                        http.insert(plugin.clone());
                    } else if line == "type: NETWORK" {
                        network.insert(plugin.clone());
                    } else if lines.peek() == Some(&"config:") {
                        lines.next();
                        let of = if line.contains("filters.http.wasm") { &mut http } else { &mut network };
                        let name = named(lines.next());
                        if line.contains("filters.") {
                            of.insert(name);
                        }
                    }
                }
            }
        }
        assert_eq!(http.len(), 3, "{http:?}");
        assert_eq!(network.len(), 4, "{network:?}");
        assert!(http.is_disjoint(&network), "{http:?}, {network:?}");
    }

    fn named(line: Option<&str>) -> String {
        line.and_then(|line| line.strip_prefix("name: ")).unwrap().to_owned()
    }
}
