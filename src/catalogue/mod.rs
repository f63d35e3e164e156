//! Every cause meshwhy can name, and what it says about each.

mod cause;

pub use cause::{Cause, Group, Side};
