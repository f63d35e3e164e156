//! What is said in other words than an access log's: by Envoy's own log, ztunnel, meshwhy's filter, clients, counters, and answers as curl shows them.

pub(super) mod agentgateway;
pub(super) mod client;
pub(super) mod control;
pub(super) mod counters;
mod key_values;
pub(super) mod lead;
pub(super) mod own;
pub(super) mod reply;
pub(super) mod transcript;
pub(super) mod ztunnel;
pub(super) mod ztunnel_fix;
pub(super) mod ztunnel_words;
