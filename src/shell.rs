//! The module's entry points: finds the context a callback is for and hands it on.
//!
//! They are the ABI's own exports rather than the SDK's, because the SDK's dispatcher panics with
//! "invalid context_id" as soon as a plugin is plugged in at another point than its role expects (a
//! WasmPlugin of type NETWORK without a `role`, say), and a panic ends the VM for the whole worker.
//! Here an unknown context is nothing to do.

#![allow(unsafe_code, reason = "exported names")]

use core::cell::RefCell;
use core::panic::PanicInfo;

use crate::config::Role;
use crate::filter::{Connection, HttpStream, Plugin};
use crate::host::raw::{Proxy, lives};
use crate::prelude::*;
use crate::report::Series;
use crate::streams::Streams;

/// What one VM (one worker thread) holds.
struct Worker {
    plugins: Plugins,
    streams: Streams<Stream>,
    series: Series,
}

/// The plugins of one VM by their contexts: a handful, so they are simply looked through.
struct Plugins(Vec<(u32, Plugin)>);

/// A stream or connection, and the plugin it belongs to.
struct Stream {
    plugin: u32,
    kind: Kind,
}

enum Kind {
    Http(HttpStream),
    Connection(Box<Connection>),
}

/// A VM has one thread.
struct OneThread<T>(RefCell<T>);

// SAFETY: nobody shares it with another thread, for want of any.
unsafe impl<T> Sync for OneThread<T> {}

static WORKER: OneThread<Worker> = OneThread(RefCell::new(Worker {
    plugins: Plugins(Vec::new()),
    streams: Streams::new(),
    series: Series::new(),
}));

/// A quarter of the standard library's size, which matters more here than its reserves for large heaps.
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

/// The lints refuse what can panic; should it happen all the same, it ends the VM, and there is nobody to tell.
#[panic_handler]
fn on_panic(_: &PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// Runs `work` on the worker's state; nothing, should the host ever call back into a running callback.
fn with_worker(work: impl FnOnce(&mut Worker)) {
    if let Ok(mut worker) = WORKER.0.try_borrow_mut() {
        work(&mut worker);
    }
}

impl Plugins {
    fn get_mut(&mut self, context: u32) -> Option<&mut Plugin> {
        self.0.iter_mut().find(|(of, _)| *of == context).map(|(_, plugin)| plugin)
    }

    /// Puts one in; what has ended meanwhile goes, for the host doesn't tell (see `proxy_on_log`).
    fn insert(&mut self, context: u32, plugin: Option<Plugin>) {
        self.0.retain(|(of, _)| *of != context && lives(*of, context));
        self.0.extend(plugin.map(|plugin| (context, plugin)));
    }
}

impl Worker {
    fn on_data(&mut self, context: u32, handle: impl FnOnce(&mut Connection)) {
        let Some(stream) = self.streams.get_mut(context) else { return };
        match &mut stream.kind {
            Kind::Connection(connection) => handle(connection),
            Kind::Http(_) => {
                if let Some(plugin) = self.plugins.get_mut(stream.plugin) {
                    plugin.complain_of_place(&Proxy, "a network filter", "connection");
                }
            }
        }
    }

    /// The plugin is looked up for errors only: nearly all responses are none.
    fn on_response_headers(&mut self, context: u32, end_of_stream: bool) {
        let Some(stream) = self.streams.get_mut(context) else { return };
        match &mut stream.kind {
            Kind::Http(http) => {
                if http.on_response_headers(&Proxy, end_of_stream)
                    && let Some(plugin) = self.plugins.get_mut(stream.plugin)
                {
                    http.on_error_headers(&Proxy, plugin);
                }
            }
            Kind::Connection(_) => {
                if let Some(plugin) = self.plugins.get_mut(stream.plugin) {
                    plugin.complain_of_place(&Proxy, "an HTTP filter", "http");
                }
            }
        }
    }

    /// Nothing comes after it, so the stream or connection is forgotten.
    fn on_log(&mut self, context: u32) {
        match self.streams.take(context) {
            Some(Stream { kind: Kind::Http(stream), .. }) if stream.passed_whole() => {}
            Some(stream) => self.on_stream_log(stream),
            None => self.on_access_log(context),
        }
    }

    // Out of the way of successes, as what follows: inlined, these make every call of `on_log` five times as long.
    #[inline(never)]
    fn on_stream_log(&mut self, stream: Stream) {
        let Some(plugin) = self.plugins.get_mut(stream.plugin) else { return };
        match stream.kind {
            Kind::Http(mut stream) => stream.on_log(&Proxy, plugin, &mut self.series),
            Kind::Connection(mut connection) => connection.on_log(&Proxy, plugin, &mut self.series),
        }
    }

    /// Access loggers have no stream of their own: Envoy logs on the plugin's context.
    #[inline(never)]
    fn on_access_log(&mut self, context: u32) {
        match self.plugins.get_mut(context) {
            Some(plugin) if plugin.role() == Role::AccessLog => {
                plugin.on_access_log(&Proxy, &mut self.series)
            }
            Some(plugin) => plugin.complain_of_place(&Proxy, "an access logger", "access_log"),
            None => {}
        }
    }
}

/// Go on: a role never changes, delays or rejects traffic.
const CONTINUE: u32 = 0;

/// The ABI's version.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_abi_version_0_2_1() {}

/// A plugin's (`parent` 0), a stream's or a connection's context begins.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    with_worker(|worker| {
        let Some(plugin) = worker.plugins.get_mut(parent) else { return };
        let kind = match plugin.role() {
            Role::Http => Kind::Http(HttpStream::new(plugin.samples_next())),
            Role::Connection => Kind::Connection(Box::new(Connection::new(plugin.samples_next()))),
            // An access logger never has a stream's context.
            Role::AccessLog => return plugin.complain_of_place(&Proxy, "a filter", "http\" or \"connection"),
        };
        worker.streams.insert(context, Stream { plugin: parent, kind }, |of| lives(of, context));
    });
}

/// The plugin's configuration is there. A wrong one disables it; traffic flows on, so this never says no.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_configure(context: u32, _size: usize) -> u32 {
    with_worker(|worker| worker.plugins.insert(context, Plugin::configure(&Proxy)));
    1
}

/// Response headers pass.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_response_headers(context: u32, _count: usize, end_of_stream: u32) -> u32 {
    with_worker(|worker| worker.on_response_headers(context, end_of_stream != 0));
    CONTINUE
}

/// A part of the response's body passes.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_response_body(context: u32, _size: usize, end_of_stream: u32) -> u32 {
    with_worker(|worker| {
        if let Some(Stream { kind: Kind::Http(stream), .. }) = worker.streams.get_mut(context) {
            stream.on_response_body(&Proxy, end_of_stream != 0);
        }
    });
    CONTINUE
}

/// Bytes from the client pass.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_downstream_data(context: u32, _size: usize, _end_of_stream: u32) -> u32 {
    with_worker(|worker| worker.on_data(context, |connection| connection.on_downstream_data(&Proxy)));
    CONTINUE
}

/// Bytes to the client pass.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_upstream_data(context: u32, _size: usize, _end_of_stream: u32) -> u32 {
    with_worker(|worker| worker.on_data(context, |connection| connection.on_upstream_data(&Proxy)));
    CONTINUE
}

/// A stream or connection is logged, which is the last that is heard of it. Envoy could say when a context ends
/// (`proxy_on_delete`), but every call into the VM costs all traffic; so what ends without being logged is found out by asking.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_log(context: u32) {
    with_worker(|worker| worker.on_log(context));
}
