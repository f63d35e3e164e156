//! "Mesh, why did this request fail?": an Envoy proxy-wasm filter that names the cause.
//!
//! Data goes one way: the proxy ([`host`]) → what was seen ([`evidence`], with the first bytes
//! read by [`wire`], earlier requests kept by [`history`]) → what it means ([`diagnosis`], in the words of the [`catalogue`]) → what is
//! told ([`report`]). Only [`filter`] talks to the host, and only `shell` exists in the module
//! alone; all the rest is plain Rust that runs in native tests.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod catalogue;
#[cfg(not(target_arch = "wasm32"))]
pub mod check;
pub mod config;
#[cfg(target_arch = "wasm32")]
mod contexts;
pub mod diagnosis;
pub mod evidence;
#[cfg(not(target_family = "wasm"))]
pub mod explain;
pub mod filter;
pub mod history;
pub mod host;
pub mod report;
pub mod wire;
