//! A real Envoy under load: what meshwhy costs, and that it bears all of it.

pub mod bench;
pub mod chaos;
pub mod flood;
pub mod rapid_reset;
pub mod soak;
