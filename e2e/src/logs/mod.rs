//! meshwhy in logs and spans: the access log's formats, the proxy's own log, traces, and `meshwhy explain` on both.

pub mod access_logs;
pub mod forged;
pub mod log_only;
pub mod plain_envoy;
pub mod reported_once;
pub mod traces;
