//! meshwhy against a real Envoy.
