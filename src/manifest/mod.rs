//! Manifests: what whoever loads a plugin says of it, kept apart from the program that loads it.
//!
//! A [`Manifest`] is a name, the entry points that must be there, and a
//! [`PluginConfig`]. People write it in TOML ([`Manifest::from_toml`],
//! feature `manifest`); a device reads the same thing packed ([`Manifest::unpack`]), from a file or
//! from a custom section of the module ([`section`]). `docs/manifest.md` has every field and byte.
//!
//! It grants nothing by itself: a host takes a manifest only from who calls
//! [`Manifest::load`], never from a module that happens to carry one.

#[cfg(feature = "manifest")]
mod config;
#[cfg(feature = "manifest")]
pub mod document;
mod packed;
#[cfg(feature = "manifest")]
mod problem;
pub mod section;
#[cfg(feature = "manifest")]
mod toml;

use alloc::{boxed::Box, collections::BTreeSet};
use core::fmt;

pub use packed::{PACKED_VERSION, UnpackError, UnpackProblem};

use crate::{abi::Name, host::PluginConfig};
#[cfg(feature = "validate")]
use crate::{
    audit::PluginId,
    database::Storage,
    host::{Host, LoadError},
};

/// The longest [`Version`], in bytes.
pub const MAX_VERSION_LEN: usize = 64;

/// What a plugin is called, must export, is granted and configured with.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The name that it is loaded under.
    pub name: Name,
    /// Its version. The host does not look at it.
    pub version: Version,
    /// Entry points that it must have. They do not limit which ones may be called.
    pub entries: BTreeSet<Box<str>>,
    /// What it may do, how much, and what `get_config` answers.
    pub config: PluginConfig,
}

impl Manifest {
    /// A manifest that grants nothing.
    #[must_use]
    pub fn new(name: Name, version: Version) -> Self {
        Self { name, version, entries: BTreeSet::new(), config: PluginConfig::default() }
    }

    /// Loads a plugin under this manifest: [`Host::load`] with its name and configuration, and
    /// then a look at the entry points.
    ///
    /// # Errors
    /// [`ManifestLoadError`]; no plugin is loaded then.
    #[cfg(feature = "validate")]
    pub fn load<S: Storage + 'static>(
        &self,
        host: &mut Host<S>,
        wasm: &[u8],
    ) -> Result<PluginId, ManifestLoadError> {
        let plugin = host.load(&self.name, wasm, &self.config).map_err(ManifestLoadError::Load)?;
        let missing =
            self.entries.iter().find(|entry| !host.entries(plugin).any(|e| *e == ***entry));
        if let Some(entry) = missing {
            host.unload(plugin);
            return Err(ManifestLoadError::MissingEntry { entry: entry.clone() });
        }
        Ok(plugin)
    }
}

/// Why a plugin was not loaded under its manifest.
#[cfg(feature = "validate")]
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ManifestLoadError {
    /// The host did not load it.
    Load(LoadError),
    /// It does not export an entry point that the manifest names.
    MissingEntry {
        /// The name.
        entry: Box<str>,
    },
}

#[cfg(feature = "validate")]
impl fmt::Display for ManifestLoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(error) => error.fmt(f),
            Self::MissingEntry { entry } => write!(
                f,
                "the manifest names the entry point {entry:?}, and the module has no function \
                 (i32) -> i32 of that name"
            ),
        }
    }
}

#[cfg(feature = "validate")]
impl core::error::Error for ManifestLoadError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // Its text is the text of this.
            Self::Load(error) => error.source(),
            Self::MissingEntry { .. } => None,
        }
    }
}

/// A version as [semver](https://semver.org) writes it: three decimal numbers, then perhaps `-` or
/// `+` and more; at most [`MAX_VERSION_LEN`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(Box<str>);

/// A text is not a [`Version`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionError;

impl fmt::Display for VersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a version is three numbers and points, as 1.0.0, then perhaps - or + and letters, \
             digits, points and hyphens; at most {MAX_VERSION_LEN} bytes"
        )
    }
}

impl core::error::Error for VersionError {}

impl Version {
    /// Checks a version.
    ///
    /// # Errors
    /// [`VersionError`].
    pub fn new(text: &str) -> Result<Self, VersionError> {
        let (numbers, rest) = text
            .split_at_checked(text.find(['-', '+']).unwrap_or(text.len()))
            .ok_or(VersionError)?;
        let mut count = 0;
        for number in numbers.split('.') {
            let zeros = number.len() > 1 && number.starts_with('0');
            if number.is_empty() || zeros || !number.bytes().all(|b| b.is_ascii_digit()) {
                return Err(VersionError);
            }
            count += 1;
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+');
        if count != 3
            || rest.len() == 1
            || !rest.bytes().all(allowed)
            || text.len() > MAX_VERSION_LEN
        {
            return Err(VersionError);
        }
        Ok(Self(text.into()))
    }

    /// The version as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
