//! What a proxy and its agent say of what they get from istiod: configuration, certificates.

use meshwhy::causes::Cause;

use super::lead::{tagged, without_thread};

/// What of the configuration is missing, in a message's words, and what comes of that, the most probable first.
pub(super) fn not_configured(message: &str) -> Option<(&str, &'static [Cause])> {
    const MISSING: &[Cause] = &[
        Cause::RouteTableMissing,
        Cause::ConfigPropagating,
        Cause::UpstreamConnectTimeout,
        Cause::UpstreamRefused,
    ];
    let said = tagged(message).1;
    // What Envoy's own requests are for, to an exporter or to a filter's service, and it doesn't know.
    if said.contains("[cluster = ") && said.contains("] is not configured") {
        return Some((said, &[Cause::ClusterMissing, Cause::ConfigPropagating]));
    }
    if let Some(causes) = rejected(said) {
        return Some((said, causes));
    }
    let reason = not_ready(message).or_else(|| does_not_come(said).then_some(said));
    reason.map(|reason| (reason, MISSING))
}

/// Why the agent says that Envoy isn't ready: what it needs of istiod has not come.
fn not_ready(message: &str) -> Option<&str> {
    let reason = message.strip_prefix("Envoy proxy is NOT ready: ")?;
    let waits = ["config not", "config received", "config still", "failed to get"];
    waits.iter().any(|begin| reason.starts_with(begin)).then_some(reason)
}

/// What Envoy says of configuration that doesn't come.
fn does_not_come(said: &str) -> bool {
    const WORDS: &[&str] = &["initial fetch timed out", "Unable to establish new stream", "gRPC update for "];
    let is_it =
        said.starts_with("gRPC config") || said.starts_with("gRPC update") || said.starts_with("Unable to");
    let fails = WORDS.iter().any(|words| said.contains(words)) && !said.contains("closed: 13");
    // A stream that was closed for nothing that it says; after a while without anything to say, that is usual (13).
    let cut = said.trim_end().ends_with("closed: 1,") || said.trim_end().ends_with("closed: 14,");
    is_it && (fails || cut)
}

/// What comes of configuration that Envoy doesn't take, by its kind: `gRPC config for type.googleapis.com/envoy.config.listener.v3.Listener rejected: ...`.
/// It keeps what it had.
fn rejected(said: &str) -> Option<&'static [Cause]> {
    let (kind, _) = said.strip_prefix("gRPC config for ")?.split_once(" rejected: ")?;
    let kind = kind.trim_end_matches(" update").rsplit(['.', '/']).next()?;
    Some(match kind {
        "Cluster" => &[Cause::ClusterMissing, Cause::ConfigPropagating],
        "ClusterLoadAssignment" => &[Cause::NoEndpoints, Cause::ConfigPropagating],
        "RouteConfiguration" | "ScopedRouteConfiguration" | "VirtualHost" => {
            &[Cause::VirtualServiceNotApplied, Cause::RouteTableMissing]
        }
        "Secret" => &[Cause::ProxyCertificateMissing],
        "TypedExtensionConfig" => &[Cause::FilterConfigMissing],
        // Without its listener nobody answers on a port, and the old one doesn't know what is new.
        _ => &[
            Cause::VirtualServiceNotApplied,
            Cause::UpstreamRefused,
            Cause::RouteTableMissing,
            Cause::ConfigPropagating,
        ],
    })
}

/// Whether a message that is no warning is a failure all the same, as gRPC's are in the logs of Istio to 1.9.
pub(super) fn is_failure(message: &str) -> bool {
    // The last one is of zap's, in the logs of collectors and operators.
    const WORDS: &[&str] = &["createTransport failed to connect", "TRANSIENT_FAILURE", "\"error\": \""];
    message.starts_with("http: TLS handshake error") || WORDS.iter().any(|words| message.contains(words))
}

/// What the agent fails in before it has anything of istiod's: its token and the certificate that it asks for.
pub(super) fn agent_fails(message: &str) -> Option<(&str, &'static [Cause])> {
    const BEGINS: &[&str] = &[
        "failed to create upstream grpc client: ",
        "failed to connect to upstream ",
        "failed to get upstream connection",
        "failed to read token file",
        "failed to fetch token from file",
        "failed to get credential token",
        "failed to warm certificate: ",
        "failed to generate workload certificate",
        "failed to get root cert",
        "failed to sign ",
    ];
    // The scope may stand in front: `xdsproxy\tfailed to ...`.
    let whole = tagged(message).1;
    let behind = whole.split_once(char::is_whitespace).map(|(_, behind)| behind.trim_start());
    let said = [Some(whole), behind].into_iter().flatten();
    let mut fails = said.filter(|said| BEGINS.iter().any(|begin| said.starts_with(begin)));
    Some((
        fails.next()?,
        &[Cause::ProxyCertificateMissing, Cause::RouteTableMissing, Cause::ConfigPropagating],
    ))
}

/// What the agent said as Envoy asked it for a certificate that it has none for.
pub(super) fn missing_secret(message: &str) -> Option<&str> {
    const NOT_READY: &str = "Create NotReadySslSocket";
    let said = without_thread(tagged(message).1);
    if said.starts_with(NOT_READY) {
        return Some(NOT_READY);
    }
    let (stream, reason) = said.split_once("closed: 2, ")?;
    let is_it = stream.contains("gRPC config stream") && reason.starts_with("failed to generate secret for ");
    is_it.then_some(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_agent_has_no_certificate_for() {
        let said = "StreamSecrets gRPC config stream closed: 2, failed to generate secret for default: x";
        assert_eq!(missing_secret(said), Some("failed to generate secret for default: x"));
        assert_eq!(missing_secret("StreamSecrets gRPC config stream closed: 2, other"), None);
        assert_eq!(missing_secret("Create NotReadySslSocket"), Some("Create NotReadySslSocket"));
    }

    #[test]
    fn what_is_refused_is_told_by_its_kind() {
        for (kind, cause) in [
            ("envoy.config.listener.v3.Listener", Cause::VirtualServiceNotApplied),
            ("envoy.config.cluster.v3.Cluster", Cause::ClusterMissing),
            ("envoy.api.v2.RouteConfiguration update", Cause::VirtualServiceNotApplied),
            ("envoy.config.endpoint.v3.ClusterLoadAssignment", Cause::NoEndpoints),
            ("envoy.extensions.transport_sockets.tls.v3.Secret", Cause::ProxyCertificateMissing),
            ("envoy.config.core.v3.TypedExtensionConfig", Cause::FilterConfigMissing),
        ] {
            let said = format!("gRPC config for type.googleapis.com/{kind} rejected: x");
            let (_, causes) = not_configured(&said).unwrap();
            assert_eq!(causes.first(), Some(&cause), "{kind}");
        }
    }

    #[test]
    fn the_agent_says_what_it_lacks() {
        let said = "failed to create upstream grpc client: rpc error: code = Unauthenticated desc = x";
        for message in [said.to_owned(), format!("xdsproxy\t{said}"), format!("xdsproxy        {said}")] {
            assert_eq!(agent_fails(&message).map(|(said, _)| said), Some(said));
        }
        assert_eq!(agent_fails("connected to upstream XDS server: istiod:15012"), None);
    }
}
