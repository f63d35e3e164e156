//! The host calls that are ours and not the SDK's. The SDK (0.2.5) panics on statuses that Envoy
//! does return, and a panic ends the VM of a worker thread. `get_property`, the logger and all
//! callbacks are the SDK's.
//!
//! Besides `Ok`, Envoy returns (`source/extensions/common/wasm/context.cc`,
//! proxy-wasm-cpp-host `exports.cc`):
//!
//! | call | status | when |
//! |---|---|---|
//! | all of them | InternalFailure | `capability_restriction_config` doesn't allow the call |
//! | all that return bytes | InvalidMemoryAccess | the VM has no memory left for them |
//! | increment and record a metric | NotFound, BadArgument | no such metric, or of another kind |
//! | set a property | NotFound | access loggers have no stream to write to |
//! | set a property | BadArgument | the filter state is read-only |
//! | read a header | NotFound | the map lacks it |
//! | read, set or remove a header | BadArgument | the map isn't there: request headers, on the response of a request that never reached a filter |
//! | read a buffer | NotFound, BadArgument | nothing passes now; start and size overflow |
//! | write to the log | BadArgument | no such level |

#![allow(unsafe_code, reason = "host functions are foreign functions")]

use std::ptr;

use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType};

use super::{Result, Status};

// A status is a number here: the SDK's enum doesn't name them all.
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: LogLevel, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: BufferType,
        start: usize,
        max: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_value(
        map: MapType,
        name: *const u8,
        name_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: MapType,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: MapType, name: *const u8, size: usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_define_metric(kind: MetricType, name: *const u8, size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
}

fn check(status: u32) -> Result<()> {
    match Status(status) {
        Status::OK => Ok(()),
        other => Err(other),
    }
}

/// What a call returns that writes where bytes are and how many: `None` where the proxy has none.
fn bytes(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Option<Vec<u8>>> {
    let (mut data, mut size) = (ptr::null_mut(), 0);
    match Status(call(&raw mut data, &raw mut size)) {
        Status::NOT_FOUND => Ok(None),
        Status::OK if data.is_null() => Ok(Some(Vec::new())),
        // SAFETY: the proxy has allocated just these bytes with the SDK's `malloc`, and they are
        // ours now.
        Status::OK => Ok(Some(unsafe { Vec::from_raw_parts(data, size, size) })),
        other => Err(other),
    }
}

/// Writes a line to the proxy's log.
pub(super) fn log(level: LogLevel, message: &str) -> Result<()> {
    // SAFETY: pointer and length of a live slice, here and below.
    check(unsafe { proxy_log(level, message.as_ptr(), message.len()) })
}

/// Nanoseconds since the Unix epoch.
pub(super) fn now() -> Result<u64> {
    let mut time = 0;
    // SAFETY: the proxy writes eight bytes.
    check(unsafe { proxy_get_current_time_nanoseconds(&raw mut time) })?;
    Ok(time)
}

/// Up to `max` bytes of a buffer.
pub(super) fn buffer(buffer: BufferType, start: usize, max: usize) -> Result<Option<Vec<u8>>> {
    // SAFETY: the proxy writes a pointer and a length.
    bytes(|data, size| unsafe { proxy_get_buffer_bytes(buffer, start, max, data, size) })
}

/// The first value of a header.
pub(super) fn header(map: MapType, name: &str) -> Result<Option<Vec<u8>>> {
    // SAFETY: as above.
    bytes(|data, size| unsafe { proxy_get_header_map_value(map, name.as_ptr(), name.len(), data, size) })
}

/// Sets a header, replacing what is there.
pub(super) fn set_header(map: MapType, name: &str, value: &str) -> Result<()> {
    let (name, value) = (name.as_bytes(), value.as_bytes());
    // SAFETY: as above.
    check(unsafe {
        proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Takes all headers of this name off.
pub(super) fn remove_header(map: MapType, name: &str) -> Result<()> {
    // SAFETY: as above.
    check(unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) })
}

/// Sets filter state of the stream or connection.
pub(super) fn set_property(key: &str, value: &[u8]) -> Result<()> {
    // SAFETY: as above.
    check(unsafe { proxy_set_property(key.as_ptr(), key.len(), value.as_ptr(), value.len()) })
}

/// Defines a metric, or finds the one of that name.
pub(super) fn define_metric(kind: MetricType, name: &str) -> Result<u32> {
    let mut id = 0;
    // SAFETY: the proxy writes four bytes.
    check(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

/// Adds to a metric.
pub(super) fn increment_metric(id: u32, by: i64) -> Result<()> {
    // SAFETY: no pointers.
    check(unsafe { proxy_increment_metric(id, by) })
}

/// Sets a metric.
pub(super) fn record_metric(id: u32, value: u64) -> Result<()> {
    // SAFETY: no pointers.
    check(unsafe { proxy_record_metric(id, value) })
}
