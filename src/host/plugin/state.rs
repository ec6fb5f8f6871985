//! A loaded plugin: what it was granted, its interpreter, and the state of its running call; and what all
//! plugins of a host share. They are one file, as a plugin that runs has what they share, and that has the
//! other plugins.

use alloc::{boxed::Box, string::String, vec::Vec};

use wasmi::{Engine, Memory, Module, ResourceLimiter, Store, TypedFunc};

#[cfg(feature = "hooks")]
use super::batch::Scratch;
use super::{
    buffers::Buffer,
    chain::Chain,
    plugins::{Hooked, Slots},
};
#[cfg(feature = "hooks")]
use crate::{
    abi::Builtin,
    host::{access::Hooks, boundary::Entered},
};
use crate::{
    abi::Descriptor,
    audit::{AuditEntry, AuditLog, AuditSink},
    database::{Database, Storage},
    host::{
        access::{Identity, OnDenied},
        clock::Clock,
        metrics::{HostCounters, Metrics},
        module::MAX_TABLES,
        registry::HostFunctionRegistry,
        report::CallReport,
        slice::SliceHook,
        tape::{Loaded, ModuleHash, Tape},
    },
    limits::{Limit, LimitExceeded, Limits},
    meter::Meter,
};

/// What all plugins of a host share. A plugin has it while it runs, the host between calls.
pub(crate) struct Shared<S: Storage> {
    pub(crate) database: Database<S>,
    pub(crate) registry: HostFunctionRegistry<S>,
    pub(crate) audit: AuditLog<Box<[AuditEntry]>>,
    pub(crate) audit_sink: Option<Box<dyn AuditSink + Send>>,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Box<dyn Clock + Send>,
    pub(crate) slice_hook: Option<Box<dyn SliceHook>>,
    pub(crate) log_bytes: usize,
    /// Records what plugins ask and are answered, or answers in place of the functions and the clock.
    pub(crate) tape: Tape,
    /// The plugins, while one of them runs.
    pub(crate) plugins: Plugins<S>,
    /// The calls that run.
    pub(crate) chain: Chain,
    /// Calls a plugin for another one. What enters plugins is above what they are.
    #[cfg(feature = "hooks")]
    pub(crate) call_plugin: fn(&mut PluginState<S>, &[u8], &mut [u8]) -> Entered,
    /// Answers `soch_write` and `soch_delete` through hooks. Returns how many rows it was, too.
    #[cfg(feature = "hooks")]
    pub(crate) change: Changing<S>,
    /// Buffers of statements with hooks: as many as were ever inside each other.
    #[cfg(feature = "hooks")]
    pub(crate) scratch: Vec<Scratch>,
    /// A bit for each function that is answered with the help of other plugins.
    #[cfg(feature = "hooks")]
    pub(crate) intercepted: u32,
}

impl<S: Storage> Shared<S> {
    /// Learns which functions are answered with the help of other plugins.
    #[cfg(feature = "hooks")]
    pub(crate) fn intercept(&mut self) {
        const CALLS: u32 = 1 << Builtin::CallPlugin as u32;
        const CHANGES: u32 = 1 << Builtin::SochWrite as u32 | 1 << Builtin::SochDelete as u32;
        self.intercepted = if self.plugins.any_hooks() { CALLS | CHANGES } else { CALLS };
    }

    /// The clock, or what it was when the call was recorded.
    pub(crate) fn now_us(&mut self) -> u64 {
        match self.tape.playing.now_us() {
            Some(now_us) => now_us,
            None => self.clock.now_us(),
        }
    }
}

/// What answers a function through hooks, with request and response.
#[cfg(feature = "hooks")]
type Changing<S> = fn(&mut PluginState<S>, Builtin, &[u8], &mut [u8]) -> (Entered, u32);

/// The plugins of a host.
pub(crate) type Plugins<S> = Slots<Plugin<S>>;

/// The data of a plugin's interpreter.
pub(crate) struct PluginState<S: Storage> {
    /// What all plugins share. Lent for the length of a call.
    pub(crate) shared: Option<Box<Shared<S>>>,
    /// Looking an export up by name would cost more than a host call does.
    pub(crate) memory: Option<Memory>,
    pub(crate) identity: Identity,
    pub(crate) growth: Growth,
    pub(crate) on_denied: OnDenied,
    pub(crate) meter: Meter,
    pub(crate) host_calls: u32,
    pub(crate) host_calls_limit: u32,
    pub(crate) denied: u32,
}

impl<S: Storage> PluginState<S> {
    pub(crate) fn new(identity: Identity, limits: &Limits, on_denied: OnDenied) -> Self {
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
            },
            on_denied,
            meter: Meter::new(limits),
            host_calls: 0,
            host_calls_limit: limits.host_calls,
            denied: 0,
        }
    }
}

/// Limits what grows inside the interpreter.
pub(crate) struct Growth {
    pub(crate) memory_bytes: u32,
    table_elements: u32,
    /// The plugin is loaded, and its tables keep their sizes.
    pub(crate) running: bool,
    /// The last growth that was refused, for the error that names it.
    pub(crate) refused: Option<LimitExceeded>,
}

impl Growth {
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
        let growth = &mut self.growth;
        let allowed = growth.allow(Limit::LinearMemory, growth.memory_bytes, desired);
        Ok(match self.shared.as_deref_mut() {
            Some(shared) => shared.tape.grows(current, desired, allowed),
            None => allowed,
        })
    }

    fn memory_grow_failed(
        &mut self,
        error: &wasmi_core::MemoryError,
    ) -> Result<(), wasmi_core::LimiterError> {
        if matches!(error, wasmi_core::MemoryError::OutOfSystemMemory)
            && let Some(shared) = self.shared.as_deref_mut()
        {
            shared.tape.recording.runs_out_of_memory();
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
pub(crate) struct Plugin<S: Storage> {
    pub(crate) engine: Engine,
    pub(crate) hash: ModuleHash,
    pub(crate) module: Module,
    /// Boxed, as it is large and a plugin is moved into its list and out of it.
    pub(crate) store: Box<Store<PluginState<S>>>,
    /// The embedder's buffer that is its linear memory, if one is.
    pub(crate) buffer: Option<Buffer>,
    pub(crate) descriptor: Descriptor,
    pub(crate) entries: Vec<(Box<str>, TypedFunc<i32, i32>)>,
    pub(crate) limits: Limits,
    #[cfg(feature = "hooks")]
    pub(crate) hooks: Hooks,
    /// After a trap the linear memory is in the middle of something, and after a checkpoint it is
    /// to be forgotten: the next call starts anew.
    pub(crate) trapped: bool,
    pub(crate) report: CallReport,
    pub(crate) totals: HostCounters,
    /// The version that it replaced.
    pub(crate) previous: Option<Box<Previous<S>>>,
}

/// A version that another one replaced: its compiled module, without an instance and without linear
/// memory. In a replay it has both, until it is known whether it goes on.
pub(crate) struct Previous<S: Storage> {
    pub(crate) plugin: Plugin<S>,
    /// Its linear memory is in a buffer of the embedder's.
    pub(crate) static_memory: bool,
}

impl<S: Storage> Hooked for Plugin<S> {
    #[cfg(feature = "hooks")]
    fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    #[cfg(feature = "hooks")]
    fn hooks_mut(&mut self) -> &mut Hooks {
        &mut self.hooks
    }
}

impl<S: Storage> Plugin<S> {
    pub(crate) fn identity(&self) -> &Identity {
        &self.store.data().identity
    }

    /// What a trace says when the plugin is loaded.
    pub(crate) fn loaded(&self) -> Loaded<'_> {
        let state = self.store.data();
        Loaded {
            identity: &state.identity,
            hash: &self.hash,
            limits: self.limits,
            trap_on_denied: state.on_denied == OnDenied::Trap,
        }
    }

    pub(crate) fn entry(&self, name: &str) -> Option<TypedFunc<i32, i32>> {
        self.entries.iter().find(|(entry, _)| &**entry == name).map(|(_, function)| *function)
    }

    /// Drops it, and says which buffer was its memory.
    pub(crate) fn into_buffer(self) -> Option<Buffer> {
        let Self { store, buffer, .. } = self;
        drop(store);
        buffer
    }

    /// Part of linear memory; empty where there is none.
    pub(crate) fn bytes(&self, ptr: u32, len: u32) -> &[u8] {
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
pub(crate) fn reason(error: &wasmi::Error) -> String {
    alloc::format!("{error}")
}

/// The text of a trap, which is the interpreter's too; one for every other error.
#[cfg(not(feature = "reasons"))]
pub(crate) fn reason(error: &wasmi::Error) -> String {
    error.as_trap_code().map_or("the interpreter refuses it", |code| code.trap_message()).into()
}
