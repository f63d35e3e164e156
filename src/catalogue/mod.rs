//! Every cause meshwhy can name, and what it says about each.

mod brief;
mod cause;
// The long texts are for people at a terminal: they never reach the module.
#[cfg(not(target_arch = "wasm32"))]
pub mod manual;
#[cfg(not(target_arch = "wasm32"))]
pub mod markdown;
mod named;
mod sender;
#[cfg(test)]
mod tests;

pub use brief::Softness;
pub use cause::{Cause, Group, Side};
