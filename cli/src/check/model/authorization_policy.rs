//! AuthorizationPolicies: whether a policy asks for what only HTTP has.

use std::rc::Rc;

use super::{Labels, labels};
use crate::check::resource::{Origin, Resource};
use crate::check::yaml::Node;

/// An AuthorizationPolicy.
#[derive(Debug)]
pub struct AuthorizationPolicy {
    /// Which.
    pub origin: Rc<Origin>,
    /// The pods it is for; all of the namespace, if there is none.
    pub selector: Option<Labels>,
    /// `ALLOW`, `DENY`, ...
    pub action: String,
    /// Whether it names Services or Gateways instead of pods.
    pub has_targets: bool,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// The first field that only HTTP has, and its line.
    pub http_field: Option<(String, usize)>,
    /// The pods' ports that it is for; all, if there are none.
    pub ports: Vec<u16>,
    /// The principals that it is for, and their lines.
    pub principals: Vec<(String, usize)>,
    /// Where it begins.
    pub line: usize,
}

/// The fields that Istio reads from HTTP requests.
const HTTP_FIELDS: &[&str] = &[
    "hosts",
    "notHosts",
    "methods",
    "notMethods",
    "paths",
    "notPaths",
    "requestPrincipals",
    "notRequestPrincipals",
];

impl AuthorizationPolicy {
    /// Reads it.
    pub fn new(resource: &Resource) -> Self {
        let spec = resource.node.get("spec");
        let under = |path: &[&str]| spec.and_then(|spec| spec.at(path));
        let selector = labels(under(&["selector", "matchLabels"]));
        Self {
            origin: Rc::clone(&resource.origin),
            selector: (!selector.is_empty()).then_some(selector),
            action: under(&["action"]).and_then(Node::as_text).unwrap_or("ALLOW").to_owned(),
            has_targets: under(&["targetRefs"]).is_some() || under(&["targetRef"]).is_some(),
            rules: under(&["rules"]).map_or(&[][..], Node::items).iter().map(Rule::new).collect(),
        }
    }

    /// The field of HTTP for which connections without HTTP are refused, by the rules that are about them, and its line: an ALLOW rule
    /// with one never fits, and of a DENY rule Istio leaves it out.
    pub fn refuses_tcp(&self, about: impl Fn(&Rule) -> bool) -> Option<&(String, usize)> {
        let mut rules = self.rules.iter().filter(|rule| about(rule));
        let field = rules.clone().find_map(|rule| rule.http_field.as_ref())?;
        let refuses = match self.action.as_str() {
            "ALLOW" => rules.all(|rule| rule.http_field.is_some()),
            "DENY" => true,
            _ => false,
        };
        refuses.then_some(field)
    }
}

impl Rule {
    fn new(node: &Node) -> Self {
        let sources = || node.list("from").iter().filter_map(|from| from.get("source"));
        let operations = || node.list("to").iter().filter_map(|to| to.get("operation"));
        let fields = sources().chain(operations()).flat_map(Node::entries);
        let of_http = fields.filter(|entry| HTTP_FIELDS.contains(&entry.key.as_str()));
        let conditions = node.list("when").iter().filter_map(|when| Some((when.text("key")?, when.line)));
        let of_request = conditions.filter(|(key, _)| key.starts_with("request."));
        let of_http = of_http.map(|entry| (entry.key.clone(), entry.line));
        Self {
            http_field: of_http.chain(of_request.map(|(key, line)| (key.to_owned(), line))).next(),
            ports: operations()
                .flat_map(|operation| operation.list("ports"))
                .filter_map(|port| port.as_text()?.parse().ok())
                .collect(),
            principals: sources()
                .flat_map(|source| source.list("principals"))
                .filter_map(|name| Some((name.as_text()?.to_owned(), name.line)))
                .collect(),
            line: node.line,
        }
    }
}
