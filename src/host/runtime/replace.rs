//! One version of a plugin in the place of another, between two calls, and back again.
//!
//! The new version is loaded and checked while the old one stays. Only then they change places, and
//! `migrate` runs; whatever fails, also by a panic of the embedder's slice hook, brings the old version
//! back ([`Unfinished`]).

use alloc::{boxed::Box, vec, vec::Vec};

use super::host::Host;
use crate::{
    abi::{MIGRATE_ENTRY, Name, wire},
    audit::PluginId,
    database::Storage,
    host::{
        access::PluginConfig,
        error::{LoadError, Loading},
        metrics::HostCounters,
        plugin::{self, Buffer, Buffers, Compiler, Plugin, Previous, load},
        replacement::{ReplaceError, Replacement, Replacing},
        report::CallReport,
        tape::ModuleHash,
    },
};

impl<S: Storage + 'static> Host<S> {
    /// Replaces a plugin by another version of it, between two calls: [`replace_with`](Self::replace_with)
    /// with the default [`Replacement`].
    ///
    /// # Errors
    /// [`ReplaceError`]; the old version then goes on as if nothing had happened.
    #[cfg(feature = "validate")]
    pub fn replace(
        &mut self,
        plugin: PluginId,
        wasm: &[u8],
        config: &PluginConfig,
    ) -> Result<(), ReplaceError> {
        self.replace_with(plugin, wasm, config, Replacement::new())
    }

    /// Replaces a plugin by another version of it, as `replacement` says.
    ///
    /// The new version has the id, the name, the metrics and the audit entries of the old one, and
    /// `config` takes the place of the old configuration. It is loaded and checked while the old one
    /// stays. If it exports an entry point `migrate`, that runs next, in a transaction of its own, with
    /// the [version before](Replacement::from_version) as input. Its audit entries, logs and metrics
    /// stay, as those of any call.
    ///
    /// The old version's module is kept, compiled, for [`rollback`](Self::rollback), without its linear
    /// memory; a version that was kept before is freed.
    ///
    /// # Errors
    /// [`ReplaceError`]; except after [`ReplaceError::Lost`], the old version goes on: as if nothing had
    /// happened, or with its memory as it was after loading if it was
    /// [unloaded first](Replacement::unload_first).
    #[cfg(feature = "validate")]
    pub fn replace_with(
        &mut self,
        plugin: PluginId,
        wasm: &[u8],
        config: &PluginConfig,
        replacement: Replacement<'_>,
    ) -> Result<(), ReplaceError> {
        let compiler = Compiler::validating();
        self.replace_version(plugin, wasm, config, &compiler, replacement).map_err(|error| *error)
    }

    /// As [`replace_with`](Self::replace_with), without validating the module, if its SHA-256 is
    /// `sha256`.
    ///
    /// # Errors
    /// As [`replace_with`](Self::replace_with).
    ///
    /// # Safety
    /// As [`load_trusted`](Self::load_trusted), for this module and, if it is given, for that of
    /// [`Replacement::unload_first`].
    #[cfg(feature = "trusted")]
    pub unsafe fn replace_trusted(
        &mut self,
        plugin: PluginId,
        wasm: &[u8],
        sha256: &[u8; 32],
        config: &PluginConfig,
        replacement: Replacement<'_>,
    ) -> Result<(), ReplaceError> {
        // SAFETY: the caller's promise.
        let compiler = unsafe { Compiler::trusting(wasm, sha256) };
        compiler
            .map_err(Box::from)
            .and_then(|compiler| self.replace_version(plugin, wasm, config, &compiler, replacement))
            .map_err(|error| *error)
    }

    /// Puts the version back that was loaded before the last replacement, with the configuration that it
    /// had. The newer version is freed, whole, and the older one begins its next call with its memory as
    /// it was after loading. Tables stay as they are: what a migration wrote is not taken back.
    ///
    /// # Errors
    /// [`ReplaceError::NoSuchPlugin`]; [`ReplaceError::NothingKept`]; [`ReplaceError::Load`] if no
    /// static buffer holds the older version's memory. The newer version then stays.
    pub fn rollback(&mut self, plugin: PluginId) -> Result<(), ReplaceError> {
        self.roll_back(plugin).map_err(|error| *error)
    }

    fn roll_back(&mut self, id: PluginId) -> Replacing<()> {
        let Self { plugins, buffers, .. } = self;
        let at = plugins.position(id);
        let Some((at, loaded)) = at.and_then(|at| Some((at, plugins.get_mut(at)?))) else {
            return Err(ReplaceError::NoSuchPlugin(id).into());
        };
        let Some(mut previous) = loaded.previous.take() else {
            return Err(ReplaceError::NothingKept(id).into());
        };
        if let Err(error) = take_buffer(&mut previous, &mut loaded.buffer, buffers) {
            loaded.previous = Some(previous);
            return Err(error.into());
        }
        let Previous { mut plugin, .. } = *previous;
        plugin.store.data_mut().identity.forget_tables();
        (plugin.report, plugin.totals) = (loaded.report, loaded.totals);
        let newer = core::mem::replace(loaded, plugin);
        self.free(newer);
        self.tape_version(at);
        Ok(())
    }

    #[cfg(any(feature = "validate", feature = "trusted"))]
    fn replace_version(
        &mut self,
        id: PluginId,
        wasm: &[u8],
        config: &PluginConfig,
        compiler: &Compiler,
        replacement: Replacement<'_>,
    ) -> Replacing<()> {
        let at = self.position(id);
        let Some((at, old)) = at.and_then(|at| Some((at, self.plugins.get(at)?))) else {
            return Err(ReplaceError::NoSuchPlugin(id).into());
        };
        if self.shared().database.has_pending() {
            return Err(ReplaceError::TransactionPending.into());
        }
        let grants = config.capabilities.wider_than(&old.identity().capabilities);
        if !grants.is_empty() && !replacement.wider_grants {
            return Err(ReplaceError::WiderGrants { grants }.into());
        }
        #[cfg(feature = "hooks")]
        if !replacement.missing_hooks {
            let (readable, newer) = (&old.identity().capabilities.can_read_table, config);
            let newer_readable = &newer.capabilities.can_read_table;
            let hooks = old.hooks.vanished(readable, newer.hooks_kept(), newer_readable);
            if !hooks.is_empty() {
                return Err(ReplaceError::MissingHooks { hooks }.into());
            }
        }
        if replacement.unload_first.is_some_and(|wasm| ModuleHash::of(wasm) != old.hash) {
            return Err(ReplaceError::Load(LoadError::OtherModule).into());
        }
        let known = Known {
            id,
            name: old.identity().name,
            entries: old.entries.iter().map(|(entry, _)| entry.clone()).collect(),
        };
        let unloaded = replacement.unload_first.and_then(|wasm| self.unload_version(at, wasm));
        let mut unfinished =
            Unfinished { host: self, at, known, compiler, unloaded, placed: false, done: false };
        match unfinished.replace(wasm, config, &replacement) {
            Ok(()) => {
                unfinished.finish(replacement.forget);
                Ok(())
            }
            Err(cause) => match unfinished.restore() {
                Ok(()) => Err(cause),
                Err(restore) => Err(ReplaceError::Lost { cause, restore }.into()),
            },
        }
    }

    /// Frees the plugin at a place, and keeps what is needed to load it again.
    #[cfg(any(feature = "validate", feature = "trusted"))]
    fn unload_version<'w>(&mut self, at: usize, wasm: &'w [u8]) -> Option<Unloaded<'w>> {
        let mut old = self.plugins.remove(at)?;
        let state = old.store.data_mut();
        let identity = core::mem::take(&mut state.identity);
        let mut config = PluginConfig::of(identity.capabilities, identity.settings);
        (config.limits, config.on_denied) = (old.limits, state.on_denied);
        config.static_memory = old.buffer.is_some();
        #[cfg(feature = "hooks")]
        let config = config.with_hooks(core::mem::take(&mut old.hooks));
        let unloaded = Unloaded { wasm, config, report: old.report, totals: old.totals };
        self.free(old);
        Some(unloaded)
    }

    /// Tells the tape which version is at a place now.
    fn tape_version(&mut self, at: usize) {
        if let (Some(shared), Some(plugin)) = (&mut self.shared, self.plugins.get(at)) {
            shared.tape.replaces(&plugin.loaded());
        }
    }

    /// Frees a plugin and what it keeps.
    pub(super) fn free(&mut self, plugin: Plugin<S>) {
        let buffer = plugin.into_buffer();
        buffer.into_iter().for_each(|buffer| self.buffers.put(buffer));
    }

    /// Puts a plugin into the place of another, and keeps that as it is.
    pub(super) fn change_places(&mut self, at: usize, mut new: Plugin<S>) {
        let Some(place) = self.plugins.get_mut(at) else { return };
        (new.report, new.totals) = (place.report, place.totals);
        let plugin = core::mem::replace(place, new);
        let static_memory = plugin.buffer.is_some();
        place.previous = Some(Box::new(Previous { plugin, static_memory }));
    }

    /// Undoes [`change_places`](Self::change_places). Says whether there was one.
    pub(super) fn change_back(&mut self, at: usize) -> bool {
        let Some(place) = self.plugins.get_mut(at) else { return false };
        let Some(old) = place.previous.take() else { return false };
        let new = core::mem::replace(place, old.plugin);
        self.free(new);
        true
    }
}

/// Finds a buffer for the linear memory of a version that was kept, if that is static: the one of the
/// version that goes, or one that is free.
fn take_buffer<S: Storage + 'static>(
    kept: &mut Previous<S>,
    own: &mut Option<Buffer>,
    free: &mut Buffers,
) -> Loading<()> {
    let Previous { plugin, static_memory } = kept;
    let Some(ty) = plugin::imported(&plugin.module).filter(|_| *static_memory) else {
        return Ok(());
    };
    let needed = plugin::initial_bytes(&mut plugin.store, ty)?;
    plugin.buffer = Some(match own.take_if(|buffer| buffer.len as u64 >= needed) {
        Some(buffer) => buffer,
        None => free.fitting(needed)?,
    });
    Ok(())
}

/// What stays of a plugin in all of its versions, and the entry points of the old one.
#[cfg(any(feature = "validate", feature = "trusted"))]
struct Known {
    id: PluginId,
    name: Name,
    entries: Vec<Box<str>>,
}

/// An old version that had to go first.
#[cfg(any(feature = "validate", feature = "trusted"))]
struct Unloaded<'w> {
    wasm: &'w [u8],
    config: PluginConfig,
    report: CallReport,
    totals: HostCounters,
}

/// A replacement that is not finished. The old version comes back when this is dropped.
#[cfg(any(feature = "validate", feature = "trusted"))]
struct Unfinished<'h, S: Storage + 'static> {
    host: &'h mut Host<S>,
    at: usize,
    known: Known,
    compiler: &'h Compiler,
    /// The old version, if it was unloaded first.
    unloaded: Option<Unloaded<'h>>,
    /// The new version has the place, and keeps the old one if that was not unloaded.
    placed: bool,
    done: bool,
}

#[cfg(any(feature = "validate", feature = "trusted"))]
impl<S: Storage + 'static> Unfinished<'_, S> {
    fn replace(
        &mut self,
        wasm: &[u8],
        config: &PluginConfig,
        replacement: &Replacement<'_>,
    ) -> Replacing<()> {
        let compiled = load::compile(wasm, config, self.compiler)?;
        self.place(compiled, config, replacement.missing_entries)?;
        let migrates = self.host.plugins.get(self.at);
        if migrates.and_then(|plugin| plugin.entry(MIGRATE_ENTRY)).is_none() {
            return Ok(());
        }
        let before = replacement.from_version;
        // A length takes ten bytes at most.
        let mut input = vec![0; before.len().saturating_add(10)];
        let len = wire::encode(&before, &mut input).unwrap_or_default();
        let input = input.get(..len).unwrap_or_default();
        match self.host.call(self.known.id, MIGRATE_ENTRY, input) {
            Ok(_) => Ok(()),
            Err(error) => Err(ReplaceError::Migration(error).into()),
        }
    }

    /// Makes the new version of its module and puts it into its place, if it has the entry points.
    ///
    /// Not inlined: a plugin on its way into the list is large, and shall not lie on the stack while
    /// its module is compiled or while it migrates.
    #[inline(never)]
    fn place(
        &mut self,
        compiled: load::Compiled,
        config: &PluginConfig,
        missing_entries: bool,
    ) -> Replacing<()> {
        let Self { host, at, known, unloaded, .. } = self;
        let mut new = host.make(known.id, known.name, compiled, config)?;
        let missing = |entry: &&str| *entry != MIGRATE_ENTRY && new.entry(entry).is_none();
        let entries = known.entries.iter().map(|entry| &**entry).filter(missing);
        let entries: Vec<Box<str>> = entries.map(Box::from).collect();
        if !entries.is_empty() && !missing_entries {
            host.free(new);
            return Err(ReplaceError::MissingEntries { entries }.into());
        }
        match unloaded {
            None => host.change_places(*at, new),
            Some(old) => {
                (new.report, new.totals) = (old.report, old.totals);
                host.plugins.insert(*at, known.id, known.name, new);
            }
        }
        self.placed = true;
        self.host.tape_version(self.at);
        Ok(())
    }

    /// Keeps the new version, and of the old one what [`Host::rollback`] needs.
    fn finish(mut self, forget: bool) {
        self.done = true;
        let Host { plugins, buffers, .. } = &mut *self.host;
        let Some(place) = plugins.get_mut(self.at) else { return };
        if let Some(previous) = &mut place.previous {
            previous.plugin.discard_instance(buffers);
            if forget {
                place.previous = None;
            }
        }
    }

    /// Brings the old version back.
    fn restore(&mut self) -> Loading<()> {
        self.done = true;
        match (self.unloaded.take(), self.placed) {
            (None, false) => Ok(()),
            (None, true) => {
                self.host.change_back(self.at);
                self.host.shared_mut().tape.restores(self.known.id);
                Ok(())
            }
            (Some(old), placed) => {
                if placed && let Some(new) = self.host.plugins.remove(self.at) {
                    self.host.free(new);
                }
                let loaded = self.load_again(&old);
                if loaded.is_err() {
                    self.host.shared_mut().tape.unloads(self.known.id);
                    self.host.shared_mut().metrics.forget(self.known.id);
                }
                loaded
            }
        }
    }

    /// Loads the version that was unloaded first.
    #[inline(never)]
    fn load_again(&mut self, old: &Unloaded<'_>) -> Loading<()> {
        let Self { host, at, known, compiler, .. } = self;
        let compiled = load::compile(old.wasm, &old.config, compiler)?;
        let mut plugin = host.make(known.id, known.name, compiled, &old.config)?;
        (plugin.report, plugin.totals) = (old.report, old.totals);
        host.plugins.insert(*at, known.id, known.name, plugin);
        host.tape_version(*at);
        Ok(())
    }
}

#[cfg(any(feature = "validate", feature = "trusted"))]
impl<S: Storage + 'static> Drop for Unfinished<'_, S> {
    fn drop(&mut self) {
        if !self.done {
            // Only a panic of the embedder's comes here, and nobody is left to tell.
            let _ = self.restore();
        }
    }
}
