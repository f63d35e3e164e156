//! "Mesh, why did this request fail?": an Envoy proxy-wasm filter that names the cause.
//!
//! Data goes one way: the proxy ([`host`]) → what was seen ([`evidence`], with the first bytes read
//! by [`wire`], earlier requests kept by [`history`]) → what it means ([`diagnosis`], in the words
//! of the [`causes`]) → what is reported ([`report`]). Only [`filter`] talks to the host. The
//! SDK's `contexts` exist in the module alone; all the rest runs in native tests as well.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod causes;
pub mod config;
#[cfg(target_arch = "wasm32")]
mod contexts;
pub mod diagnosis;
pub mod evidence;
pub mod filter;
pub mod history;
pub mod host;
#[cfg(feature = "serde")]
pub mod record;
pub mod report;
mod text;
pub mod wire;

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "the SDK's macro exports a function")]
mod entry {
    use proxy_wasm::types::LogLevel;

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Info);
        proxy_wasm::set_root_context(|_| Box::<crate::contexts::Root>::default());
    }}
}
