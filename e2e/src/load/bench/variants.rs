//! Ways to set Envoy up: without a filter, with others, with each role of ours.

use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{Effort, cores, floor, relay};
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy, Roles, merge, only_failures};
use crate::harness::envoy::parts::{
    all_to, cluster, demanding_certificate, direct, empty_cluster, route, vhost,
};
use crate::harness::peers::Running;
use crate::harness::{process, tools};

/// A way to set Envoy up.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) envoy: Rc<Envoy>,
    /// Behind the names of its listeners, where one Envoy has several variants.
    suffix: String,
    /// Where mutual TLS is originated towards it.
    pub(super) relayed: Option<(Rc<Envoy>, u16)>,
}

impl Variant {
    fn alone(name: &str, envoy: Envoy) -> Self {
        Self { name: name.to_owned(), envoy: Rc::new(envoy), suffix: String::new(), relayed: None }
    }

    /// Where its listener of this name is asked.
    pub(super) fn port(&self, listener: &str) -> Result<u16> {
        match &self.relayed {
            Some((_, port)) if listener == MUTUAL => Ok(*port),
            _ => self.own_port(listener),
        }
    }

    /// Where the listener itself is.
    pub(super) fn own_port(&self, listener: &str) -> Result<u16> {
        self.envoy.port(&format!("{listener}{}", self.suffix))
    }
}

/// The nearest that Lua comes to the job: it can't read flags and details, and writes what it can on errors.
const LUA: &str = r#"
function envoy_on_response(handle)
  local status = tonumber(handle:headers():get(":status"))
  if status >= 400 then
    local info = handle:streamInfo()
    info:dynamicMetadata():set("why", "cause", status .. " " .. info:routeName() .. " " .. info:protocol())
  end
end
"#;

/// The listener that demands a client's certificate.
pub(super) const MUTUAL: &str = "mutual";

/// The routes of the benchmark; `more` goes to each connection manager.
pub(super) fn proxy(more: &Value) -> Proxy {
    let routes = json!([vhost(
        "all",
        &["*"],
        vec![
            route("/ok", "backend"),
            route("/error", "backend"),
            route("/busy", "backend"),
            route("/refused", "refused"),
            route("/empty", "empty"),
        ]
    )]);
    let direct = json!([vhost("all", &["*"], vec![direct("/ok", 200, "ok")])]);
    let http = |name, routes: &Value| {
        let room = json!({"max_request_headers_kb": 96});
        Listener::http(name, routes.clone()).filter(room).filter(more.clone())
    };
    Proxy::new(
        [
            http("proxied", &routes),
            http("direct", &direct),
            http("tls", &routes).tls("server"),
            http(MUTUAL, &routes).tls_with("server", demanding_certificate("ca")),
            Listener::tcp("tcp", "backend"),
            http("spare", &all_to("backend")),
        ],
        [cluster("backend", "backend"), cluster("refused", "refused"), empty_cluster("empty")],
    )
}

/// All of them, no filter first.
pub(super) fn all(folder: &Path, backend: &Running, effort: &Effort) -> Result<Vec<Variant>> {
    let noop = noop_module()?;
    let lua = json!({"name": "envoy.filters.http.lua", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": LUA},
    }});
    let router = json!({"name": "envoy.filters.http.router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
    }});
    let lua = json!({"http_filters": [lua, router]});
    let native = json!({"access_log": [{"name": "native", "filter": only_failures(), "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": "/dev/null",
        "log_format": {"text_format_source": {
            "inline_string": "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %ROUTE_NAME% %UPSTREAM_CLUSTER%\n",
        }},
    }}]});
    let none = Value::Null;
    let connection = Roles { http: None, access_log: None, ..Roles::all() };
    let connection_and_http = Roles { access_log: None, ..Roles::all() };
    let (ours, plain) = (tools::module()?.display().to_string(), Roles::none);
    let others = floor::modules(folder, effort.by_hand())?;
    let mut list = vec![
        ("no filter", plain(), &ours, &none),
        ("no-op SDK filter", Roles::http_only(), &noop, &none),
        ("Lua, the nearest to it", plain(), &ours, &lua),
        ("native access log of failures", plain(), &ours, &native),
        ("http", Roles::http_only(), &ours, &none),
        ("connection", connection, &ours, &none),
        ("access_log behind a native filter", Roles::access_log_only(), &ours, &none),
        ("connection + http", connection_and_http, &ours, &none),
        ("all three, as shipped", Roles::all(), &ours, &none),
    ];
    if effort.by_hand() != floor::Which::Usual {
        list.retain(|(name, ..)| {
            matches!(*name, "no filter" | "no-op SDK filter" | "Lua, the nearest to it" | "http")
        });
    }
    let against: Vec<(String, String)> = effort
        .against
        .iter()
        .flat_map(|path| {
            let module = path.display().to_string();
            list.iter()
                .filter(|(_, roles, ..)| *roles != Roles::none())
                .filter(|(name, ..)| *name != "no-op SDK filter")
                .map(|(name, ..)| (format!("{name}, {module}"), module.clone()))
                .collect::<Vec<_>>()
        })
        .collect();
    let roles_of = |name: &str| {
        let known = list.iter().filter(|(known, ..)| name.starts_with(&format!("{known}, ")));
        known.map(|(_, roles, ..)| roles.clone()).next_back().unwrap_or_else(Roles::http_only)
    };
    let against: Vec<_> =
        against.iter().map(|(name, module)| (name.as_str(), roles_of(name), module, &none)).collect();
    list.extend(others.iter().map(|(name, module)| (name.as_str(), Roles::http_only(), module, &none)));
    list.extend(against);
    let bootstraps = list.into_iter().map(|(name, roles, module, patch)| {
        let patch = if patch.is_null() { json!({}) } else { patch.clone() };
        let bootstrap = proxy(&patch).roles(roles).bootstrap(module);
        let is_native = name.starts_with("native");
        (name.to_owned(), if is_native { bootstrap } else { without_file_logs(bootstrap) })
    });
    let mut variants = if effort.against.is_empty() {
        bootstraps
            .map(|(name, bootstrap)| Ok(Variant::alone(&name, start(bootstrap, folder, backend, 1)?)))
            .collect::<Result<Vec<_>>>()?
    } else {
        in_one(bootstraps.collect(), folder, backend)?
    };
    relay::to_each(&mut variants, folder, backend)?;
    Ok(variants)
}

/// Side by side in one Envoy: two processes of the same binary differ by more than what is compared here.
fn in_one(bootstraps: Vec<(String, Value)>, folder: &Path, backend: &Running) -> Result<Vec<Variant>> {
    let (mut whole, mut all, mut names) = (Value::Null, Vec::new(), Vec::new());
    for (index, (name, mut bootstrap)) in bootstraps.into_iter().enumerate() {
        let listeners = bootstrap["static_resources"]["listeners"].as_array_mut().context("listeners")?;
        for mut listener in listeners.drain(..) {
            let own = listener["name"].as_str().context("a name")?;
            listener["name"] = json!(format!("{own}-{index}"));
            all.push(listener);
        }
        names.push(name);
        whole = bootstrap;
    }
    whole["static_resources"]["listeners"] = Value::Array(all);
    let envoy = Rc::new(start(whole, folder, backend, 1)?);
    let variant = |(index, name)| Variant {
        name,
        envoy: Rc::clone(&envoy),
        suffix: format!("-{index}"),
        relayed: None,
    };
    Ok(names.into_iter().enumerate().map(variant).collect())
}

/// No filter and, last, `connection + http`: what growth and memory are compared by.
pub(super) fn without_and_with(
    proxy: &Proxy,
    folder: &Path,
    backend: &Running,
    workers: usize,
) -> Result<[Variant; 2]> {
    let module = tools::module()?.display().to_string();
    let started = |name: &str, roles| -> Result<Variant> {
        let bootstrap = without_file_logs(proxy.clone().roles(roles).bootstrap(&module));
        Ok(Variant::alone(name, start(bootstrap, folder, backend, workers)?))
    };
    let both = Roles { access_log: None, ..Roles::all() };
    Ok([started("no filter", Roles::none())?, started("connection + http", both)?])
}

/// With the module that does nothing: what Envoy and V8 take for any.
pub(super) fn with_empty(proxy: &Proxy, folder: &Path, backend: &Running, workers: usize) -> Result<Envoy> {
    let modules = floor::modules(folder, floor::Which::Usual)?;
    let (_, empty) = modules.first().context("a module by hand")?;
    let bootstrap = without_file_logs(proxy.clone().roles(Roles::http_only()).bootstrap(empty));
    start(bootstrap, folder, backend, workers)
}

pub(super) fn start(mut bootstrap: Value, folder: &Path, backend: &Running, workers: usize) -> Result<Envoy> {
    // Ten thousand connections are no overload here.
    let limit = json!({"max_connections": 20_000, "max_pending_requests": 20_000, "max_requests": 20_000});
    for cluster in bootstrap["static_resources"]["clusters"].as_array_mut().into_iter().flatten() {
        merge(cluster, &json!({"circuit_breakers": {"thresholds": [limit]}}));
    }
    let text = bootstrap
        .to_string()
        .replace("{server:backend}", &backend.port.to_string())
        .replace("{server:refused}", &process::free_port().to_string())
        .replace("{pki}", &folder.display().to_string());
    let envoy = Envoy::start_workers(&serde_json::from_str(&text)?, workers)?;
    cores::place(envoy.pid())?;
    Ok(envoy)
}

/// The scenarios' JSON access logs would cost more than what is measured; the listener's access logger
/// would run for every connection.
fn without_file_logs(mut bootstrap: Value) -> Value {
    let is_wasm = |log: &Value| log["name"] == "meshwhy";
    let keep = |holder: &mut Value| {
        if let Some(list) = holder.get_mut("access_log").and_then(Value::as_array_mut) {
            list.retain(is_wasm);
        }
    };
    for listener in bootstrap["static_resources"]["listeners"].as_array_mut().into_iter().flatten() {
        keep(listener);
        for chain in listener["filter_chains"].as_array_mut().into_iter().flatten() {
            for filter in chain["filters"].as_array_mut().into_iter().flatten() {
                keep(&mut filter["typed_config"]);
            }
        }
    }
    bootstrap
}

fn noop_module() -> Result<String> {
    eprintln!("building the no-op SDK filter");
    let status = Command::new("cargo")
        .current_dir(tools::root())
        .args(["build", "--quiet", "-p", "meshwhy-noop", "--profile", "wasm"])
        .args(["--target", "wasm32-unknown-unknown"])
        .status()?;
    ensure!(status.success(), "the no-op filter can't be built");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| tools::root().join("target"), Into::into);
    Ok(target.join("wasm32-unknown-unknown/wasm/meshwhy_noop.wasm").display().to_string())
}
