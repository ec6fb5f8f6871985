//! Chooses the module that runs in place of a recorded one, and loads it.

use alloc::boxed::Box;

use super::{error::ReplayError, outcome::Loaded, session::Session};
use crate::{
    audit::PluginId,
    capability::Capabilities,
    host::{
        LoadError, OnDenied, PluginConfig,
        tape::{Answering, FUEL_FACTOR},
    },
    limits::Limits,
    replay::json::hex,
    trace::{Event, Load, Restore, chain},
};

impl<'p> Session<'_, 'p> {
    /// The module to run in the place of a recorded one, and whether it is another one.
    fn module(&self, load: &Load<'_>) -> Result<(&'p [u8], bool), ReplayError> {
        match self.replayer.place(load.name, load.module) {
            Some((at, changed)) => {
                let plugin = self.replayer.plugins.get(at);
                Ok((plugin.map_or(&[][..], |plugin| plugin.wasm), changed))
            }
            None => {
                let (plugin, expected) = (load.name.into(), hex(load.module));
                Err(ReplayError::WrongModule { plugin, expected })
            }
        }
    }

    pub(super) fn load(&mut self, number: u64, load: &Load<'_>) -> Result<(), ReplayError> {
        if self.plugins.get(&load.plugin).is_some_and(|known| known.announced) {
            return Err(ReplayError::Misplaced { event: number, what: "load" });
        }
        let version = self.version(load)?;
        let known = self.plugins.get(&load.plugin).filter(|known| known.module == load.module);
        let id = match known {
            // Announced again after a checkpoint.
            Some(known) => known.id,
            None => self
                .host
                .load(load.name, version.wasm, &version.config)
                .map_err(|error| not_loaded(load, error))?,
        };
        self.loaded(id, load, &version, false);
        Ok(())
    }

    /// Puts another version into the place of a plugin. The one before is kept until the next call was
    /// a migration that failed, or another version comes.
    pub(super) fn replace(&mut self, number: u64, load: &Load<'_>) -> Result<(), ReplayError> {
        let known = self.plugins.get(&load.plugin).copied().filter(|known| known.announced);
        let known =
            known.filter(|known| self.host.plugins().any(|plugin| plugin == (known.id, load.name)));
        let Some(known) = known else {
            return Err(ReplayError::Misplaced { event: number, what: "replace" });
        };
        let version = self.version(load)?;
        self.host
            .replay_replacement(known.id, version.wasm, &version.config)
            .map_err(|error| not_loaded(load, error))?;
        self.replaced.insert(load.plugin, known);
        self.loaded(known.id, load, &version, true);
        Ok(())
    }

    /// Puts the version before back, with the memory that it had.
    pub(super) fn restore(&mut self, number: u64, restore: Restore) -> Result<(), ReplayError> {
        let before = self.replaced.remove(&restore.plugin);
        let Some(before) = before.filter(|before| self.host.replay_restoring(before.id)) else {
            return Err(ReplayError::Misplaced { event: number, what: "restore" });
        };
        self.plugins.insert(restore.plugin, before);
        self.host.record_again(&Event::Restore(Restore { plugin: before.id }));
        Ok(())
    }

    /// What runs in the place of a recorded version, and under what.
    fn version(&self, load: &Load<'_>) -> Result<Version<'p>, ReplayError> {
        let (wasm, changed) = self.module(load)?;
        let mut recorded = load.limits;
        if changed {
            let len = u32::try_from(wasm.len()).unwrap_or(u32::MAX);
            recorded.module_bytes = recorded.module_bytes.max(len);
        }
        let mut limits = recorded;
        if !self.same_wasmi && self.answering == Answering::Exactly {
            // Another interpreter counts differently: a call gets more than it may need.
            limits.fuel_per_call = limits.fuel_per_call.saturating_mul(FUEL_FACTOR);
        }
        let on_denied = if load.trap_on_denied { OnDenied::Trap } else { OnDenied::Status };
        let config = PluginConfig::new(Capabilities::default())
            .with_limits(limits)
            .with_on_denied(on_denied);
        Ok(Version { wasm, changed, recorded, config })
    }

    /// Takes note of a version that was loaded, and records it.
    fn loaded(&mut self, id: PluginId, load: &Load<'_>, version: &Version<'_>, replaces: bool) {
        let &Version { wasm, changed, recorded: limits, ref config } = version;
        if changed && !self.replay.changed_plugins.iter().any(|known| known == load.name) {
            self.replay.changed_plugins.push(load.name.into());
        }
        let module = chain::module_hash(wasm);
        let again = Load { plugin: id, module: &module, limits, ..*load };
        let event = if replaces { Event::Replace(again) } else { Event::Load(again) };
        self.host.record_again(&event);
        let module = <[u8; 32]>::try_from(load.module).unwrap_or_default();
        let fuel_per_call = config.limits.fuel_per_call;
        self.plugins.insert(
            load.plugin,
            Loaded { id, limits, fuel_per_call, changed, announced: true, module },
        );
    }
}

/// What runs in the place of a recorded version.
struct Version<'p> {
    wasm: &'p [u8],
    /// It is another module.
    changed: bool,
    /// The recorded limits, under which this module can be loaded too.
    recorded: Limits,
    config: PluginConfig,
}

fn not_loaded(load: &Load<'_>, error: LoadError) -> ReplayError {
    ReplayError::Load { plugin: load.name.into(), error: Box::new(error) }
}
