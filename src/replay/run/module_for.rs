//! Which module runs in the place of a recorded one, and how it is loaded.

use alloc::boxed::Box;

use super::{error::ReplayError, outcome::Loaded, session::Session};
use crate::{
    capability::Capabilities,
    host::{
        OnDenied, PluginConfig,
        tape::{Answering, FUEL_FACTOR},
    },
    replay::json::hex,
    trace::{Event, Load, chain},
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
        let name = load.name;
        if self.plugins.get(&load.plugin).is_some_and(|known| known.announced) {
            return Err(ReplayError::Misplaced { event: number, what: "load" });
        }
        let (wasm, changed) = self.module(load)?;
        let known = self.plugins.get(&load.plugin).filter(|known| known.module == load.module);
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
        let id = match known {
            // Told again after a checkpoint.
            Some(known) => known.id,
            None => {
                let on_denied = if load.trap_on_denied { OnDenied::Trap } else { OnDenied::Status };
                let config = PluginConfig::new(Capabilities::default())
                    .with_limits(limits)
                    .with_on_denied(on_denied);
                self.host.load(name, wasm, &config).map_err(|error| ReplayError::Load {
                    plugin: name.into(),
                    error: Box::new(error),
                })?
            }
        };
        if changed && !self.replay.changed_plugins.iter().any(|known| known == name) {
            self.replay.changed_plugins.push(name.into());
        }
        let module = chain::module_hash(wasm);
        let again = Load { plugin: id, module: &module, limits: recorded, ..*load };
        self.host.record_again(&Event::Load(again));
        let module = <[u8; 32]>::try_from(load.module).unwrap_or_default();
        let fuel_per_call = limits.fuel_per_call;
        let limits = recorded;
        self.plugins.insert(
            load.plugin,
            Loaded { id, limits, fuel_per_call, changed, announced: true, module },
        );
        Ok(())
    }
}
