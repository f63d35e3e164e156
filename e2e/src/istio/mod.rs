//! What is played on a real Istio: the stories of Istio's page, and meshwhy as users deploy it.

pub mod access_logs;
pub mod demo;
pub mod deployment;
pub mod explained;
pub mod fail_policy;
pub mod helm;
pub mod kubectl;
pub mod overlays;
pub mod stories;
pub mod story;
pub mod table;
pub mod traces;
