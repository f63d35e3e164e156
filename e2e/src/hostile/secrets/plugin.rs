//! Another plugin, which puts a secret into its reply's details as a careless one might.

use anyhow::Result;
use serde_json::{Value, json};

/// Its words.
const DETAILS: &str = "token%3Ds3cr3tmark-plugin";

/// Answers every request with 403.
pub(super) fn module() -> Result<Vec<u8>> {
    let length = DETAILS.len();
    Ok(wat::parse_str(format!(
        r#"(module
            (import "env" "proxy_send_local_response"
                (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 16) "{DETAILS}")
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (drop (call $reply (i32.const 403) (i32.const 16) (i32.const {length}) (i32.const 16)
                    (i32.const {length}) (i32.const 0) (i32.const 0) (i32.const -1)))
                (i32.const 1)))"#
    ))?)
}

/// The HTTP filter.
pub(super) fn filter() -> Value {
    json!({"name": "plugin", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {"name": "plugin", "vm_config": {
            "vm_id": "plugin", "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": "{pki}/plugin.wasm"}},
        }},
    }})
}
