//! The module's contexts, on the proxy-wasm SDK.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext, StreamContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

use crate::config::Role;
use crate::filter::{Connection, HttpStream, Plugin};
use crate::host::Host;
use crate::host::proxy::Proxy;
use crate::report::Series;

#[allow(unsafe_code, reason = "the SDK's macro exports a function")]
mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_log_level(super::LogLevel::Info);
        proxy_wasm::set_root_context(|_| Box::new(super::Root::default()));
    }}
}

thread_local! {
    /// The counters of all plugins of this VM.
    static SERIES: RefCell<Series> = RefCell::new(Series::default());
}

type Shared = Rc<RefCell<Option<Plugin>>>;

/// A plugin; `None` where its configuration was refused.
#[derive(Default)]
struct Root {
    plugin: Shared,
    place: Cell<Option<ContextType>>,
}

impl Root {
    /// Where the plugin is plugged in. The SDK takes the wrong type for a panic, so the proxy is asked, once: HTTP
    /// streams have a protocol when they begin, connections don't.
    fn place(&self) -> ContextType {
        if let Some(place) = self.place.get() {
            return place;
        }
        let is_http = Proxy.property("request\0protocol").is_ok_and(|protocol| protocol.is_some());
        let place = if is_http { ContextType::HttpContext } else { ContextType::StreamContext };
        self.place.set(Some(place));
        let mut plugin = self.plugin.borrow_mut();
        if let Some(plugin) = plugin.as_mut() {
            match (plugin.role(), place) {
                (Role::AccessLog, _) => {
                    plugin.complain_of_place(&Proxy, "a filter", "http\" or \"connection")
                }
                (Role::Http, ContextType::StreamContext) => {
                    plugin.complain_of_place(&Proxy, "a network filter", "connection")
                }
                (Role::Connection, ContextType::HttpContext) => {
                    plugin.complain_of_place(&Proxy, "an HTTP filter", "http")
                }
                _ => {}
            }
        }
        place
    }

    /// Whether the stream that begins is looked at even if it succeeds; `None` where it is nothing to this role.
    fn begin(&self, role: Role) -> Option<bool> {
        let mut plugin = self.plugin.borrow_mut();
        plugin.as_mut().filter(|plugin| plugin.role() == role).map(Plugin::samples_next)
    }
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        *self.plugin.borrow_mut() = Plugin::configure(&Proxy);
        true
    }

    fn on_log(&mut self) {
        match self.plugin.borrow_mut().as_mut() {
            Some(plugin) if plugin.role() == Role::AccessLog => {
                SERIES.with_borrow_mut(|series| plugin.on_access_log(&Proxy, series));
            }
            Some(plugin) => plugin.complain_of_place(&Proxy, "an access logger", "access_log"),
            None => {}
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(self.place())
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        let sampled = self.begin(Role::Http);
        let plugin = sampled.map(|_| Rc::clone(&self.plugin));
        Some(Box::new(Http { stream: HttpStream::new(sampled == Some(true)), plugin }))
    }

    fn create_stream_context(&self, _: u32) -> Option<Box<dyn StreamContext>> {
        let sampled = self.begin(Role::Connection);
        let plugin = sampled.map(|_| Rc::clone(&self.plugin));
        Some(Box::new(Tcp { connection: Connection::new(sampled == Some(true)), plugin }))
    }
}

/// An HTTP stream; without a plugin it is nothing to this role.
struct Http {
    stream: HttpStream,
    plugin: Option<Shared>,
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let Some(shared) = &self.plugin else { return Action::Continue };
        if self.stream.on_response_headers(&Proxy, end_of_stream)
            && let Some(plugin) = shared.borrow_mut().as_mut()
        {
            self.stream.on_error_headers(&Proxy, plugin);
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, _: usize, end_of_stream: bool) -> Action {
        if self.plugin.is_some() {
            self.stream.on_response_body(&Proxy, end_of_stream);
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        if self.stream.passed_whole() {
            return;
        }
        let Some(shared) = &self.plugin else { return };
        if let Some(plugin) = shared.borrow_mut().as_mut() {
            SERIES.with_borrow_mut(|series| self.stream.on_log(&Proxy, plugin, series));
        }
    }
}

/// A connection; without a plugin it is nothing to this role.
struct Tcp {
    connection: Connection,
    plugin: Option<Shared>,
}

impl Context for Tcp {}

impl StreamContext for Tcp {
    fn on_downstream_data(&mut self, _: usize, _: bool) -> Action {
        if self.plugin.is_some() {
            self.connection.on_downstream_data(&Proxy);
        }
        Action::Continue
    }

    fn on_upstream_data(&mut self, _: usize, _: bool) -> Action {
        if self.plugin.is_some() {
            self.connection.on_upstream_data(&Proxy);
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        let Some(shared) = &self.plugin else { return };
        if let Some(plugin) = shared.borrow_mut().as_mut() {
            SERIES.with_borrow_mut(|series| self.connection.on_log(&Proxy, plugin, series));
        }
    }
}
