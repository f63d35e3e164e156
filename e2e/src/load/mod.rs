//! A real Envoy under load: what meshwhy costs, and that it bears all of it.
//!
//! The soak and the chaos ask with the [`generator`]. The bench doesn't: h2load is a program of its own, and takes
//! nothing from the worker whose CPU time is measured. A flood is one burst on connections that are there before it.

pub mod bench;
pub mod chaos;
pub mod flood;
pub mod generator;
mod memory;
pub mod rapid_reset;
pub mod soak;
