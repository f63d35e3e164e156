//! What a release has (the module, its image, its bill of materials), and the manifests that load it.

pub mod compile;
pub mod files;
pub mod image;
pub mod krew;
pub mod manifests;
pub mod module;
pub mod sbom;
