//! Configuration that a story applies, and where it comes from.

use anyhow::Result;
use meshwhy::causes::manual::PageSection;

use crate::harness::page;

/// Configuration, and where it comes from.
#[derive(Debug, Clone)]
pub enum Yaml {
    /// A file of the page, verbatim: its section, and what it is (`broken.yaml`).
    Page(PageSection, &'static str),
    /// The same with what the page leaves open (`...`) filled in: each text stands for one of the page's.
    PageFilled(PageSection, &'static str, &'static [(&'static str, &'static str)]),
    /// A fragment of the page, merged into a resource: `kind/name`, namespace, section and file.
    PagePatch(&'static str, &'static str, PageSection, &'static str),
    /// A fragment of the page that belongs under the resource's `spec`, merged into it in the same way.
    PageSpecPatch(&'static str, &'static str, PageSection, &'static str),
    /// Our own.
    Own(&'static str),
}

impl Yaml {
    pub(super) fn text(&self) -> Result<String> {
        match self {
            Self::Page(section, file) => page::text(*section, file),
            Self::PageFilled(section, file, fill) => page::filled(*section, file, fill),
            Self::PagePatch(..) | Self::PageSpecPatch(..) => Ok(String::new()),
            Self::Own(text) => Ok((*text).into()),
        }
    }

    /// Resource, namespace and text, if it is a patch.
    pub(super) fn patch(&self) -> Result<Option<(&'static str, &'static str, String)>> {
        Ok(match self {
            Self::PagePatch(resource, namespace, section, file) => {
                Some((resource, namespace, page::text(*section, file)?))
            }
            Self::PageSpecPatch(resource, namespace, section, file) => {
                let fragment = page::text(*section, file)?;
                let indented: String = fragment.lines().map(|line| format!("  {line}\n")).collect();
                Some((resource, namespace, format!("spec:\n{indented}")))
            }
            _ => None,
        })
    }
}
