//! A loaded plugin: what it was granted, its interpreter, and the state of its running call.

use alloc::{boxed::Box, string::String, vec, vec::Vec};
use core::fmt;

use wasmi::{Engine, Memory, Module, ResourceLimiter, Store, TypedFunc};

use super::{
    Shared, context::Identity, memory::Buffer, metrics::HostCounters, module::MAX_TABLES,
    report::CallReport,
};
use crate::{
    abi::{
        Descriptor, Value,
        wire::{Wire, Writer},
    },
    capability::Capabilities,
    database::Storage,
    limits::{Limit, LimitExceeded, Limits},
    meter::Meter,
};

/// What happens when a plugin asks for what it was not granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
pub const MAX_KEY_LEN: usize = 64;

/// A configuration key is empty or longer than [`MAX_KEY_LEN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError {
    /// Its length in bytes.
    pub len: usize,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a configuration key has {} bytes, 1 to {MAX_KEY_LEN} are allowed", self.len)
    }
}

impl core::error::Error for KeyError {}

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
    /// [`Host::add_static_memory`](super::Host::add_static_memory). Default `false`: on the heap.
    pub static_memory: bool,
    /// Bytes of RAM that are free for the plugin. Default `None`: nobody knows, and nothing is checked.
    pub free_ram: Option<u64>,
    settings: Settings,
}

/// A plugin's own configuration: encoded values by key. Few, so a list by rising key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings(Vec<(Bytes, Bytes)>);

type Bytes = Box<[u8]>;

impl Settings {
    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| (**other).cmp(key))
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
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

    /// Refuses the plugin with [`LoadError::NotEnoughRam`](super::LoadError::NotEnoughRam), before
    /// anything is allocated for it, if it can take more than `bytes` under its limits:
    /// [`Limits::ram_bound`], without the linear memory if that is static. Say what the allocator has
    /// free, in one piece if it cannot join pieces.
    #[must_use]
    pub fn with_free_ram(mut self, bytes: u64) -> Self {
        self.free_ram = Some(bytes);
        self
    }

    /// Has its linear memory in a buffer that was given to
    /// [`Host::add_static_memory`](super::Host::add_static_memory), and not on the heap. A module that
    /// declares its memory is copied while it is loaded; one that imports it is not.
    #[must_use]
    pub fn with_static_memory(mut self) -> Self {
        self.static_memory = true;
        self
    }

    /// Sets what `get_config` answers under `key`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn set<'v>(mut self, key: &str, value: impl Into<Value<'v>>) -> Result<Self, KeyError> {
        if key.is_empty() || key.len() > MAX_KEY_LEN {
            return Err(KeyError { len: key.len() });
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

/// The data of a plugin's interpreter.
pub(super) struct PluginState<S: Storage> {
    /// What all plugins share. Lent for the length of a call.
    pub(super) shared: Option<Box<Shared<S>>>,
    /// Looking an export up by name would cost more than a host call does.
    pub(super) memory: Option<Memory>,
    pub(super) identity: Identity,
    pub(super) growth: Growth,
    pub(super) on_denied: OnDenied,
    pub(super) meter: Meter,
    pub(super) host_calls: u32,
    pub(super) host_calls_limit: u32,
    pub(super) denied: u32,
    /// When the slice hook was asked, while it is.
    #[cfg(feature = "record")]
    pub(super) hook_asked_us: Option<u64>,
}

impl<S: Storage> PluginState<S> {
    pub(super) fn new(identity: Identity, limits: &Limits, on_denied: OnDenied) -> Self {
        Self {
            shared: None,
            memory: None,
            identity,
            growth: Growth {
                // So that the length of any response fits an `i32`.
                memory_bytes: limits.memory_bytes.min(i32::MAX.cast_unsigned()),
                table_elements: limits.table_elements,
                running: false,
                refused: None,
                #[cfg(feature = "record")]
                allowed: 0,
            },
            on_denied,
            meter: Meter::new(limits),
            host_calls: 0,
            host_calls_limit: limits.host_calls,
            denied: 0,
            #[cfg(feature = "record")]
            hook_asked_us: None,
        }
    }
}

/// Limits what grows inside the interpreter.
pub(super) struct Growth {
    pub(super) memory_bytes: u32,
    table_elements: u32,
    /// The plugin is loaded, and its tables keep their sizes.
    pub(super) running: bool,
    /// The last growth that was refused, for the error that names it.
    pub(super) refused: Option<LimitExceeded>,
    /// The size that linear memory was last allowed to have, in bytes.
    #[cfg(feature = "record")]
    pub(super) allowed: u64,
}

impl Growth {
    #[cfg(feature = "replay")]
    pub(super) const fn permits_memory(&self, bytes: usize) -> bool {
        bytes as u64 <= self.memory_bytes as u64
    }

    fn allow(&mut self, limit: Limit, allowed: u32, desired: usize) -> bool {
        let asked = desired as u64;
        if asked <= u64::from(allowed) {
            return true;
        }
        self.refused = Some(LimitExceeded { limit, allowed: allowed.into(), asked });
        false
    }
}

impl<S: Storage> ResourceLimiter for PluginState<S> {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, wasmi_core::LimiterError> {
        #[cfg(feature = "replay")]
        if let Some(allowed) = self.replayed_growth(current, desired) {
            return Ok(allowed);
        }
        let _ = current;
        let growth = &mut self.growth;
        let allowed = growth.allow(Limit::LinearMemory, growth.memory_bytes, desired);
        #[cfg(feature = "record")]
        self.record_growth(desired, allowed);
        Ok(allowed)
    }

    #[cfg(feature = "record")]
    fn memory_grow_failed(
        &mut self,
        error: &wasmi_core::MemoryError,
    ) -> Result<(), wasmi_core::LimiterError> {
        if matches!(error, wasmi_core::MemoryError::OutOfSystemMemory) {
            self.record_out_of_memory();
        }
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, wasmi_core::LimiterError> {
        // wasmi 2.0 resumes a table.grow that ran out of fuel at an older place of the code: what a
        // plugin did before would be done twice, wherever a slice happens to end. Growing costs
        // fuel only after this answer, so refusing is safe: the plugin gets -1.
        let growth = &mut self.growth;
        if growth.running {
            return Ok(false);
        }
        Ok(growth.allow(Limit::TableElements, growth.table_elements, desired))
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        MAX_TABLES as usize
    }

    // A module has one at most. The interpreter counts it again if it is imported, and the empty one
    // that `memory::initial_bytes` may leave.
    fn memories(&self) -> usize {
        3
    }
}

/// A loaded plugin.
pub(super) struct Plugin<S: Storage> {
    pub(super) engine: Engine,
    /// SHA-256 of the module.
    #[cfg(feature = "record")]
    pub(super) hash: [u8; 32],
    pub(super) module: Module,
    /// Boxed, as it is large and a plugin is moved into its list and out of it.
    pub(super) store: Box<Store<PluginState<S>>>,
    /// The embedder's buffer that is its linear memory, if one is.
    pub(super) buffer: Option<Buffer>,
    pub(super) descriptor: Descriptor,
    pub(super) entries: Vec<(Box<str>, TypedFunc<i32, i32>)>,
    pub(super) limits: Limits,
    /// After a trap the linear memory is in the middle of something, and after a checkpoint it is
    /// to be forgotten: the next call starts anew.
    pub(super) trapped: bool,
    pub(super) report: CallReport,
    pub(super) totals: HostCounters,
}

impl<S: Storage> Plugin<S> {
    pub(super) fn identity(&self) -> &Identity {
        &self.store.data().identity
    }

    pub(super) fn entry(&self, name: &str) -> Option<TypedFunc<i32, i32>> {
        self.entries.iter().find(|(entry, _)| &**entry == name).map(|(_, function)| *function)
    }

    /// Drops it, and says which buffer was its memory.
    pub(super) fn into_buffer(self) -> Option<Buffer> {
        let Self { store, buffer, .. } = self;
        drop(store);
        buffer
    }

    /// Part of linear memory; empty where there is none.
    pub(super) fn bytes(&self, ptr: u32, len: u32) -> &[u8] {
        let Some(memory) = self.store.data().memory else { return &[] };
        let start = ptr as usize;
        memory
            .data(&*self.store)
            .get(start..)
            .and_then(|m| m.get(..len as usize))
            .unwrap_or_default()
    }
}

/// The text of an interpreter's error.
#[cfg(feature = "reasons")]
pub(super) fn reason(error: &wasmi::Error) -> String {
    alloc::format!("{error}")
}

/// The text of a trap, which is the interpreter's too; one for every other error.
#[cfg(not(feature = "reasons"))]
pub(super) fn reason(error: &wasmi::Error) -> String {
    error.as_trap_code().map_or("the interpreter refuses it", |code| code.trap_message()).into()
}
