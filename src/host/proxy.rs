//! The proxy that this module runs in.

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType};

use super::{Buffer, HeaderMap, Host, Level, MetricId, MetricKind, Result, Status, calls};

/// The host calls of the running VM.
#[derive(Debug, Clone, Copy)]
pub struct Proxy;

impl Proxy {
    /// Turns the logger off where this VM may not write to the proxy's log
    /// (`capability_restriction_config` without `proxy_log`): the SDK's logger panics there. The
    /// line that tries is at a level that proxies leave out.
    pub fn probe_log(self) {
        if calls::log(LogLevel::Trace, "meshwhy: configuring").is_err() {
            log::set_max_level(log::LevelFilter::Off);
        }
    }
}

impl Host for Proxy {
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>> {
        // The SDK joins the parts by NUL, which they already are.
        hostcalls::get_property(vec![path]).map_err(|status| Status(status as u32))
    }

    fn set_property(&self, key: &str, value: &[u8]) -> Result<()> {
        calls::set_property(key, value)
    }

    fn header(&self, map: HeaderMap, name: &str) -> Result<Option<Vec<u8>>> {
        calls::header(map_type(map), name)
    }

    fn set_header(&self, map: HeaderMap, name: &str, value: &str) -> Result<()> {
        calls::set_header(map_type(map), name, value)
    }

    fn remove_header(&self, map: HeaderMap, name: &str) -> Result<()> {
        calls::remove_header(map_type(map), name)
    }

    fn buffer(&self, buffer: Buffer, start: usize, max: usize) -> Result<Vec<u8>> {
        let mut bytes = calls::buffer(buffer_type(buffer), start, max)?.unwrap_or_default();
        bytes.truncate(max);
        Ok(bytes)
    }

    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<MetricId> {
        let kind = match kind {
            MetricKind::Counter => MetricType::Counter,
            MetricKind::Gauge => MetricType::Gauge,
        };
        calls::define_metric(kind, name).map(MetricId)
    }

    fn increment(&self, metric: MetricId, by: i64) -> Result<()> {
        calls::increment_metric(metric.0, by)
    }

    fn record(&self, metric: MetricId, value: u64) -> Result<()> {
        calls::record_metric(metric.0, value)
    }

    fn log(&self, level: Level, message: &str) {
        log::log!(level, "{message}");
    }

    fn now(&self) -> Result<u64> {
        calls::now()
    }
}

const fn map_type(map: HeaderMap) -> MapType {
    match map {
        HeaderMap::Request => MapType::HttpRequestHeaders,
        HeaderMap::Response => MapType::HttpResponseHeaders,
        HeaderMap::ResponseTrailers => MapType::HttpResponseTrailers,
    }
}

const fn buffer_type(buffer: Buffer) -> BufferType {
    match buffer {
        Buffer::ResponseBody => BufferType::HttpResponseBody,
        Buffer::DownstreamData => BufferType::DownstreamData,
        Buffer::UpstreamData => BufferType::UpstreamData,
        Buffer::PluginConfiguration => BufferType::PluginConfiguration,
    }
}
