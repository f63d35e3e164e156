//! A mistake that was found.

use std::rc::Rc;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence;

use super::resource::Origin;

/// A mistake, where it is, and what to change.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What requests will fail of.
    pub cause: Cause,
    /// How sure that is.
    pub confidence: Confidence,
    /// The resource to change.
    pub origin: Rc<Origin>,
    /// The line in its file.
    pub line: usize,
    /// What happens.
    pub what: String,
    /// What to change.
    pub fix: String,
    /// The others that have a part in it.
    pub related: Vec<Rc<Origin>>,
}

impl Finding {
    /// A finding at a line of a resource.
    pub fn new(
        cause: Cause,
        confidence: Confidence,
        origin: &Rc<Origin>,
        line: usize,
        what: String,
        fix: String,
    ) -> Self {
        Self { cause, confidence, origin: Rc::clone(origin), line, what, fix, related: Vec::new() }
    }

    /// With another resource that has a part in it.
    pub fn with(mut self, origin: &Rc<Origin>) -> Self {
        if !self.related.contains(origin) && self.origin != *origin {
            self.related.push(Rc::clone(origin));
        }
        self
    }

    /// With others that have a part in it.
    pub fn with_all<'origin>(self, origins: impl IntoIterator<Item = &'origin Rc<Origin>>) -> Self {
        origins.into_iter().fold(self, Self::with)
    }

    /// Where several definitions of one resource were given, nothing rests on firm ground; nor where what is meant lies in a namespace
    /// only as long as nobody says otherwise.
    pub fn weighed(mut self) -> Self {
        let redefined = self.origin.redefined || self.related.iter().any(|origin| origin.redefined);
        let elsewhere =
            |other: &Rc<Origin>| !other.namespace_written && other.namespace != self.origin.namespace;
        let assumed = self.origin.namespace_written && self.related.iter().any(elsewhere);
        if redefined || assumed {
            self.confidence = Confidence::Possible;
        }
        if let Some(other) = self.related.iter().find(|other| assumed && elsewhere(other)) {
            let id = other.id();
            let namespace = &other.namespace;
            self.what.push_str(&format!(
                " ({id} names no namespace: {namespace} was assumed; --namespace sets it.)"
            ));
        }
        self
    }
}
