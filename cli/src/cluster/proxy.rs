//! What of meshwhy is in a proxy: its admin interface and its own log tell.
//!
//! Seen with Envoy 1.40 and Istio 1.31: a plugin that is loaded has statistics `wasm.NAME.vm_reload`, gone as soon as it is removed;
//! the dump of plugins has HTTP filters alone, those that Envoy refused included; and that a module trapped, or was refused, only the
//! proxy's log says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The statistics that matter here, as a query of the admin interface.
pub const STATS: &str = "stats?filter=meshwhy";
/// The HTTP filters that came as configurations of their own: of WasmPlugins, and of meshwhy's EnvoyFilters.
pub const PLUGINS: &str = "config_dump?resource=ecds_filters";

/// What all plugins of meshwhy have in their names.
const NAME: &str = "meshwhy";

/// How the module is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The proxy has nothing of it.
    Absent,
    /// Configured, and not loaded yet.
    Starting,
    /// It runs.
    Runs,
    /// The agent could not fetch it, and put a filter in its place.
    NotFetched,
    /// Envoy refused it.
    Refused,
    /// It ended by a trap.
    Trapped,
}

impl State {
    /// As it is printed.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Absent => "none",
            Self::Starting => "starting",
            Self::Runs => "runs",
            Self::NotFetched => "not_fetched",
            Self::Refused => "refused",
            Self::Trapped => "trapped",
        }
    }

    /// Whether somebody has to look at it.
    pub const fn is_wrong(self) -> bool {
        matches!(self, Self::NotFetched | Self::Refused | Self::Trapped)
    }
}

/// What was counted, by cause: failures, and observations of traffic that works.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Failures.
    pub failures: BTreeMap<String, u64>,
    /// The same of traffic that works.
    pub observations: BTreeMap<String, u64>,
}

impl Counts {
    /// From what the admin interface answers ([`STATS`]).
    pub fn new(stats: &str) -> Self {
        let mut counts = Self::default();
        for (cause, of, value) in values(stats).filter_map(|(name, value)| {
            let (of, tag) = series(name)?;
            Some((tag("cause")?, of, value))
        }) {
            let map = match of {
                "meshwhy_failures_total" => &mut counts.failures,
                "meshwhy_observations_total" => &mut counts.observations,
                _ => continue,
            };
            if value > 0 {
                let count = map.entry(cause).or_default();
                *count = count.saturating_add(value);
            }
        }
        counts
    }

    /// What came after these. Where there are fewer than before, the module was loaded anew, and all came after.
    pub fn since(&self, before: &Self) -> Self {
        let grown = |now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>| {
            let counted = now.iter().map(|(cause, count)| {
                let earlier = before.get(cause).copied().unwrap_or(0);
                (cause.clone(), count.checked_sub(earlier).unwrap_or(*count))
            });
            counted.filter(|(_, count)| *count > 0).collect()
        };
        Self {
            failures: grown(&self.failures, &before.failures),
            observations: grown(&self.observations, &before.observations),
        }
    }
}

/// The module in one proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// How it is.
    pub state: State,
    /// Its version, where it runs and may count.
    pub version: Option<String>,
    /// Its roles.
    pub roles: BTreeSet<String>,
    /// What it has counted since it was loaded.
    pub counts: Counts,
    /// The last line of the proxy's own log that says what is wrong.
    pub said: Option<String>,
}

impl Module {
    /// From what the admin interface answers ([`STATS`], [`PLUGINS`]) and the proxy's log.
    pub fn new(stats: &str, plugins: &Value, log: &str) -> Self {
        let mut module = Self {
            state: State::Absent,
            version: None,
            roles: BTreeSet::new(),
            counts: Counts::new(stats),
            said: None,
        };
        let mut loaded = BTreeSet::new();
        for (name, _) in values(stats) {
            let plugin = name.strip_prefix("wasm.").and_then(|name| name.strip_suffix(".vm_reload"));
            loaded.extend(plugin.filter(|plugin| plugin.contains(NAME)));
            if let Some(("meshwhy_build_info", tag)) = series(name) {
                module.version = tag("version");
            }
        }
        let configured = configured(plugins);
        let role_of = |name: &str| configured.iter().find(|plugin| plugin.name == name)?.role.clone();
        module.roles =
            loaded.iter().map(|name| role_of(name).unwrap_or_else(|| usual_role(name).to_owned())).collect();

        let since = configured.iter().map(|plugin| plugin.since).max().unwrap_or_default();
        let missing = || configured.iter().filter(|plugin| !loaded.contains(plugin.name));
        let refusal =
            missing().find_map(|plugin| last(log, since, &["Unable to create Wasm plugin", plugin.name]));
        let trap = last(log, since, &["Function: proxy_on_", " failed: "]);
        (module.state, module.said) = if configured.iter().any(|plugin| plugin.is_replaced) {
            (State::NotFetched, last(log, "", &["cannot fetch Wasm module"]))
        } else if refusal.is_some() {
            (State::Refused, refusal)
        } else if loaded.is_empty() {
            (if configured.is_empty() { State::Absent } else { State::Starting }, None)
        } else if trap.is_some() {
            (State::Trapped, trap)
        } else {
            (State::Runs, None)
        };
        module
    }
}

/// `NAME: VALUE` in lines.
fn values(stats: &str) -> impl Iterator<Item = (&str, u64)> {
    let lines = stats.lines().filter_map(|line| line.split_once(": "));
    lines.map(|(name, value)| (name, value.trim().parse().unwrap_or(0)))
}

/// A series, `wasmcustom.cause=.=ID;.;...;.;meshwhy_failures_total`: its name, and its tags.
fn series(name: &str) -> Option<(&str, impl Fn(&str) -> Option<String> + '_)> {
    let series = name.strip_prefix("wasmcustom.")?;
    let tag = move |tag: &str| {
        let mut tags = series.split(";.;").filter_map(|part| part.split_once("=.="));
        tags.find(|(key, _)| *key == tag).map(|(_, value)| value.to_owned())
    };
    Some((series.rsplit(";.;").next()?, tag))
}

/// The role of a plugin that is in no dump: network filters and access loggers, by the names that the manifests give them.
fn usual_role(name: &str) -> &'static str {
    match name {
        _ if name.contains("access-log") => "access_log",
        _ if name.contains("connection") || name.contains("passthrough") => "connection",
        _ => "http",
    }
}

/// The last line of a proxy's own log with all of these, not older than a time; both are in UTC.
fn last(log: &str, since: &str, words: &[&str]) -> Option<String> {
    const LONGEST: usize = 300;
    let is_it = |line: &&str| {
        // The access log holds what strangers sent.
        let is_own = line.contains("\twasm\t") || line.contains("\tenvoy ");
        is_own && words.iter().all(|word| line.contains(word)) && *line >= since
    };
    Some(log.lines().rev().find(is_it)?.replace('\t', " ").chars().take(LONGEST).collect())
}

/// A plugin of meshwhy's as the proxy was given it.
struct Plugin<'a> {
    name: &'a str,
    /// When that was.
    since: &'a str,
    role: Option<String>,
    /// Whether another filter was put in its place.
    is_replaced: bool,
}

fn configured(dump: &Value) -> Vec<Plugin<'_>> {
    let entries = dump.get("configs").and_then(Value::as_array).into_iter().flatten();
    let plugins = entries.filter_map(|entry| {
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str);
        let whole = text("/ecds_filter/name").filter(|name| name.contains(NAME))?;
        let kind = text("/ecds_filter/typed_config/@type")?;
        let given = text("/ecds_filter/typed_config/config/configuration/value");
        let given: Value = given.and_then(|given| serde_json::from_str(given).ok()).unwrap_or_default();
        Some(Plugin {
            name: text("/ecds_filter/typed_config/config/name").unwrap_or(whole),
            since: text("/last_updated").unwrap_or_default(),
            role: given.get("role").and_then(Value::as_str).map(str::to_owned),
            is_replaced: kind.contains(".rbac."),
        })
    });
    plugins.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LOADED: &str = "\
wasm.istio-system.meshwhy-connection~istio-translated-wasmplugin.vm_reload: 0
wasm.istio-system.meshwhy-http~istio-translated-wasmplugin.vm_reload: 0
wasm.istio-system.meshwhy-http~istio-translated-wasmplugin.vm_reload_failure: 0
wasm.meshwhy-access-log.vm_reload: 0
wasmcustom.cause=.=no_endpoints;.;confidence=.=likely;.;side=.=upstream;.;direction=.=outbound;.;resource=.=;.;meshwhy_failures_total: 2
wasmcustom.cause=.=no_endpoints;.;confidence=.=certain;.;side=.=upstream;.;direction=.=outbound;.;resource=.=;.;meshwhy_failures_total: 3
wasmcustom.cause=.=http10_client;.;confidence=.=certain;.;side=.=downstream;.;direction=.=outbound;.;resource=.=;.;meshwhy_observations_total: 4
wasmcustom.version=.=0.1.0;.;meshwhy_build_info: 1
";
    const TRAP: &str = "2026-11-30T13:26:32.304079Z\terror\tenvoy wasm source/extensions/common/wasm/wasm_vm.cc:38\tFunction: proxy_on_request_headers failed: Uncaught RuntimeError: unreachable\tthread=383\n";
    const REFUSED: &str = "2026-11-30T13:26:26.440986Z\twarning\tenvoy config source/grpc_subscription_impl.cc:160\tgRPC config for type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig rejected: Unable to create Wasm plugin istio-system.meshwhy-http~istio-translated-wasmplugin\tthread=1098\n";
    const NOT_FETCHED: &str = "2026-11-30T13:24:43.283947Z\terror\twasm\terror in converting the wasm config to local: cannot fetch Wasm module http://10.89.0.1:8099/nowhere.wasm: status code 404. applying allow RBAC filter\n";

    fn dump(kind: &str, since: &str) -> Value {
        let name = "istio-system.meshwhy-http~istio-translated-wasmplugin";
        let config = json!({ "name": name, "configuration": { "value": "{\"role\":\"http\"}" } });
        let typed = json!({ "@type": format!("type.googleapis.com/envoy.extensions.filters.http.{kind}"), "config": config });
        let filter =
            json!({ "name": format!("extensions.istio.io/trafficextension/{name}"), "typed_config": typed });
        let other = json!({ "ecds_filter": { "name": "default.other", "typed_config": { "@type": "a.rbac.v3.RBAC" } } });
        json!({ "configs": [{ "ecds_filter": filter, "last_updated": since }, other] })
    }

    #[test]
    fn one_that_runs() {
        let module = Module::new(LOADED, &dump("wasm.v3.Wasm", "2026-11-30T13:00:00.000Z"), "");
        assert_eq!((module.state, module.version.as_deref()), (State::Runs, Some("0.1.0")));
        assert_eq!(module.roles.iter().collect::<Vec<_>>(), ["access_log", "connection", "http"]);
        assert_eq!(module.counts.failures, BTreeMap::from([("no_endpoints".to_owned(), 5)]));
        assert_eq!(module.counts.observations, BTreeMap::from([("http10_client".to_owned(), 4)]));
    }

    #[test]
    fn every_state_has_its_signs() {
        let (wasm, rbac) = ("wasm.v3.Wasm", "rbac.v3.RBAC");
        let (before, after) = ("2026-11-30T13:00:00.000Z", "2026-11-30T14:00:00.000Z");
        let nothing = json!({ "configs": [] });
        // What a request wrote into the access log.
        let forged = format!("\"GET /{}", TRAP.replace('\t', " "));
        for (stats, plugins, log, state) in [
            ("", nothing, "", State::Absent),
            ("", dump(wasm, before), "", State::Starting),
            (LOADED, dump(wasm, before), TRAP, State::Trapped),
            (LOADED, dump(wasm, before), &forged, State::Runs),
            // It was loaded anew since.
            (LOADED, dump(wasm, after), TRAP, State::Runs),
            ("", dump(wasm, before), REFUSED, State::Refused),
            (LOADED, dump(wasm, before), REFUSED, State::Runs),
            ("", dump(rbac, before), NOT_FETCHED, State::NotFetched),
        ] {
            let module = Module::new(stats, &plugins, log);
            assert_eq!(module.state, state, "{log}");
            assert_eq!(module.said.is_some(), state.is_wrong(), "{state:?}");
        }
    }

    #[test]
    fn what_was_counted_lately() {
        let first = Counts::new(LOADED);
        let later = LOADED.replace("meshwhy_failures_total: 3", "meshwhy_failures_total: 10");
        let lately = Counts::new(&later).since(&first);
        assert_eq!(lately.failures, BTreeMap::from([("no_endpoints".to_owned(), 7)]));
        assert!(lately.observations.is_empty());
        // Loaded anew.
        let anew = Counts::new(&LOADED.replace("meshwhy_failures_total: 3", "meshwhy_failures_total: 1"));
        assert_eq!(anew.since(&first).failures, BTreeMap::from([("no_endpoints".to_owned(), 3)]));
    }

    #[test]
    fn without_counters_it_runs_all_the_same() {
        let module = Module::new("wasm.meshwhy-log-only-http.vm_reload: 0\n", &json!({ "configs": [] }), "");
        assert_eq!((module.state, module.version), (State::Runs, None));
    }
}
