//! Access-log lines → [`meshwhy::evidence::Evidence`] → [`Finding`]: what a log lets one know of a failure.
//!
//! A line shows less than the filter sees. What it doesn't show is not guessed: every value that it may have had is
//! tried (see `verdict::unseen`), and only what all of them agree on is said.
//!
//! `walk` cuts the input into records, `reader` asks what each is: `around` takes off what stands around a line,
//! `formats` reads its columns, `said` reads what is no access log. `verdict` names the causes, `joined` puts lines together.

mod around;
mod column;
mod finding;
mod formats;
mod grpc;
mod joined;
mod line;
mod outcome;
mod reader;
mod said;
#[cfg(test)]
mod tests;
mod time;
mod verdict;
mod walk;
mod wrapped;

/// What knows more than a client.
pub const ACCESS_LOG: &str = "the proxy's access log";

pub use column::Column;
pub use finding::{Destination, Finding, Source};
pub use formats::format::{Format, FormatError};
pub use joined::connection;
pub use joined::correlate::{Hop, Joined, Part, is_tunnel, join};
pub use joined::pairs::{Failure, Pairs};
pub use line::Line;
pub use outcome::Reading;
pub use reader::Reader;
pub use said::own::Own;
pub use time::{first, millis};
pub use walk::Read;
