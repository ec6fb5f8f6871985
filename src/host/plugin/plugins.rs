//! The plugins of a host in the order of loading, each in a slot that is empty while it runs.
//!
//! A slot that is empty is how a plugin that runs already is known: there is no lock.

use alloc::{boxed::Box, vec::Vec};

#[cfg(feature = "hooks")]
use crate::host::access::{Hook, Hooks};
use crate::{abi::Name, audit::PluginId};

/// A plugin's place, which its name and its id never leave.
struct Slot<P> {
    id: PluginId,
    name: Name,
    /// `None` while it runs.
    plugin: Option<Box<P>>,
    /// Its hooks while it runs.
    #[cfg(feature = "hooks")]
    hooks: Hooks,
}

/// What leaves its hooks behind while it runs.
pub(crate) trait Hooked {
    /// Its hooks.
    #[cfg(feature = "hooks")]
    fn hooks(&self) -> &Hooks;

    /// Its hooks, to be taken and given back.
    #[cfg(feature = "hooks")]
    fn hooks_mut(&mut self) -> &mut Hooks;
}

/// Plugins in the order of loading.
pub(crate) struct Slots<P>(Vec<Slot<P>>);

impl<P> Default for Slots<P> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<P: Hooked> Slots<P> {
    /// How many there are, running or not.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Where the plugin of this id is, running or not.
    pub(crate) fn position(&self, id: PluginId) -> Option<usize> {
        self.0.iter().position(|slot| slot.id == id)
    }

    /// Where the plugin of this name is, running or not.
    pub(crate) fn named(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|slot| &*slot.name == name)
    }

    /// Id and name of a plugin, running or not.
    pub(crate) fn known(&self) -> impl Iterator<Item = (PluginId, &Name)> {
        self.0.iter().map(|slot| (slot.id, &slot.name))
    }

    /// The hooks of the plugin at a place, running or not.
    #[cfg(feature = "hooks")]
    pub(crate) fn hooks(&self, at: usize) -> &[Hook] {
        let Some(slot) = self.0.get(at) else { return &[] };
        slot.plugin.as_deref().map_or(&slot.hooks, P::hooks).as_slice()
    }

    /// Whether any plugin has hooks.
    #[cfg(feature = "hooks")]
    pub(crate) fn any_hooks(&self) -> bool {
        (0..self.0.len()).any(|at| !self.hooks(at).is_empty())
    }

    /// Those that do not run.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &P> + Clone {
        self.0.iter().filter_map(|slot| slot.plugin.as_deref())
    }

    /// Those that do not run.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut P> {
        self.0.iter_mut().filter_map(|slot| slot.plugin.as_deref_mut())
    }

    /// The plugin at a place, if it does not run.
    pub(crate) fn get(&self, at: usize) -> Option<&P> {
        self.0.get(at)?.plugin.as_deref()
    }

    /// The plugin at a place, if it does not run.
    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut P> {
        self.0.get_mut(at)?.plugin.as_deref_mut()
    }

    /// Adds a plugin behind the others. Plugins are few and large: no room for those that never come.
    pub(crate) fn push(&mut self, id: PluginId, name: Name, plugin: P) {
        self.insert(self.0.len(), id, name, plugin);
    }

    /// Adds a plugin at a place.
    pub(crate) fn insert(&mut self, at: usize, id: PluginId, name: Name, plugin: P) {
        self.0.reserve_exact(1);
        let at = at.min(self.0.len());
        self.0.insert(
            at,
            Slot {
                id,
                name,
                plugin: Some(Box::new(plugin)),
                #[cfg(feature = "hooks")]
                hooks: Hooks::default(),
            },
        );
    }

    /// Removes the plugin at a place, if it does not run.
    pub(crate) fn remove(&mut self, at: usize) -> Option<P> {
        self.0.get(at).filter(|slot| slot.plugin.is_some())?;
        self.0.remove(at).plugin.map(|plugin| *plugin)
    }

    /// Lends the plugin at a place, which runs then, if it does not run already.
    pub(crate) fn lend(&mut self, at: usize) -> Option<Box<P>> {
        let slot = self.0.get_mut(at)?;
        #[allow(unused_mut, reason = "it has hooks to be taken only if there are hooks")]
        let mut plugin = slot.plugin.take()?;
        #[cfg(feature = "hooks")]
        core::mem::swap(&mut slot.hooks, plugin.hooks_mut());
        Some(plugin)
    }

    /// Takes a plugin back that was lent.
    pub(crate) fn take_back(&mut self, at: usize, plugin: Option<Box<P>>) {
        if let Some(slot) = self.0.get_mut(at) {
            slot.plugin = plugin;
            #[cfg(feature = "hooks")]
            if let Some(plugin) = &mut slot.plugin {
                core::mem::swap(&mut slot.hooks, plugin.hooks_mut());
            }
        }
    }
}
