//! The module that users get, in a WebAssembly interpreter, with a proxy that does as a test says.
//!
//! What the native tests can't see: the entry points, the memory that the host writes into, instructions
//! executed, and traps.

pub mod costs;
pub mod hostile;
mod lives;
mod machine;
pub mod proxy;
pub mod random;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

pub use machine::{Callback, Machine, imports};

/// The repository's root.
pub fn root() -> PathBuf {
    // At run time first: a shared target folder may hold a binary that another checkout has built.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).join("../..")
}

/// The module under test: `$MESHWHY_WASM`, or what `cargo dist` left.
pub fn module() -> Result<Vec<u8>> {
    let path =
        std::env::var_os("MESHWHY_WASM").map_or_else(|| root().join("dist/meshwhy.wasm"), PathBuf::from);
    std::fs::read(&path).with_context(|| format!("{}: run `cargo dist` first", path.display()))
}
