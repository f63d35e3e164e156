//! Routes that don't apply, and routes that aren't there.

use super::super::story::Gets::Status;
use super::super::story::Story;

/// All of them.
pub fn stories() -> Vec<Story> {
    vec![
        Story::new("healthy/mesh", "A request from sidecar to sidecar")
            .curl(&["http://helloworld/"])
            .gets(Status(200))
            .older_too(),
    ]
}
