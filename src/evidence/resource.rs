//! The Istio resource behind a route or a cluster.

use std::fmt;

/// `Kind/namespace/name`, read from `/apis/GROUP/VERSION/namespaces/NS/KIND/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Resource(String);

/// Kubernetes names are at most 253 characters; kinds and namespaces 63.
const LONGEST_NAME: usize = 253;
const LONGEST_PART: usize = 63;

impl Resource {
    /// Parses what istiod puts in the metadata (`AddConfigInfoMetadata`); anything else is none.
    pub fn from_config_path(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/apis/")?;
        let mut parts = rest.split('/');
        let (_group, _version) = (parts.next()?, parts.next()?);
        if parts.next()? != "namespaces" {
            return None;
        }
        let (namespace, kind, name) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        Self::new(&camel_case(kind), namespace, name)
    }

    /// A resource, if all parts are proper Kubernetes names.
    pub fn new(kind: &str, namespace: &str, name: &str) -> Option<Self> {
        let proper = |text: &str, longest: usize| {
            !text.is_empty()
                && text.len() <= longest
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_')
        };
        let fits = proper(kind, LONGEST_PART) && proper(namespace, LONGEST_PART);
        let fits = fits && proper(name, LONGEST_NAME);
        fits.then(|| Self(format!("{kind}/{namespace}/{name}")))
    }

    /// `Kind/namespace/name`.
    pub fn path(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

/// `virtual-service` → `VirtualService`; the Gateway API's kinds shout their protocol.
fn camel_case(kebab: &str) -> String {
    let words = kebab.split('-').map(|word| match word {
        "http" | "https" | "tcp" | "tls" | "udp" | "grpc" => word.to_ascii_uppercase(),
        _ => {
            let mut word = word.to_owned();
            if let Some(first) = word.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            word
        }
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::Resource;

    fn parsed(path: &str) -> Option<String> {
        Resource::from_config_path(path).map(|r| r.to_string())
    }

    #[test]
    fn istiods_paths_become_kind_namespace_name() {
        let path = "/apis/networking.istio.io/v1alpha3/namespaces/default/virtual-service/reviews";
        assert_eq!(parsed(path).unwrap(), "VirtualService/default/reviews");
        let path = "/apis/networking.istio.io/v1/namespaces/prod/destination-rule/a.b-c";
        assert_eq!(parsed(path).unwrap(), "DestinationRule/prod/a.b-c");
    }

    #[test]
    fn anything_else_is_no_resource() {
        for path in [
            "",
            "reviews",
            "/apis/x/v1/namespaces/ns/virtual-service",
            "/apis/x/v1/namespaces/ns/virtual-service/a/b",
            "/apis/x/v1/namespaces/ns/virtual-service/a;.;b",
            "/apis/x/v1/namespaces//virtual-service/a",
        ] {
            assert_eq!(parsed(path), None, "{path}");
        }
    }
}
