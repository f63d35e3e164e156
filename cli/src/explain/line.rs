//! One line of an access log, taken apart.

use std::borrow::Cow;

use meshwhy::diagnosis::is_server_error;
use meshwhy::report::clean;

use super::Column;
use super::around::prefix;

/// The most bytes of a value that outlive its line.
const LONGEST_KEPT: usize = 1_024;
/// The longest name of a pod: a DNS subdomain.
const LONGEST_NAME: usize = 253;

/// The columns that say that it failed, and why.
const DECISIVE: &[Column] = &[
    Column::Code,
    Column::Flags,
    Column::FlagsLong,
    Column::Details,
    Column::Termination,
    Column::UpstreamFailure,
    Column::DownstreamFailure,
    Column::Mixer,
    Column::GrpcStatus,
    Column::GrpcTrailer,
    Column::GrpcHeader,
    Column::Cause,
    Column::Confidence,
    Column::Meshwhy,
];

/// The columns of one line. A column that the log doesn't have is `None`; one that it has and that is empty is `Some("")`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    values: [Option<Cow<'a, str>>; Column::ALL.len()],
    /// The pod, or whatever the line's prefix names.
    pub proxy: Option<String>,
}

impl Default for Line<'_> {
    fn default() -> Self {
        Self { values: [const { None }; Column::ALL.len()], proxy: None }
    }
}

impl<'a> Line<'a> {
    /// Sets a column; `-` is Envoy's word for nothing. The first value stays.
    pub(super) fn set(&mut self, column: Column, value: Cow<'a, str>) {
        let value = match (column, value) {
            (_, value) if value == "-" => Cow::Borrowed(""),
            // What Istio 1.31 puts behind the name in `%UPSTREAM_CLUSTER%`.
            // A page's own bars are a table's.
            (Column::Cluster, name) if name.as_bytes().contains(&b'\\') => {
                Cow::Owned(name.replace("\\|", "|"))
            }
            (Column::Cluster, Cow::Borrowed(name)) => Cow::Borrowed(name.strip_suffix(';').unwrap_or(name)),
            (_, value) => value,
        };
        if let Some(place @ None) = self.values.get_mut(column as usize) {
            *place = Some(value);
        }
    }

    /// Whether it is an answer as a client saw it: of what the proxy knows there is nothing.
    pub(super) fn is_answers(&self) -> bool {
        let seen = [Column::Code, Column::Details, Column::UpstreamFailure, Column::BytesSent];
        Column::ALL.iter().all(|column| seen.contains(column) || !self.shows(*column))
    }

    /// Takes a column for one that the log doesn't have.
    pub(super) fn forget(&mut self, column: Column) {
        if let Some(place) = self.values.get_mut(column as usize) {
            *place = None;
        }
    }

    /// Takes over the columns of another reading that this one lacks.
    pub(super) fn complete(&mut self, other: Self) {
        for (place, value) in self.values.iter_mut().zip(other.values) {
            if place.is_none() {
                *place = value;
            }
        }
    }

    /// Who wrote it, where the line itself doesn't say: the pod, or what stands before it.
    pub(super) fn set_proxy(&mut self, pod: Option<String>, before: &str) {
        let pod = pod.map(|pod| clean(&pod, LONGEST_NAME));
        self.proxy = self.proxy.take().or(pod).or_else(|| prefix::proxy(before));
    }

    /// Whether the log has this column.
    pub fn shows(&self, column: Column) -> bool {
        self.values.get(column as usize).is_some_and(Option::is_some)
    }

    /// The column's value, if it has one.
    pub fn get(&self, column: Column) -> Option<&str> {
        self.values.get(column as usize)?.as_deref().filter(|value| !value.is_empty())
    }

    /// The status code; Envoy prints 0 where there was none.
    pub fn code(&self) -> Option<u16> {
        self.get(Column::Code)?.parse().ok().filter(|code| *code != 0)
    }

    /// Whether it has a column that may say that it failed.
    pub fn shows_an_end(&self) -> bool {
        DECISIVE.iter().any(|column| self.shows(*column))
    }

    /// Whether a column says that it failed, or why.
    pub(super) fn is_decisive(column: Column) -> bool {
        DECISIVE.contains(&column)
    }

    /// Whether another line comes to the same.
    pub(super) fn says_the_same(&self, other: Option<&Self>) -> bool {
        other.is_some_and(|other| DECISIVE.iter().all(|column| self.get(*column) == other.get(*column)))
    }

    /// Whether this line is surely about nothing that failed, by the three columns that say it first.
    pub(super) fn is_fine(&self) -> bool {
        let flags = self.shows(Column::Flags) && self.get(Column::Flags).is_none();
        // Local replies to gRPC are 200: only the upstream's own answer is one, or nothing at all.
        // A policy's refusal on TCP shows in the termination details alone.
        flags
            && self.get(Column::Termination).is_none()
            && !super::grpc::failed(self)
            && match self.get(Column::Details) {
                Some(details) => {
                    details == "via_upstream" && self.code().is_some_and(|code| !is_server_error(code))
                }
                None => {
                    self.shows(Column::Details)
                        && self.shows(Column::Code)
                        && self.code().is_none_or(|c| c < 400)
                }
            }
    }

    /// The same line, independent of the text it was read from; of each value as much as is ever shown or compared.
    pub(super) fn to_owned_line(&self) -> Line<'static> {
        let cut = |text: &Cow<'_, str>| {
            let end = text.floor_char_boundary(LONGEST_KEPT);
            Cow::Owned(text.get(..end).unwrap_or_default().to_owned())
        };
        Line {
            values: self.values.each_ref().map(|value| value.as_ref().map(cut)),
            proxy: self.proxy.clone(),
        }
    }
}
