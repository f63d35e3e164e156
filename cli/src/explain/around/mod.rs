//! What stands around a line: what programs put in front of it, and what pasting makes of it.

pub(super) mod pasted;
pub(super) mod prefix;
pub(super) mod syslog;
