//! Istio YAML read for the configuration mistakes of Istio's page: those that leave no trace at
//! any proxy, or look like success.
//!
//! Text → resources → the [`Mesh`] of typed models → rules → [`Finding`]s.

mod finding;
mod host;
mod mesh;
mod model;
mod print;
mod resource;
mod rules;
#[cfg(test)]
mod tests;
mod yaml;

use std::rc::Rc;

pub use finding::Finding;
pub use mesh::Mesh;
pub use print::{json, text, visible, visible_json};
use resource::Read;
pub use resource::{Origin, Source, Unreadable};
pub use yaml::YamlError;

/// What reading some YAML came to.
#[derive(Debug)]
pub struct Checked {
    /// The mistakes, by file and line.
    pub findings: Vec<Finding>,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
    /// How many resources there were.
    pub resources: usize,
    /// Resources that are defined more than once, differently; the last definition was looked at.
    pub redefined: Vec<Rc<Origin>>,
    /// Templates: what they are to define can't be known before they are rendered.
    pub templates: Vec<Rc<Origin>>,
}

/// Looks for mistakes. `complete` says that the sources hold all configuration there is.
pub fn check(sources: &[Source], complete: bool) -> Checked {
    let Read { resources, templates, unreadable } = resource::resources(sources);
    // What a template makes may be what something else refers to.
    let complete = complete && templates.is_empty();
    let mut findings = rules::findings(&Mesh::new(&resources, complete));
    let place = |finding: &Finding| (finding.origin.file.clone(), finding.line, finding.cause);
    findings.sort_by_key(place);
    let origins = resources.iter().map(|resource| &resource.origin);
    Checked {
        findings,
        unreadable,
        resources: resources.len(),
        redefined: origins.filter(|origin| origin.redefined).cloned().collect(),
        templates: templates.into_iter().map(|resource| resource.origin).collect(),
    }
}
