//! What the standard library's prelude has beyond `core`'s: the module is built without the former.
//!
//! `format!` is missing on purpose: the machinery behind it is larger than any one part of the module.

pub(crate) use alloc::borrow::ToOwned;
pub(crate) use alloc::boxed::Box;
pub(crate) use alloc::string::String;
pub(crate) use alloc::vec;
pub(crate) use alloc::vec::Vec;
