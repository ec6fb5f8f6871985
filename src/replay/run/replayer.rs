//! The settings of a replay: its plugins, and how far it goes.

use alloc::vec::Vec;

use crate::trace::chain;

/// A plugin that a replayer may use.
#[derive(Clone, Copy, Debug)]
pub(in crate::replay) struct Candidate<'p> {
    /// The only plugin of the trace that it takes the place of, if it is a changed one.
    pub(in crate::replay) name: Option<&'p str>,
    pub(in crate::replay) wasm: &'p [u8],
}

/// Replays traces against plugins.
///
/// ```
/// use sochdb_wasmi::replay::Replayer;
///
/// let trace = include_bytes!("../../../tests/traces/queries.trace");
/// let plugin = include_bytes!("../../../examples/plugins/weather.wasm");
/// let replay = Replayer::new().with_plugin(plugin).with_changed_plugins().replay(&trace[..])?;
/// println!("{replay}");
/// # Ok::<(), sochdb_wasmi::replay::ReplayError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Replayer<'p> {
    pub(in crate::replay) plugins: Vec<Candidate<'p>>,
    pub(in crate::replay) allow_changed: bool,
    pub(in crate::replay) divergences: usize,
    /// The only call that is reported, and the last that is made.
    pub(in crate::replay) call: Option<u64>,
}

impl Default for Replayer<'_> {
    fn default() -> Self {
        Self { plugins: Vec::new(), allow_changed: false, divergences: 1, call: None }
    }
}

impl<'p> Replayer<'p> {
    /// A replayer without plugins that stops at the first divergence.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a plugin's module.
    #[must_use]
    pub fn with_plugin(mut self, wasm: &'p [u8]) -> Self {
        self.plugins.push(Candidate { name: None, wasm });
        self
    }

    /// Adds the module of the plugin that is called `name` in the trace. Of several changed
    /// plugins each finds its place by it.
    #[must_use]
    pub fn with_named_plugin(mut self, name: &'p str, wasm: &'p [u8]) -> Self {
        self.plugins.push(Candidate { name: Some(name), wasm });
        self
    }

    /// Lets a plugin take the place of one that was recorded with another module: to see what a
    /// change does. Its fuel and memory are then not compared.
    #[must_use]
    pub fn with_changed_plugins(mut self) -> Self {
        self.allow_changed = true;
        self
    }

    /// Goes on after a divergence, with the next call, until there are this many.
    #[must_use]
    pub fn with_divergences(mut self, most: usize) -> Self {
        self.divergences = most.max(1);
        self
    }

    /// Stops after this call, counted from 1, and reports nothing of the calls before it: they are made, as
    /// the plugins keep their memory from call to call.
    #[must_use]
    pub fn with_call(mut self, call: u64) -> Self {
        self.call = Some(call);
        self
    }

    /// Which of the plugins runs in the place of a recorded one, and whether it is another module: the
    /// one that was given this name, if changed ones are allowed; else the recorded module; else the
    /// first that has no name.
    pub(in crate::replay) fn place(&self, name: &str, module: &[u8]) -> Option<(usize, bool)> {
        let find = |is: &dyn Fn(&Candidate<'_>) -> bool| self.plugins.iter().position(is);
        let is_recorded = |plugin: &Candidate<'_>| chain::module_hash(plugin.wasm) == module;
        let changed = |at: usize| (at, !self.plugins.get(at).is_some_and(is_recorded));
        let named = find(&|plugin| plugin.name == Some(name)).filter(|_| self.allow_changed);
        let unnamed = || find(&|plugin| plugin.name.is_none()).filter(|_| self.allow_changed);
        let same = find(&|plugin| plugin.name == Some(name) && is_recorded(plugin));
        same.or(named).or_else(|| find(&is_recorded)).or_else(unnamed).map(changed)
    }
}
