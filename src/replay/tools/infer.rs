//! The narrowest grants and limits that allow what is in a set of traces.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::fmt;

use embedded_io::Read;

use super::{
    needed::{Needed, needed},
    usage::{self, Amounts},
};
use crate::{
    abi::{Builtin, Capability, Status, message::ConfigRequest, wire},
    audit::{FunctionId, PluginId},
    capability::{Capabilities, Globs, MAX_GLOBS},
    host::{OnDenied, PluginConfig},
    limits::{LIMITS, Limits, Usage},
    replay::explain::names::Names,
    trace::{CallOut, Ending, Event, HostCallEvent, Load, SliceEnd, TraceError, TraceReader},
};

/// What one plugin needs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inferred {
    /// Its name.
    pub plugin: String,
    /// Calls that this comes from.
    pub calls: u64,
    /// The narrowest grants and limits. A limit whose [usage](Usage::is_measured) a trace measures is
    /// what the hungriest call used; the others stay as they were. What was denied is not granted.
    pub config: PluginConfig,
    /// The entry points that were called.
    pub entries: BTreeSet<String>,
    /// The keys that it asked `get_config` for. A trace of digests does not tell them.
    pub config_keys: BTreeSet<String>,
    /// There were more names than patterns are allowed, so some were put together and allow more
    /// than was recorded.
    pub widened: bool,
}

/// What [`infer`] found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Inference {
    /// By plugin, in the order of their names.
    pub plugins: Vec<Inferred>,
    /// The traces that break off, counted from 0: what is before was taken in.
    pub broken_off: Vec<(usize, TraceError)>,
}

/// One of the inputs is not a valid trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InferError {
    /// Which, counted from 0.
    pub trace: usize,
    /// What is wrong with it.
    pub error: TraceError,
}

impl fmt::Display for InferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trace {}: {}", self.trace, self.error)
    }
}

impl core::error::Error for InferError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// The narrowest grants and limits under which all calls of the traces go as they were recorded,
/// for each plugin. Works with traces of digests too.
///
/// # Errors
/// [`InferError`]. A trace that breaks off is taken in up to there.
pub fn infer<R: Read<Error: 'static>>(
    traces: impl IntoIterator<Item = R>,
) -> Result<Inference, InferError> {
    let mut plugins = BTreeMap::new();
    let mut broken_off = Vec::new();
    for (at, trace) in traces.into_iter().enumerate() {
        match take_in(trace, &mut plugins) {
            Ok(()) => {}
            Err(error) if error.breaks_off() => broken_off.push((at, error)),
            Err(error) => return Err(InferError { trace: at, error }),
        }
    }
    let plugins = plugins.into_iter().map(|(plugin, used)| used.inferred(plugin)).collect();
    Ok(Inference { plugins, broken_off })
}

/// What a plugin used.
#[derive(Default)]
struct Used {
    calls: u64,
    entries: BTreeSet<String>,
    config_keys: BTreeSet<String>,
    read: BTreeSet<String>,
    written: BTreeSet<String>,
    named: BTreeSet<String>,
    called: BTreeSet<String>,
    vector_search: bool,
    index_search: bool,
    trap_on_denied: bool,
    /// The widest limits that it was loaded with.
    limits: Option<Limits>,
    /// What the hungriest call used of each limit.
    most: Amounts,
}

/// The call that is being taken in.
#[derive(Default)]
struct Running {
    plugin: String,
    id: PluginId,
    fuel: u64,
    /// What its host calls used of each limit.
    used: Amounts,
    deadline: bool,
}

fn take_in<R: Read<Error: 'static>>(
    trace: R,
    plugins: &mut BTreeMap<String, Used>,
) -> Result<(), TraceError> {
    let mut reader = TraceReader::new(trace);
    let mut names = Names::default();
    let mut own: BTreeMap<FunctionId, Needed> = BTreeMap::new();
    let mut limits: BTreeMap<PluginId, Limits> = BTreeMap::new();
    let mut replaced: BTreeMap<PluginId, Limits> = BTreeMap::new();
    let mut running = Running::default();
    let mut around = Vec::new();
    while let Some(entry) = reader.read()? {
        names.learn(&entry.event);
        match entry.event {
            Event::Function(function) => {
                own.insert(function.id, Needed::new(function.capability));
            }
            Event::Load(load) | Event::Replace(load) => {
                if let Some(before) = limits.insert(load.plugin, load.limits) {
                    replaced.insert(load.plugin, before);
                }
                plugins.entry(load.name.into()).or_default().loaded(&load);
            }
            Event::Nested(_) => around.push(core::mem::take(&mut running)),
            Event::CallIn(call) => {
                let plugin = names.plugin(call.plugin);
                let used = plugins.entry(plugin.clone()).or_default();
                used.calls += 1;
                used.entries.insert(call.entry.into());
                let (id, fuel) = (call.plugin, call.fuel);
                running = Running { plugin, id, fuel, ..Running::default() };
            }
            Event::HostCall(call) => {
                let used = plugins.entry(running.plugin.clone()).or_default();
                // What is over the limit is refused before anybody looks at it.
                if running.count(&call, limits.get(&running.id)) {
                    used.host_call(&call, needed(&own, call.function));
                }
                used.at_least(&running.used);
            }
            Event::Slice(slice) => running.deadline |= slice.end == SliceEnd::Deadline,
            Event::CallOut(out) => {
                let used = plugins.entry(running.plugin.clone()).or_default();
                used.call_out(&out, &running);
                running = around.pop().unwrap_or_default();
            }
            Event::Restore(restore) => {
                limits.extend(replaced.remove_entry(&restore.plugin));
            }
            Event::Header(_)
            | Event::Checkpoint(_)
            | Event::Table(_)
            | Event::Unload(_)
            | Event::Growth(_)
            | Event::End(_) => {}
        }
    }
    reader.finish()?;
    Ok(())
}

impl Running {
    /// Counts a host call, and says whether the host looked at it.
    fn count(&mut self, call: &HostCallEvent<'_>, limits: Option<&Limits>) -> bool {
        let mut looked_at = true;
        for (spec, used) in LIMITS.iter().zip(&mut self.used) {
            let Some(amount) = usage::of_host_call(spec.usage, call) else { continue };
            let allowed = limits.and_then(|limits| spec.of(limits)).unwrap_or(u64::MAX);
            let asked = used.saturating_add(amount);
            looked_at &= spec.usage != Usage::HostCalls || asked <= allowed;
            *used = asked.min(allowed);
        }
        looked_at
    }
}

impl Used {
    fn loaded(&mut self, load: &Load<'_>) {
        self.trap_on_denied |= load.trap_on_denied;
        let new = load.limits;
        self.limits = Some(self.limits.map_or(new, |old| usage::widest(&old, &new)));
    }

    fn at_least(&mut self, used: &Amounts) {
        for (most, used) in self.most.iter_mut().zip(used) {
            *most = (*most).max(*used);
        }
    }

    fn host_call(&mut self, call: &HostCallEvent<'_>, capability: Capability<'_>) {
        if call.function.builtin() == Some(Builtin::GetConfig)
            && let Some(request) = call.request.bytes()
            && let Ok(ConfigRequest { key }) = wire::decode(request)
        {
            self.config_keys.insert(key.into());
        }
        if call.status == Status::PermissionDenied.code() {
            return;
        }
        match (capability, call.table) {
            (Capability::Named(name), _) => {
                self.named.insert(name.into());
            }
            (Capability::Always, _) | (_, None) => {}
            (Capability::CallPlugin, Some(plugin)) => {
                self.called.insert(plugin.into());
            }
            (Capability::WriteTable, Some(table)) => {
                self.written.insert(table.into());
            }
            (capability, Some(table)) => {
                self.read.insert(table.into());
                self.vector_search |= capability == Capability::VectorSearch;
                self.index_search |= capability == Capability::IndexSearch;
            }
        }
    }

    fn call_out(&mut self, out: &CallOut<'_>, running: &Running) {
        // A call that ran out of fuel needs all of it to end in the same place.
        let exhausted = out.ending == Ending::Limit && !running.deadline;
        let left = if exhausted { 0 } else { out.fuel_left };
        let spent = running.fuel.saturating_sub(left);
        for (spec, most) in LIMITS.iter().zip(&mut self.most) {
            let used = match spec.usage {
                Usage::Fuel => spent,
                Usage::Memory => out.memory_bytes.into(),
                Usage::HostCalls | Usage::Rows | Usage::Bytes | Usage::LogMessages => continue,
                Usage::Unrecorded | Usage::Time => continue,
            };
            *most = (*most).max(used);
        }
    }

    fn inferred(self, plugin: String) -> Inferred {
        let (read, wide_read) = narrowest(&self.read, Globs::new);
        let (written, wide_written) = narrowest(&self.written, Globs::new);
        let (named, wide_named) = narrowest(&self.named, Globs::named);
        let (called, wide_called) = narrowest(&self.called, Globs::plugins);
        let capabilities = Capabilities {
            can_read_table: read,
            can_write_table: written,
            can_vector_search: self.vector_search,
            can_index_search: self.index_search,
            can_call_host: named,
            can_call_plugin: called,
        };
        let limits = usage::narrowest(&self.limits.unwrap_or_default(), &self.most);
        let on_denied = if self.trap_on_denied { OnDenied::Trap } else { OnDenied::Status };
        Inferred {
            plugin,
            calls: self.calls,
            config: PluginConfig::new(capabilities).with_limits(limits).with_on_denied(on_denied),
            entries: self.entries,
            config_keys: self.config_keys,
            widened: wide_read || wide_written || wide_named || wide_called,
        }
    }
}

/// At most [`MAX_GLOBS`] patterns that match all names, and whether they match more: then those that
/// begin alike longest were put together.
fn narrowest<E>(names: &BTreeSet<String>, globs: fn(&[&str]) -> Result<Globs, E>) -> (Globs, bool) {
    let mut patterns: Vec<String> = names.iter().cloned().collect();
    let widened = patterns.len() > MAX_GLOBS;
    while patterns.len() > MAX_GLOBS {
        // Sorted, so those that begin alike stand side by side.
        let best = patterns
            .windows(2)
            .enumerate()
            .map(|(at, pair)| match pair {
                [a, b] => (common(a, b), core::cmp::Reverse(at)),
                _ => (0, core::cmp::Reverse(at)),
            })
            .max();
        let Some((len, core::cmp::Reverse(at))) = best else { break };
        let mut joined: String =
            patterns.get(at).map(|name| name.chars().take(len).collect()).unwrap_or_default();
        joined.push('*');
        patterns.drain(at..at + 2);
        patterns.insert(at, joined);
    }
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    // The names were names when they were recorded, so that this does not fail.
    (globs(&patterns).unwrap_or_default(), widened)
}

/// How many characters two patterns have in common from the start, stars apart.
fn common(a: &str, b: &str) -> usize {
    let letters = |text: &str| text.chars().take_while(|c| *c != '*').collect::<Vec<_>>();
    letters(a).iter().zip(letters(b)).take_while(|(a, b)| **a == *b).count()
}
