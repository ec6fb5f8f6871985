//! The grants, limits and configuration that an embedder gives a plugin. It checks what can be
//! checked without a module.

use alloc::{boxed::Box, vec, vec::Vec};
use core::fmt;

#[cfg(feature = "hooks")]
use super::hooks::{Hook, HookError, Hooks};
#[cfg(feature = "hooks")]
use crate::{abi::message::HookEvent, capability::Globs};
use crate::{
    abi::{
        Value,
        wire::{Wire, Writer},
    },
    capability::Capabilities,
    limits::Limits,
};

/// What happens when a plugin asks for what it was not granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnDenied {
    /// The host function returns -1 and the plugin goes on. The default.
    #[default]
    Status,
    /// The call ends, and nothing that it wrote remains.
    Trap,
}

impl OnDenied {
    /// Both.
    pub const ALL: &'static [Self] = &[Self::Status, Self::Trap];

    /// Their words, in the order of [`ALL`](Self::ALL).
    pub const WORDS: &'static [&'static str] = &[Self::Status.as_str(), Self::Trap.as_str()];

    /// The word for it, as a manifest has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Trap => "trap",
        }
    }
}

/// The longest configuration key, in bytes.
pub const MAX_CONFIG_KEY_LEN: usize = 64;

/// A configuration key is empty or longer than [`MAX_CONFIG_KEY_LEN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigKeyError {
    /// Its length in bytes.
    pub len: usize,
}

impl fmt::Display for ConfigKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a configuration key has {} bytes, 1 to {MAX_CONFIG_KEY_LEN} are allowed",
            self.len
        )
    }
}

impl core::error::Error for ConfigKeyError {}

/// What a plugin is granted and configured with. The default grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginConfig {
    /// What it may do.
    pub capabilities: Capabilities,
    /// How much.
    pub limits: Limits,
    /// What happens when it asks for more.
    pub on_denied: OnDenied,
    /// Its linear memory is in a buffer of
    /// [`Host::add_static_memory`](crate::host::Host::add_static_memory). Default `false`: on the heap.
    pub static_memory: bool,
    /// Bytes of RAM that are free for the plugin. Default `None`: nobody knows, and nothing is checked.
    pub free_ram: Option<u64>,
    settings: Settings,
    #[cfg(feature = "hooks")]
    hooks: Hooks,
}

/// A plugin's own configuration: encoded values by key. Few, so a list by rising key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings(Vec<(Bytes, Bytes)>);

type Bytes = Box<[u8]>;

impl Settings {
    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| (**other).cmp(key))
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let (_, value) = self.0.get(self.find(key).ok()?)?;
        Some(value)
    }

    /// All of them, by rising key.
    #[allow(dead_code, reason = "manifests and traces look at them")]
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    fn set(&mut self, key: &[u8], value: Bytes) {
        match self.find(key) {
            Ok(at) => {
                if let Some((_, old)) = self.0.get_mut(at) {
                    *old = value;
                }
            }
            Err(at) => self.0.insert(at, (key.into(), value)),
        }
    }
}

fn encoded(value: &Value<'_>) -> Bytes {
    let mut counter = Writer::new(&mut []);
    value.encode(&mut counter);
    let mut bytes = vec![0; counter.position()];
    value.encode(&mut Writer::new(&mut bytes));
    bytes.into()
}

impl PluginConfig {
    /// A plugin that has these capabilities and SochDB's default limits.
    #[must_use]
    pub fn new(capabilities: Capabilities) -> Self {
        Self { capabilities, ..Self::default() }
    }

    /// Grants and settings that a plugin had, under the default limits and without hooks.
    #[cfg(any(feature = "validate", feature = "trusted"))]
    pub(crate) fn of(capabilities: Capabilities, settings: Settings) -> Self {
        Self { capabilities, settings, ..Self::default() }
    }

    /// Sets the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets what happens when the plugin asks for what it was not granted.
    #[must_use]
    pub fn with_on_denied(mut self, on_denied: OnDenied) -> Self {
        self.on_denied = on_denied;
        self
    }

    /// Refuses the plugin with [`LoadError::NotEnoughRam`](crate::host::LoadError::NotEnoughRam), before
    /// anything is allocated for it, if it can take more than `bytes` under its limits:
    /// [`Limits::ram_bound`], without the linear memory if that is static. Say what the allocator has
    /// free, in one piece if it cannot join pieces.
    #[must_use]
    pub fn with_free_ram(mut self, bytes: u64) -> Self {
        self.free_ram = Some(bytes);
        self
    }

    /// Has its linear memory in a buffer that was given to
    /// [`Host::add_static_memory`](crate::host::Host::add_static_memory), and not on the heap. A module that
    /// declares its memory is copied while it is loaded; one that imports it is not.
    #[must_use]
    pub fn with_static_memory(mut self) -> Self {
        self.static_memory = true;
        self
    }

    /// Sets what `get_config` answers under `key`.
    ///
    /// # Errors
    /// [`ConfigKeyError`].
    pub fn set<'v>(
        mut self,
        key: &str,
        value: impl Into<Value<'v>>,
    ) -> Result<Self, ConfigKeyError> {
        if key.is_empty() || key.len() > MAX_CONFIG_KEY_LEN {
            return Err(ConfigKeyError { len: key.len() });
        }
        self.settings.set(key.as_bytes(), encoded(&value.into()));
        Ok(self)
    }

    /// Sets what `get_config` answers under `key`, which is a key, to an encoded value.
    #[cfg(feature = "manifest")]
    pub(crate) fn insert_encoded(&mut self, key: &str, value: Vec<u8>) {
        self.settings.set(key.as_bytes(), value.into());
    }

    /// Encoded values by key.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }
}

#[cfg(feature = "hooks")]
impl PluginConfig {
    /// Has the host call an entry point of the plugin when rows change. `tables` are patterns of tables;
    /// none means all that the plugin may read. The hooks of one event are called in the order in which
    /// they were added.
    ///
    /// Loading fails if the plugin lacks the entry point, or may not read all tables that match a pattern.
    ///
    /// # Errors
    /// [`HookError`].
    pub fn with_hook(
        mut self,
        event: HookEvent,
        entry: &str,
        tables: &[&str],
    ) -> Result<Self, HookError> {
        self.add_hook(event, entry, Globs::new(tables).map_err(HookError::Glob)?)?;
        Ok(self)
    }

    /// As [`with_hook`](Self::with_hook).
    pub(crate) fn add_hook(
        &mut self,
        event: HookEvent,
        entry: &str,
        tables: Globs,
    ) -> Result<(), HookError> {
        self.hooks.add(event, entry, tables)
    }

    /// Its hooks, by number of the event, and those of one event in the order in which they are called.
    #[must_use]
    pub fn hooks(&self) -> &[Hook] {
        self.hooks.as_slice()
    }

    /// As it is, with the hooks that a plugin had.
    #[cfg(any(feature = "validate", feature = "trusted"))]
    pub(crate) fn with_hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
        self
    }

    /// Its hooks, to be kept.
    pub(crate) fn hooks_kept(&self) -> &Hooks {
        &self.hooks
    }
}
