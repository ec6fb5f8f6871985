//! What `replay` needs of a host that answers from a trace.

use alloc::boxed::Box;

use super::host::Host;
use crate::{
    abi::{Capability, Name},
    audit::{FunctionId, PluginId},
    database::Storage,
    escaped::quoted,
    host::{
        access::{HostFunctionContext, PluginConfig},
        boundary::HostCallResult,
        error::LoadError,
        plugin::{Compiler, load},
        registry::{HostFunction, RegistryError},
        tape::Player,
    },
    trace::{Digest, Event, Nested, Recorder},
};

impl<S: Storage + 'static> Host<S> {
    /// Answers from a trace from now on.
    pub(crate) fn play(&mut self, player: Player) {
        self.shared_mut().tape.playing.start(Box::new(player));
    }

    pub(crate) fn player_mut(&mut self) -> Option<&mut Player> {
        self.shared_mut().tape.playing.player_mut()
    }

    pub(crate) fn player(&self) -> Option<&Player> {
        self.shared().tape.playing.player()
    }

    /// Digest of a plugin's linear memory.
    pub(crate) fn memory_digest(&self, plugin: PluginId) -> Option<Digest> {
        let plugin = self.plugins.get(self.position(plugin)?)?;
        Some(Digest::of(plugin.bytes(0, plugin.report.memory_bytes)))
    }

    /// Records what is replayed, without saying what the host is made of: the trace says it.
    pub(crate) fn record_replay(&mut self, recorder: Recorder) {
        self.shared_mut().tape.recording.start(Box::new(recorder));
    }

    /// Records an event of the trace that stands between calls.
    pub(crate) fn record_again(&mut self, event: &Event<'_>) {
        self.shared_mut().tape.recording.append(event);
    }

    /// A checkpoint of the trace, which had `audited` audit entries before it.
    pub(crate) fn replay_checkpoint(&mut self, audited: u64) {
        for plugin in self.plugins.iter_mut() {
            plugin.trapped = true;
        }
        self.shared_mut().tape.recording.checkpoint(audited);
    }

    /// Puts a module into the place of a plugin, as a trace says, and keeps that as it is. What a host
    /// checks of a replacement was checked when the trace was recorded.
    pub(crate) fn replay_replacement(
        &mut self,
        plugin: PluginId,
        wasm: &[u8],
        config: &PluginConfig,
    ) -> Result<(), LoadError> {
        let Some(at) = self.position(plugin) else { return Ok(()) };
        let name = self.plugins.get(at).map_or_else(Name::default, |known| known.identity().name);
        let new = load::compile(wasm, config, &Compiler::validating())
            .and_then(|compiled| self.make(plugin, name, compiled, config))
            .map_err(|error| *error)?;
        if let Some(known) = self.plugins.get_mut(at) {
            // It cannot come back any more.
            known.previous = None;
        }
        self.change_places(at, new);
        Ok(())
    }

    /// Undoes the last replacement of a plugin. Says whether there was one.
    pub(crate) fn replay_restoring(&mut self, plugin: PluginId) -> bool {
        self.position(plugin).is_some_and(|at| self.change_back(at))
    }

    /// The call that is replayed next was made by a plugin, if there is a call `around` it: it gets the
    /// fuel that it had then, and the deadline of the embedder's call. Returns the fuel that its calls have
    /// otherwise.
    pub(crate) fn replay_inside(
        &mut self,
        plugin: PluginId,
        around: Option<Nested>,
        fuel: Option<u64>,
    ) -> Option<u64> {
        if let Some(player) = self.player_mut() {
            player.around = around.map(|nested| (nested.started_us, nested.deadline_ms));
        }
        let nested = around?;
        self.record_again(&Event::Nested(nested));
        let at = self.position(plugin)?;
        let plugin = self.plugins.get_mut(at)?;
        let own = plugin.limits.fuel_per_call;
        plugin.limits.fuel_per_call = fuel.map_or(own, |fuel| own.min(fuel));
        Some(own)
    }

    /// Sets the fuel of a plugin's calls.
    pub(crate) fn set_fuel_per_call(&mut self, plugin: PluginId, fuel: u64) {
        if let Some(at) = self.position(plugin)
            && let Some(plugin) = self.plugins.get_mut(at)
        {
            plugin.limits.fuel_per_call = fuel;
        }
    }

    /// Lets a plugin begin its next call with its memory as it was after loading.
    pub(crate) fn restart_plugin(&mut self, plugin: PluginId) {
        if let Some(at) = self.position(plugin)
            && let Some(plugin) = self.plugins.get_mut(at)
        {
            plugin.trapped = true;
        }
    }

    /// A place in the registry for a function that a trace names and only the trace answers.
    pub(crate) fn register_recorded(
        &mut self,
        module: &str,
        name: &str,
    ) -> Result<FunctionId, RegistryError> {
        let name = Name::new(name).map_err(RegistryError::Name)?;
        self.register(module, OnlyRecorded(name))
    }
}

/// A function that is not here, but whose answers are in the trace.
struct OnlyRecorded(Name);

impl<S: Storage> HostFunction<S> for OnlyRecorded {
    fn name(&self) -> &str {
        &self.0
    }

    fn capability(&self) -> Capability<'_> {
        Capability::Always
    }

    fn execute(
        &mut self,
        _context: &mut HostFunctionContext<'_, S>,
        _request: &[u8],
        _response: &mut [u8],
    ) -> HostCallResult {
        HostCallResult::not_found(format_args!("{} answers in a replay only", quoted(&self.0)))
    }
}
