//! Manifests, in TOML and packed.

mod config_schema;
mod packed;
#[cfg(feature = "manifest")]
mod toml;
