//! The proxy, by the SDK's host calls; by calls of our own where the SDK panics on a status that Envoy does return.

#![allow(unsafe_code, reason = "four host calls")]

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, Status as SdkStatus};

use super::{Buffer, HeaderMap, Host, Level, MetricId, MetricKind, Result, Status};

// The SDK panics on every status but Ok (and NotFound, BadArgument): a VM with `capability_restriction_config` gets
// InternalFailure from each call it may not make, and filter state can't be written without a stream (NotFound).
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, size: usize) -> u32;
}

/// The proxy this module runs in.
#[derive(Debug, Clone, Copy)]
pub struct Proxy;

fn check(status: u32) -> Result<()> {
    match Status(status) {
        Status::OK => Ok(()),
        other => Err(other),
    }
}

fn failed(status: SdkStatus) -> Status {
    Status(status as u32)
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

impl Host for Proxy {
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>> {
        // One element with the NULs in it is serialised to the same bytes.
        hostcalls::get_property(vec![path]).map_err(failed)
    }

    fn set_property(&self, key: &str, value: &[u8]) -> Result<()> {
        // SAFETY: pointers and lengths of live slices, as below.
        check(unsafe { proxy_set_property(key.as_ptr(), key.len(), value.as_ptr(), value.len()) })
    }

    fn header(&self, map: HeaderMap, name: &str) -> Result<Option<Vec<u8>>> {
        // Response headers pass of streams whose request never did (refused by the codec): for the map that isn't
        // there Envoy says BadArgument, and the SDK panics. As an attribute it is just not found.
        if map == HeaderMap::Request {
            return hostcalls::get_property(vec!["request", "headers", name]).map_err(failed);
        }
        hostcalls::get_map_value_bytes(map_type(map), name).map_err(failed)
    }

    fn set_header(&self, map: HeaderMap, name: &str, value: &str) -> Result<()> {
        hostcalls::set_map_value(map_type(map), name, Some(value)).map_err(failed)
    }

    fn buffer(&self, buffer: Buffer, start: usize, max: usize) -> Result<Vec<u8>> {
        let mut bytes =
            hostcalls::get_buffer(buffer_type(buffer), start, max).map_err(failed)?.unwrap_or_default();
        bytes.truncate(max);
        Ok(bytes)
    }

    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<MetricId> {
        let kind = match kind {
            MetricKind::Counter => 0,
            MetricKind::Gauge => 1,
        };
        let mut id = 0;
        // SAFETY: as above.
        check(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) })?;
        Ok(MetricId(id))
    }

    fn increment(&self, metric: MetricId, by: i64) -> Result<()> {
        // SAFETY: no pointers.
        check(unsafe { proxy_increment_metric(metric.0, by) })
    }

    fn record(&self, metric: MetricId, value: u64) -> Result<()> {
        // SAFETY: no pointers.
        check(unsafe { proxy_record_metric(metric.0, value) })
    }

    fn log(&self, level: Level, message: &str) {
        match level {
            Level::Info => log::info!("{message}"),
            Level::Warn => log::warn!("{message}"),
            Level::Error => log::error!("{message}"),
        }
    }

    fn now(&self) -> Result<u64> {
        let time = hostcalls::get_current_time().map_err(failed)?;
        let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since.as_nanos()).unwrap_or_default())
    }
}
