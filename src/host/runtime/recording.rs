//! What a host tells its recorder: one function for each kind of event.
//!
//! The format is [`trace`](crate::trace)'s. Nothing here changes what a plugin sees, but for
//! [`Host::checkpoint`], which does the same whether a recorder is there or not.

use alloc::{boxed::Box, string::ToString, vec::Vec};

use super::host::Host;
use crate::{
    abi::Seq,
    audit::{AuditEntry, FunctionId, PluginId},
    capability::{Capabilities, Globs},
    database::Storage,
    host::{
        access::OnDenied,
        boundary::{Arguments, Stop as Stopped, regions},
        error::CallError,
        plugin::{Plugin, PluginState, Shared},
    },
    limits::{Limit, LimitExceeded},
    meter::Meter,
    trace::{
        CallIn, CallOut, Checkpoint, Data, Digest, Ending, Event, Function, Growth, GrowthRefusal,
        HostCallEvent, Load, Recorder, Slice, SliceEnd, Stop, Table, Unload, Usual,
    },
};

impl<S: Storage + 'static> Host<S> {
    /// Records everything from now on. Begins with a [checkpoint](Self::checkpoint), so that the
    /// trace can be replayed without what was before. A recorder that the host had is ended and
    /// returned.
    pub fn record(&mut self, mut recorder: Recorder) -> Option<Recorder> {
        let before = self.stop_recording();
        recorder.begin();
        self.shared_mut().recorder = Some(Box::new(recorder));
        self.checkpoint();
        before
    }

    /// Ends the trace and gives the recorder back; `None` if there is none.
    pub fn stop_recording(&mut self) -> Option<Recorder> {
        let mut recorder = self.shared_mut().recorder.take()?;
        recorder.end();
        Some(*recorder)
    }

    /// The recorder, to look at it or to write out what it has.
    pub fn recorder_mut(&mut self) -> Option<&mut Recorder> {
        self.shared_mut().recorder.as_deref_mut()
    }

    /// Lets every plugin begin its next call with its memory as it was after loading. A replay can
    /// begin here, and a flight recorder forgets what is before the oldest of these.
    pub fn checkpoint(&mut self) {
        for plugin in &mut self.plugins {
            plugin.trapped = true;
        }
        let shared = self.shared_mut();
        let audited = shared.audit.total();
        let Some(recorder) = &mut shared.recorder else { return };
        let previous = recorder.checkpoint();
        recorder.append(&Event::Checkpoint(Checkpoint { previous: &previous, audited }));
        for (id, module, name, capability) in shared.registry.iter() {
            if id.name().is_none() {
                recorder.append(&Event::Function(Function { id, module, name, capability }));
            }
        }
        shared.record_tables();
        for at in 0..self.plugins.len() {
            self.record_load(at);
        }
    }

    /// Records a function of the embedder's, for the plugins to come that import it.
    pub(crate) fn record_function(&mut self, id: FunctionId) {
        #[cfg(feature = "replay")]
        if self.player().is_some() {
            // The trace that is replayed says which functions there are.
            return;
        }
        let Shared { registry, recorder: Some(recorder), .. } = self.shared_mut() else { return };
        let function = registry.iter().find(|(known, ..)| *known == id);
        if let Some((id, module, name, capability)) = function {
            recorder.append(&Event::Function(Function { id, module, name, capability }));
        }
    }

    pub(crate) fn record_load(&mut self, at: usize) {
        #[cfg(feature = "replay")]
        if self.player().is_some() {
            // The trace that is replayed says what is loaded.
            return;
        }
        let Some(recorder) = self.shared.as_deref_mut().and_then(|s| s.recorder.as_mut()) else {
            return;
        };
        if let Some(plugin) = self.plugins.get(at) {
            let mut load = load(plugin);
            load.config = recorder.settings_digest(load.config);
            recorder.append(&Event::Load(load));
        }
    }

    pub(crate) fn record_unload(&mut self, plugin: PluginId) {
        #[cfg(feature = "replay")]
        if self.player().is_some() {
            return;
        }
        if let Some(recorder) = &mut self.shared_mut().recorder {
            recorder.append(&Event::Unload(Unload { plugin }));
        }
    }

    /// Records how a call ended: what is kept of it, and the memory it leaves if its entry point
    /// returned.
    pub(crate) fn record_end(&mut self, at: usize, completed: bool, kept: &Result<u32, CallError>) {
        let Some(shared) = self.shared.as_deref_mut() else { return };
        let Some(recorder) = &mut shared.recorder else { return };
        let Some(plugin) = self.plugins.get(at) else { return };
        let fuel = plugin.report.fuel;
        #[cfg(feature = "replay")]
        let fuel = fuel.saturating_add(shared.player.as_ref().map_or(0, |player| player.debt()));
        let memory_bytes = plugin.report.memory_bytes;
        let memory = (completed && recorder.hashes_memory())
            .then(|| Digest::of(plugin.bytes(0, memory_bytes)));
        let text;
        let output = match kept {
            Ok(len) => plugin.bytes(plugin.descriptor.output_ptr, *len),
            Err(error) => {
                text = error.to_string();
                text.as_bytes()
            }
        };
        let (ending, code) = ending(kept);
        #[cfg(feature = "replay")]
        let recorded = shared.player.as_ref().and_then(|player| player.recorded_end(ending, code));
        #[cfg(feature = "replay")]
        let (ending, code, output) = match recorded.map(|recorded| recorded.event()) {
            Some(Event::CallOut(CallOut { ending, code, output: Data::Full(text), .. })) => {
                (ending, code, text)
            }
            _ => (ending, code, output),
        };
        recorder.call_out(CallOut {
            ending,
            code,
            output: Data::Full(output),
            fuel_left: plugin.limits.fuel_per_call.saturating_sub(fuel),
            memory_bytes,
            memory,
        });
    }
}

impl<S: Storage> Host<S> {
    /// Somebody may make tables: the next call records them anew.
    pub(crate) fn tables_may_change(&mut self) {
        self.shared_mut().tables_changed = true;
    }
}

impl<S: Storage> Shared<S> {
    fn record_tables(&mut self) {
        self.tables_changed = false;
        let Some(recorder) = &mut self.recorder else { return };
        if let Some(redaction) = recorder.redaction_mut() {
            redaction.forget_tables();
        }
        for (_, schema) in self.database.tables() {
            if let Some(redaction) = recorder.redaction_mut() {
                let columns = schema.columns().iter().map(|column| column.name.as_str());
                let indexes = schema.indexes().iter();
                let indexes = indexes.map(|index| (index.name.as_str(), index.columns.as_slice()));
                redaction.learn(schema.name(), columns, indexes);
            }
            let columns: Vec<&str> = schema.columns().iter().map(|c| c.name.as_str()).collect();
            let columns = Seq::new(&columns);
            recorder.append(&Event::Table(Table { name: schema.name(), columns }));
        }
    }
}

impl<S: Storage> PluginState<S> {
    pub(crate) fn recorder(&mut self) -> Option<&mut Recorder> {
        self.shared.as_deref_mut()?.recorder.as_deref_mut()
    }

    pub(crate) fn record_begin(&mut self, entry: &str, input: &[u8], time_us: u64, sliced: bool) {
        let (plugin, fuel) = (self.identity.id, self.meter.fuel());
        self.identity.touched = 0;
        let Some(shared) = self.shared.as_deref_mut() else { return };
        if shared.tables_changed {
            shared.record_tables();
        }
        if let Some(recorder) = &mut shared.recorder {
            let input = Data::Full(input);
            recorder.call_in(CallIn { plugin, entry, input, fuel, sliced, time_us });
        }
    }

    pub(crate) fn record_slice(
        &mut self,
        time_us: u64,
        fuel_left: u64,
        decided: Result<(), CallError>,
    ) -> Result<(), CallError> {
        if let Some(recorder) = self.recorder() {
            let end = slice_end(&decided);
            recorder.append(&Event::Slice(Slice { time_us, fuel_left, end }));
        }
        decided
    }

    /// Ends the record of a call that the embedder's own panic left: as one that its hook stopped
    /// if it was the hook's, since that can be replayed; nothing more is recorded otherwise.
    pub(crate) fn record_unwinding(&mut self, memory_bytes: u32) {
        let (asked_us, fuel_left) = (self.hook_asked_us.take(), self.meter.fuel());
        let Some(recorder) = self.recorder() else { return };
        let Some(time_us) = asked_us else { return recorder.unwound() };
        recorder.append(&Event::Slice(Slice { time_us, fuel_left, end: SliceEnd::Stopped }));
        let text = CallError::Stopped.to_string();
        recorder.call_out(CallOut {
            ending: Ending::Stopped,
            code: 0,
            output: Data::Full(text.as_bytes()),
            fuel_left,
            memory_bytes,
            memory: None,
        });
    }

    pub(crate) fn record_growth(&mut self, desired: usize, allowed: bool) {
        if allowed {
            self.growth.allowed = desired as u64;
        } else if let Some(recorder) = self.recorder() {
            let asked = desired as u64;
            recorder.append(&Event::Growth(Growth { asked, refusal: GrowthRefusal::Limit }));
        }
    }

    pub(crate) fn record_out_of_memory(&mut self) {
        let asked = self.growth.allowed;
        if let Some(recorder) = self.recorder() {
            recorder.append(&Event::Growth(Growth { asked, refusal: GrowthRefusal::OutOfMemory }));
        }
    }

    /// Records a host call that was answered, and whose audit entry is made.
    #[cold]
    pub(crate) fn record(
        &mut self,
        function: FunctionId,
        fuel_left: u64,
        linear_memory: &mut [u8],
        arguments: Arguments,
        answer: &Result<i32, Box<Stopped>>,
    ) {
        let touched = core::mem::take(&mut self.identity.touched);
        let (fuel_now, visited, moved) = (self.meter.fuel(), self.meter.rows(), self.meter.bytes());
        let Some(Shared { audit, recorder: Some(recorder), .. }) = self.shared.as_deref_mut()
        else {
            return;
        };
        let (visited, moved) = recorder.used(visited, moved);
        let entry = audit.last();
        let capacity = arguments.response_capacity;
        let (request, response) = match regions(linear_memory, arguments) {
            Ok((request, response)) => (Data::Full(request), response),
            Err(_) => (Data::Absent { len: arguments.request_len }, Default::default()),
        };
        let stop = match answer {
            Ok(_) => Stop::No,
            Err(stop) => match **stop {
                Stopped::OutOfFuel(_) => Stop::OutOfFuel,
                Stopped::Denied(_) => Stop::Denied,
                #[cfg(feature = "replay")]
                Stopped::Diverged => return,
            },
        };
        let answered = match entry.status {
            // The length that would do.
            status if status == crate::abi::Status::BufferTooSmall.code() => 4,
            status => usize::try_from(status).unwrap_or(0),
        };
        let written = match stop {
            // The plugin's memory is forgotten.
            Stop::OutOfFuel | Stop::Denied => 0,
            Stop::No => touched.max(answered).min(response.len()),
        };
        recorder.host_call(HostCallEvent {
            function,
            time_us: entry.time_us,
            fuel_left,
            fuel_host: fuel_left.saturating_sub(fuel_now),
            capacity,
            rows: entry.rows,
            visited,
            moved,
            table: entry.table.as_deref(),
            status: entry.status,
            stop,
            request,
            response: Data::Full(response.get(..written).unwrap_or_default()),
        });
    }
}

/// Records a host call that succeeded, and wrote no more of the response than it answers.
#[inline(never)]
pub(crate) fn record_usual(
    recorder: &mut Recorder,
    entry: &AuditEntry,
    fuel_left: u64,
    meter: &Meter,
    linear_memory: &[u8],
    arguments: &Arguments,
) {
    // Both lie in linear memory, or the call would have failed.
    let part = |ptr: u32, len: u32| {
        linear_memory.get(ptr as usize..).and_then(|m| m.get(..len as usize)).unwrap_or_default()
    };
    let (visited, moved) = recorder.used(meter.rows(), meter.bytes());
    recorder.usual(&Usual {
        function: entry.function,
        time_us: entry.time_us,
        fuel_left,
        fuel_host: fuel_left.saturating_sub(meter.fuel()),
        capacity: arguments.response_capacity,
        rows: entry.rows,
        visited,
        moved,
        request: part(arguments.request_ptr, arguments.request_len),
        response: part(arguments.response_ptr, entry.bytes_out),
    });
}

pub(crate) fn slice_end(decided: &Result<(), CallError>) -> SliceEnd {
    match decided {
        Ok(()) => SliceEnd::Continue,
        Err(CallError::Limit(LimitExceeded { limit: Limit::Deadline, .. })) => SliceEnd::Deadline,
        Err(_) => SliceEnd::Stopped,
    }
}

/// How a call ended, and the number that its entry point returned.
pub(crate) fn ending(kept: &Result<u32, CallError>) -> (Ending, i32) {
    match kept {
        Ok(len) => (Ending::Output, i32::try_from(*len).unwrap_or(i32::MAX)),
        Err(CallError::Failed { code, .. }) => (Ending::Failed, *code),
        Err(CallError::OutputTooLarge { len, .. }) => {
            (Ending::OutputTooLarge, i32::try_from(*len).unwrap_or(i32::MAX))
        }
        Err(CallError::StackOverflow { .. }) => (Ending::StackOverflow, 0),
        Err(CallError::Limit(_)) => (Ending::Limit, 0),
        Err(CallError::Stopped) => (Ending::Stopped, 0),
        Err(CallError::Denied { .. }) => (Ending::Denied, 0),
        Err(CallError::Commit(_)) => (Ending::Commit, 0),
        Err(_) => (Ending::Trap, 0),
    }
}

fn load<S: Storage>(plugin: &Plugin<S>) -> Load<'_> {
    let identity = plugin.identity();
    Load {
        plugin: identity.id,
        name: &identity.name,
        module: &plugin.hash,
        limits: plugin.limits,
        trap_on_denied: plugin.store.data().on_denied == OnDenied::Trap,
        capabilities: capabilities_digest(&identity.capabilities),
        config: settings_digest(identity.settings.iter()),
    }
}

/// Digest of grants: the patterns of tables to read, to write and of named functions, each list
/// after its count and each pattern after its length, then two bytes of 0 or 1.
fn capabilities_digest(granted: &Capabilities) -> Digest {
    let mut bytes = Vec::new();
    let lists: [&Globs; 3] =
        [&granted.can_read_table, &granted.can_write_table, &granted.can_call_host];
    for globs in lists {
        bytes.extend((globs.as_slice().len() as u32).to_le_bytes());
        for glob in globs.as_slice() {
            bytes.extend((glob.as_str().len() as u32).to_le_bytes());
            bytes.extend(glob.as_str().as_bytes());
        }
    }
    bytes.extend([granted.can_vector_search, granted.can_index_search].map(u8::from));
    Digest::of(&bytes)
}

/// Digest of a configuration: keys rising, each key and each value after its length.
fn settings_digest<'s>(settings: impl Iterator<Item = (&'s [u8], &'s [u8])>) -> Digest {
    let mut bytes = Vec::new();
    for part in settings.flat_map(|(key, value)| [key, value]) {
        bytes.extend((part.len() as u32).to_le_bytes());
        bytes.extend(part);
    }
    Digest::of(&bytes)
}
