//! How a plugin is to be replaced by another version, and why it was not. It replaces nothing itself.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use super::error::{CallError, LoadError};
use crate::{abi::MIGRATE_ENTRY, audit::PluginId, escaped::quoted};

/// How [`Host::replace_with`](super::Host::replace_with) replaces a plugin. The default is what
/// [`Host::replace`](super::Host::replace) does: nothing may vanish or widen, both versions are in
/// memory until the new one is in place, and the version before is kept.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Replacement<'a> {
    pub(super) missing_entries: bool,
    #[cfg(feature = "hooks")]
    pub(super) missing_hooks: bool,
    pub(super) wider_grants: bool,
    pub(super) from_version: &'a str,
    pub(super) unload_first: Option<&'a [u8]>,
    pub(super) forget: bool,
}

impl<'a> Replacement<'a> {
    /// The default.
    pub const fn new() -> Self {
        Self {
            missing_entries: false,
            #[cfg(feature = "hooks")]
            missing_hooks: false,
            wider_grants: false,
            from_version: "",
            unload_first: None,
            forget: false,
        }
    }

    /// Accepts a new version that lacks entry points of the old one.
    pub const fn allow_missing_entries(mut self) -> Self {
        self.missing_entries = true;
        self
    }

    /// Accepts a configuration without hooks that the old one has, or with hooks for fewer tables.
    #[cfg(feature = "hooks")]
    pub const fn allow_missing_hooks(mut self) -> Self {
        self.missing_hooks = true;
        self
    }

    /// Accepts a configuration that grants what the old one did not.
    pub const fn allow_wider_grants(mut self) -> Self {
        self.wider_grants = true;
        self
    }

    /// The version that is replaced: the input of the entry point `migrate`, encoded as the ABI
    /// encodes a text. Default empty: not known.
    pub const fn from_version(mut self, version: &'a str) -> Self {
        self.from_version = version;
        self
    }

    /// Unloads the old version, whole, before the new one is loaded: for devices with room for one
    /// plugin. `old` is the old version's module; with the feature `record`, another module is
    /// [`LoadError::OtherModule`]. If the replacement fails, the old version is loaded from it again, with its memory as it was after loading; no version is kept for
    /// [`Host::rollback`](super::Host::rollback).
    pub const fn unload_first(mut self, old: &'a [u8]) -> Self {
        self.unload_first = Some(old);
        self
    }

    /// Frees the old version once the new one is in place, and keeps nothing for
    /// [`Host::rollback`](super::Host::rollback).
    pub const fn without_rollback(mut self) -> Self {
        self.forget = true;
        self
    }
}

/// Why a plugin was not replaced or rolled back. Except after [`Lost`](Self::Lost), the version that
/// was loaded goes on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ReplaceError {
    /// No plugin has this id.
    NoSuchPlugin(PluginId),
    /// The embedder has writes that are neither committed nor rolled back.
    TransactionPending,
    /// The new version was not loaded.
    Load(LoadError),
    /// The new version lacks entry points of the old one, and
    /// [`Replacement::allow_missing_entries`] was not set.
    MissingEntries {
        /// Their names, in the order of the old version's exports.
        entries: Vec<Box<str>>,
    },
    /// The new configuration lacks hooks of the old one, and [`Replacement::allow_missing_hooks`] was
    /// not set. A hook is there if one of the same event watches its tables, whatever its entry point.
    #[cfg(feature = "hooks")]
    MissingHooks {
        /// The hooks: event and pattern of tables.
        hooks: Vec<String>,
    },
    /// The new configuration grants what the old one did not, and
    /// [`Replacement::allow_wider_grants`] was not set.
    WiderGrants {
        /// The capabilities, each with its pattern if it has one.
        grants: Vec<String>,
    },
    /// The entry point `migrate` of the new version failed. What it wrote was rolled back.
    Migration(CallError),
    /// No version before the loaded one is kept.
    NothingKept(PluginId),
    /// The replacement failed, and then the version that had been unloaded first could not be loaded
    /// again: the plugin is unloaded.
    Lost {
        /// Why the replacement failed.
        cause: Box<ReplaceError>,
        /// Why the old version was not loaded again.
        restore: Box<LoadError>,
    },
}

impl fmt::Display for ReplaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPlugin(id) => write!(f, "there is no plugin {}", id.0),
            Self::TransactionPending => CallError::TransactionPending.fmt(f),
            Self::Load(error) => error.fmt(f),
            Self::MissingEntries { entries } => {
                f.write_str("the new version lacks entry points of the old one: ")?;
                listed(f, entries.iter().map(|entry| quoted(entry)))
            }
            #[cfg(feature = "hooks")]
            Self::MissingHooks { hooks } => {
                f.write_str("the new version lacks hooks of the old one: ")?;
                listed(f, hooks.iter())
            }
            Self::WiderGrants { grants } => {
                f.write_str("the new version is granted what the old one was not: ")?;
                listed(f, grants.iter())
            }
            Self::Migration(error) => write!(f, "the entry point {MIGRATE_ENTRY} failed: {error}"),
            Self::NothingKept(id) => {
                write!(f, "no version before the loaded one is kept of plugin {}", id.0)
            }
            Self::Lost { cause, restore } => write!(
                f,
                "{cause}; the old version could not be loaded again ({restore}), and the plugin is \
                 unloaded"
            ),
        }
    }
}

fn listed(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = impl fmt::Display>,
) -> fmt::Result {
    for (at, item) in items.enumerate() {
        write!(f, "{}{item}", if at == 0 { "" } else { ", " })?;
    }
    Ok(())
}

impl core::error::Error for ReplaceError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // Its text is the text of this.
            Self::Load(error) => error.source(),
            Self::Migration(error) => Some(error),
            Self::Lost { cause, .. } => Some(&**cause),
            Self::NoSuchPlugin(_)
            | Self::TransactionPending
            | Self::MissingEntries { .. }
            | Self::WiderGrants { .. }
            | Self::NothingKept(_) => None,
            #[cfg(feature = "hooks")]
            Self::MissingHooks { .. } => None,
        }
    }
}

/// What replacing works with: an error in one word.
pub(super) type Replacing<T> = Result<T, Box<ReplaceError>>;

impl From<Box<LoadError>> for Box<ReplaceError> {
    fn from(error: Box<LoadError>) -> Self {
        Box::new(ReplaceError::Load(*error))
    }
}
