//! What the module asks of the proxy, and the proxy that answers from a native [`FakeHost`].

use meshwhy::host::fake::FakeHost;
use meshwhy::host::{Buffer, HeaderMap, Host, Level, MetricId, MetricKind, Status};

/// A call of a host function, its arguments as they lie in the module's memory.
#[derive(Debug)]
pub enum Call<'a> {
    /// `proxy_get_property`
    Property(&'a [u8]),
    /// `proxy_get_header_map_value`
    Header { map: u32, name: &'a [u8] },
    /// `proxy_get_buffer_bytes`
    Buffer { buffer: u32, start: u32, max: u32 },
    /// `proxy_set_property`
    SetProperty { key: &'a [u8], value: &'a [u8] },
    /// `proxy_replace_header_map_value`
    SetHeader { map: u32, name: &'a [u8], value: &'a [u8] },
    /// `proxy_remove_header_map_value`
    RemoveHeader { map: u32, name: &'a [u8] },
    /// `proxy_define_metric`
    DefineMetric { kind: u32, name: &'a [u8] },
    /// `proxy_increment_metric`
    Increment { metric: u32, by: i64 },
    /// `proxy_record_metric`
    Record { metric: u32, value: u64 },
    /// `proxy_get_current_time_nanoseconds`
    Time,
    /// `proxy_log`
    Log { level: u32, message: &'a [u8] },
}

/// The proxy's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A status alone; 0 is success.
    Status(u32),
    /// Success, with bytes to put into the module's memory.
    Bytes(Vec<u8>),
    /// Success, with a number: a metric's id or the time.
    Number(u64),
}

/// A proxy.
pub trait Proxy: 'static {
    /// Answers one call.
    fn answer(&mut self, call: Call<'_>) -> Answer;
}

impl From<Status> for Answer {
    fn from(status: Status) -> Self {
        Self::Status(status.0)
    }
}

impl Proxy for FakeHost {
    fn answer(&mut self, call: Call<'_>) -> Answer {
        let done = |()| Answer::Status(Status::OK.0);
        let bytes = |found: Option<Vec<u8>>| found.map_or(Status::NOT_FOUND.into(), Answer::Bytes);
        let text = |bytes| str::from_utf8(bytes).map_err(|_| Status::BAD_ARGUMENT);
        let answered = match call {
            Call::Property(path) => text(path).and_then(|path| self.property(path)).map(bytes),
            Call::Header { map, name } => {
                header_map(map).and_then(|map| self.header(map, text(name)?)).map(bytes)
            }
            Call::Buffer { buffer, start, max } => buffer_of(buffer)
                .and_then(|buffer| Host::buffer(self, buffer, start as usize, max as usize))
                .map(Answer::Bytes),
            Call::SetProperty { key, value } => {
                text(key).and_then(|key| self.set_property(key, value)).map(done)
            }
            Call::SetHeader { map, name, value } => {
                header_map(map).and_then(|map| self.set_header(map, text(name)?, text(value)?)).map(done)
            }
            Call::RemoveHeader { map, name } => {
                header_map(map).and_then(|map| self.remove_header(map, text(name)?)).map(done)
            }
            Call::DefineMetric { kind, name } => {
                let kind = if kind == 0 { MetricKind::Counter } else { MetricKind::Gauge };
                text(name)
                    .and_then(|name| self.define_metric(kind, name))
                    .map(|id| Answer::Number(id.0.into()))
            }
            Call::Increment { metric, by } => self.increment(MetricId(metric), by).map(done),
            Call::Record { metric, value } => self.record(MetricId(metric), value).map(done),
            Call::Time => self.now().map(Answer::Number),
            Call::Log { level, message } => {
                let level = match level {
                    0 => Level::Trace,
                    1 => Level::Debug,
                    2 => Level::Info,
                    3 => Level::Warn,
                    _ => Level::Error,
                };
                text(message).map(|message| self.log(level, message)).map(done)
            }
        };
        answered.unwrap_or_else(Answer::from)
    }
}

fn header_map(number: u32) -> Result<HeaderMap, Status> {
    match number {
        0 => Ok(HeaderMap::Request),
        2 => Ok(HeaderMap::Response),
        _ => Err(Status::BAD_ARGUMENT),
    }
}

fn buffer_of(number: u32) -> Result<Buffer, Status> {
    match number {
        1 => Ok(Buffer::ResponseBody),
        2 => Ok(Buffer::DownstreamData),
        3 => Ok(Buffer::UpstreamData),
        7 => Ok(Buffer::PluginConfiguration),
        _ => Err(Status::BAD_ARGUMENT),
    }
}
