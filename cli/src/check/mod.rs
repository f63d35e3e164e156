//! Istio YAML read for the configuration mistakes of Istio's page: those that leave no trace at
//! any proxy, or look like success.
//!
//! Text → resources → the [`Mesh`] of typed models → rules → [`Finding`]s.

mod allow;
mod finding;
mod host;
mod mesh;
mod model;
mod print;
mod resource;
mod rules;
#[cfg(test)]
mod tests;
pub(crate) mod yaml;

use std::collections::HashSet;
use std::rc::Rc;

pub use finding::Finding;
pub use mesh::Mesh;
pub use print::{json, plain_path, visible, visible_json, with};
use resource::Read;
pub use resource::{Note, Origin, Source, Unreadable};
pub use yaml::YamlError;

/// What is known of the sources beyond their text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'given> {
    /// They hold all configuration there is.
    pub complete: bool,
    /// The namespace of resources that name none.
    pub namespace: Option<&'given str>,
    /// The kinds, by API group and name, of which they hold all there are, be it none.
    pub all_of: &'given [(&'given str, &'given str)],
}

/// What reading some YAML came to.
#[derive(Debug)]
pub struct Checked {
    /// The mistakes, by file and line.
    pub findings: Vec<Finding>,
    /// Those that a comment allows, and why.
    pub allowed: Vec<(Finding, String)>,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
    /// How many resources there were.
    pub resources: usize,
    /// The sources that had one, be it a template.
    pub files: HashSet<String>,
    /// Resources that are defined more than once, differently; the last definition was looked at.
    pub redefined: Vec<Rc<Origin>>,
    /// Templates: what they are to define can't be known before they are rendered.
    pub templates: Vec<Rc<Origin>>,
    /// What else there is to say.
    pub notes: Vec<Note>,
}

/// Looks for mistakes.
pub fn check(sources: &[Source], given: Given<'_>) -> Checked {
    let Read { resources, templates, unreadable, mut notes, files } =
        resource::resources(sources, given.namespace);
    // What a template makes may be what something else refers to.
    let complete = given.complete && templates.is_empty();
    let mesh = Mesh::new(&resources, complete, given.all_of);
    let mut findings = rules::findings(&mesh);
    notes.extend(rules::notes(&resources, &mesh));
    let place = |finding: &Finding| (finding.origin.file.clone(), finding.line, finding.cause);
    findings.sort_by_key(place);
    let (findings, allowed) = allow::apart(findings, sources, &mut notes);
    let origins = resources.iter().map(|resource| &resource.origin);
    Checked {
        files,
        findings,
        allowed,
        unreadable,
        resources: resources.len(),
        redefined: origins.filter(|origin| origin.redefined).cloned().collect(),
        templates: templates.into_iter().map(|resource| resource.origin).collect(),
        notes,
    }
}
