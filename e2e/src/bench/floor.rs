//! The least that a module can do, by hand: what Envoy itself takes for a stream with a wasm filter, whoever writes it.

use std::path::Path;

use anyhow::{Context as _, Result};

/// Their names, and what they export beside the ABI's version, their memory and the memory that they give the host.
const MODULES: &[(&str, &[&str])] = &[
    ("empty module, by hand", &[]),
    ("a module that reads `:status`, and does nothing else, by hand", &[READS_STATUS]),
    ("a module with meshwhy's callbacks that reads `:status`, by hand", &[BEGINS, READS_STATUS, BODY, LOG]),
];

const READS_STATUS: &str = r#"(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $header (i32.const 2) (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 20)))
    (i32.const 0))"#;
const BEGINS: &str = r#"(func (export "proxy_on_context_create") (param i32 i32))"#;
const BODY: &str =
    r#"(func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (i32.const 0))"#;
const LOG: &str = r#"(func (export "proxy_on_log") (param i32))"#;

/// Writes them into the folder; their names and files.
pub(super) fn modules(folder: &Path) -> Result<Vec<(String, String)>> {
    let write = |(index, (name, exports)): (usize, &(&'static str, &[&str]))| {
        let module = wat::parse_str(format!(
            r#"(module
                 (import "env" "proxy_get_header_map_value"
                   (func $header (param i32 i32 i32 i32 i32) (result i32)))
                 (memory (export "memory") 1)
                 (data (i32.const 0) ":status")
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
    MODULES.iter().enumerate().map(write).collect()
}
