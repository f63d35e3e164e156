//! The proxy-wasm 0.2.1 host functions: the only unsafe calls into the proxy.
//!
//! The SDK's own wrappers panic on every status they don't expect, and a panic ends the VM of the
//! worker thread; these give the status back.

#![allow(unsafe_code, reason = "this is where the host is called")]

use crate::prelude::*;

use alloc::alloc::{Layout, alloc};
use core::cell::{Cell, UnsafeCell};
use core::ptr;

use super::{Buffer, HeaderMap, Host, Level, MetricId, MetricKind, Result, Status};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, value: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, size: usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        size: usize,
    ) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
}

/// The proxy this module runs in.
#[derive(Debug, Clone, Copy)]
pub struct Proxy;

/// Room for a short value: statuses and numbers are read most often, and an allocation costs as much as the read.
struct Room {
    /// The length that is expected; 0 if none is.
    expected: Cell<usize>,
    bytes: UnsafeCell<[u8; LARGEST]>,
}

const LARGEST: usize = 8;

// SAFETY: a VM has one thread.
unsafe impl Sync for Room {}

static ROOM: Room = Room { expected: Cell::new(0), bytes: UnsafeCell::new([0; LARGEST]) };

/// What the host calls to get memory for the bytes it hands over.
///
/// A block of exactly `size` bytes, so that [`take`] can own it, or [`ROOM`]; the host fills it at once.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    if size > 0 && ROOM.expected.take() == size {
        return ROOM.bytes.get().cast();
    }
    match Layout::array::<u8>(size) {
        // SAFETY: the layout's size is not zero.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        _ => ptr::null_mut(),
    }
}

/// Whether the host still has this context; `current` is the one whose callback is running.
pub fn lives(context: u32, current: u32) -> bool {
    // SAFETY: no pointers. The host forgets the effective context when the callback ends; until then it is set right.
    let status = unsafe { proxy_set_effective_context(context) };
    let _ = unsafe { proxy_set_effective_context(current) };
    Status(status) != Status::BAD_ARGUMENT
}

fn check(status: u32) -> Result<()> {
    match Status(status) {
        Status::OK => Ok(()),
        other => Err(other),
    }
}

/// Owns the bytes that a host call left in our memory.
fn take(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() || size == 0 {
        return Vec::new();
    }
    // SAFETY: the host wrote `size` bytes into a block that `proxy_on_memory_allocate(size)` got from the same
    // allocator with the layout of `size` bytes, and hands it over to us alone.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

/// Runs a call that returns bytes; "not there" in all its forms is `None`.
fn fetch(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Option<Vec<u8>>> {
    let mut data = ptr::null_mut();
    let mut size = 0;
    let status = call(&raw mut data, &raw mut size);
    match Status(status) {
        Status::OK => Ok(Some(take(data, size))),
        Status::NOT_FOUND | Status::EMPTY => Ok(None),
        other => Err(other),
    }
}

/// As [`fetch`], for `N` bytes and no others.
fn fetch_short<const N: usize>(
    call: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
) -> Result<Option<[u8; N]>> {
    const { assert!(N <= LARGEST) };
    let mut data = ptr::null_mut();
    let mut size = 0;
    ROOM.expected.set(N);
    let status = call(&raw mut data, &raw mut size);
    let in_room = ended_in_room(status, data, size)?;
    // SAFETY: `N` bytes of a place that is nobody else's, and the host has filled them.
    Ok(in_room.then(|| unsafe { ROOM.bytes.get().cast::<[u8; N]>().read() }))
}

/// Whether the answer is in [`ROOM`], and not another length or none.
fn ended_in_room(status: u32, data: *mut u8, size: usize) -> Result<bool> {
    ROOM.expected.set(0);
    let in_room = data == ROOM.bytes.get().cast();
    if !in_room {
        drop(take(data, size));
    }
    match Status(status) {
        Status::OK => Ok(in_room),
        Status::NOT_FOUND | Status::EMPTY => Ok(false),
        other => Err(other),
    }
}

const fn map_type(map: HeaderMap) -> u32 {
    match map {
        HeaderMap::Request => 0,
        HeaderMap::Response => 2,
        HeaderMap::ResponseTrailers => 3,
    }
}

const fn buffer_type(buffer: Buffer) -> u32 {
    match buffer {
        Buffer::ResponseBody => 1,
        Buffer::DownstreamData => 2,
        Buffer::UpstreamData => 3,
        Buffer::PluginConfiguration => 7,
    }
}

impl Host for Proxy {
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>> {
        // SAFETY: pointers and lengths of live slices and locals, as for every call below.
        fetch(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
    }

    fn set_property(&self, key: &str, value: &[u8]) -> Result<()> {
        // SAFETY: as above.
        check(unsafe { proxy_set_property(key.as_ptr(), key.len(), value.as_ptr(), value.len()) })
    }

    fn header(&self, map: HeaderMap, name: &str) -> Result<Option<Vec<u8>>> {
        // SAFETY: as above.
        fetch(|data, size| unsafe {
            proxy_get_header_map_value(map_type(map), name.as_ptr(), name.len(), data, size)
        })
    }

    fn property_of<const N: usize>(&self, path: &str) -> Result<Option<[u8; N]>> {
        // SAFETY: as above.
        fetch_short(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
    }

    fn header_of<const N: usize>(&self, map: HeaderMap, name: &str) -> Result<Option<[u8; N]>> {
        // SAFETY: as above.
        fetch_short(|data, size| unsafe {
            proxy_get_header_map_value(map_type(map), name.as_ptr(), name.len(), data, size)
        })
    }

    fn set_header(&self, map: HeaderMap, name: &str, value: &str) -> Result<()> {
        // SAFETY: as above.
        check(unsafe {
            proxy_replace_header_map_value(
                map_type(map),
                name.as_ptr(),
                name.len(),
                value.as_ptr(),
                value.len(),
            )
        })
    }

    fn buffer(&self, buffer: Buffer, start: usize, max: usize) -> Result<Vec<u8>> {
        // SAFETY: as above.
        fetch(|data, size| unsafe { proxy_get_buffer_bytes(buffer_type(buffer), start, max, data, size) })
            .map(|found| {
                let mut bytes = found.unwrap_or_default();
                bytes.truncate(max);
                bytes
            })
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
        let level = match level {
            Level::Info => 2,
            Level::Warn => 3,
            Level::Error => 4,
        };
        // A log line that can't be written can't be reported either.
        // SAFETY: as above.
        let _ = unsafe { proxy_log(level, message.as_ptr(), message.len()) };
    }

    fn now(&self) -> Result<u64> {
        let mut time = 0;
        // SAFETY: as above.
        check(unsafe { proxy_get_current_time_nanoseconds(&raw mut time) })?;
        Ok(time)
    }
}
