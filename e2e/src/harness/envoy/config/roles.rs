//! How meshwhy is plugged into Envoy: the filter's roles, and one VM for all of them.

use serde_json::{Value, json};

/// Which roles of the filter are installed, each with its configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Roles {
    /// HTTP filter.
    pub http: Option<Value>,
    /// Network filter on every chain.
    pub connection: Option<Value>,
    /// Access logger on the listeners, and on connection managers behind a native access-log filter.
    pub access_log: Option<Value>,
    /// What Envoy does when the VM fails.
    pub runtime_failure_policy: FailurePolicy,
}

/// What Envoy does when the VM fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// As shipped.
    #[default]
    Open,
    /// As a user may have set it.
    Closed,
}

impl Roles {
    /// All three, as recommended.
    pub fn all() -> Self {
        Self {
            http: Some(json!({"role": "http"})),
            connection: Some(json!({"role": "connection"})),
            access_log: Some(json!({"role": "access_log"})),
            ..Self::default()
        }
    }

    /// All three; every stream and connection that succeeds is looked at, and everything is logged.
    pub fn observing() -> Self {
        let observing = |role: &str| json!({"role": role, "observe_every": 1, "log": "all"});
        Self {
            http: Some(observing("http")),
            connection: Some(observing("connection")),
            access_log: Some(json!({"role": "access_log"})),
            ..Self::default()
        }
    }

    /// The HTTP role alone.
    pub fn http_only() -> Self {
        Self { http: Some(json!({"role": "http"})), ..Self::default() }
    }

    /// The access logger alone.
    pub fn access_log_only() -> Self {
        Self { access_log: Some(json!({"role": "access_log"})), ..Self::default() }
    }

    /// None.
    pub fn none() -> Self {
        Self::default()
    }
}

/// How the module is plugged in: one VM for all roles.
pub(super) struct Wasm<'a> {
    pub(super) module: &'a str,
    pub(super) policy: FailurePolicy,
}

impl Wasm<'_> {
    fn plugin(&self, kind: &str, config: &Value) -> Value {
        let text = match config {
            Value::String(raw) => raw.clone(),
            other => other.to_string(),
        };
        let policy = match self.policy {
            FailurePolicy::Open => "FAIL_OPEN",
            FailurePolicy::Closed => "FAIL_CLOSED",
        };
        json!({"name": "meshwhy", "typed_config": {"@type": format!("type.googleapis.com/{kind}"), "config": {
            "name": "meshwhy",
            "root_id": "meshwhy",
            "failure_policy": policy,
            "vm_config": {
                "vm_id": "meshwhy",
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": self.module}},
            },
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text},
        }}})
    }

    pub(super) fn http_filter(&self, config: &Value) -> Value {
        self.plugin("envoy.extensions.filters.http.wasm.v3.Wasm", config)
    }

    pub(super) fn network_filter(&self, config: &Value) -> Value {
        self.plugin("envoy.extensions.filters.network.wasm.v3.Wasm", config)
    }

    pub(super) fn logger(&self, config: &Value) -> Value {
        self.plugin("envoy.extensions.access_loggers.wasm.v3.WasmAccessLog", config)
    }
}
