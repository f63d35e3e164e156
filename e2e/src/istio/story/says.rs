//! What a story expects one proxy to say.

use anyhow::{Context as _, Result, ensure};
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence;

use super::{Counted, Outcome};

/// What one proxy says.
#[derive(Debug, Clone)]
pub struct Says {
    /// The pod.
    pub pod: &'static str,
    /// The cause.
    pub cause: Cause,
    /// How sure it is.
    pub confidence: Confidence,
    /// Responsible resource.
    pub resource: &'static str,
    /// `inbound`, `outbound` or `gateway`.
    pub direction: &'static str,
    /// Whether it is an observation on traffic that works.
    pub soft: bool,
    /// The access log's fix, whole, where a story looks at it.
    pub fix: Option<&'static str>,
    /// Whether it stands in the access log, with this evidence; what only an access logger sees, doesn't.
    pub logged: Option<&'static [&'static str]>,
}

impl Says {
    /// A failure that the pod's access log names.
    pub const fn new(pod: &'static str, cause: Cause, confidence: Confidence) -> Self {
        Self {
            pod,
            cause,
            confidence,
            resource: "",
            direction: "outbound",
            soft: false,
            fix: None,
            logged: Some(&[]),
        }
    }

    /// At the server's side.
    #[must_use]
    pub const fn inbound(mut self) -> Self {
        self.direction = "inbound";
        self
    }

    /// At a gateway.
    #[must_use]
    pub const fn gateway(mut self) -> Self {
        self.direction = "gateway";
        self
    }

    /// Only the counter and the proxy's own log show it.
    #[must_use]
    pub const fn only_counted(mut self) -> Self {
        self.logged = None;
        self
    }

    /// On traffic that works.
    #[must_use]
    pub const fn soft(mut self) -> Self {
        self.soft = true;
        self.logged = None;
        self
    }

    /// This resource is responsible.
    #[must_use]
    pub const fn blames(mut self, resource: &'static str) -> Self {
        self.resource = resource;
        self
    }

    /// The access log's evidence holds this.
    #[must_use]
    pub const fn because(mut self, evidence: &'static [&'static str]) -> Self {
        self.logged = Some(evidence);
        self
    }

    /// The fix is this, with the names in it.
    #[must_use]
    pub const fn fix(mut self, fix: &'static str) -> Self {
        self.fix = Some(fix);
        self
    }

    pub(super) fn counted(&self) -> Counted {
        Counted {
            pod: self.pod.into(),
            soft: self.soft,
            cause: self.cause.id().into(),
            confidence: self.confidence.id().into(),
            direction: self.direction.into(),
            resource: self.resource.into(),
        }
    }

    pub(super) fn check_log(&self, outcome: &Outcome) -> Result<()> {
        let Some(evidence) = self.logged else { return Ok(()) };
        let lines = outcome.lines.get(self.pod).map(|l| l.json.as_slice()).unwrap_or_default();
        let line = lines
            .iter()
            .find(|line| line["cause"] == self.cause.id())
            .with_context(|| format!("{}: {} is not in the access log", self.pod, self.cause.id()))?;
        if let Some(fix) = self.fix {
            ensure!(line["fix"] == fix, "the fix is {}", line["fix"]);
        }
        for part in evidence {
            let seen = line["evidence"].as_str().unwrap_or_default();
            ensure!(seen.contains(part), "the evidence lacks {part:?}: {seen}");
        }
        Ok(())
    }
}
