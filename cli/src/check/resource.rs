//! Kubernetes resources: which there are, and where each was read.

use std::collections::HashSet;
use std::rc::Rc;

use super::yaml::{Node, Room, YamlError, documents};

/// A text and the name to call it by.
#[derive(Debug, Clone)]
pub struct Source {
    /// A file's path, or `-`.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// A resource's identity and place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `VirtualService`, ...
    pub kind: String,
    /// `default` where none is given; empty for resources that have none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The source it was read from.
    pub file: String,
    /// The line it begins on.
    pub line: usize,
    /// Whether its namespace is written there. Where it isn't, `kubectl -n` or kustomize may put it into any.
    pub namespace_written: bool,
    /// Whether the sources define it more than once, differently: no one state is being looked at.
    pub redefined: bool,
}

impl Origin {
    /// `Kind/namespace/name`.
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.kind, self.namespace, self.name)
    }
}

/// A resource as it was written.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Who and where.
    pub origin: Rc<Origin>,
    /// The API group; empty for Kubernetes' core.
    pub group: String,
    /// All of it.
    pub node: Node,
    /// Whether a running cluster printed it, as part of a list.
    pub dumped: bool,
    /// Whether its source is a template of ytt's.
    in_template: bool,
}

impl Resource {
    /// Its `spec`, or the whole where it has none.
    pub fn spec(&self) -> &Node {
        self.node.get("spec").unwrap_or(&self.node)
    }

    /// Whether a placeholder stands where something is named: a template, before it is rendered.
    pub fn is_template(&self) -> bool {
        let workload = ["containers", "initContainers", "volumes", "env", "data", "annotations", "regex"];
        let mut open = vec![&self.node];
        while let Some(node) = open.pop() {
            if node.as_text().is_some_and(is_placeholder) {
                return true;
            }
            open.extend(node.items());
            for entry in node.entries() {
                // `{{ .Values.host }}` without quotes is YAML: a map whose key is a map.
                if entry.key.is_empty() || is_placeholder(&entry.key) {
                    return true;
                }
                if !workload.contains(&entry.key.as_str()) {
                    open.push(&entry.node);
                }
            }
        }
        false
    }

    fn key(&self) -> (&str, &str, &str, &str) {
        (&self.group, &self.origin.kind, &self.origin.namespace, &self.origin.name)
    }

    fn same(&self, other: &Self) -> bool {
        // All that a Namespace says are its labels.
        let labels: &[&str] =
            if self.origin.kind == "Namespace" { &["metadata", "labels"] } else { &["spec"] };
        [labels, &["spec"], &["data"]].iter().all(|path| match (self.node.at(path), other.node.at(path)) {
            (Some(one), Some(two)) => one.same(two),
            (None, None) => true,
            _ => false,
        })
    }
}

/// Helm's and Go's `{{ .Values.x }}`, envsubst's `${X}` and `$X`, kustomize's and OpenShift's `$(X)`, `${{X}}`, and `<name>`.
fn is_placeholder(text: &str) -> bool {
    let is_name = |name: &str| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let wrapped = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).is_some_and(is_name);
    ["{{", "${", "$("].iter().any(|mark| text.contains(mark))
        || text.strip_prefix('$').is_some_and(is_name)
        || wrapped
}

/// A document that is no YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The source.
    pub file: String,
    /// Where, and why.
    pub error: YamlError,
}

/// Something about a source that whoever reads the result should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The source.
    pub file: String,
    /// The line in it.
    pub line: usize,
    /// What there is.
    pub message: String,
}

/// All resources of the sources, one of each identity: the last, as `kubectl apply` would have it.
///
/// Those of a template (ytt's comments, or placeholders where something is named) are apart: their names are none.
/// Where a resource has no namespace, it is in `namespace`, if that is given.
pub fn resources(sources: &[Source], namespace: Option<&str>) -> Read {
    let mut all: Vec<Resource> = Vec::new();
    let (mut unreadable, mut notes, mut files) = (Vec::new(), Vec::new(), HashSet::new());
    let mut room = Room::default();
    for source in sources {
        let in_template = source.text.lines().any(|line| line.contains("#@"));
        let documents = documents(&source.text, &mut room);
        let file = &source.name;
        let errors = documents.errors.into_iter();
        unreadable.extend(errors.map(|error| Unreadable { file: file.clone(), error }));
        let from = all.len();
        let reader = Reader { file, namespace };
        documents.nodes.into_iter().for_each(|node| reader.flatten(node, false, &mut all));
        all.iter_mut().skip(from).for_each(|one| one.in_template = in_template);
        // What is no resource is none of meshwhy's business.
        if all.len() > from {
            files.insert(file.clone());
            notes.extend(documents.duplicates.into_iter().map(|(line, key)| {
                let message = format!("the key {key} is there twice; the last one was checked");
                Note { file: file.clone(), line, message }
            }));
        }
    }
    let (templates, all) =
        all.into_iter().partition(|one| looked_at(one) && (one.in_template || one.is_template()));
    Read { resources: latest(all), templates, unreadable, notes, files }
}

/// What the sources hold.
#[derive(Debug)]
pub struct Read {
    /// The resources.
    pub resources: Vec<Resource>,
    /// Those that are none yet.
    pub templates: Vec<Resource>,
    /// What is no YAML.
    pub unreadable: Vec<Unreadable>,
    /// What else there is to say.
    pub notes: Vec<Note>,
    /// The sources that had a resource.
    pub files: HashSet<String>,
}

/// Whether any rule looks at it: a placeholder in a ConfigMap of somebody's is nothing to speak of.
fn looked_at(resource: &Resource) -> bool {
    let istios = ["networking.istio.io", "security.istio.io", "gateway.networking.k8s.io"]
        .contains(&resource.group.as_str());
    let kind = resource.origin.kind.as_str();
    (istios && kind != "EnvoyFilter" && kind != "WasmPlugin")
        || matches!(
            kind,
            "Service"
                | "Namespace"
                | "Pod"
                | "Deployment"
                | "StatefulSet"
                | "DaemonSet"
                | "ReplicaSet"
                | "Ingress"
        )
}

/// Where resources are read from.
struct Reader<'source> {
    file: &'source str,
    namespace: Option<&'source str>,
}

impl Reader<'_> {
    fn flatten(&self, node: Node, in_list: bool, all: &mut Vec<Resource>) {
        // kubectl takes no array; what some tools make of several resources is one.
        for item in node.items() {
            self.flatten(item.clone(), in_list, all);
        }
        let (Some(version), Some(kind)) = (node.text("apiVersion"), node.text("kind")) else { return };
        // `kubectl get` prints `List`, the API server `ServiceList` and the like.
        if kind.ends_with("List") && node.get("items").is_some() {
            for item in node.list("items") {
                self.flatten(item.clone(), true, all);
            }
            return;
        }
        let group = version.split_once('/').map_or("", |(group, _)| group).to_owned();
        let metadata = node.get("metadata");
        let text = |key| metadata.and_then(|metadata| metadata.text(key));
        let written = text("namespace").or(self.namespace);
        let namespace = match kind {
            "Namespace" | "CustomResourceDefinition" | "ClusterRole" => "",
            _ => written.unwrap_or("default"),
        };
        let origin = Origin {
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: text("name").or_else(|| text("generateName")).unwrap_or_default().to_owned(),
            file: self.file.to_owned(),
            line: node.line,
            namespace_written: written.is_some() || namespace.is_empty(),
            redefined: false,
        };
        let dumped = in_list && text("uid").is_some();
        all.push(Resource { origin: Rc::new(origin), group, node, dumped, in_template: false });
    }
}

fn latest(all: Vec<Resource>) -> Vec<Resource> {
    let mut kept: Vec<Resource> = Vec::with_capacity(all.len());
    let mut places = std::collections::HashMap::new();
    for mut resource in all {
        let (group, kind, namespace, name) = resource.key();
        let key = [group, kind, namespace, name].map(str::to_owned);
        let place = *places.entry(key).or_insert(kept.len());
        let Some(earlier) = kept.get_mut(place) else {
            kept.push(resource);
            continue;
        };
        // kustomize's patches of labels and the like are no definition.
        let has_content =
            |resource: &Resource| ["spec", "data"].iter().any(|key| resource.node.get(key).is_some());
        if has_content(earlier) && !has_content(&resource) {
            continue;
        }
        if earlier.origin.redefined || !earlier.same(&resource) {
            let origin = Origin { redefined: true, ..(*resource.origin).clone() };
            resource.origin = Rc::new(origin);
        }
        *earlier = resource;
    }
    kept
}
