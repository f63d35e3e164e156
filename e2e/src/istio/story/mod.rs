//! A story on the rig: configuration that users write, a request, and what every proxy on its way says.

mod counted;
mod gets;
mod outcome;
mod play;
mod says;
mod yaml;

use meshwhy::causes::manual::PageSection;

use crate::harness::page;
use crate::harness::programs::Version;
use crate::harness::tools::Needed;

pub use counted::Counted;
pub(super) use counted::{counters, difference};
pub use gets::Gets;
pub use outcome::{Lines, Outcome};
pub use says::Says;
pub use yaml::Yaml;

/// A story.
#[derive(Debug, Clone)]
pub struct Story {
    /// A name to call it by.
    pub name: &'static str,
    /// The page's section.
    pub section: Option<PageSection>,
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
    /// What is applied between them, and after how many of them.
    pub later: Vec<(usize, Yaml)>,
    gets: Gets,
    says: Vec<Says>,
    may_say: Vec<Says>,
    broken: bool,
    like: Option<&'static str>,
    versions: &'static [Version],
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
            may_say: Vec::new(),
            broken: false,
            like: None,
            versions: &[Version::V1_31],
        }
    }

    /// From this section of the page.
    #[must_use]
    pub fn page(mut self, section: PageSection) -> Self {
        self.section = Some(section);
        self
    }

    /// The page's story of this name with the Gateway API instead.
    #[must_use]
    pub fn like(mut self, story: &'static str) -> Self {
        self.like = Some(story);
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

    /// With a file of its section of the page; a story without a section has none.
    #[must_use]
    pub fn file(self, file: &'static str) -> Self {
        match self.section {
            Some(section) => self.with(Yaml::Page(section, file)),
            None => self,
        }
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

    /// A proxy may say this as well: it depends on how requests fall together.
    #[must_use]
    pub fn may_say(mut self, says: Says) -> Self {
        self.may_say.push(says);
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

    /// The page's files that it applies.
    pub fn page_files(&self) -> impl Iterator<Item = String> {
        self.yaml.iter().filter_map(|yaml| match yaml {
            Yaml::Page(section, file)
            | Yaml::PageFilled(section, file, _)
            | Yaml::PagePatch(_, _, section, file)
            | Yaml::PageSpecPatch(_, _, section, file) => Some(page::name(*section, file)),
            Yaml::Own(_) => None,
        })
    }

    /// Whether its configuration is a mistake.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// The page's story that it plays with the Gateway API.
    pub fn is_like(&self) -> Option<&'static str> {
        self.like
    }

    /// Whether it is of the page, with the Gateway API or in the ambient mesh, too.
    pub fn is_of_the_page(&self) -> bool {
        self.section.is_some() || self.like.is_some() || self.is_of("gateway_api") || self.is_of("waypoint")
    }

    /// Whether it is a mistake of the page: these are shown to people.
    pub fn is_shown(&self) -> bool {
        self.broken && self.is_of_the_page()
    }

    /// Whether its name begins with this.
    pub fn is_of(&self, part: &str) -> bool {
        self.name.split('/').next() == Some(part)
    }

    /// Its section of the page, if it plays the mistake.
    pub fn broken_section(&self) -> Option<PageSection> {
        self.section.filter(|_| self.broken)
    }
}
