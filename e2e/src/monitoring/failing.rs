//! Modules that trap, in meshwhy's place: its own has nothing that does.

use anyhow::Result;

/// Traps at its first request and can't be configured again: that it has trapped is in the memory shared by all VMs. The status of
/// its look at that is 1 (yes) while nothing is found, and 0 (no) from then on.
const NOT_AGAIN: &str = r#"
(module
  (import "env" "proxy_get_shared_data" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "trapped")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (call $get (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 20) (i32.const 24)))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $set (i32.const 0) (i32.const 7) (i32.const 0) (i32.const 7) (i32.const 0)))
    unreachable))
"#;

/// Says which version it is, as meshwhy does (`NAME` of `LENGTH`), and traps at its first request.
const SILENT: &str = r#"
(module
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_record_metric" (func $record (param i32 i64) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "NAME")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $define (i32.const 1) (i32.const 0) (i32.const LENGTH) (i32.const 512)))
    (drop (call $record (i32.load (i32.const 512)) (i64.const 1)))
    (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) unreachable))
"#;

/// A VM that Envoy tries to start again, in vain (`FAIL_RELOAD`).
pub(super) fn not_again() -> Result<Vec<u8>> {
    Ok(wat::parse_str(NOT_AGAIN)?)
}

/// A VM that does nothing any more, as with `FAIL_OPEN`; its gauge stays.
pub(super) fn silent() -> Result<Vec<u8>> {
    let name = meshwhy::report::build_info_name();
    Ok(wat::parse_str(SILENT.replace("NAME", name).replace("LENGTH", &name.len().to_string()))?)
}
