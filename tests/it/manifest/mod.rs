//! Manifests, in TOML and packed.

mod config_schema;
#[cfg(feature = "manifest")]
mod documented;
#[cfg(feature = "manifest")]
mod hooks;
mod packed;
#[cfg(feature = "manifest")]
mod toml;
