//! What the proxy offers a plugin, as safe calls that return a `Result` and never panic.

#[cfg(target_arch = "wasm32")]
mod calls;
#[cfg(not(target_arch = "wasm32"))]
pub mod fake;
#[cfg(target_arch = "wasm32")]
mod proxy;

/// A level of the proxy's own log: `Info` for what was seen on traffic that works, `Warn` for a
/// diagnosed failure, `Error` where the plugin itself can't work as configured.
pub use log::Level;
#[cfg(target_arch = "wasm32")]
pub use proxy::Proxy;

/// A status of the proxy-wasm ABI; a number the ABI doesn't name keeps its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    /// The call succeeded.
    pub const OK: Self = Self(0);
    /// What was asked for isn't there.
    pub const NOT_FOUND: Self = Self(1);
    /// The call makes no sense in this phase or with these arguments.
    pub const BAD_ARGUMENT: Self = Self(2);
    /// The value exists but can't be turned into bytes.
    pub const SERIALIZATION_FAILURE: Self = Self(3);
    /// There is nothing (yet) in what was asked for.
    pub const EMPTY: Self = Self(7);
    /// The host can't, or this VM may not.
    pub const INTERNAL_FAILURE: Self = Self(10);
}

/// A call's result.
pub type Result<T> = std::result::Result<T, Status>;

/// Which headers or trailers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeaderMap {
    /// The request's headers.
    Request,
    /// The response's headers.
    Response,
    /// The response's trailers; readable when the stream is logged.
    ResponseTrailers,
}

/// Which buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Buffer {
    /// The response body's part that is passing.
    ResponseBody,
    /// The bytes from the client that are passing.
    DownstreamData,
    /// The bytes from the upstream that are passing.
    UpstreamData,
    /// The plugin's configuration, while it is being configured.
    PluginConfiguration,
}

/// A metric the proxy keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MetricId(pub u32);

/// How a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Is set.
    Gauge,
}

/// The proxy, as seen from the context whose callback is running.
///
/// Every call may fail with any [`Status`]; none of them panics, whatever the host answers.
pub trait Host {
    /// An attribute; `Ok(None)` where the proxy has none. `path` is as the ABI has it: its parts
    /// joined by NUL.
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>>;
    /// Writes filter state `wasm.KEY` of the stream or connection; not possible in access loggers.
    fn set_property(&self, key: &str, value: &[u8]) -> Result<()>;
    /// One header's value (the first, if it comes more than once).
    fn header(&self, map: HeaderMap, name: &str) -> Result<Option<Vec<u8>>>;
    /// Sets a header, replacing what is there.
    fn set_header(&self, map: HeaderMap, name: &str, value: &str) -> Result<()>;
    /// Takes all headers of this name off; none is no error.
    fn remove_header(&self, map: HeaderMap, name: &str) -> Result<()>;
    /// At most `max` bytes of a buffer from `start` on.
    fn buffer(&self, buffer: Buffer, start: usize, max: usize) -> Result<Vec<u8>>;
    /// Defines a metric, or finds the one of that name.
    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<MetricId>;
    /// Adds to a metric.
    fn increment(&self, metric: MetricId, by: i64) -> Result<()>;
    /// Sets a metric.
    fn record(&self, metric: MetricId, value: u64) -> Result<()>;
    /// Writes a line to the proxy's own log.
    fn log(&self, level: Level, message: &str);
    /// Nanoseconds since the Unix epoch.
    fn now(&self) -> Result<u64>;
}
