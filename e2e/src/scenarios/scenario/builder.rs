//! The words in which scenarios are written.

use meshwhy::causes::{Cause, Side};
use meshwhy::diagnosis::Confidence;

use super::{Diagnosis, Differs, Log, Scenario};
use crate::harness::client::Client;
use crate::harness::envoy::config::Roles;
use crate::harness::peers::Server;

impl Scenario {
    /// From this section of Istio's page.
    #[must_use]
    pub fn page(mut self, section: &'static str) -> Self {
        self.page = Some(section);
        self
    }

    /// With a server of this name, in place of the one that has it.
    #[must_use]
    pub fn server(mut self, name: &'static str, server: Server) -> Self {
        self.servers.retain(|(other, _)| *other != name);
        self.servers.push((name, server));
        self
    }

    /// With a real server between the client and the proxy.
    #[must_use]
    pub fn front(mut self, server: Server) -> Self {
        self.front = Some(server);
        self
    }

    /// With these roles of the filter.
    #[must_use]
    pub fn with_roles(mut self, roles: Roles) -> Self {
        self.proxy = self.proxy.roles(roles);
        self
    }

    /// Asked by this client.
    #[must_use]
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Asked by curl.
    #[must_use]
    pub fn curl(self, arguments: &'static [&'static str]) -> Self {
        self.client(Client::Curl(arguments))
    }

    /// The client gets this status.
    #[must_use]
    pub fn gets(mut self, status: u16) -> Self {
        self.status = Some(Some(status));
        self
    }

    /// The client gets no HTTP response at all, and says this.
    #[must_use]
    pub fn gets_nothing(mut self, says: &'static str) -> Self {
        self.status = Some(None);
        self.client_says = Some(says);
        self
    }

    /// The client says this.
    #[must_use]
    pub fn says(mut self, says: &'static str) -> Self {
        self.client_says = Some(says);
        self
    }

    /// This log shows it, with these fields: equal, or beginning with what stands before a `*`.
    #[must_use]
    pub fn logs(mut self, log: Log, fields: &[(&'static str, &'static str)]) -> Self {
        self.log = log;
        self.fields = fields.to_vec();
        self
    }

    /// meshwhy names this cause.
    #[must_use]
    pub fn names(mut self, cause: Cause, confidence: Confidence) -> Self {
        assert!(!self.undecided, "{}: undecided, and names {}", self.name, cause.id());
        self.diagnosis = Some(Diagnosis { cause, confidence, evidence: Vec::new(), resource: "" });
        self
    }

    /// meshwhy names no cause.
    #[must_use]
    pub fn names_nothing(mut self) -> Self {
        self.diagnosis = None;
        self
    }

    /// A failure for which no rule is written yet: what the client gets and what Envoy logs is checked, meshwhy's
    /// part is not.
    #[must_use]
    pub fn undecided(mut self) -> Self {
        let named = self.diagnosis.as_ref().map(|diagnosis| diagnosis.cause.id());
        assert!(named.is_none(), "{}: undecided, and names {named:?}", self.name);
        self.undecided = true;
        self
    }

    /// Envoy's log speaks of the crash of a VM that isn't meshwhy's.
    #[must_use]
    pub fn another_vm_crashes(mut self) -> Self {
        self.another_vm_crashes = true;
        self
    }

    /// The listeners come from a file that Envoy watches, at `{lds}`.
    #[must_use]
    pub fn discovered(mut self) -> Self {
        self.discovered = true;
        self
    }

    /// Who has to act, where the evidence says that it isn't who has to act on this cause usually.
    #[must_use]
    pub fn side(mut self, side: Side) -> Self {
        self.side = Some(side);
        self
    }

    /// meshwhy observes this cause so often on traffic that works, and its line holds these. The scenario's roles must
    /// look at every stream and log.
    #[must_use]
    pub fn observes(
        mut self,
        cause: Cause,
        confidence: Confidence,
        times: usize,
        evidence: &[&'static str],
    ) -> Self {
        let evidence = evidence.to_vec();
        self.observed.push((Diagnosis { cause, confidence, evidence, resource: "" }, times));
        self
    }

    /// The last observation names this resource.
    #[must_use]
    pub fn of_resource(mut self, resource: &'static str) -> Self {
        let name = self.name;
        let observed = self.observed.last_mut();
        observed.unwrap_or_else(|| panic!("{name}: a resource of no observation")).0.resource = resource;
        self
    }

    /// The evidence holds these.
    #[must_use]
    pub fn because(mut self, evidence: &[&'static str]) -> Self {
        let name = self.name;
        let diagnosis = self.diagnosis.as_mut();
        diagnosis.unwrap_or_else(|| panic!("{name}: evidence of no cause")).evidence = evidence.to_vec();
        self
    }

    /// This resource is responsible.
    #[must_use]
    pub fn blames(mut self, resource: &'static str) -> Self {
        let name = self.name;
        let diagnosis = self.diagnosis.as_mut();
        diagnosis.unwrap_or_else(|| panic!("{name}: a resource of no cause")).resource = resource;
        self
    }

    /// The direction label (else `gateway`).
    #[must_use]
    pub fn direction(mut self, direction: &'static str) -> Self {
        self.direction = direction;
        self
    }

    /// How often the cause is counted (else once); where none is, how many lines are waited for.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// The access log can't show the cause: an access logger found it out, and that can't write filter state.
    #[must_use]
    pub fn only_counted(mut self) -> Self {
        self.only_counted = true;
        self
    }

    /// Whatever meshwhy says, this is not in it.
    #[must_use]
    pub fn never_shows(mut self, secret: &'static str) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Envoy's own log holds this so often.
    #[must_use]
    pub fn envoy_says(mut self, text: &'static str, times: usize) -> Self {
        self.envoy_says.push((text, times));
        self
    }

    /// What is different on Envoy 1.N for every N below this one; `docs/envoy-facts.md` says why.
    #[must_use]
    pub fn before(mut self, minor: u32, differs: Differs) -> Self {
        self.older.push((minor, differs));
        self
    }

    /// What tells are microseconds, which a busy machine doesn't keep: then it is this cause, and it is played again, twice at most.
    #[must_use]
    pub fn less_when_busy(mut self, cause: Cause) -> Self {
        self.less_when_busy = Some(cause);
        self
    }

    /// Older Envoys than 1.N lack what it is configured with.
    #[must_use]
    pub fn since(mut self, minor: u32) -> Self {
        self.since = minor;
        self
    }
}
