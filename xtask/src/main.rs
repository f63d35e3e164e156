//! `cargo xtask dist`, or `cargo dist`: builds what a release has (the module, its image, its bill of materials), and renders the
//! manifests that load it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use xtask::compile::{compile, workspace_root};
use xtask::files::{sha256_hex, write_if_changed};
use xtask::image::{self, Image, Origin};
use xtask::manifests::{self, Place};
use xtask::{krew, module, sbom};

const USAGE: &str = "\
usage: cargo xtask TASK; the task is dist, which `cargo dist` is short for
       cargo dist [OPTIONS]                 build dist/meshwhy.wasm, its .sha256, its image meshwhy.oci.tar,
                                            its bill of materials meshwhy.cdx.json, and SHA256SUMS of all
       cargo dist record                    build target/record/meshwhy.wasm, which writes evidence into
                                            the proxy's log: for the tests that record it
       cargo dist tool                      build the command-line tool for this platform and pack it:
                                            dist/kubectl-meshwhy_OS_ARCH.tar.gz
       cargo dist krew --url URL --homepage URL
                                            write dist/meshwhy.krew.yaml for the archives in dist/, which
                                            will be below that URL, and add all of them to SHA256SUMS
       cargo dist manifests --url URL       build, and render envoyfilter/ into dist/envoyfilter/ for that URL

options: --max-bytes N      refuse a larger module
         --docs URL         where docs/ can be read: alerts and dashboard link there
         --download URL     where these files will be: pack the Helm chart for it, too (meshwhy-VERSION.tgz)
         --source URL       where the image says that its sources are
         --revision COMMIT  and their commit
         --namespace NAME   what overlays/one-namespace is for";

/// Every worker thread of every proxy loads and compiles the module; growth should be noticed.
const DEFAULT_MAX_BYTES: usize = 240_000;

/// What was asked for on the command line.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    max_bytes: usize,
    /// Where users will download the module from, when manifests are wanted.
    manifests_for: Option<Place>,
    /// Where `docs/` can be read.
    docs: Option<String>,
    /// Where the files of a release can be downloaded.
    download: Option<String>,
    origin: Origin,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let done = match arguments.split_first() {
        Some((task, [one])) if task == "dist" && one == "record" => record(),
        Some((task, [one])) if task == "dist" && one == "tool" => tool(),
        Some((task, [what, rest @ ..])) if task == "dist" && what == "krew" => krew_manifest(rest),
        Some((task, all)) if task == "dist" => Request::parse(all).and_then(|request| run(&request)),
        Some((task, _)) => Err(anyhow!("no such task: {task:?}\n{USAGE}")),
        None => Err(anyhow!("which task?\n{USAGE}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dist: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(request: &Request) -> Result<()> {
    let root = workspace_root()?;
    let dist = root.join("dist");
    let module = build(&root, request.max_bytes)?;
    let sha256 = sha256_hex(&module);
    // The hash last: it is never there for a module that isn't.
    let changed = write_if_changed(&dist.join("meshwhy.wasm"), &module)?;
    write_if_changed(&dist.join("meshwhy.wasm.sha256"), format!("{sha256}  meshwhy.wasm\n").as_bytes())?;
    println!(
        "dist/meshwhy.wasm: {} bytes, sha256 {sha256}{}",
        module.len(),
        if changed { "" } else { " (unchanged)" }
    );
    println!("exports: {}", module::KEPT_EXPORTS.join(" "));
    let image = image(&dist.join("meshwhy.oci.tar"), &module, request)?;
    write_if_changed(&dist.join("meshwhy.oci.tar"), &image.archive)?;
    println!("dist/meshwhy.oci.tar: image sha256:{}", image.sha256);
    let sbom = sbom::sbom(&root, &sha256)?;
    write_if_changed(&dist.join("meshwhy.cdx.json"), &sbom)?;
    let mut files = BTreeMap::from([
        ("meshwhy.cdx.json".to_owned(), sbom),
        ("meshwhy.oci.tar".to_owned(), image.archive),
        ("meshwhy.wasm".to_owned(), module),
    ]);
    let chart = root.join("envoyfilter/chart");
    if let Some(url) = &request.download {
        let place = Place { url: format!("{url}/meshwhy.wasm"), namespace: None };
        let (name, archive) =
            manifests::packed_chart(manifests::chart(&chart, &place, &sha256, request.docs.as_deref())?)?;
        write_if_changed(&dist.join(&name), &archive)?;
        println!("dist/{name}: for {}", place.url);
        files.insert(name, archive);
    }
    let sums: String = files.iter().map(|(name, bytes)| format!("{}  {name}\n", sha256_hex(bytes))).collect();
    write_if_changed(&dist.join("SHA256SUMS"), sums.as_bytes())?;
    if let Some(place) = &request.manifests_for {
        let pin = manifests::pin(&place.url, &sha256, &image.sha256);
        println!(
            "manifests: sha256 {pin}{}",
            if manifests::is_image(&place.url) { ", an image's" } else { "" }
        );
        if manifests::is_image(&place.url) && pin != image.sha256 {
            println!("note: that is not the image in dist/meshwhy.oci.tar");
        }
        for name in
            manifests::render_folder(&root.join("envoyfilter"), &dist.join("envoyfilter"), place, pin)?
        {
            println!("dist/envoyfilter/{name}");
        }
        let (from, to) = (root.join("envoyfilter/monitoring"), dist.join("envoyfilter/monitoring"));
        for name in manifests::render_monitoring(&from, &to, request.docs.as_deref())? {
            println!("dist/envoyfilter/monitoring/{name}");
        }
        let files = manifests::chart(&chart, place, pin, request.docs.as_deref())?;
        manifests::write_chart(&files, &dist.join("envoyfilter/chart"))?;
        let (name, archive) = manifests::packed_chart(files)?;
        write_if_changed(&dist.join("envoyfilter").join(&name), &archive)?;
        println!("dist/envoyfilter/chart\ndist/envoyfilter/{name}");
        if request.docs.is_none() {
            println!(
                "note: links in monitoring/ still say REPLACE-ME; --docs URL (make: DOCS_URL) fills them in"
            );
        }
    }
    Ok(())
}

/// The module that records evidence: not a part of a release.
fn record() -> Result<()> {
    let root = workspace_root()?;
    let folder = root.join("target/record");
    fs::create_dir_all(&folder)?;
    let module = module::trim(&compile(&root, "record")?.wasm)?;
    write_if_changed(&folder.join("meshwhy.wasm"), &module)?;
    println!("target/record/meshwhy.wasm: {} bytes", module.len());
    Ok(())
}

/// The command-line tool, packed.
fn tool() -> Result<()> {
    println!("dist/{}", krew::tool(&workspace_root()?)?);
    Ok(())
}

/// As kubectl's plugin.
fn krew_manifest(arguments: &[String]) -> Result<()> {
    let (url, homepage) = match arguments {
        [a, url, b, homepage] if a == "--url" && b == "--homepage" => (url, homepage),
        _ => bail!("krew needs --url URL --homepage URL\n{USAGE}"),
    };
    let (url, homepage) = (manifests::checked_docs(url)?, manifests::checked_docs(homepage)?);
    let root = workspace_root()?;
    let template = fs::read_to_string(root.join("cli/krew.yaml"))?;
    krew::krew(&root.join("dist"), &template, url, homepage)?;
    println!("dist/meshwhy.krew.yaml");
    Ok(())
}

/// The image with this module. Manifests pin its digest, which is another with other labels: they are for the image
/// that was built before, and may be in a registry by now, where it has this module.
fn image(archive: &Path, module: &[u8], request: &Request) -> Result<Image> {
    let keeps = request.manifests_for.is_some() && request.origin == Origin::default();
    let before = if keeps { fs::read(archive).ok() } else { None };
    match before.and_then(|archive| image::made_before(archive, module)) {
        Some(image) => Ok(image),
        None => image::image(module, &request.origin),
    }
}

/// The finished module's bytes.
fn build(root: &Path, max_bytes: usize) -> Result<Vec<u8>> {
    let compiled = compile(root, "")?;
    let module = module::trim(&compiled.wasm)?;
    for path in &compiled.machine_paths {
        ensure!(
            !contains(&module, path.as_bytes()),
            "the module contains a path of this machine, {path}: it would differ on every other one"
        );
    }
    ensure!(
        module.len() <= max_bytes,
        "the module has {} bytes, more than the {max_bytes} allowed (--max-bytes)",
        module.len()
    );
    Ok(module)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && haystack.windows(needle.len()).any(|window| window == needle)
}

impl Request {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut request = Self {
            max_bytes: DEFAULT_MAX_BYTES,
            manifests_for: None,
            docs: None,
            download: None,
            origin: Origin::default(),
        };
        let mut wants_manifests = false;
        let (mut url, mut namespace) = (None, None);
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            match argument {
                "manifests" => wants_manifests = true,
                "--max-bytes" => {
                    let value = arguments.next().context("--max-bytes needs a number")?;
                    request.max_bytes =
                        value.parse().with_context(|| format!("--max-bytes: {value:?} is no number"))?;
                }
                "--url" => {
                    let value = arguments.next().context("--url needs a URL")?;
                    url = Some(manifests::checked_url(value)?.to_owned());
                }
                "--namespace" => {
                    let value = arguments.next().context("--namespace needs a name")?;
                    namespace = Some(manifests::checked_namespace(value)?.to_owned());
                }
                "--docs" => {
                    let url = arguments.next().context("--docs needs a URL")?;
                    request.docs = Some(manifests::checked_docs(url)?.to_owned());
                }
                "--download" => {
                    let url = arguments.next().context("--download needs a URL")?;
                    request.download = Some(manifests::checked_docs(url)?.to_owned());
                }
                "--source" => {
                    request.origin.source =
                        Some(arguments.next().context("--source needs a URL")?.to_owned());
                }
                "--revision" => {
                    let revision = arguments.next().context("--revision needs a commit")?;
                    request.origin.revision = Some(revision.to_owned());
                }
                unknown => bail!("unknown argument {unknown:?}\n{USAGE}"),
            }
        }
        ensure!(wants_manifests == url.is_some(), "manifests and --url go together\n{USAGE}");
        ensure!(url.is_some() || namespace.is_none(), "--namespace is for manifests\n{USAGE}");
        request.manifests_for = url.map(|url| Place { url, namespace });
        let links = wants_manifests || request.download.is_some();
        ensure!(links || request.docs.is_none(), "--docs is for manifests and the chart\n{USAGE}");
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Request::parse(&arguments)
    }

    #[test]
    fn command_lines() {
        let plain = || Request {
            max_bytes: DEFAULT_MAX_BYTES,
            manifests_for: None,
            docs: None,
            download: None,
            origin: Origin::default(),
        };
        assert_eq!(parse("").unwrap(), plain());
        assert_eq!(parse("--max-bytes 5").unwrap(), Request { max_bytes: 5, ..plain() });
        let url = "https://example.com/meshwhy.wasm";
        let place = |namespace: Option<&str>| {
            Some(Place { url: url.into(), namespace: namespace.map(str::to_owned) })
        };
        assert_eq!(parse(&format!("manifests --url {url}")).unwrap().manifests_for, place(None));
        let shop = parse(&format!("manifests --namespace shop --url {url}")).unwrap();
        assert_eq!(shop.manifests_for, place(Some("shop")));
        let docs = parse(&format!("manifests --url {url} --docs https://example.com/docs/")).unwrap().docs;
        assert_eq!(docs.as_deref(), Some("https://example.com/docs"));
        let origin = parse("--revision abc --source https://example.com/m").unwrap().origin;
        assert_eq!(origin.source.as_deref(), Some("https://example.com/m"));
        assert_eq!(origin.revision.as_deref(), Some("abc"));
        let chart = parse("--download https://example.com/v1/ --docs https://example.com/docs").unwrap();
        assert_eq!(chart.download.as_deref(), Some("https://example.com/v1"));
        for wrong in [
            "--download",
            "--download oci://example.com/v1",
            "--max-bytes",
            "--max-bytes many",
            "manifests",
            "--url https://example.com/a",
            "--source",
            "--namespace shop",
            "--docs https://example.com/docs",
            "push",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_path_inside_the_module_is_found() {
        assert!(contains(b"\0\0/home/me/src/lib.rs", b"/home/me"));
        assert!(!contains(b"\0\0/meshwhy/src/lib.rs", b"/home/me"));
        assert!(!contains(b"anything", b""));
    }
}
