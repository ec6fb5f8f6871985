//! A manifest as a value, and the loading of a plugin under it.

use alloc::{boxed::Box, collections::BTreeSet};
#[cfg(feature = "validate")]
use core::fmt;

use super::version::Version;
use crate::{abi::Name, host::PluginConfig};
#[cfg(feature = "validate")]
use crate::{
    audit::PluginId,
    database::Storage,
    host::{Host, LoadError},
};

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
