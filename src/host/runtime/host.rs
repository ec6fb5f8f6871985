//! A host: its database, its plugins and what they share. Calls of plugins, recordings and replays are in
//! the files beside it.

use alloc::{boxed::Box, vec, vec::Vec};
use core::fmt;

use super::config::HostConfig;
use crate::{
    abi::{Descriptor, Name},
    audit::{AuditEntry, AuditLog, AuditSink, FunctionId, PluginId},
    database::{Database, MemoryStorage, Storage},
    host::{
        access::{Identity, PluginConfig},
        clock::Clock,
        error::{LoadError, Loading},
        metrics::Metrics,
        plugin::{Buffers, Chain, Compiler, Plugin, Plugins, Shared, load},
        registry::{HostFunction, HostFunctionRegistry, RegistryError},
        report::CallReport,
        slice::SliceHook,
        tape::Tape,
    },
    limits::{Limit, LimitExceeded},
};

/// Runs plugins against a database.
///
/// ```
/// use sochdb_wasmi::{
///     capability::Capabilities,
///     database::{ColumnType, Database, MemoryLimits, TableSchema},
///     host::{Host, HostConfig, NoClock, PluginConfig},
/// };
///
/// let mut database = Database::in_memory(MemoryLimits::default());
/// database.create_table(TableSchema::new("counters")?.column("count", ColumnType::UInt)?)?;
/// let mut host = Host::new(HostConfig::default(), database, NoClock);
///
/// let wasm = wat::parse_str(include_str!("../../../examples/plugins/counter.wat"))?;
/// let config = PluginConfig::new(Capabilities::read_only(&["counters"])?);
/// let plugin = host.load("counter", &wasm, &config)?;
/// // Reading is granted, writing is not: the call fails with the status that the plugin returned.
/// assert!(host.call(plugin, "increment", &[7]).is_err());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct Host<S: Storage = MemoryStorage> {
    /// `None` only while a plugin runs; [`call`](Self::call) brings it back.
    pub(super) shared: Option<Box<Shared<S>>>,
    /// None of them runs, but while a plugin runs; [`call`](Self::call) brings them back.
    pub(super) plugins: Plugins<S>,
    /// For plugins with static memory.
    pub(super) buffers: Buffers,
    pub(super) config: HostConfig,
    pub(super) next_plugin: u32,
}

impl<S: Storage + 'static> Host<S> {
    /// A host without plugins. The clock dates the audit log and measures deadlines.
    pub fn new(
        config: HostConfig,
        database: Database<S>,
        clock: impl Clock + Send + 'static,
    ) -> Self {
        let shared = Shared {
            database,
            registry: HostFunctionRegistry::new(),
            audit: AuditLog::new(vec![AuditEntry::default(); config.audit_entries].into()),
            audit_sink: None,
            metrics: Metrics::new(config.metric_series),
            clock: Box::new(clock),
            slice_hook: None,
            log_bytes: config.log_bytes,
            tape: Tape::default(),
            plugins: Plugins::default(),
            chain: Chain::default(),
            #[cfg(feature = "hooks")]
            call_plugin: super::nested::call_plugin,
            #[cfg(feature = "hooks")]
            change: super::hooked::change,
            #[cfg(feature = "hooks")]
            scratch: Vec::new(),
            #[cfg(feature = "hooks")]
            intercepted: 0,
        };
        Self {
            shared: Some(Box::new(shared)),
            plugins: Plugins::default(),
            buffers: Buffers::default(),
            config,
            next_plugin: 0,
        }
    }

    /// Adds a function of the embedder's that plugins loaded from now on can import from `module`.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn register(
        &mut self,
        module: &str,
        function: impl HostFunction<S> + 'static,
    ) -> Result<FunctionId, RegistryError> {
        let Shared { registry, tape, .. } = self.shared_mut();
        let id = registry.register(module, function)?;
        tape.adds_function(registry, id);
        Ok(id)
    }

    /// Sends every audit entry to `sink` too, as it is made.
    pub fn set_audit_sink(&mut self, sink: impl AuditSink + Send + 'static) {
        self.shared_mut().audit_sink = Some(Box::new(sink));
    }

    /// Calls `hook` between fuel slices.
    pub fn set_slice_hook(&mut self, hook: impl SliceHook + 'static) {
        self.shared_mut().slice_hook = Some(Box::new(hook));
    }

    /// Limits how many calls of plugins by plugins may run inside each other: 0 lets no plugin call another
    /// one. Default 4. Each takes 4,624 bytes of native stack on x86-64 (release), and no heap.
    #[cfg(feature = "hooks")]
    pub fn limit_nesting(&mut self, calls: u8) {
        self.shared_mut().chain.limit = calls;
    }

    /// Gives the host a buffer for the linear memory of a plugin that is loaded with
    /// [`PluginConfig::with_static_memory`]. Each such plugin has one for itself: the smallest that
    /// is free and holds the memory that its module asks for at first. The memory grows up to the
    /// buffer's length. After a trap the plugin restarts in the same buffer, and unloading it
    /// makes the buffer free.
    ///
    /// What is in the buffer is overwritten. Dropping the host does not give it back:
    /// [`take_static_memory`](Self::take_static_memory) does.
    pub fn add_static_memory(&mut self, buffer: &'static mut [u8]) {
        self.buffers.add(buffer);
    }

    /// Takes back the largest buffer of [`add_static_memory`](Self::add_static_memory) that no
    /// plugin has, with whatever a plugin left in it.
    pub fn take_static_memory(&mut self) -> Option<&'static mut [u8]> {
        self.buffers.take()
    }

    /// Loads a plugin: validates it, checks its name, size, imports, exports and buffers, and
    /// compiles it.
    ///
    /// # Errors
    /// [`LoadError`]; the host is then as it was before.
    #[cfg(feature = "validate")]
    pub fn load(
        &mut self,
        name: &str,
        wasm: &[u8],
        config: &PluginConfig,
    ) -> Result<PluginId, LoadError> {
        let compiler = Compiler::validating();
        self.add(name, wasm, config, &compiler).map_err(|error| *error)
    }

    /// Loads a plugin without validating it, if its SHA-256 is `sha256`: what [`load`](Self::load)
    /// checks beside is checked here too.
    ///
    /// For devices that have no room for a validator (115 KB of flash on a Cortex-M4) and run
    /// plugins that were validated where they were built. The hash makes sure that they are those.
    ///
    /// # Errors
    /// [`LoadError`]; the host is then as it was before.
    ///
    /// # Safety
    /// The module of this hash has been loaded with `load` by this version of this crate, and no
    /// error was returned. The interpreter trusts the code: with a module that is not valid, the
    /// behaviour is undefined.
    #[cfg(feature = "trusted")]
    pub unsafe fn load_trusted(
        &mut self,
        name: &str,
        wasm: &[u8],
        sha256: &[u8; 32],
        config: &PluginConfig,
    ) -> Result<PluginId, LoadError> {
        // SAFETY: the caller's promise.
        let compiler = unsafe { Compiler::trusting(wasm, sha256) }.map_err(|error| *error)?;
        self.add(name, wasm, config, &compiler).map_err(|error| *error)
    }

    #[cfg(any(feature = "validate", feature = "trusted"))]
    fn add(
        &mut self,
        name: &str,
        wasm: &[u8],
        config: &PluginConfig,
        compiler: &Compiler,
    ) -> Loading<PluginId> {
        let name = Name::plugin(name).map_err(LoadError::Name)?;
        if self.plugins.named(&name).is_some() {
            return Err(LoadError::NameTaken(name).into());
        }
        let allowed = self.config.plugins;
        if self.plugins.len() >= allowed {
            return Err(LoadError::Limit(LimitExceeded {
                limit: Limit::Plugins,
                allowed: allowed as u64,
                asked: self.plugins.len() as u64 + 1,
            })
            .into());
        }
        let compiled = load::compile(wasm, config, compiler)?;
        self.instantiate(name, compiled, config)
    }

    /// Not inlined: a plugin on its way into the list is large, and shall not lie on the stack while
    /// its module is compiled.
    #[cfg(any(feature = "validate", feature = "trusted"))]
    #[inline(never)]
    fn instantiate(
        &mut self,
        name: Name,
        compiled: load::Compiled,
        config: &PluginConfig,
    ) -> Loading<PluginId> {
        let id = self.free_id();
        let plugin = self.make(id, name, compiled, config)?;
        if let Some(shared) = &mut self.shared {
            shared.tape.loads(&plugin.loaded());
        }
        self.plugins.push(id, name, plugin);
        self.next_plugin = id.0.wrapping_add(1);
        Ok(id)
    }

    /// A plugin of a compiled module, which is in no list yet.
    #[cfg(any(feature = "validate", feature = "trusted"))]
    pub(super) fn make(
        &mut self,
        id: PluginId,
        name: Name,
        compiled: load::Compiled,
        config: &PluginConfig,
    ) -> Loading<Plugin<S>> {
        let identity = Identity::new(id, name, config);
        let registry = match &self.shared {
            Some(shared) => &shared.registry,
            #[allow(clippy::unreachable, reason = "`call` returns it in every case")]
            None => unreachable!("a plugin has the shared state only while `call` has the host"),
        };
        Plugin::new(identity, compiled, config, registry, &mut self.buffers)
    }

    /// The next id that no plugin has. Ids never run out: there are more than plugins fit in memory.
    #[cfg(any(feature = "validate", feature = "trusted"))]
    fn free_id(&self) -> PluginId {
        let mut id = PluginId(self.next_plugin);
        while self.position(id).is_some() {
            id = PluginId(id.0.wrapping_add(1));
        }
        id
    }

    /// Unloads a plugin and frees everything it held but the rows it wrote. Its id is given again only
    /// after all others. Says whether there was such a plugin.
    ///
    /// Not inlined, as [`load`](Self::load) is not: the plugin on its way out of the list lies on the
    /// stack, which is its caller's else for as long as that runs.
    #[inline(never)]
    pub fn unload(&mut self, plugin: PluginId) -> bool {
        let Some(at) = self.position(plugin) else { return false };
        self.shared_mut().tape.unloads(plugin);
        if let Some(plugin) = self.plugins.remove(at) {
            self.free(plugin);
        }
        self.shared_mut().metrics.forget(plugin);
        true
    }

    /// The plugin of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<PluginId> {
        let mut plugins = self.plugins.known();
        plugins.find(|(_, known)| known.as_str() == name).map(|(id, _)| id)
    }

    /// What the last call of a plugin used, whether it succeeded or not.
    #[must_use]
    pub fn report(&self, plugin: PluginId) -> Option<CallReport> {
        Some(self.plugins.get(self.position(plugin)?)?.report)
    }

    /// The plugins that are loaded, in the order of loading: id and name.
    pub fn plugins(&self) -> impl Iterator<Item = (PluginId, &str)> {
        self.plugins.known().map(|(id, name)| (id, name.as_str()))
    }

    /// The entry points of a plugin, in the order of its exports; none if there is no such plugin.
    pub fn entries(&self, plugin: PluginId) -> impl Iterator<Item = &str> {
        let plugin = self.position(plugin).and_then(|at| self.plugins.get(at));
        plugin.into_iter().flat_map(|plugin| plugin.entries.iter().map(|(name, _)| &**name))
    }

    /// The version and the buffers that a plugin was loaded with.
    #[must_use]
    pub fn descriptor(&self, plugin: PluginId) -> Option<Descriptor> {
        Some(self.plugins.get(self.position(plugin)?)?.descriptor)
    }

    pub(super) fn position(&self, plugin: PluginId) -> Option<usize> {
        self.plugins.position(plugin)
    }
}

impl<S: Storage> Host<S> {
    /// The database, as the last finished call left it.
    #[must_use]
    pub fn database(&self) -> &Database<S> {
        &self.shared().database
    }

    /// The database, **past all hooks**: to create tables, and to write rows that no plugin is asked about.
    /// `Host::write` and `Host::delete` (feature `hooks`) run them.
    ///
    /// Commit what you [write](Database::write) before the next [`call`](Self::call), which is refused
    /// otherwise.
    pub fn database_mut(&mut self) -> &mut Database<S> {
        self.shared_mut().tape.recording.tables_may_change();
        // It may be replaced by another one, whose tables have other numbers.
        for plugin in self.plugins.iter_mut() {
            plugin.store.data_mut().identity.forget_tables();
        }
        &mut self.shared_mut().database
    }

    /// The registry of host functions.
    #[must_use]
    pub fn registry(&self) -> &HostFunctionRegistry<S> {
        &self.shared().registry
    }

    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> &AuditLog<Box<[AuditEntry]>> {
        &self.shared().audit
    }

    /// An audit entry as a line of text, with the names of plugin and function.
    #[must_use]
    pub fn describe<'a>(&'a self, entry: &'a AuditEntry) -> impl fmt::Display + 'a {
        let named = |id| self.plugins.known().find(|(known, _)| *known == id);
        let name = |id| named(id).map_or("(unloaded)", |(_, name)| name.as_str());
        let function = self.registry().name(entry.function);
        let function = function.map_or("?", |(_, name)| name);
        entry.display_called(name(entry.plugin), function, entry.called().0.map(name))
    }

    /// Writes all metrics in Prometheus' text format, series in a fixed order.
    ///
    /// # Errors
    /// What `out` returns.
    pub fn render_metrics(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let plugins = self.plugins.iter().map(|plugin| (&*plugin.identity().name, &plugin.totals));
        self.shared().metrics.render(out, plugins)
    }

    pub(super) fn shared(&self) -> &Shared<S> {
        match &self.shared {
            Some(shared) => shared,
            #[allow(clippy::unreachable, reason = "`call` returns it in every case")]
            None => unreachable!("a plugin has the shared state only while `call` has the host"),
        }
    }

    pub(super) fn shared_mut(&mut self) -> &mut Shared<S> {
        match &mut self.shared {
            Some(shared) => shared,
            #[allow(clippy::unreachable, reason = "`call` returns it in every case")]
            None => unreachable!("a plugin has the shared state only while `call` has the host"),
        }
    }
}

impl<S: Storage> fmt::Debug for Host<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.plugins.iter().map(|plugin| &plugin.identity().name);
        let plugins: Vec<_> = names.collect();
        f.debug_struct("Host").field("plugins", &plugins).finish_non_exhaustive()
    }
}
