//! What several lines say together: of one request, of one connection.

pub mod connection;
pub(super) mod correlate;
pub(super) mod counted;
pub(super) mod pair;
pub(super) mod pairs;
pub(super) mod story;
