//! The names of details that meshwhy knows, compared with Envoy's binary.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use meshwhy::evidence::{Detail, Details};

use crate::harness::releases;

/// The longest text that Envoy's compiler may build in registers, eight bytes at a time.
const IN_REGISTERS: usize = 22;

/// Names of details begin so where a codec or a filter has a prefix of its own.
const PREFIXES: &[&str] = &[
    "a2a_filter_",
    "ai_protocol_manager_",
    "cache.",
    "cdn_loop_",
    "connect_bridge_",
    "csrf_",
    "custom_response_",
    "ext_authz_",
    "ext_proc_",
    "file_server_",
    "filter_added_",
    "filter_removed_",
    "grpc_bridge_",
    "health_check_",
    "http.",
    "http1.",
    "http2.",
    "http3.",
    "jwt_authn_",
    "oauth.",
    "on_demand_cluster_",
    "rbac_",
    "uhv.",
];

/// Counters, runtime keys, reasons of closes and fields of metadata that begin so as well, and details of answers that are no failures.
const NO_DETAILS: &[&str] = &[
    "csrf_token",
    "csrf_token_expires_in",
    "custom_response_matcher",
    "ext_authz_close",
    "ext_authz_duration",
    "ext_authz_http_status",
    "ext_authz_status",
    "ext_authz_unauthorized",
    "ext_proc_close_requested",
    "ext_proc_reset_requested",
    "ext_proc_service_type",
    "file_server_empty_behavior_type",
    "health_check_client",
    "health_check_config",
    "health_check_failure_event",
    "health_check_protocols",
    "health_check_request",
    "http.async_response_buffer_limit",
    "http.endpoint",
    "http.max_requests_per_io_cycle",
    "http.route",
    "http.status_code",
    "http.url",
    "http1.optionally_delay_close",
    "on_demand_cluster_attempt",
    "on_demand_cluster_success",
    "rbac_deny_close",
];

/// Each name that this version is said to have is in its binary, and no other that begins like those.
pub fn check() -> Result<()> {
    let minor = releases::minor()?;
    let binary = std::fs::read(releases::envoy()?)?;
    let texts: BTreeSet<&[u8]> = binary
        .split(|byte| !byte.is_ascii_graphic())
        .filter(|text| text.len() >= 8 && text[0].is_ascii_lowercase())
        .collect();
    let has = |name: &[u8]| texts.range(name..).next().is_some_and(|text| text.starts_with(name));
    let said: Vec<&Detail> = Detail::KNOWN.iter().filter(|detail| detail.seen().contains(&minor)).collect();
    // Other versions than those two are not said to have any.
    ensure!(!said.is_empty() || !matches!(minor, 36 | 40), "no name is said to be in 1.{minor}");
    for name in said.iter().map(|detail| detail.name().as_bytes()) {
        let pieces = name.len() <= IN_REGISTERS && has(&name[..name.len().min(8)]);
        ensure!(has(name) || pieces, "{} is not in Envoy 1.{minor}", String::from_utf8_lossy(name));
    }
    let new = unknown(&binary);
    ensure!(new.is_empty(), "Envoy 1.{minor} has these, and no table: {new:?}");
    Ok(())
}

/// Constants that begin as details do, and are in no table.
fn unknown(binary: &[u8]) -> BTreeSet<&str> {
    let is_name = |text: &&[u8]| text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(byte));
    binary
        .split(|byte| *byte == 0)
        .filter(is_name)
        .filter_map(|text| str::from_utf8(text).ok())
        .filter(|text| PREFIXES.iter().any(|prefix| text.starts_with(prefix) && text != prefix))
        .filter(|text| !NO_DETAILS.contains(text) && Details::new(*text).detail() == Detail::Other)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_newer_envoy_is_found() {
        let binary = b"x\0http1.codec_error\0http1.from_the_future\0ext_authz_status\0http1.no\x01\0other";
        assert_eq!(unknown(binary), BTreeSet::from(["http1.from_the_future"]));
    }
}
