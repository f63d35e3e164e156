//! What no rule knows.

use super::{Entry, PageSection};
use crate::catalogue::Cause;

pub(super) static UNCLASSIFIED: Entry = Entry {
    title: "Envoy reports a failure that no rule knows",
    happened: "The request failed, and its flags and details fit none of the causes above: a new \
        Envoy, a filter of your own, a combination not seen before. They are in the evidence, word \
        for word.",
    looks_like: "Anything. `meshwhy.evidence` holds `flags=...` and `details=...` as Envoy gave \
        them.",
    confirm: r#"kubectl logs POD -n NAMESPACE -c istio-proxy | tail -20
# More of the story, for a short time (back to warning afterwards):
istioctl proxy-config log POD.NAMESPACE --level http:debug,router:debug,connection:debug
# Filters of your own?
kubectl get wasmplugin,envoyfilter -A"#,
    fix: "Envoy's access log documentation explains flags. Details that Envoy doesn't document \
        come from a filter. A report should name the Envoy version.",
    fix_yaml: None,
    section: Some(PageSection::RequestsRejected),
    confused_with: &[Cause::ApplicationError],
    tell_apart: "`via_upstream` with a 5xx is the application's own error, not this.",
};
