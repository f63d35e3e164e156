//! The least that a module can do, by hand: what Envoy itself takes for a stream with a wasm filter, whoever writes it.

use std::path::Path;

use anyhow::{Context as _, Result};

/// Their names, and what they export beside the ABI's version, their memory and the memory that they give the host.
type Modules = &'static [(&'static str, &'static [&'static str])];

/// Measured with everything else.
const MODULES: Modules = &[
    ("empty module, by hand", &[]),
    ("a module that reads `:status`, and does nothing else, by hand", &[READS_STATUS]),
    ("a module with meshwhy's callbacks that reads `:status`, by hand", &[BEGINS, READS_STATUS, BODY, LOG]),
];

/// What each part of it takes; the difference to the empty module, or to the callback that does nothing.
const PARTS: Modules = &[
    ("callback when a context begins", &[BEGINS]),
    ("callback when it ends", &[r#"(func (export "proxy_on_delete") (param i32))"#]),
    ("callback for response headers", &[HEADERS]),
    ("callback for the body", &[BODY]),
    ("callback when it is logged", &[LOG]),
    (
        "reads a header that is not there",
        &[r#"(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
            (drop (call $header (i32.const 2) (i32.const 0) (i32.const 6) (i32.const 16) (i32.const 20)))
            (i32.const 0))"#],
    ),
    (
        "host call without data, when it is logged",
        &[r#"(func (export "proxy_on_log") (param i32) (drop (call $time (i32.const 16))))"#],
    ),
    (
        "reads `response.flags`, when it is logged",
        &[r#"(func (export "proxy_on_log") (param i32)
            (drop (call $property (i32.const 64) (i32.const 14) (i32.const 16) (i32.const 20))))"#],
    ),
    (
        "reads an attribute that is not there, when it is logged",
        &[r#"(func (export "proxy_on_log") (param i32)
            (drop (call $property (i32.const 96) (i32.const 33) (i32.const 16) (i32.const 20))))"#],
    ),
    WHOLE,
    (
        "writes filter state, when it is logged",
        &[r#"(func (export "proxy_on_log") (param i32)
            (drop (call $write (i32.const 64) (i32.const 8) (i32.const 96) (i32.const 34))))"#],
    ),
];

/// What no report can do without: flags, details, code, cluster, endpoint and direction are read, seven values written. (Metrics are
/// left out: they cost a tenth of a microsecond.)
const REPORT: &str = r#"(func $read (param i32 i32)
        (drop (call $property (local.get 0) (local.get 1) (i32.const 16) (i32.const 20))))
    (func (export "proxy_on_log") (param i32)
        (local $key i32)
        (call $read (i32.const 64) (i32.const 14))
        (call $read (i32.const 160) (i32.const 21))
        (call $read (i32.const 192) (i32.const 13))
        (call $read (i32.const 224) (i32.const 16))
        (call $read (i32.const 256) (i32.const 16))
        (call $read (i32.const 288) (i32.const 22))
        (loop $next
            (drop (call $write (i32.add (i32.const 320) (local.get $key)) (i32.const 12)
                (i32.const 400) (i32.const 64)))
            (br_if $next (i32.lt_u
                (local.tee $key (i32.add (local.get $key) (i32.const 1))) (i32.const 7)))))"#;

const BEGINS: &str = r#"(func (export "proxy_on_context_create") (param i32 i32))"#;
const HEADERS: &str =
    r#"(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0))"#;
const READS_STATUS: &str = r#"(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $header (i32.const 2) (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 20)))
    (i32.const 0))"#;
const BODY: &str =
    r#"(func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (i32.const 0))"#;
const LOG: &str = r#"(func (export "proxy_on_log") (param i32))"#;

/// What a report takes, whoever writes it.
const WHOLE: (&str, &[&str]) = (
    "what a report can't do without: meshwhy's callbacks, `:status`, six attributes, seven values of filter state",
    &[BEGINS, READS_STATUS, BODY, REPORT],
);

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that are measured with everything else.
    Usual,
    /// And each part.
    Parts,
    /// What a report takes.
    Report,
}

/// Writes them into the folder; their names and files.
pub(super) fn modules(folder: &Path, which: Which) -> Result<Vec<(String, String)>> {
    let (whole, parts): (Modules, Modules) = match which {
        Which::Usual => (MODULES, &[]),
        Which::Parts => (MODULES, PARTS),
        Which::Report => (&[], &[WHOLE]),
    };
    let write = |(index, (name, exports)): (usize, &(&'static str, &[&str]))| {
        let module = wat::parse_str(format!(
            r#"(module
                 (import "env" "proxy_get_header_map_value"
                   (func $header (param i32 i32 i32 i32 i32) (result i32)))
                 (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
                 (import "env" "proxy_set_property" (func $write (param i32 i32 i32 i32) (result i32)))
                 (import "env" "proxy_get_current_time_nanoseconds" (func $time (param i32) (result i32)))
                 (memory (export "memory") 1)
                 (data (i32.const 0) ":status")
                 (data (i32.const 64) "response\00flags")
                 (data (i32.const 96) "upstream\00transport_failure_reason")
                 (data (i32.const 160) "response\00code_details")
                 (data (i32.const 192) "response\00code")
                 (data (i32.const 224) "xds\00cluster_name")
                 (data (i32.const 256) "upstream\00address")
                 (data (i32.const 288) "xds\00listener_direction")
                 (data (i32.const 320) "abcdefghijklmnopqrstuvwxyz")
                 (data (i32.const 400) "certain, and so on, as long as the sentence that says what to do")
                 (func (export "proxy_abi_version_0_2_1"))
                 (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 32))
                 {})"#,
            exports.concat()
        ))
        .context(*name)?;
        let file = folder.join(format!("floor-{index}.wasm"));
        std::fs::write(&file, module)?;
        Ok(((*name).to_owned(), file.display().to_string()))
    };
    whole.iter().chain(parts).enumerate().map(write).collect()
}
