//! Configuration that a story applies, and where it comes from.

use anyhow::Result;

use crate::istio::page;

/// Configuration, and where it comes from.
#[derive(Debug, Clone)]
pub enum Yaml {
    /// A block of the page, verbatim: its section and number.
    Page(&'static str, usize),
    /// The same with what the page leaves open (`...`) filled in: each text stands for one of the page's.
    PageFilled(&'static str, usize, &'static [(&'static str, &'static str)]),
    /// A fragment of the page, merged into a resource: `kind/name`, namespace, section and number.
    PagePatch(&'static str, &'static str, &'static str, usize),
    /// A fragment of the page that belongs under the resource's `spec`, merged into it in the same way.
    PageSpecPatch(&'static str, &'static str, &'static str, usize),
    /// Our own.
    Own(&'static str),
}

impl Yaml {
    pub(super) fn text(&self) -> Result<String> {
        match self {
            Self::Page(section, index) => page::block(section, *index),
            Self::PageFilled(section, index, fill) => page::filled(section, *index, fill),
            Self::PagePatch(..) | Self::PageSpecPatch(..) => Ok(String::new()),
            Self::Own(text) => Ok((*text).into()),
        }
    }

    /// Resource, namespace and text, if it is a patch.
    pub(super) fn patch(&self) -> Result<Option<(&'static str, &'static str, String)>> {
        Ok(match self {
            Self::PagePatch(resource, namespace, section, index) => {
                Some((resource, namespace, page::block(section, *index)?))
            }
            Self::PageSpecPatch(resource, namespace, section, index) => {
                let fragment = page::block(section, *index)?;
                let indented: String = fragment.lines().map(|line| format!("  {line}\n")).collect();
                Some((resource, namespace, format!("spec:\n{indented}")))
            }
            _ => None,
        })
    }
}
