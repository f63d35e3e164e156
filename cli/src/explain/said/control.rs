//! What a proxy and its agent say of what they get from istiod: configuration, certificates.

use meshwhy::causes::Cause;

use super::lead::{tagged, without_thread};

/// What of the configuration is missing, in a message's words, and what comes of that, the most probable first.
pub(in crate::explain) fn not_configured(message: &str) -> Option<(&str, &'static [Cause])> {
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
    if let Some(causes) = refused(said).or_else(|| late(said)) {
        return Some((said, causes));
    }
    let reason = not_ready(message).or_else(|| does_not_come(said).then_some(said));
    reason.map(|reason| (reason, MISSING))
}

/// What comes of a stream that the control plane closed with an error of its own: `gRPC config stream closed: 2, cannot create upstream cluster ...`.
fn refused(said: &str) -> Option<&'static [Cause]> {
    // Unknown, invalid, not found, denied, exhausted, unmet, unimplemented, unauthenticated: it answered, and gives nothing.
    const CODES: &[&str] = &["2", "3", "5", "7", "8", "9", "12", "16"];
    let (_, behind) = said.split_once("gRPC config stream ")?.1.split_once("closed")?;
    let (code, reason) = behind.split_once(": ")?.1.split_once(',')?;
    (CODES.contains(&code) && !reason.trim().is_empty() && missing_secret(said).is_none()).then_some(())?;
    Some(match reason.contains("cluster") {
        true => &[Cause::ClusterMissing, Cause::RouteTableMissing, Cause::ConfigPropagating],
        false => {
            &[Cause::RouteTableMissing, Cause::ConfigPropagating, Cause::ClusterMissing, Cause::NoEndpoints]
        }
    })
}

/// What comes of configuration that doesn't come, where Envoy names its kind: `gRPC config: initial fetch timed out for type.googleapis.com/...`.
fn late(said: &str) -> Option<&'static [Cause]> {
    let (_, kind) = said.split_once("initial fetch timed out for ")?;
    match kind.split_whitespace().next()?.rsplit(['.', '/']).next()? {
        "ClusterLoadAssignment" => {
            Some(&[Cause::NoEndpoints, Cause::NoHealthyEndpoints, Cause::ConfigPropagating])
        }
        "Secret" => Some(&[Cause::ProxyCertificateMissing, Cause::ConfigPropagating]),
        "Cluster" => Some(&[Cause::ClusterMissing, Cause::NoHealthyEndpoints, Cause::ConfigPropagating]),
        _ => None,
    }
}

/// The message of one of Envoy's lines as people quote it, without its time, and perhaps without the rest of what stands in front:
/// `source/common/config/a.cc:226] MESSAGE`, `[1][info][upstream] [source/a.cc:28] MESSAGE`, and what only Envoy says.
pub(in crate::explain) fn quoted(text: &str) -> Option<&str> {
    const SAYS: &[&str] = &["gRPC config for ", "gRPC config: ", "gRPC config stream "];
    let text = text.trim();
    if SAYS.iter().any(|begin| text.starts_with(begin)) {
        return Some(text);
    }
    // The service that the stream is of.
    let of_service = text.split_once(' ').filter(|(word, behind)| {
        let is_service = ["Stream", "Delta", "Fetch"].iter().any(|begin| word.starts_with(begin));
        is_service && behind.starts_with("gRPC config stream ")
    });
    if of_service.is_some() {
        return Some(text);
    }
    // The place in Envoy's source, and in front of it no more than brackets.
    let (front, behind) = text.split_at_checked(text.find("source/")?)?;
    let (place, message) = behind.split_once("] ")?;
    let (file, row) = place.rsplit_once(':')?;
    let is_place =
        (file.ends_with(".cc") || file.ends_with(".h")) && row.bytes().all(|byte| byte.is_ascii_digit());
    let is_front = front.bytes().all(|b| b.is_ascii_alphanumeric() || b"[]./_- ".contains(&b));
    (is_place && is_front && !file.contains(' ')).then_some(message)
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
    Some(of_rejected(kind.trim_end_matches(" update").rsplit(['.', '/']).next()?))
}

/// The same of a kind without its package: `Listener`.
pub(in crate::explain) fn of_rejected(kind: &str) -> &'static [Cause] {
    match kind {
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
    }
}

/// Whether a message that is no warning is a failure all the same, as gRPC's are in the logs of Istio to 1.9.
pub(in crate::explain) fn is_failure(message: &str) -> bool {
    // The last one is of zap's, in the logs of collectors and operators.
    const WORDS: &[&str] = &["createTransport failed to connect", "TRANSIENT_FAILURE", "\"error\": \""];
    message.starts_with("http: TLS handshake error") || WORDS.iter().any(|words| message.contains(words))
}

/// What the agent fails in before it has anything of istiod's: its token and the certificate that it asks for.
pub(in crate::explain) fn agent_fails(message: &str) -> Option<(&str, &'static [Cause])> {
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
pub(in crate::explain) fn missing_secret(message: &str) -> Option<&str> {
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
    fn what_the_control_plane_refuses_or_is_late_with() {
        for (said, cause) in [
            (
                "gRPC config stream closed: 2, cannot create upstream cluster without discovery chain",
                Cause::ClusterMissing,
            ),
            (
                "DeltaAggregatedResources gRPC config stream to local_agent closed since 3s ago: 7, Permission denied",
                Cause::RouteTableMissing,
            ),
            (
                "gRPC config: initial fetch timed out for type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
                Cause::NoEndpoints,
            ),
            (
                "gRPC config: initial fetch timed out for type.googleapis.com/envoy.config.listener.v3.Listener",
                Cause::RouteTableMissing,
            ),
        ] {
            assert_eq!(
                not_configured(said).and_then(|(_, causes)| causes.first().copied()),
                Some(cause),
                "{said}"
            );
        }
        for said in [
            "gRPC config stream closed: 13, ",
            "gRPC config stream closed: 0, ",
            "gRPC config stream closed: 2, ",
        ] {
            assert_eq!(not_configured(said), None, "{said}");
        }
    }

    #[test]
    fn people_quote_envoy_without_what_stands_in_front() {
        const SAID: &str = "gRPC config for x.Listener rejected: y";
        for front in [
            "",
            "source/common/config/a.cc:226] ",
            "[1][info][upstream] [source/a/b.cc:28] ",
            "[external/envoy/source/a.h:1] ",
        ] {
            assert_eq!(quoted(&format!("{front}{SAID}")), Some(SAID), "{front}");
        }
        assert!(quoted("DeltaAggregatedResources gRPC config stream closed: 7, x").is_some());
        for text in [
            "I see gRPC config for x",
            "a \"source/a.cc:1] x",
            "source/a.cc:1 x",
            "[source/a.rs:1] x",
            "my source/ b] x",
        ] {
            assert_eq!(quoted(text), None, "{text}");
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
