//! What clients, servers and operators may do to a proxy with meshwhy in it, and what must not come of it.

pub mod fail_policy;
pub mod plug_points;
pub mod restrictions;
pub mod secrets;
pub mod sinks;
