//! What the finished module may contain.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use walrus::ir::{Call, Visitor, dfs_in_order};
use walrus::{FunctionBuilder, FunctionId, FunctionKind, ImportKind, Module, ModuleConfig};

/// The module's exports: its memory, what the host needs to start it, and the callbacks of
/// `src/contexts.rs`. The SDK exports 25 callbacks.
///
/// Envoy calls into the VM for each callback that is exported, so each one costs every stream.
/// `proxy_on_delete` is where the SDK forgets a stream; `proxy_on_done` and `proxy_on_vm_start`
/// would only answer what Envoy assumes without them.
pub const KEPT_EXPORTS: [&str; 13] = [
    "memory",
    "malloc",
    "_initialize",
    "proxy_abi_version_0_2_1",
    "proxy_on_context_create",
    "proxy_on_configure",
    "proxy_on_response_headers",
    "proxy_on_response_body",
    "proxy_on_downstream_data",
    "proxy_on_upstream_data",
    "proxy_on_downstream_connection_close",
    "proxy_on_log",
    "proxy_on_delete",
];

/// The host functions that the module calls. None of them can send, stop or redirect traffic.
///
/// The SDK's traits name all that a filter may call, local replies, header and body writes and
/// calls to other services included, and the compiler can't know that nobody does. `clippy.toml`
/// keeps them out of the sources, this out of the module.
pub const KEPT_IMPORTS: [&str; 11] = [
    "proxy_define_metric",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_value",
    "proxy_get_property",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_set_property",
];

/// What would bring more into the module than it is worth, by a part of its mangled name, and what to use in its place.
const TOO_LARGE: [(&str, &str); 1] =
    [("StrSearcher", "8 KB: search a text for strings by src/text.rs, or for single characters")];

/// The module with nothing but [`KEPT_EXPORTS`] and what they reach, and no host function but
/// [`KEPT_IMPORTS`].
pub fn trim(wasm: &[u8]) -> Result<Vec<u8>> {
    trim_to(wasm, &KEPT_EXPORTS)
}

fn trim_to(wasm: &[u8], kept: &[&str]) -> Result<Vec<u8>> {
    let mut config = ModuleConfig::new();
    config.generate_name_section(false).generate_producers_section(false).generate_dwarf(false);
    let mut module = config.parse(wasm)?;
    keep_exports(&mut module, kept)?;
    let customs: Vec<_> = module.customs.iter().map(|(id, _)| id).collect();
    for id in customs {
        module.customs.delete(id);
    }
    walrus::passes::gc::run(&mut module);
    check_imports(&module)?;
    cut_host_calls(&mut module)?;
    check_functions(&module)?;
    Ok(module.emit_wasm())
}

fn keep_exports(module: &mut Module, kept: &[&str]) -> Result<()> {
    let present: BTreeSet<String> = module.exports.iter().map(|export| export.name.clone()).collect();
    for name in kept {
        ensure!(present.contains(*name), "the module does not export {name}");
    }
    for name in present.iter().filter(|name| !kept.contains(&name.as_str())) {
        module.exports.remove(name)?;
    }
    Ok(())
}

/// Envoy offers WASI too, but the filter has no business with clocks, files and the environment.
fn check_imports(module: &Module) -> Result<()> {
    for import in module.imports.iter() {
        ensure!(
            import.module == "env" && import.name.starts_with("proxy_"),
            "the module imports {}.{}, which is no proxy-wasm host function",
            import.module,
            import.name
        );
    }
    Ok(())
}

fn check_functions(module: &Module) -> Result<()> {
    for name in module.funcs.iter().filter_map(|function| function.name.as_deref()) {
        for (part, why) in TOO_LARGE {
            ensure!(!name.contains(part), "the module has {name}: {why}");
        }
    }
    Ok(())
}

/// Host functions that are not kept go, with all that calls them, and with the methods of the SDK's
/// traits that call the host: they stand in the vtables of our contexts, and Clippy sees to it that
/// nobody calls them. What is cut traps.
fn cut_host_calls(module: &mut Module) -> Result<()> {
    let others = module.imports.iter().filter(|import| !KEPT_IMPORTS.contains(&import.name.as_str()));
    let cut: BTreeSet<FunctionId> = others
        .filter_map(|import| match import.kind {
            ImportKind::Function(function) => Some(function),
            _ => None,
        })
        .collect();
    let mut callers = BTreeSet::new();
    for (caller, function) in module.funcs.iter_local() {
        let mut calls = Calls { of: &cut, found: false };
        dfs_in_order(&mut calls, function, function.entry_block());
        let name = module.funcs.get(caller).name.as_deref();
        if calls.found || name.is_some_and(is_host_call_of_a_trait) {
            callers.insert(caller);
        }
    }
    for caller in callers {
        let (parameters, results) = module.types.params_results(module.funcs.get(caller).ty());
        let (parameters, results) = (parameters.to_vec(), results.to_vec());
        let arguments = parameters.iter().map(|kind| module.locals.add(*kind)).collect();
        let mut builder = FunctionBuilder::new(&mut module.types, &parameters, &results);
        builder.func_body().unreachable();
        module.funcs.get_mut(caller).kind = FunctionKind::Local(builder.local_func(arguments));
    }
    walrus::passes::gc::run(module);
    for import in module.imports.iter() {
        ensure!(KEPT_IMPORTS.contains(&import.name.as_str()), "the module still imports {}", import.name);
    }
    Ok(())
}

/// Whether this is the mangled name of a method in `proxy_wasm::traits` that a context doesn't
/// implement, but calls: all but callbacks and what makes contexts.
fn is_host_call_of_a_trait(name: &str) -> bool {
    let Some((_, rest)) = name.split_once("10proxy_wasm6traits") else { return false };
    // Each part with its length in front: the trait, the method.
    let part = |text: &str| -> Option<(String, String)> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (length, rest) = text.split_at(digits);
        let (part, rest) = rest.split_at_checked(length.parse().ok()?)?;
        Some((part.to_owned(), rest.to_owned()))
    };
    let method = part(rest).and_then(|(_, rest)| part(&rest)).map(|(method, _)| method);
    method.is_some_and(|method| {
        !["on_", "create_", "get_type"].iter().any(|callback| method.starts_with(callback))
    })
}

/// Whether a function calls one of these.
struct Calls<'a> {
    of: &'a BTreeSet<FunctionId>,
    found: bool,
}

impl<'i> Visitor<'i> for Calls<'_> {
    fn visit_call(&mut self, call: &Call) {
        self.found |= self.of.contains(&call.func);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with one import, called by `caller`, and these exports besides.
    fn module(import: (&str, &str), caller: &str, exports: &[&str]) -> Vec<u8> {
        let mut module = Module::default();
        let signature = module.types.add(&[], &[]);
        let (imported, _) = module.add_import_func(import.0, import.1, signature);
        for name in [caller].iter().chain(exports) {
            let mut builder = FunctionBuilder::new(&mut module.types, &[], &[]);
            builder.name((*name).to_owned());
            if *name == caller {
                builder.func_body().call(imported);
            }
            let function = builder.finish(Vec::new(), &mut module.funcs);
            module.exports.add(name, function);
        }
        module.emit_wasm()
    }

    fn exports(wasm: &[u8]) -> Vec<String> {
        Module::from_buffer(wasm).unwrap().exports.iter().map(|export| export.name.clone()).collect()
    }

    #[test]
    fn other_exports_go_and_so_does_what_only_they_reach() {
        let wasm = module(("wasi_snapshot_preview1", "fd_write"), "__unused", &["proxy_on_log"]);
        let trimmed = trim_to(&wasm, &["proxy_on_log"]).unwrap();
        assert_eq!(exports(&trimmed), ["proxy_on_log"]);
        assert_eq!(Module::from_buffer(&trimmed).unwrap().imports.iter().count(), 0);
    }

    #[test]
    fn names_and_other_custom_sections_go() {
        let mut wasm = module(("env", "proxy_log"), "proxy_on_log", &[]);
        // A custom section: id 0, its size, the length of its name, its name, its content.
        wasm.extend(b"\0\x0f\x09producersrustc");
        let trimmed = trim_to(&wasm, &["proxy_on_log"]).unwrap();
        let sections = |wasm: &[u8]| {
            let module = Module::from_buffer(wasm).unwrap();
            (module.customs.iter().count(), module.funcs.iter().filter(|f| f.name.is_some()).count())
        };
        assert_ne!(sections(&wasm), (0, 0));
        assert_eq!(sections(&trimmed), (0, 0));
        assert!(trimmed.len() < wasm.len());
        assert_eq!(trim_to(&trimmed, &["proxy_on_log"]).unwrap(), trimmed);
    }

    #[test]
    fn a_missing_export_is_an_error() {
        let wasm = module(("env", "proxy_log"), "proxy_on_log", &[]);
        let error = trim_to(&wasm, &["proxy_on_log", "proxy_on_delete"]).unwrap_err();
        assert_eq!(error.to_string(), "the module does not export proxy_on_delete");
    }

    #[test]
    fn host_functions_that_touch_traffic_are_cut() {
        let imports = |name: &str| {
            let trimmed = trim_to(&module(("env", name), "proxy_on_log", &[]), &["proxy_on_log"]).unwrap();
            let module = Module::from_buffer(&trimmed).unwrap();
            module.imports.iter().map(|import| import.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(imports("proxy_log"), ["proxy_log"]);
        assert!(imports("proxy_send_local_response").is_empty());
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let caller = "_RNvMsu_NtNtCs_4core3str7patternNtB5_11StrSearcher3new";
        let error = trim_to(&module(("env", "proxy_log"), caller, &[]), &[caller]).unwrap_err();
        assert!(error.to_string().contains("src/text.rs"), "{error}");
    }

    #[test]
    fn methods_that_call_the_host_are_known_by_name() {
        for (name, is) in [
            ("_ZN10proxy_wasm6traits11HttpContext20send_http_response17h0123456789abcdefE", true),
            ("_ZN10proxy_wasm6traits7Context12get_property17h0123456789abcdefE", true),
            ("_ZN10proxy_wasm6traits11RootContext8get_type17h0123456789abcdefE", false),
            ("_ZN10proxy_wasm6traits11HttpContext6on_log17h0123456789abcdefE", false),
            ("_ZN10proxy_wasm9hostcalls12get_property17h0123456789abcdefE", false),
            ("_ZN10proxy_wasm6traits", false),
        ] {
            assert_eq!(is_host_call_of_a_trait(name), is, "{name}");
        }
    }

    #[test]
    fn imports_are_host_functions_only() {
        for import in [("wasi_snapshot_preview1", "fd_write"), ("env", "abort"), ("other", "proxy_log")] {
            let error = trim_to(&module(import, "proxy_on_log", &[]), &["proxy_on_log"]).unwrap_err();
            assert!(error.to_string().contains(&format!("{}.{}", import.0, import.1)), "{error}");
        }
    }
}
