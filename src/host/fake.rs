//! A fake proxy for native tests: attributes are set, writes are kept, calls are counted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::{Buffer, HeaderMap, Host, Level, MetricId, MetricKind, Result, Status};

/// Host calls made so far, by what they cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls that returned bytes: an allocation and a copy each.
    pub with_data: u32,
    /// Calls that asked for bytes and got none.
    pub without_data: u32,
    /// All other calls.
    pub other: u32,
}

/// The fake proxy.
#[derive(Debug, Default)]
pub struct FakeHost {
    properties: RefCell<BTreeMap<String, Vec<u8>>>,
    state: RefCell<BTreeMap<String, Vec<u8>>>,
    headers: RefCell<Vec<(HeaderMap, String, Vec<u8>)>>,
    buffers: RefCell<Vec<(Buffer, Vec<u8>)>>,
    metrics: RefCell<Vec<(MetricKind, String, i64)>>,
    lines: RefCell<Vec<(Level, String)>>,
    time: Cell<u64>,
    calls: Cell<Calls>,
    failing: Cell<Option<Status>>,
    read_only: Cell<bool>,
}

impl FakeHost {
    /// A proxy without any attribute.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an attribute; `path` is written with dots.
    #[must_use]
    pub fn with_property(self, path: &str, value: impl AsRef<[u8]>) -> Self {
        self.properties.borrow_mut().insert(path.replace('.', "\0"), value.as_ref().to_vec());
        self
    }

    /// Sets an attribute whose parts have dots; `path` is written with NULs.
    #[must_use]
    pub fn with_path(self, path: &str, value: &str) -> Self {
        self.properties.borrow_mut().insert(path.to_owned(), value.as_bytes().to_vec());
        self
    }

    /// Sets an attribute that is a number: eight bytes, little endian.
    #[must_use]
    pub fn with_number(self, path: &str, value: u64) -> Self {
        self.with_property(path, value.to_le_bytes())
    }

    /// Sets filter state, as another plugin on the stream or connection would.
    #[must_use]
    pub fn with_state(self, key: &str, value: &str) -> Self {
        self.state.borrow_mut().insert(key.to_owned(), value.as_bytes().to_vec());
        self
    }

    /// Sets a header.
    #[must_use]
    pub fn with_header(self, map: HeaderMap, name: &str, value: &str) -> Self {
        self.headers.borrow_mut().push((map, name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    /// What passes in a buffer from now on.
    pub fn set_buffer(&self, buffer: Buffer, bytes: &[u8]) {
        self.buffers.borrow_mut().retain(|(b, _)| *b != buffer);
        self.buffers.borrow_mut().push((buffer, bytes.to_vec()));
    }

    /// Every call fails with this status from now on.
    pub fn fail_with(&self, status: Option<Status>) {
        self.failing.set(status);
    }

    /// Filter state can't be written from now on, as in an access logger.
    pub fn read_only(&self) {
        self.read_only.set(true);
    }

    /// Sets the clock, in nanoseconds.
    pub fn set_time(&self, nanoseconds: u64) {
        self.time.set(nanoseconds);
    }

    /// Filter state `wasm.KEY` as text.
    pub fn state(&self, key: &str) -> Option<String> {
        self.state.borrow().get(key).map(|v| String::from_utf8_lossy(v).into_owned())
    }

    /// All filter state keys.
    pub fn state_keys(&self) -> Vec<String> {
        self.state.borrow().keys().cloned().collect()
    }

    /// A header's value as text.
    pub fn header_text(&self, map: HeaderMap, name: &str) -> Option<String> {
        let headers = self.headers.borrow();
        let (_, _, value) = headers.iter().find(|(m, n, _)| *m == map && n == name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// All metrics: name and value.
    pub fn metrics(&self) -> Vec<(String, i64)> {
        self.metrics.borrow().iter().map(|(_, name, value)| (name.clone(), *value)).collect()
    }

    /// The lines of the proxy's log.
    pub fn lines(&self) -> Vec<(Level, String)> {
        self.lines.borrow().clone()
    }

    /// Host calls made since the last time this was asked.
    pub fn take_calls(&self) -> Calls {
        self.calls.take()
    }

    fn count(&self, of: impl FnOnce(&mut Calls)) -> Result<()> {
        let mut calls = self.calls.get();
        of(&mut calls);
        self.calls.set(calls);
        self.failing.get().map_or(Ok(()), Err)
    }

    fn answer(&self, value: Option<Vec<u8>>) -> Result<Option<Vec<u8>>> {
        self.count(|c| {
            let kind = if value.is_some() { &mut c.with_data } else { &mut c.without_data };
            *kind = kind.saturating_add(1);
        })?;
        Ok(value)
    }

    fn metric(&self, id: MetricId, change: impl FnOnce(&mut i64)) -> Result<()> {
        self.count(|c| c.other = c.other.saturating_add(1))?;
        let mut metrics = self.metrics.borrow_mut();
        let slot = usize::try_from(id.0).ok().and_then(|i| metrics.get_mut(i));
        let (_, _, value) = slot.ok_or(Status::NOT_FOUND)?;
        change(value);
        Ok(())
    }
}

impl Host for FakeHost {
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>> {
        // A bare name that is no attribute is filter state, as in Envoy.
        let value = self.properties.borrow().get(path).cloned();
        self.answer(value.or_else(|| self.state.borrow().get(path).cloned()))
    }

    fn set_property(&self, key: &str, value: &[u8]) -> Result<()> {
        self.count(|c| c.other = c.other.saturating_add(1))?;
        if self.read_only.get() {
            return Err(Status::NOT_FOUND);
        }
        self.state.borrow_mut().insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    fn header(&self, map: HeaderMap, name: &str) -> Result<Option<Vec<u8>>> {
        let headers = self.headers.borrow();
        let found = headers.iter().find(|(m, n, _)| *m == map && n == name);
        self.answer(found.map(|(_, _, value)| value.clone()))
    }

    fn set_header(&self, map: HeaderMap, name: &str, value: &str) -> Result<()> {
        self.count(|c| c.other = c.other.saturating_add(1))?;
        self.headers.borrow_mut().push((map, name.to_owned(), value.as_bytes().to_vec()));
        Ok(())
    }

    fn remove_header(&self, map: HeaderMap, name: &str) -> Result<()> {
        self.count(|c| c.other = c.other.saturating_add(1))?;
        self.headers.borrow_mut().retain(|(m, n, _)| *m != map || n != name);
        Ok(())
    }

    fn buffer(&self, buffer: Buffer, start: usize, max: usize) -> Result<Vec<u8>> {
        let buffers = self.buffers.borrow();
        let bytes = buffers.iter().find(|(b, _)| *b == buffer).map(|(_, bytes)| bytes);
        let part = bytes.map(|b| b.iter().skip(start).take(max).copied().collect());
        self.answer(part).map(Option::unwrap_or_default)
    }

    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<MetricId> {
        self.count(|c| c.other = c.other.saturating_add(1))?;
        let mut metrics = self.metrics.borrow_mut();
        let known = metrics.iter().position(|(k, n, _)| *k == kind && n == name);
        let index = known.unwrap_or_else(|| {
            metrics.push((kind, name.to_owned(), 0));
            metrics.len().saturating_sub(1)
        });
        u32::try_from(index).map(MetricId).map_err(|_| Status::BAD_ARGUMENT)
    }

    fn increment(&self, metric: MetricId, by: i64) -> Result<()> {
        self.metric(metric, |value| *value = value.saturating_add(by))
    }

    fn record(&self, metric: MetricId, value: u64) -> Result<()> {
        self.metric(metric, |slot| *slot = i64::try_from(value).unwrap_or(i64::MAX))
    }

    fn log(&self, level: Level, message: &str) {
        self.lines.borrow_mut().push((level, message.to_owned()));
    }

    fn now(&self) -> Result<u64> {
        self.count(|c| c.other = c.other.saturating_add(1))?;
        Ok(self.time.get())
    }
}
