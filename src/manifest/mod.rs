//! Manifests: a plugin's name, grants, limits and configuration, kept apart from the program that loads it.
//!
//! A [`Manifest`] is a name, the entry points that must be there, and a
//! [`PluginConfig`](crate::host::PluginConfig). People write it in TOML ([`Manifest::from_toml`],
//! feature `manifest`); a device reads the same thing packed ([`Manifest::unpack`]), from a file or
//! from a custom section of the module ([`section`]). `docs/manifest.md` has every field and byte.
//!
//! It grants nothing by itself: a host takes a manifest only from who calls
//! [`Manifest::load`], never from a module that happens to carry one.

#[cfg(feature = "manifest")]
mod config;
#[cfg(feature = "manifest")]
mod config_schema;
#[cfg(feature = "manifest")]
#[doc(hidden)]
pub mod document;
#[cfg(feature = "manifest")]
mod hooks;
mod packed;
#[cfg(feature = "manifest")]
mod patterns;
mod plugin_manifest;
#[cfg(feature = "manifest")]
mod problem;
pub mod section;
#[cfg(feature = "manifest")]
mod toml;
mod version;

pub use packed::{PACKED_VERSION, UnpackError, UnpackProblem};
pub use plugin_manifest::Manifest;
#[cfg(feature = "validate")]
pub use plugin_manifest::ManifestLoadError;
pub use version::{MAX_VERSION_LEN, Version, VersionError};
