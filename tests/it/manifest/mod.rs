//! Manifests, in TOML and packed.

mod packed;
#[cfg(feature = "manifest")]
mod toml;
