//! Host names, as Istio compares them.

/// What Kubernetes' services are called behind their namespace.
const SERVICE_DOMAIN: &str = "svc.cluster.local";

/// The full name of a host written in a namespace: one without a dot is a service of it.
pub fn qualify(host: &str, namespace: &str) -> String {
    let host = host.to_ascii_lowercase();
    if host.is_empty() || host == "*" || host.parse::<std::net::IpAddr>().is_ok() {
        return host;
    }
    if !host.contains('.') {
        return service(&host, namespace);
    }
    match host.split('.').collect::<Vec<_>>().as_slice() {
        [name, namespace, "svc"] | [name, namespace, "svc", "cluster", "local"] if !name.starts_with('*') => {
            service(name, namespace)
        }
        _ => host,
    }
}

/// The full name of a Kubernetes service.
pub fn service(name: &str, namespace: &str) -> String {
    format!("{name}.{namespace}.{SERVICE_DOMAIN}")
}

/// Whether it is a service in a domain of which nothing is known: this cluster's, if that isn't `cluster.local`, or one of several clusters
/// (`clusterset.local`).
pub fn is_of_another_domain(host: &str) -> bool {
    host.split('.').nth(2) == Some("svc") && service_parts(host).is_none() && !host.starts_with('*')
}

/// Name and namespace of a Kubernetes service's full name.
pub fn service_parts(host: &str) -> Option<(&str, &str)> {
    let (name, rest) = host.split_once('.')?;
    let (namespace, domain) = rest.split_once('.')?;
    (domain == SERVICE_DOMAIN && !name.starts_with('*')).then_some((name, namespace))
}

/// Whether some name is meant by both.
pub fn overlap(one: &str, two: &str) -> bool {
    match (one.strip_prefix('*'), two.strip_prefix('*')) {
        (Some(one), Some(two)) => one.ends_with(two) || two.ends_with(one),
        (Some(suffix), None) => two.ends_with(suffix),
        (None, Some(suffix)) => one.ends_with(suffix),
        (None, None) => one == two,
    }
}

/// Whether every name that `host` means is meant by `pattern`.
pub fn covers(pattern: &str, host: &str) -> bool {
    match (pattern.strip_prefix('*'), host.strip_prefix('*')) {
        (Some(pattern), Some(host)) => host.ends_with(pattern),
        (Some(suffix), None) => host.ends_with(suffix),
        (None, Some(_)) => false,
        (None, None) => pattern == host,
    }
}

/// How specific a pattern is: more is more.
pub fn specificity(pattern: &str) -> (bool, usize) {
    (!pattern.starts_with('*'), pattern.len())
}
