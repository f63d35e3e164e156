//! Mistakes in the configuration: one clear line for each VM (Envoy's first one, the main thread's and the worker's),
//! and traffic flows, even where Envoy is configured to fail closed.

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::envoy::config::{FailurePolicy, Roles};
use crate::scenarios::common::{ASK, FINE, PLAIN, backend, http};
use crate::scenarios::scenario::{Log, Scenario};

pub(super) fn table() -> Vec<Scenario> {
    let closed = |http: Option<Value>, connection: Option<Value>, access_log: Option<Value>| Roles {
        http,
        connection,
        access_log,
        runtime_failure_policy: FailurePolicy::Closed,
    };
    let works = |name, about, roles, says, times| {
        Scenario::new(name, about, http(backend()).roles(roles))
            .server("backend", PLAIN)
            .client(Client::CurlTimes(3, ASK))
            .gets(200)
            .logs(Log::Http, FINE)
            .envoy_says(says, times)
            .times(3)
    };
    let wrong = |name, config: Value, says| {
        works(name, "a configuration that is refused", closed(Some(config.clone()), None, None), says, 3)
    };
    vec![
        wrong(
            "healthy/config_unknown_key",
            json!({"rolle": "http"}),
            "unknown key `rolle`: expected one of role, log",
        ),
        wrong(
            "healthy/config_wrong_type",
            json!({"log_per_minute": "many"}),
            "`log_per_minute`: expected a whole number from 0 to",
        ),
        wrong(
            "healthy/config_out_of_range",
            json!({"max_series": 0}),
            "`max_series`: expected a whole number from 1 to",
        ),
        wrong(
            "healthy/config_wrong_log",
            json!({"log": "loud"}),
            "`log`: expected \"off\", \"limited\" or \"all\"",
        ),
        wrong(
            "healthy/config_wrong_rate",
            json!({"observe_every": -1}),
            "`observe_every`: expected a whole number from 0 to",
        ),
        wrong(
            "healthy/config_wrong_flag",
            json!({"resource_label": "yes"}),
            "`resource_label`: expected true or false",
        ),
        wrong(
            "healthy/config_wrong_header",
            json!({"response_header": "X Cause"}),
            "`response_header`: expected a header name of lower-case letters, digits and -",
        ),
        wrong("healthy/config_no_json", json!("{role: http"), "not valid JSON"),
        wrong(
            "healthy/config_wrong_role",
            json!({"role": "tcp"}),
            "`role`: expected \"http\", \"connection\" or \"access_log\"",
        ),
        works(
            "healthy/config_empty",
            "no configuration at all",
            closed(Some(json!("")), None, None),
            "meshwhy:",
            0,
        ),
        works(
            "healthy/http_role_as_network_filter",
            "a role that is plugged in at the wrong place",
            closed(None, Some(json!({"role": "http"})), None),
            "`role`: expected \"connection\" for a network filter",
            1,
        ),
        works(
            "healthy/connection_role_as_http_filter",
            "a role that is plugged in at the wrong place",
            closed(Some(json!({"role": "connection"})), None, None),
            "`role`: expected \"http\" for an HTTP filter",
            1,
        ),
        works(
            "healthy/http_role_as_access_logger",
            "a role that is plugged in at the wrong place; nothing failed, so it was not even asked",
            closed(None, None, Some(json!({"role": "http"}))),
            "`role`: expected \"access_log\"",
            1,
        ),
        works(
            "healthy/access_log_role_as_http_filter",
            "a role that is plugged in at the wrong place",
            closed(Some(json!({"role": "access_log"})), None, None),
            "`role`: expected \"http\" or \"connection\" for a filter",
            1,
        ),
        works(
            "healthy/access_log_role_as_network_filter",
            "a role that is plugged in at the wrong place",
            closed(None, Some(json!({"role": "access_log"})), None),
            "`role`: expected \"http\" or \"connection\" for a filter",
            1,
        ),
        works(
            "healthy/connection_role_as_access_logger",
            "a role that is plugged in at the wrong place",
            closed(None, None, Some(json!({"role": "connection"}))),
            "`role`: expected \"access_log\"",
            1,
        ),
        works(
            "healthy/looks_at_every_request",
            "observe_every 1",
            closed(Some(json!({"observe_every": 1})), None, None),
            "meshwhy:",
            0,
        ),
    ]
}
