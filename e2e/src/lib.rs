//! meshwhy against a real Envoy, with real clients and servers around it.
//!
//! [`harness`] starts what is needed and says what was seen; it knows nothing of what is played on it:
//! [`scenarios`] on one Envoy, [`istio`]'s stories on a real mesh, [`hostile`] input, [`logs`],
//! [`monitoring`], and [`load`].

pub mod harness;
pub mod hostile;
pub mod istio;
pub mod load;
pub mod logs;
pub mod monitoring;
pub mod scenarios;
