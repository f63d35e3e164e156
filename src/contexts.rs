//! The SDK's contexts: one root for each plugin, one context for each HTTP stream or connection.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext, StreamContext};
use proxy_wasm::types::{Action, ContextType, PeerType};

use crate::config::Role;
use crate::filter::{Connection, HttpStream, Plugin};
use crate::host::{Host as _, Proxy};
use crate::report::Series;

thread_local! {
    /// The counters of all plugins of this VM.
    static SERIES: RefCell<Series> = RefCell::default();
}

/// A plugin, shared by its streams.
type Shared = Rc<RefCell<Plugin>>;

/// A configured plugin; `None` where its configuration was refused.
#[derive(Default)]
pub struct Root {
    plugin: Option<Shared>,
    plug_point: Cell<Option<ContextType>>,
}

/// An HTTP stream; without a plugin of its role it is ignored.
struct Http {
    stream: HttpStream,
    plugin: Option<Shared>,
}

/// A connection; without a plugin of its role it is ignored.
struct Network {
    connection: Connection,
    plugin: Option<Shared>,
}

impl Root {
    /// Where this plugin is plugged in. The SDK panics on a stream of another type, so the proxy
    /// decides and not the configuration: HTTP streams have a protocol when they begin, connections
    /// don't (Envoy 1.36, 1.40).
    fn plug_point(&self) -> ContextType {
        if let Some(known) = self.plug_point.get() {
            return known;
        }
        let is_http = match Proxy.property("request\0protocol") {
            Ok(protocol) => protocol.is_some(),
            // Attributes can't be read here: then the configuration decides.
            Err(_) => self.plugin.as_ref().is_none_or(|plugin| plugin.borrow().role() != Role::Connection),
        };
        let plug_point = if is_http { ContextType::HttpContext } else { ContextType::StreamContext };
        self.plug_point.set(Some(plug_point));
        self.log_if_misplaced(plug_point);
        plug_point
    }

    fn log_if_misplaced(&self, plug_point: ContextType) {
        let Some(plugin) = &self.plugin else { return };
        let mut plugin = plugin.borrow_mut();
        let (place, role) = match (plugin.role(), plug_point) {
            (Role::AccessLog, _) => ("a filter", "http\" or \"connection"),
            (Role::Http, ContextType::StreamContext) => ("a network filter", "connection"),
            (Role::Connection, ContextType::HttpContext) => ("an HTTP filter", "http"),
            _ => return,
        };
        plugin.log_misplaced(&Proxy, place, role);
    }

    /// The plugin, if it has this role, and the stream or connection that begins there.
    fn begin<T: Default>(&self, role: Role, begin: fn(&mut Plugin) -> T) -> (Option<Shared>, T) {
        let plugin = self.plugin.as_ref().filter(|plugin| plugin.borrow().role() == role);
        let begun = plugin.map(|plugin| begin(&mut plugin.borrow_mut()));
        (plugin.cloned(), begun.unwrap_or_default())
    }
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        Proxy.probe_log();
        self.plugin = Plugin::configure(&Proxy).map(|plugin| Rc::new(RefCell::new(plugin)));
        // A refused configuration is no reason to refuse the listener.
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(self.plug_point())
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        let (plugin, stream) = self.begin(Role::Http, Plugin::stream);
        Some(Box::new(Http { stream, plugin }))
    }

    fn create_stream_context(&self, _: u32) -> Option<Box<dyn StreamContext>> {
        let (plugin, connection) = self.begin(Role::Connection, Plugin::connection);
        Some(Box::new(Network { connection, plugin }))
    }

    /// Access loggers run on the root.
    fn on_log(&mut self) {
        let Some(plugin) = &self.plugin else { return };
        let mut plugin = plugin.borrow_mut();
        if plugin.role() == Role::AccessLog {
            SERIES.with_borrow_mut(|series| plugin.on_access_log(&Proxy, series));
        } else {
            plugin.log_misplaced(&Proxy, "an access logger", "access_log");
        }
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        if let Some(plugin) = &self.plugin
            && self.stream.on_response_headers(&Proxy, end_of_stream)
        {
            self.stream.on_notable_headers(&Proxy, &mut plugin.borrow_mut());
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
        if let Some(plugin) = &self.plugin {
            SERIES.with_borrow_mut(|series| self.stream.on_log(&Proxy, &mut plugin.borrow_mut(), series));
        }
    }
}

impl Context for Network {}

impl StreamContext for Network {
    fn on_downstream_data(&mut self, _: usize, end_of_stream: bool) -> Action {
        if self.plugin.is_some() {
            self.connection.on_downstream_data(&Proxy, end_of_stream);
        }
        Action::Continue
    }

    fn on_upstream_data(&mut self, _: usize, end_of_stream: bool) -> Action {
        if self.plugin.is_some() {
            self.connection.on_upstream_data(&Proxy, end_of_stream);
        }
        Action::Continue
    }

    fn on_downstream_close(&mut self, by: PeerType) {
        self.connection.on_downstream_close(by == PeerType::Local);
    }

    fn on_log(&mut self) {
        if let Some(plugin) = &self.plugin {
            SERIES.with_borrow_mut(|series| self.connection.on_log(&Proxy, &mut plugin.borrow_mut(), series));
        }
    }
}
