//! Access-log lines → [`meshwhy::evidence::Evidence`] → [`Finding`]: what a log lets one know of a failure.
//!
//! A line shows less than the filter sees. What it doesn't show is not guessed: every value that it may have had is
//! tried (see `unseen`), and only what all of them agree on is said.

mod agentgateway;
mod bare;
mod client;
#[cfg(test)]
mod collected;
mod column;
pub mod connection;
mod control;
#[cfg(test)]
mod corpus;
mod correlate;
#[cfg(test)]
mod exported;
mod finding;
#[cfg(test)]
mod forged;
mod format;
mod formats;
mod front;
mod gather;
mod grid;
mod grpc;
mod hints;
mod json;
mod judgement;
mod labelled;
mod lead;
mod line;
mod logfmt;
mod many;
mod memory;
mod odd;
mod outcome;
mod own;
mod pair;
mod pairs;
mod pasted;
mod prefix;
mod rank;
mod reader;
mod readings;
mod reply;
mod scattered;
#[cfg(test)]
mod shapes;
mod story;
mod syslog;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod threads;
mod time;
mod transcript;
mod unseen;
mod vertical;
mod walk;
mod waypoint;
mod ztunnel;
mod ztunnel_fix;

/// What knows more than a client.
pub const ACCESS_LOG: &str = "the proxy's access log";

pub use column::Column;
pub use correlate::{Hop, Joined, Part, is_tunnel, join};
pub use finding::{Destination, Finding, Source};
pub use format::{Format, FormatError};
pub use line::Line;
pub use outcome::Reading;
pub use own::Own;
pub use pairs::{Failure, Pairs};
pub use reader::Reader;
pub use time::millis;
pub use walk::Read;
