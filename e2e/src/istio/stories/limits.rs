//! A proxy under load that has too few file descriptors.

use meshwhy::causes::Cause;
use meshwhy::causes::manual::PageSection;
use meshwhy::diagnosis::Confidence::Likely;

use super::super::story::Gets::{Answer, Only};
use super::super::story::{Says, Story};

const PAGE: PageSection = PageSection::EnvoyCrashing;

/// Slow answers, so that each request holds its connections. (ApacheBench speaks HTTP/1.0, which sidecars don't take.)
const AT_ONCE: &[&str] =
    &["--parallel", "--parallel-immediate", "--parallel-max", "80", "http://reports/?[1-80]"];

/// All of them.
pub fn stories() -> Vec<Story> {
    vec![
        Story::new("file_descriptors/few", "More connections than file descriptors")
            .page(PAGE)
            .from("few-files")
            .curl(AT_ONCE)
            .gets(Answer("503"))
            .says(Says::new("few-files", Cause::FileDescriptorsExhausted, Likely))
            .may_say(Says::new("few-files", Cause::SucceededAfterRetries, Likely).soft()),
        Story::new("file_descriptors/enough", "The same load with enough of them")
            .page(PAGE)
            .curl(AT_ONCE)
            .gets(Only("200 OK", "503")),
        Story::new("own/file_descriptors/few", "Another service under the same load")
            .from("few-files")
            .curl(&[
                "--parallel",
                "--parallel-immediate",
                "--parallel-max",
                "100",
                "http://archive:8000/?[1-100]",
            ])
            .gets(Answer("503"))
            .says(Says::new("few-files", Cause::FileDescriptorsExhausted, Likely))
            .may_say(Says::new("few-files", Cause::SucceededAfterRetries, Likely).soft()),
    ]
}
