//! What to change where ztunnel's own words say it: causes' own fixes speak of what sidecars have.

use meshwhy::causes::Cause;
use meshwhy::report::clean;

/// The longest name that is shown.
const LONGEST: usize = 200;

/// Of a connection's error; `get` knows the line's other fields.
pub(in crate::explain) fn fix(
    cause: Cause,
    error: &str,
    inbound: bool,
    get: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let named = |key: &str, otherwise: &str| {
        get(key).map_or_else(|| otherwise.to_owned(), |name| clean(&name, LONGEST))
    };
    let workload = || named("dst.workload", "the destination");
    let address = || named("dst.addr", "its address");
    // Where the address was left out, that of the tunnel's inside says the same.
    let in_tunnel = get("dst.addr")
        .or(get("dst.hbone_addr").map(|_| ":15008".to_owned()))
        .is_some_and(|a| a.ends_with(":15008"));
    let fixed = |fix: &str| Some(fix.to_owned());
    match cause {
        Cause::AuthorizationPolicyDenied if error.contains("none allowed") => Some(format!(
            "Add an ALLOW rule for {}: of the policies on {} none allows it.",
            named("src.identity", "this caller"),
            workload()
        )),
        Cause::AuthorizationPolicyDenied if error.contains("http status: 401") => Some(format!(
            "Look in the log of the ztunnel on the node of {}: it names the policy that refused this caller.",
            workload()
        )),
        Cause::UpstreamCertificateRejected => Some(match expected(error) {
            Some((wanted, got)) => {
                format!("Look who answers at {}: it is {got}, where {wanted} was expected.", address())
            }
            None => "Give both sides certificates of the same root: this peer's is not trusted.".to_owned(),
        }),
        Cause::UpstreamRefused if in_tunnel && !inbound => Some(format!(
            "Check that ztunnel runs on the node of {} and has taken its pod in, and that no NetworkPolicy rejects port 15008: {} refused.",
            workload(),
            address()
        )),
        Cause::UpstreamConnectTimeout if in_tunnel => Some(format!(
            "Let NetworkPolicies and firewalls pass TCP port 15008 to {}: nothing answered at {}.",
            workload(),
            address()
        )),
        Cause::UpstreamUnreachable if get("dst.addr").is_some() => Some(format!(
            "Restore the network path to {} of {}: routes, NetworkPolicy, firewall, or an address of another network or of a pod that is gone.",
            address(),
            workload()
        )),
        Cause::Unclassified if error.contains("information about local workload") => fixed(
            "Look whether istiod reaches this ztunnel and knows the pod (istioctl ztunnel-config workload): until it does, ztunnel takes none of its connections.",
        ),
        Cause::Unclassified => fixed(
            "Look the error in the evidence up in ztunnel's source, and for the same connection in the log of the other side's ztunnel.",
        ),
        _ => None,
    }
}

/// Who was expected, and who it was: `peer did not present the expected SAN (A), got B`.
fn expected(error: &str) -> Option<(String, String)> {
    let (_, behind) = error.split_once("expected SAN (")?;
    let (wanted, behind) = behind.split_once(')')?;
    let (_, got) = behind.split_once("got ")?;
    let got = got.split([')', '"', ' ']).next().filter(|got| !got.is_empty())?;
    Some((clean(wanted, LONGEST), clean(got, LONGEST)))
}
