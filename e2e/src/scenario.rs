//! One scenario: everything it needs, and the triple it expects.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::agreement::{self, Told};
use crate::client::{Client, Places, Seen};
use crate::envoy::config::{Proxy, Roles};
use crate::envoy::{Envoy, Sample};
use crate::peers::{Running, Server};
use crate::pki::Pki;
use crate::tools::{self, Needed};

/// Which access log shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// The connection manager's, one line a stream.
    Http,
    /// The TCP proxy's, one line a connection.
    Tcp,
    /// The listener's, one line a connection.
    Listener,
}

/// What a scenario expects meshwhy to say.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// Cause id.
    pub cause: &'static str,
    /// Confidence.
    pub confidence: &'static str,
    /// Parts of the evidence.
    pub evidence: Vec<&'static str>,
    /// Responsible resource.
    pub resource: Option<&'static str>,
}

/// What a scenario expects otherwise.
type Differs = fn(Scenario) -> Scenario;

/// A scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// A name to call it by: `group/name`.
    pub name: &'static str,
    /// The title of its section on Istio's page.
    pub page: Option<&'static str>,
    /// One sentence.
    pub about: &'static str,
    /// Servers by name.
    pub servers: Vec<(&'static str, Server)>,
    /// A server in front of the proxy, at `{front}`; its text may name listeners.
    pub front: Option<Server>,
    /// The proxy.
    pub proxy: Proxy,
    /// Who asks.
    pub client: Option<Client>,
    status: Option<Option<u16>>,
    client_says: Option<&'static str>,
    log: Log,
    fields: Vec<(&'static str, &'static str)>,
    diagnosis: Option<Diagnosis>,
    observed: Vec<Observed>,
    direction: &'static str,
    times: usize,
    only_counted: bool,
    secret: Option<&'static str>,
    envoy_says: Vec<(&'static str, usize)>,
    bare: bool,
    older: Vec<(u32, Differs)>,
    since: u32,
    undecided: bool,
}

/// What a scenario expects meshwhy to say of traffic that works.
#[derive(Debug, Clone)]
struct Observed {
    cause: &'static str,
    confidence: &'static str,
    resource: &'static str,
    times: usize,
    /// Parts of the line in the proxy's log.
    evidence: Vec<&'static str>,
}

/// What really happened.
#[derive(Debug)]
pub struct Outcome {
    /// What the client saw.
    pub seen: Seen,
    /// The decisive access log's lines.
    pub lines: Vec<Value>,
    /// meshwhy's samples.
    pub samples: Vec<Sample>,
    /// The proxy, still running.
    pub envoy: Envoy,
    _stage: Stage,
}

/// What has to live as long as the scenario.
#[derive(Debug)]
struct Stage {
    places: Places,
    folder: TempDir,
    _servers: Vec<Running>,
}

impl Stage {
    fn start_front(&self, server: &Server, places: &Places) -> Result<Running> {
        let own = self.folder.path().join("front");
        std::fs::create_dir(&own)?;
        server.filled(&|text| places.fill(text)).start(&own, &self.folder.path().join("pki"))
    }
}

impl Scenario {
    /// A scenario in which nothing is expected but success on the HTTP log.
    pub fn new(name: &'static str, about: &'static str, proxy: Proxy) -> Self {
        Self {
            name,
            page: None,
            about,
            servers: Vec::new(),
            front: None,
            proxy,
            client: None,
            status: None,
            client_says: None,
            log: Log::Http,
            fields: Vec::new(),
            diagnosis: None,
            observed: Vec::new(),
            direction: "gateway",
            times: 1,
            only_counted: false,
            secret: None,
            envoy_says: Vec::new(),
            bare: false,
            older: Vec::new(),
            since: 0,
            undecided: false,
        }
    }

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
    pub fn names(mut self, cause: &'static str, confidence: &'static str) -> Self {
        self.diagnosis = Some(Diagnosis { cause, confidence, evidence: Vec::new(), resource: None });
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
        self.undecided = true;
        self
    }

    /// meshwhy observes this cause so often on traffic that works, and its line holds these. The scenario's roles must
    /// look at every stream and log.
    #[must_use]
    pub fn observes(
        mut self,
        cause: &'static str,
        confidence: &'static str,
        times: usize,
        evidence: &[&'static str],
    ) -> Self {
        let evidence = evidence.to_vec();
        self.observed.push(Observed { cause, confidence, resource: "", times, evidence });
        self
    }

    /// The last observation names this resource.
    #[must_use]
    pub fn of_resource(mut self, resource: &'static str) -> Self {
        if let Some(observed) = self.observed.last_mut() {
            observed.resource = resource;
        }
        self
    }

    /// The evidence holds these.
    #[must_use]
    pub fn because(mut self, evidence: &[&'static str]) -> Self {
        if let Some(diagnosis) = &mut self.diagnosis {
            diagnosis.evidence = evidence.to_vec();
        }
        self
    }

    /// This resource is responsible.
    #[must_use]
    pub fn blames(mut self, resource: &'static str) -> Self {
        if let Some(diagnosis) = &mut self.diagnosis {
            diagnosis.resource = Some(resource);
        }
        self
    }

    /// The direction label (else `gateway`).
    #[must_use]
    pub fn direction(mut self, direction: &'static str) -> Self {
        self.direction = direction;
        self
    }

    /// The cause is counted so often (else once).
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

    /// Older Envoys than 1.N lack what it is configured with.
    #[must_use]
    pub fn since(mut self, minor: u32) -> Self {
        self.since = minor;
        self
    }

    /// Whether Envoy 1.`minor` can play it.
    pub fn plays_on(&self, minor: u32) -> bool {
        minor >= self.since
    }

    /// As it goes on Envoy 1.`minor`.
    #[must_use]
    pub fn on(mut self, minor: u32) -> Self {
        let older = std::mem::take(&mut self.older);
        older.into_iter().filter(|(below, _)| minor < *below).fold(self, |same, (_, differs)| differs(same))
    }

    /// The decisive log in Istio's default text format.
    pub fn text_log(&self) -> String {
        self.log_name().replace(".log", ".txt")
    }

    /// The cause it expects of a failure.
    pub fn expected_cause(&self) -> Option<&'static str> {
        self.diagnosis.as_ref().map(|d| d.cause)
    }

    /// All causes it expects.
    pub fn expected_causes(&self) -> impl Iterator<Item = &'static str> {
        self.expected_cause().into_iter().chain(self.observed.iter().map(|o| o.cause))
    }

    /// The programs it needs.
    pub fn needs(&self) -> Vec<Needed> {
        let servers = self.servers.iter().map(|(_, server)| server).chain(&self.front);
        servers.filter_map(Server::needs).chain(self.client.as_ref().and_then(Client::needs)).collect()
    }

    /// The same without meshwhy, where that makes a difference: the client must get the same and Envoy log the
    /// same, for a role never changes, delays or rejects traffic.
    #[must_use]
    pub fn without_meshwhy(mut self) -> Option<Self> {
        let about_meshwhy = !self.envoy_says.is_empty() || !self.proxy.has_meshwhy();
        self.proxy = self.proxy.roles(Roles::none());
        self.diagnosis = None;
        self.observed = Vec::new();
        self.bare = true;
        // What only its response header says.
        self.client_says = self.client_says.filter(|says| !says.contains("meshwhy"));
        (!about_meshwhy).then_some(self)
    }

    /// The same with every success looked at, where it is healthy: still no failure, and nothing to observe.
    #[must_use]
    pub fn observing(mut self) -> Option<Self> {
        let healthy = self.diagnosis.is_none() && self.observed.is_empty() && !self.undecided;
        let plain = healthy && self.proxy.has_all_roles() && self.envoy_says.is_empty();
        self.proxy = self.proxy.roles(Roles::observing());
        plain.then_some(self)
    }

    /// Whether it needs Envoy's rate limit service, which is built with Go.
    pub fn needs_rate_limit_service(&self) -> bool {
        self.servers.iter().any(|(_, server)| matches!(server, Server::RateLimit(_)))
    }

    /// Plays it without judging.
    pub fn play(&self) -> Result<Outcome> {
        let stage = self.set_up()?;
        let module = if self.bare { String::new() } else { tools::module()?.display().to_string() };
        let bootstrap = stage.places.fill(&self.proxy.bootstrap(&module).to_string());
        let envoy = Envoy::start_with(&serde_json::from_str(&bootstrap)?, self.proxy.limits())?;
        let mut places = stage.places.clone();
        places.values.push(("{admin}".into(), envoy.admin_address().into()));
        for (name, port) in envoy.ports() {
            places.values.push((format!("{{listener:{name}}}"), port.to_string()));
        }
        let front = self.front.as_ref().map(|server| stage.start_front(server, &places)).transpose()?;
        if let Some(front) = &front {
            places.values.push(("{front}".into(), front.port.to_string()));
        }
        let client = self.client.as_ref().context("the scenario has no client")?;
        let seen = client.run(&places)?;
        let lines = self.wait_for_lines(&envoy)?;
        let samples = envoy.meshwhy_samples()?;
        Ok(Outcome { seen, lines, samples, envoy, _stage: stage })
    }

    /// Plays it and compares the triple.
    pub fn check(&self) -> Result<()> {
        let mut outcome = self.play()?;
        let told = format!(
            "client: {:?}\nlog: {}\nsamples: {:?}",
            outcome.seen,
            outcome.lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n     "),
            outcome
                .samples
                .iter()
                .map(|s| format!("{} {:?} {}", s.name, s.labels, s.value))
                .collect::<Vec<_>>(),
        );
        outcome.envoy.check_health()?;
        self.check_client(&outcome.seen)
            .and_then(|()| self.check_log(&outcome.lines))
            .and_then(|()| self.check_counters(&outcome.samples))
            .and_then(|()| self.check_words(&outcome))
            .and_then(|()| self.check_explained(&outcome))
            .with_context(|| told)
    }

    fn set_up(&self) -> Result<Stage> {
        let folder = tempfile::Builder::new().prefix("meshwhy-e2e-").tempdir()?;
        let pki_folder = folder.path().join("pki");
        std::fs::create_dir(&pki_folder)?;
        Pki::create(&pki_folder)?;
        let mut places = Places { values: vec![("{pki}".into(), pki_folder.display().to_string())] };
        let mut servers = Vec::new();
        for (name, server) in &self.servers {
            let own = folder.path().join(name);
            std::fs::create_dir(&own)?;
            // A server may name those before it.
            let server = server.filled(&|text| places.fill(text));
            let running = server.start(&own, &pki_folder).with_context(|| format!("server {name}"))?;
            places.values.push((format!("{{server:{name}}}"), running.port.to_string()));
            servers.push(running);
        }
        Ok(Stage { places, folder, _servers: servers })
    }

    fn log_name(&self) -> &'static str {
        match self.log {
            Log::Http => "http.log",
            Log::Tcp => "tcp.log",
            Log::Listener => "listener.log",
        }
    }

    /// The log is complete when the expected cause has come as often as expected, or, where none is, when
    /// the first line is there and no other follows for a while.
    fn wait_for_lines(&self, envoy: &Envoy) -> Result<Vec<Value>> {
        let deadline = Instant::now() + Duration::from_secs(8);
        let mut lines = Vec::new();
        while Instant::now() < deadline {
            lines = envoy.log(self.log_name())?;
            let due = match &self.diagnosis {
                Some(diagnosis) => count(&lines, diagnosis.cause),
                None if self.bare || self.undecided => {
                    lines.iter().filter(|line| self.check_fields(line).is_ok()).count()
                }
                None => lines.len(),
            };
            if due >= self.times.max(1) {
                std::thread::sleep(Duration::from_millis(60));
                return envoy.log(self.log_name());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(lines)
    }

    fn check_client(&self, seen: &Seen) -> Result<()> {
        if let Some(status) = self.status {
            ensure!(seen.status == status, "the client got {:?}, expected {status:?}", seen.status);
        }
        if let Some(says) = self.client_says {
            ensure!(seen.text.contains(says), "the client does not say {says:?}");
        }
        Ok(())
    }

    fn check_log(&self, lines: &[Value]) -> Result<()> {
        ensure!(!lines.is_empty(), "nothing in {}", self.log_name());
        if self.bare || self.undecided {
            let fits = lines.iter().filter(|line| self.check_fields(line).is_ok()).count();
            ensure!(fits >= self.times, "{fits} lines are as expected, not {}", self.times);
            return Ok(());
        }
        let Some(diagnosis) = &self.diagnosis else {
            for line in lines {
                self.check_fields(line)?;
                ensure!(line["cause"].is_null() && line["meshwhy"].is_null(), "a cause was named: {line}");
            }
            return Ok(());
        };
        let only_counted = self.only_counted || self.log == Log::Listener;
        let line = if only_counted {
            lines.iter().find(|line| self.check_fields(line).is_ok()).or(lines.first()).context("no line")?
        } else {
            lines
                .iter()
                .find(|line| line["cause"] == diagnosis.cause)
                .with_context(|| format!("{} was not named", diagnosis.cause))?
        };
        self.check_fields(line)?;
        if only_counted {
            return Ok(());
        }
        let text = |key: &str| line[key].as_str().unwrap_or("-");
        ensure!(text("confidence") == diagnosis.confidence, "confidence {}", text("confidence"));
        ensure!(text("resource") == diagnosis.resource.unwrap_or("-"), "resource {}", text("resource"));
        for part in &diagnosis.evidence {
            ensure!(text("evidence").contains(part), "the evidence lacks {part:?}: {}", text("evidence"));
        }
        let object: Value = serde_json::from_str(text("meshwhy")).context("`meshwhy` is no JSON object")?;
        for key in ["cause", "confidence", "side", "evidence", "fix"] {
            ensure!(object[key] == line[key], "`meshwhy` and `meshwhy.{key}` differ");
            let plain = text(key).bytes().all(|b| (b' '..=b'~').contains(&b));
            ensure!(plain, "{key} is not printable ASCII");
        }
        Ok(())
    }

    fn check_fields(&self, line: &Value) -> Result<()> {
        for (key, expected) in &self.fields {
            let actual = match &line[*key] {
                Value::Null => "-".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let fits =
                expected.strip_suffix('*').map_or(actual == *expected, |start| actual.starts_with(start));
            ensure!(fits, "{key} is {actual:?}, expected {expected:?}");
        }
        Ok(())
    }

    fn check_words(&self, outcome: &Outcome) -> Result<()> {
        let log = outcome.envoy.own_log();
        for (text, times) in &self.envoy_says {
            let lines: Vec<&str> = log.lines().filter(|line| line.contains(text)).collect();
            ensure!(
                lines.len() == *times,
                "Envoy says {text:?} {} times, expected {times}: {lines:#?}",
                lines.len()
            );
        }
        for observed in &self.observed {
            let cause = format!("\"cause\":\"{}\"", observed.cause);
            let fits = |line: &&str| line.contains("meshwhy_observation") && line.contains(&cause);
            let lines: Vec<&str> = log.lines().filter(fits).collect();
            let last =
                lines.last().with_context(|| format!("{} is in no line of the log", observed.cause))?;
            for part in &observed.evidence {
                ensure!(last.contains(part), "the evidence lacks {part:?}: {last}");
            }
        }
        if let Some(secret) = self.secret {
            let told = format!("{:?} {:?} {log}", outcome.lines, outcome.samples);
            ensure!(!told.contains(secret), "{secret} is shown");
        }
        Ok(())
    }

    /// Whoever has only Istio's access log is told the same, or less: see [`agreement`].
    fn check_explained(&self, outcome: &Outcome) -> Result<()> {
        if self.bare || self.undecided || !self.proxy.has_meshwhy() {
            return Ok(());
        }
        let told_elsewhere = self.only_counted || self.log == Log::Listener;
        let expected = self.diagnosis.as_ref().filter(|_| told_elsewhere);
        let filters: Vec<_> = outcome
            .lines
            .iter()
            .map(|line| match (agreement::told(line), expected) {
                (None, Some(expected)) if self.check_fields(line).is_ok() => {
                    Told::new(expected.cause, expected.confidence)
                }
                (told, _) => told,
            })
            .collect();
        if self.log == Log::Http && self.diagnosis.is_some() {
            agreement::check_silence(&outcome.envoy.path("listener.txt"))?;
        }
        for format in [".txt", ".json", ".rich"] {
            agreement::check(&outcome.envoy.path(&self.log_name().replace(".log", format)), &filters)?;
        }
        Ok(())
    }

    /// Exactly the expected series and no other.
    fn check_counters(&self, samples: &[Sample]) -> Result<()> {
        let counted: BTreeMap<String, f64> = samples
            .iter()
            .filter(|s| s.name != "meshwhy_build_info")
            .map(|s| (format!("{} {:?}", s.name, s.labels), s.value))
            .collect();
        let mut expected = BTreeMap::new();
        if let Some(diagnosis) = &self.diagnosis {
            let cause = meshwhy::catalogue::Cause::from_id(diagnosis.cause).context("no such cause")?;
            let labels: BTreeMap<&str, &str> = [
                ("cause", diagnosis.cause),
                ("confidence", diagnosis.confidence),
                ("side", cause.side().id()),
                ("direction", self.direction),
                ("resource", diagnosis.resource.unwrap_or_default()),
            ]
            .into();
            #[allow(clippy::cast_precision_loss, reason = "small")]
            expected.insert(format!("meshwhy_failures_total {labels:?}"), self.times as f64);
        }
        for observed in &self.observed {
            let cause = meshwhy::catalogue::Cause::from_id(observed.cause).context("no such cause")?;
            let labels: BTreeMap<&str, &str> = [
                ("cause", observed.cause),
                ("confidence", observed.confidence),
                ("side", cause.side().id()),
                ("direction", self.direction),
                ("resource", observed.resource),
            ]
            .into();
            #[allow(clippy::cast_precision_loss, reason = "small")]
            expected.insert(format!("meshwhy_observations_total {labels:?}"), observed.times as f64);
        }
        if counted != expected && !self.undecided {
            bail!("counted {counted:?}, expected {expected:?}");
        }
        Ok(())
    }
}

fn count(lines: &[Value], cause: &str) -> usize {
    let named = lines.iter().filter(|line| line["cause"] == cause).count();
    // Where an access logger tells, only the counter names the cause.
    if named == 0 && lines.iter().all(|line| line["cause"].is_null()) {
        usize::from(!lines.is_empty())
    } else {
        named
    }
}
