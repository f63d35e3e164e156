//! A story on the rig: configuration that users write, a request, and what every proxy on its way says.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::programs::Version;
use super::rig::Rig;
use super::{explained, page};
use crate::client::Seen;
use crate::tools::Needed;

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

/// What the client gets.
#[derive(Debug, Clone, Copy)]
pub enum Gets {
    /// This status.
    Status(u16),
    /// An answer that holds this text.
    Answer(&'static str),
    /// Answers that hold each of these texts.
    Answers(&'static [&'static str]),
    /// Answers that hold the first text and never the second.
    Only(&'static str, &'static str),
    /// No answer; what curl makes of that depends on when it learns.
    NoAnswer,
    /// No answer, and this exit code of curl.
    Nothing(i32),
}

/// What one proxy says.
#[derive(Debug, Clone)]
pub struct Says {
    /// The pod.
    pub pod: &'static str,
    /// Cause id.
    pub cause: &'static str,
    /// Confidence.
    pub confidence: &'static str,
    /// Responsible resource.
    pub resource: &'static str,
    /// `inbound`, `outbound` or `gateway`.
    pub direction: &'static str,
    /// Whether it is an observation on traffic that works.
    pub soft: bool,
    /// Whether it stands in the access log, with this evidence; what only an access logger sees, doesn't.
    pub logged: Option<&'static [&'static str]>,
}

impl Says {
    /// A failure that the pod's access log names.
    pub const fn new(pod: &'static str, cause: &'static str, confidence: &'static str) -> Self {
        Self { pod, cause, confidence, resource: "", direction: "outbound", soft: false, logged: Some(&[]) }
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

    /// Only the counter and the proxy's own log tell.
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
}

/// A story.
#[derive(Debug, Clone)]
pub struct Story {
    /// A name to call it by.
    pub name: &'static str,
    /// The page's section.
    pub section: Option<&'static str>,
    /// One sentence.
    pub about: &'static str,
    /// What is applied, in this order.
    pub yaml: Vec<Yaml>,
    /// Names outside of the cluster that stand for another pod than usual.
    pub names: Vec<(&'static str, &'static str)>,
    /// Programs beside those of the rig.
    pub needs: Vec<Needed>,
    /// The pod that asks.
    pub from: &'static str,
    /// The programs that it runs, one after the other; the last one's answer counts.
    pub commands: Vec<Vec<&'static str>>,
    /// What is applied between them: after so many.
    pub later: Vec<(usize, Yaml)>,
    gets: Gets,
    says: Vec<Says>,
    broken: bool,
    versions: &'static [Version],
}

/// A counter's labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    pub(super) pod: String,
    pub(super) soft: bool,
    pub(super) cause: String,
    pub(super) confidence: String,
    direction: String,
    resource: String,
}

/// What happened.
#[derive(Debug)]
pub struct Told {
    /// What the client got.
    pub seen: Seen,
    /// Access-log lines of each proxy: in Istio's default format, and meshwhy's JSON.
    pub lines: BTreeMap<String, Lines>,
    /// What was counted since the request.
    pub counted: BTreeMap<Counted, u64>,
    /// What `istioctl analyze` said of the configuration.
    pub analyze: Option<String>,
}

/// Lines of one proxy.
#[derive(Debug, Default)]
pub struct Lines {
    /// Istio's default format.
    pub text: Vec<String>,
    /// meshwhy's format.
    pub json: Vec<Value>,
    /// What meshwhy wrote into the proxy's own log.
    pub own: Vec<String>,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let soft = if self.soft { " (soft)" } else { "" };
        write!(
            f,
            "{}: {}{soft} {} {} {:?}",
            self.pod, self.cause, self.confidence, self.direction, self.resource
        )
    }
}

impl Story {
    /// A story in which all is well, and nobody says anything.
    pub fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            section: None,
            about,
            yaml: Vec::new(),
            names: Vec::new(),
            needs: Vec::new(),
            from: "client",
            commands: Vec::new(),
            later: Vec::new(),
            gets: Gets::Status(200),
            says: Vec::new(),
            broken: false,
            versions: &[Version::V1_31],
        }
    }

    /// From this section of the page.
    #[must_use]
    pub fn page(mut self, section: &'static str) -> Self {
        self.section = Some(section);
        self
    }

    /// With this configuration.
    #[must_use]
    pub fn with(mut self, yaml: Yaml) -> Self {
        self.yaml.push(yaml);
        self
    }

    /// With this configuration after the commands so far.
    #[must_use]
    pub fn then(mut self, yaml: Yaml) -> Self {
        self.later.push((self.commands.len(), yaml));
        self
    }

    /// With a block of its section.
    #[must_use]
    pub fn block(self, index: usize) -> Self {
        let section = self.section.unwrap_or_default();
        self.with(Yaml::Page(section, index))
    }

    /// With our own configuration.
    #[must_use]
    pub fn own(self, yaml: &'static str) -> Self {
        self.with(Yaml::Own(yaml))
    }

    /// Where unknown destinations are blocked (`outboundTrafficPolicy: REGISTRY_ONLY`).
    #[must_use]
    pub fn registry_only(self) -> Self {
        self.own(
            "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: default, namespace: default}\n\
             spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}\n",
        )
    }

    /// Where this name outside of the cluster stands for this pod.
    #[must_use]
    pub fn where_resolves(mut self, name: &'static str, pod: &'static str) -> Self {
        self.names.push((name, pod));
        self
    }

    /// Asked from this pod.
    #[must_use]
    pub fn from(mut self, pod: &'static str) -> Self {
        self.from = pod;
        self
    }

    /// With a program that this machine may lack, and its Debian package.
    #[must_use]
    pub fn needs(mut self, program: Needed) -> Self {
        self.needs.push(program);
        self
    }

    /// Asked by curl.
    #[must_use]
    pub fn curl(mut self, arguments: &[&'static str]) -> Self {
        // `-i` shows the status, `-m` ends what hangs.
        let command = ["curl", "-sS", "-i", "-m", "20"].iter().chain(arguments).copied().collect();
        self.commands.push(command);
        self
    }

    /// Asked by this program.
    #[must_use]
    pub fn run(mut self, command: &[&'static str]) -> Self {
        self.commands.push(command.to_vec());
        self
    }

    /// The client gets this.
    #[must_use]
    pub fn gets(mut self, gets: Gets) -> Self {
        self.gets = gets;
        self
    }

    /// A proxy says this.
    #[must_use]
    pub fn says(mut self, says: Says) -> Self {
        self.broken = true;
        self.says.push(says);
        self
    }

    /// Broken although no proxy can see it: what `istioctl analyze` says is asked as well.
    #[must_use]
    pub fn broken(mut self) -> Self {
        self.broken = true;
        self
    }

    /// Played on the older Istio as well.
    #[must_use]
    pub fn older_too(mut self) -> Self {
        self.versions = Version::ALL;
        self
    }

    /// The versions of Istio that it is played on.
    pub fn versions(&self) -> &'static [Version] {
        self.versions
    }

    /// The page's blocks that it applies: section and number.
    pub fn page_blocks(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.yaml.iter().filter_map(|yaml| match yaml {
            Yaml::Page(section, index)
            | Yaml::PageFilled(section, index, _)
            | Yaml::PagePatch(_, _, section, index)
            | Yaml::PageSpecPatch(_, _, section, index) => Some((*section, *index)),
            Yaml::Own(_) => None,
        })
    }

    /// Whether its configuration is a mistake.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Its section of the page, if it plays the mistake: these are shown to people.
    pub fn broken_section(&self) -> Option<&'static str> {
        self.section.filter(|_| self.broken)
    }

    /// Plays it without judging; the configuration is gone afterwards.
    pub fn play(&self, rig: &Rig) -> Result<Told> {
        // Before the configuration: a proxy looks a name up when it gets it.
        for (name, pod) in &self.names {
            rig.resolve(name, Some(pod))?;
        }
        let result = self.apply(rig).and_then(|()| self.ask(rig));
        let cleaned = self.clean(rig);
        for (name, _) in &self.names {
            rig.resolve(name, None)?;
        }
        let told = result?;
        cleaned?;
        Ok(told)
    }

    /// Plays it and compares.
    pub fn check(&self, rig: &Rig) -> Result<Told> {
        let mut told = self.play(rig)?;
        // istiod tells nobody when a proxy's old connections and listeners are gone. Only a mistake that nobody felt
        // is made again: what went wrong or was said without being expected stands.
        if self.broken && told.counted.is_empty() && self.received(&told).is_err() {
            eprintln!("{}: the mistake was not in force, and is made again: {told}", self.name);
            told = self.play(rig)?;
        }
        self.compare(&told).and_then(|()| explained::check(&told)).with_context(|| told.to_string())?;
        Ok(told)
    }

    fn apply(&self, rig: &Rig) -> Result<()> {
        if self.yaml.is_empty() {
            return Ok(());
        }
        let mut whole = Vec::new();
        for yaml in &self.yaml {
            let Some((resource, namespace, patch)) = yaml.patch()? else {
                whole.push(yaml.text()?);
                continue;
            };
            self.apply_whole(rig, &mut whole)?;
            rig.put(&["patch", resource, "-n", namespace, "--type", "merge", "-p", &patch], "")?;
        }
        self.apply_whole(rig, &mut whole)?;
        rig.settle()
    }

    fn apply_whole(&self, rig: &Rig, whole: &mut Vec<String>) -> Result<()> {
        if !whole.is_empty() {
            let yaml = std::mem::take(whole).join("\n---\n");
            rig.put(&["apply", "-f", "-"], &yaml).with_context(|| self.name)?;
        }
        Ok(())
    }

    fn clean(&self, rig: &Rig) -> Result<()> {
        let all = self.yaml.iter().chain(self.later.iter().map(|(_, yaml)| yaml));
        let texts: Result<Vec<String>> = all.map(Yaml::text).collect();
        let whole: Vec<String> = texts?.into_iter().filter(|text| !text.is_empty()).collect();
        if whole.is_empty() { Ok(()) } else { rig.delete(&whole.join("\n---\n")) }
    }

    fn ask(&self, rig: &Rig) -> Result<Told> {
        let before = counters(rig)?;
        let marks: BTreeMap<&str, usize> = rig.proxies().map(|p| (p.pod.name, p.output().len())).collect();
        let pod = rig.pod(self.from)?;
        let mut seen = None;
        for (done, command) in self.commands.iter().enumerate() {
            for (_, yaml) in self.later.iter().filter(|(after, _)| *after == done) {
                rig.apply(&yaml.text()?)?;
            }
            seen = Some(pod.exec(command)?);
        }
        let seen = seen.context("the story has no client")?;
        let shown = self.broken_section().is_some();
        let analyze = shown
            .then(|| rig.plane.istioctl(&["analyze", "-A", "--color=false"], "").map(|(_, said)| said))
            .transpose()?;
        let asked = Instant::now();
        let deadline = asked + Duration::from_secs(4);
        // Envoy writes its access log once a second; what is shown to people is complete.
        let earliest = if shown { asked + Duration::from_millis(1300) } else { asked };
        loop {
            let lines = lines_since(rig, &marks);
            let counted = difference(&before, &counters(rig)?);
            let complete = Instant::now() > earliest
                && lines.values().any(|l| !l.json.is_empty() && !l.text.is_empty())
                && lines.values().all(explained::is_whole);
            let told = Told { seen: seen.clone(), lines, counted, analyze: analyze.clone() };
            if (complete && self.compare(&told).is_ok()) || Instant::now() > deadline {
                return Ok(told);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn compare(&self, told: &Told) -> Result<()> {
        self.received(told)?;
        let expected: BTreeMap<Counted, &Says> = self.says.iter().map(|s| (s.counted(), s)).collect();
        for counted in told.counted.keys() {
            ensure!(expected.contains_key(counted), "nobody was to say: {counted}");
        }
        for (counted, says) in expected {
            ensure!(told.counted.contains_key(&counted), "nobody said: {counted}");
            says.check_log(told)?;
        }
        Ok(())
    }

    /// Whether the client got what it should.
    fn received(&self, told: &Told) -> Result<()> {
        match self.gets {
            Gets::Status(status) => ensure!(told.seen.status == Some(status), "the client got no {status}"),
            Gets::Answer(text) => ensure!(told.seen.text.contains(text), "the client got no {text:?}"),
            Gets::Answers(texts) => {
                for text in texts {
                    ensure!(told.seen.text.contains(text), "the client got no {text:?}");
                }
            }
            Gets::Only(text, other) => {
                ensure!(told.seen.text.contains(text), "the client got no {text:?}");
                ensure!(!told.seen.text.contains(other), "the client got {other:?}");
            }
            Gets::NoAnswer => {
                ensure!(told.seen.status.is_none() && told.seen.exit != 0, "the client got an answer");
            }
            Gets::Nothing(exit) => {
                ensure!(
                    told.seen.status.is_none() && told.seen.exit == exit,
                    "the client got something else"
                );
            }
        }
        Ok(())
    }
}

impl Told {
    /// What each proxy says, in words for people.
    pub fn verdicts(&self) -> Vec<String> {
        let word = |counted: &Counted| {
            let Counted { pod, cause, confidence, resource, .. } = counted;
            let how = if counted.soft { format!("observed, {confidence}") } else { confidence.clone() };
            let whose = if resource.is_empty() { String::new() } else { format!(", {resource}") };
            format!("{pod}: **{cause}** ({how}{whose})")
        };
        let said: Vec<String> = self.counted.keys().map(word).collect();
        if said.is_empty() { vec!["nothing: no proxy has evidence".into()] } else { said }
    }
}

impl Says {
    fn counted(&self) -> Counted {
        Counted {
            pod: self.pod.into(),
            soft: self.soft,
            cause: self.cause.into(),
            confidence: self.confidence.into(),
            direction: self.direction.into(),
            resource: self.resource.into(),
        }
    }

    fn check_log(&self, told: &Told) -> Result<()> {
        let Some(evidence) = self.logged else { return Ok(()) };
        let lines = told.lines.get(self.pod).map(|l| l.json.as_slice()).unwrap_or_default();
        let line = lines
            .iter()
            .find(|line| line["cause"] == self.cause)
            .with_context(|| format!("{}: {} is not in the access log", self.pod, self.cause))?;
        for part in evidence {
            let seen = line["evidence"].as_str().unwrap_or_default();
            ensure!(seen.contains(part), "the evidence lacks {part:?}: {seen}");
        }
        Ok(())
    }
}

impl Yaml {
    fn text(&self) -> Result<String> {
        match self {
            Self::Page(section, index) => page::block(section, *index),
            Self::PageFilled(section, index, fill) => page::filled(section, *index, fill),
            Self::PagePatch(..) | Self::PageSpecPatch(..) => Ok(String::new()),
            Self::Own(text) => Ok((*text).into()),
        }
    }

    /// Resource, namespace and text, if it is a patch.
    fn patch(&self) -> Result<Option<(&'static str, &'static str, String)>> {
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

/// So many lines of a kind are shown.
const SHOWN: usize = 8;

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "client: exit {} {:?}", self.seen.exit, self.seen.text)?;
        for (pod, lines) in &self.lines {
            for line in lines.text.iter().take(SHOWN) {
                writeln!(f, "{pod}: {line}")?;
            }
            for line in &lines.own {
                writeln!(f, "{pod}: {line}")?;
            }
            for line in lines.json.iter().filter(|l| !l["cause"].is_null()).take(SHOWN) {
                let (cause, evidence) = (&line["cause"], &line["evidence"]);
                writeln!(f, "{pod}: {cause} {} {} {evidence}", line["confidence"], line["resource"])?;
            }
        }
        for (counted, times) in &self.counted {
            writeln!(f, "counted {times}: {counted}")?;
        }
        Ok(())
    }
}

/// meshwhy's counters of every proxy.
pub(super) fn counters(rig: &Rig) -> Result<BTreeMap<Counted, u64>> {
    let mut counters = BTreeMap::new();
    for proxy in rig.proxies() {
        for sample in proxy.meshwhy_samples()? {
            let soft = sample.name == "meshwhy_observations_total";
            if !soft && sample.name != "meshwhy_failures_total" {
                continue;
            }
            let label = |name: &str| sample.labels.get(name).cloned().unwrap_or_default();
            let counted = Counted {
                pod: proxy.pod.name.into(),
                soft,
                cause: label("cause"),
                confidence: label("confidence"),
                direction: label("direction"),
                resource: label("resource"),
            };
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter")]
            counters.insert(counted, sample.value as u64);
        }
    }
    Ok(counters)
}

/// What was counted between two looks.
pub(super) fn difference(
    before: &BTreeMap<Counted, u64>,
    after: &BTreeMap<Counted, u64>,
) -> BTreeMap<Counted, u64> {
    let since = |(counted, value): (&Counted, &u64)| {
        let more = value - before.get(counted).unwrap_or(&0);
        (more > 0).then(|| (counted.clone(), more))
    };
    after.iter().filter_map(since).collect()
}

fn lines_since(rig: &Rig, marks: &BTreeMap<&str, usize>) -> BTreeMap<String, Lines> {
    let mut all = BTreeMap::new();
    for proxy in rig.proxies() {
        let output = proxy.output();
        let mut lines = Lines::default();
        for line in output.get(marks[proxy.pod.name]..).unwrap_or_default().lines() {
            if let Some(json) =
                serde_json::from_str::<Value>(line).ok().filter(|l| !l["start_time"].is_null())
            {
                lines.json.push(json);
            } else if line.starts_with("[20") && line.contains("Z] \"") {
                lines.text.push(line.to_owned());
            } else if let Some((_, told)) = line.split_once("{\"event\":\"meshwhy\"") {
                lines.own.push(format!("{{{told}"));
            }
        }
        all.insert(proxy.pod.name.to_owned(), lines);
    }
    all
}
