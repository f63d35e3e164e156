//! Whom a client asked, where its words name it: for the fix.

use std::borrow::Cow;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::{Confidence, Verdict};
use meshwhy::evidence::{ClusterName, Direction, Evidence, Upstream};
use meshwhy::report::Report;

use crate::explain::{Column, Finding, Line};

/// The longest name of a host.
const LONGEST: usize = 253;

/// A host and perhaps its port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::explain) struct Whom {
    pub(in crate::explain) host: String,
    pub(in crate::explain) port: Option<u16>,
    /// The address behind the name.
    pub(in crate::explain) address: Option<String>,
}

/// What stands in front of a host, and in front of nothing else.
const SURE: &[&str] = &[
    "://",
    "in connection to ",
    "Could not resolve host: ",
    "Failed to connect to ",
    "dial target host \"",
    "dial tcp: lookup ",
    "getaddrinfo ENOTFOUND ",
    "getaddrinfo EAI_AGAIN ",
    "connection to server at \"",
    "host='",
    "MySQL server on '",
    "UnknownHostException: ",
    "\"hostname\":\"",
];

/// What a word of a sentence may follow as well: here there is a port or a domain.
const OTHERS: &[&str] = &[
    "dial tcp ",
    "->",
    "connect ECONNREFUSED ",
    "connect ETIMEDOUT ",
    "connect EHOSTUNREACH ",
    "connection(",
    "connecting to ",
    "connect to ",
    "Connection to node -1 (",
    "Connection to ",
    "onnection refused: ",
    "further information: ",
    "onnection timed out: ",
    "to host ",
    "] to ",
    "Addr: ",
];

impl Whom {
    /// Whom these words name.
    pub(in crate::explain) fn of(text: &str) -> Option<Self> {
        let sure = SURE.iter().map(|before| (before, true));
        sure.chain(OTHERS.iter().map(|before| (before, false))).find_map(|(before, is_sure)| {
            let (_, behind) = text.split_once(before)?;
            let mut whom = Self::begins(behind)?;
            (is_sure || whom.port.is_some() || whom.host.contains('.')).then_some(())?;
            whom.port = whom.port.or_else(|| said_port(behind, before)).or(match *before {
                "://" if text.contains("https://") => Some(443),
                "://" if text.contains("http://") => Some(80),
                _ => None,
            });
            Some(whom)
        })
    }

    /// The host, and the port behind it, that a text begins with: `a.b:80/path`, `[::1]:80`, `a/10.0.0.1:80`, `/10.0.0.1:80`.
    pub(in crate::explain) fn begins(text: &str) -> Option<Self> {
        let (host, behind) = host_of(text)?;
        let port = |behind: &str| digits(behind.strip_prefix(':')?).parse().ok();
        // Java has the name and the address.
        let second = behind.strip_prefix('/').and_then(host_of).filter(|(host, _)| is_address(host));
        let address = second.map(|(address, _)| address.to_owned());
        let port = port(second.map_or(behind, |(_, behind)| behind));
        Some(Self { host: host.to_owned(), port, address })
    }

    /// As a request's authority.
    pub(in crate::explain) fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// Puts the names into a finding and its line that have none.
    pub(in crate::explain) fn name(&self, line: &mut Line<'static>, finding: &mut Finding) {
        if line.shows(Column::Authority) || line.shows(Column::Cluster) || line.shows(Column::UpstreamHost) {
            return;
        }
        line.set(Column::Authority, Cow::Owned(self.authority()));
        if finding.named_fix.as_deref().is_none_or(|fix| fix == finding.cause.fix())
            && finding.advice.is_none()
        {
            finding.named_fix = self.fix(finding.cause);
        }
    }

    fn fix(&self, cause: Cause) -> Option<String> {
        let port = self.port.map(|port| port.to_string()).unwrap_or_default();
        let is_address = is_address(&self.host);
        // Of a short name nobody knows whether it is a Service's.
        let is_short = !self.host.contains('.');
        if is_short && matches!(cause, Cause::NoEndpoints | Cause::NoHealthyEndpoints) {
            return None;
        }
        let address = if is_address { Some(&self.host) } else { self.address.as_ref() };
        let endpoint = address
            .or(Some(&self.host))
            .map(|host| if port.is_empty() { host.clone() } else { format!("{host}:{port}") });
        let cluster = (!is_address).then(|| format!("outbound|{port}||{}", self.host));
        let mut evidence = Evidence {
            direction: Direction::Outbound,
            upstream: Upstream {
                cluster: cluster.and_then(ClusterName::new),
                address: endpoint,
                ..Upstream::default()
            },
            ..Evidence::default()
        };
        evidence.downstream.port = self.port.map(u64::from);
        evidence.downstream.sni = (!is_address).then(|| self.host.clone());
        let verdict =
            Verdict { cause, confidence: Confidence::Possible, facts: &[], resource: None, advice: None };
        let fix = Report::new(&verdict, &evidence).fix.into_owned();
        (fix != cause.fix()).then_some(fix)
    }
}

/// `port 80`, `port=80`, `port 5432 failed`, where it stands apart from the host.
fn said_port(behind: &str, before: &str) -> Option<u16> {
    (before != "://").then_some(())?;
    let (_, port) = behind.split_once(" port")?;
    digits(port.trim_start_matches([' ', '='])).parse().ok()
}

fn digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

fn is_host(host: &str) -> bool {
    let proper = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    !host.is_empty()
        && host.len() <= LONGEST
        && proper
        && host.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// The host that a text begins with, and what is behind it.
fn host_of(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches(['/', '\'', '"', '[', '`']);
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let end = text.find(|c: char| !is_part(c)).unwrap_or(text.len());
    let (host, behind) = text.split_at_checked(end)?;
    let host = host.trim_end_matches('.');
    is_host(host).then_some((host, behind))
}

/// An address of IPv4.
pub(in crate::explain) fn is_address(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_client_asked_is_named_in_many_ways() {
        for (text, authority) in [
            ("Get \"http://a.b:8080/x\": EOF", "a.b:8080"),
            ("Post https://istiod.istio-system.svc:443/inject", "istiod.istio-system.svc:443"),
            ("https://a.example.com/", "a.example.com:443"),
            ("curl: (35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to a.b:443", "a.b:443"),
            ("curl: (7) Failed to connect to reviews port 9080: Connection refused", "reviews:9080"),
            ("dial tcp 10.0.0.1:15012: i/o timeout", "10.0.0.1:15012"),
            ("dial tcp: lookup istiod.istio-system on 10.0.0.10:53: no such host", "istiod.istio-system"),
            ("read tcp 10.0.0.1:4->10.0.0.4:9090: read: connection reset by peer", "10.0.0.4:9090"),
            ("Error: connect ECONNREFUSED 10.0.0.1:80", "10.0.0.1:80"),
            ("Connection refused: host/10.0.0.1:8080", "host:8080"),
            ("HTTPSConnectionPool(host='a.b', port=8443): Max retries", "a.b:8443"),
            ("connection to server at \"db\" (10.0.0.1), port 5432 failed", "db:5432"),
            ("Connection refused: no further information: /127.0.0.1:9898", "127.0.0.1:9898"),
            ("connection(mongo.a.svc:27017[-491]) unable to decode message length: EOF", "mongo.a.svc:27017"),
        ] {
            let whom = Whom::of(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(whom.authority(), authority, "{text}");
        }
        let long = format!("http://{}", "a/".repeat(500_000));
        assert_eq!(Whom::of(&long).unwrap().authority(), "a:80");
        for text in ["socket hang up", "Error connecting to the broker", "Connection refused: is it up?"] {
            assert_eq!(Whom::of(text), None, "{text}");
        }
    }

    #[test]
    fn the_fix_has_its_name() {
        let whom = |host: &str| Whom { host: host.into(), port: Some(80), address: None };
        let fix = whom("a.b.svc.cluster.local").fix(Cause::NoEndpoints).unwrap();
        assert_eq!(fix, "Make the selector of the Service a.b.svc.cluster.local match a ready pod.");
        assert_eq!(whom("reviews").fix(Cause::NoEndpoints), None);
        let fix = whom("10.0.0.1").fix(Cause::UpstreamConnectTimeout).unwrap();
        assert!(fix.contains("10.0.0.1:80"), "{fix}");
        let fix = whom("api.example.com").fix(Cause::EgressBlocked).unwrap();
        assert!(fix.contains("ServiceEntry for api.example.com"), "{fix}");
        assert_eq!(whom("a.b").fix(Cause::JwtRejected), None);
    }
}
