//! The recording side of a [tape](super): one function for each event of a trace that a host causes.
//!
//! Nothing here changes what a plugin sees.

use alloc::{boxed::Box, string::ToString, vec::Vec};

use super::{
    Playing,
    endings::{ending, slice_end},
    load_event::load_event,
    moments::{Begun, Ended, HostCall, Loaded, Nesting, Refusal, Used},
};
use crate::{
    abi::Seq,
    audit::{AuditEntry, FunctionId, PluginId},
    database::{Database, Storage},
    host::{
        boundary::{Arguments, Stop as Stopped, regions},
        error::CallError,
        registry::HostFunctionRegistry,
    },
    meter::Meter,
    trace::{
        CallIn, CallOut, Checkpoint, Data, Digest, Ending, Event, Function, Growth, GrowthRefusal,
        HostCallEvent, Nested, Recorder, Restore, Slice, SliceEnd, Stop, Table, Unload, Usual,
    },
};

/// The recorder of a host, if it has one.
#[derive(Default)]
pub(in crate::host) struct Recording {
    recorder: Option<Box<Recorder>>,
    /// Tables may have been made that the recorder does not know of.
    tables_changed: bool,
    /// When the slice hook was asked, while it is.
    hook_asked_us: Option<u64>,
    /// The size that linear memory was last allowed to have, in bytes.
    memory_allowed: u64,
}

impl Recording {
    #[inline]
    pub(in crate::host) const fn is_on(&self) -> bool {
        self.recorder.is_some()
    }

    /// Begins a trace.
    pub(in crate::host) fn start(&mut self, mut recorder: Box<Recorder>) {
        recorder.begin();
        self.recorder = Some(recorder);
    }

    /// Ends the trace.
    pub(in crate::host) fn stop(&mut self) -> Option<Recorder> {
        let mut recorder = self.recorder.take()?;
        recorder.end();
        Some(*recorder)
    }

    pub(in crate::host) fn recorder(&mut self) -> Option<&mut Recorder> {
        self.recorder.as_deref_mut()
    }

    pub(in crate::host) fn append(&mut self, event: &Event<'_>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.append(event);
        }
    }

    /// A checkpoint, which has `audited` audit entries before it.
    pub(in crate::host) fn checkpoint(&mut self, audited: u64) {
        if let Some(recorder) = &mut self.recorder {
            let previous = recorder.checkpoint();
            recorder.append(&Event::Checkpoint(Checkpoint { previous: &previous, audited }));
        }
    }

    /// A function of the embedder's, for the plugins to come that import it.
    pub(in crate::host) fn adds_function<S: Storage>(
        &mut self,
        registry: &HostFunctionRegistry<S>,
        id: FunctionId,
    ) {
        let Some(recorder) = &mut self.recorder else { return };
        let function = registry.iter().find(|(known, ..)| *known == id);
        if let Some((id, module, name, capability)) = function {
            recorder.append(&Event::Function(Function { id, module, name, capability }));
        }
    }

    pub(super) fn loads(&mut self, plugin: &Loaded<'_>) {
        self.version(plugin, false);
    }

    pub(super) fn replaces(&mut self, plugin: &Loaded<'_>) {
        self.version(plugin, true);
    }

    fn version(&mut self, plugin: &Loaded<'_>, replaces: bool) {
        if let Some(recorder) = &mut self.recorder {
            let mut load = load_event(plugin);
            load.config = recorder.settings_digest(load.config);
            let event = if replaces { Event::Replace(load) } else { Event::Load(load) };
            recorder.append(&event);
        }
    }

    pub(super) fn restores(&mut self, plugin: PluginId) {
        self.append(&Event::Restore(Restore { plugin }));
    }

    pub(super) fn unloads(&mut self, plugin: PluginId) {
        self.append(&Event::Unload(Unload { plugin }));
    }

    /// Somebody may make tables: the next call records them anew.
    pub(in crate::host) const fn tables_may_change(&mut self) {
        self.tables_changed = true;
    }

    /// The tables that there are.
    pub(in crate::host) fn tables<S: Storage>(&mut self, database: &Database<S>) {
        self.tables_changed = false;
        let Some(recorder) = &mut self.recorder else { return };
        if let Some(redaction) = recorder.redaction_mut() {
            redaction.forget_tables();
        }
        for (_, schema) in database.tables() {
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

    /// The call that begins next is one that a plugin makes. What the call around it used so far is kept
    /// by the caller until it [leaves](Self::leaves).
    #[cfg_attr(not(feature = "hooks"), allow(dead_code, reason = "no plugin calls another one"))]
    pub(in crate::host) fn enters(&mut self, nesting: &Nesting) -> Used {
        let Some(recorder) = &mut self.recorder else { return Used::default() };
        let Nesting { caller, depth, started_us, deadline_ms } = *nesting;
        let depth = depth.into();
        recorder.append(&Event::Nested(Nested { caller, depth, started_us, deadline_ms }));
        recorder.used_so_far()
    }

    /// The call around the one that ended goes on.
    #[cfg_attr(not(feature = "hooks"), allow(dead_code, reason = "no plugin calls another one"))]
    pub(in crate::host) fn leaves(&mut self, used: Used) {
        if let Some(recorder) = &mut self.recorder {
            recorder.used(used.0, used.1);
        }
    }

    /// A panic of the embedder's left a call inside another one: nothing more is recorded.
    #[cfg_attr(not(feature = "hooks"), allow(dead_code, reason = "no plugin calls another one"))]
    pub(in crate::host) fn unwinds_inside(&mut self) {
        self.hook_asked_us = None;
        if let Some(recorder) = &mut self.recorder {
            recorder.unwound();
        }
    }

    pub(super) fn begins<S: Storage>(&mut self, call: &Begun<'_>, database: &Database<S>) {
        if self.tables_changed {
            self.tables(database);
        }
        if let Some(recorder) = &mut self.recorder {
            let Begun { plugin, entry, input, fuel, sliced, time_us } = *call;
            let input = Data::Full(input);
            recorder.call_in(CallIn { plugin, entry, input, fuel, sliced, time_us });
        }
    }

    /// The embedder's hook is about to be asked between two slices, and may unwind.
    pub(in crate::host) const fn hook_is_asked(&mut self, now_us: u64) {
        self.hook_asked_us = Some(now_us);
    }

    pub(super) fn slice_ends(
        &mut self,
        time_us: u64,
        fuel_left: u64,
        decided: &Result<(), CallError>,
    ) {
        self.hook_asked_us = None;
        self.append(&Event::Slice(Slice { time_us, fuel_left, end: slice_end(decided) }));
    }

    pub(super) fn grows(&mut self, desired: usize, allowed: bool) {
        if allowed {
            self.memory_allowed = desired as u64;
        } else {
            self.growth_refused(desired as u64, Refusal::Limit);
        }
    }

    pub(in crate::host) fn runs_out_of_memory(&mut self) {
        self.growth_refused(self.memory_allowed, Refusal::OutOfMemory);
    }

    pub(super) fn growth_refused(&mut self, asked: u64, refusal: Refusal) {
        let refusal = match refusal {
            Refusal::Limit => GrowthRefusal::Limit,
            Refusal::OutOfMemory => GrowthRefusal::OutOfMemory,
        };
        self.append(&Event::Growth(Growth { asked, refusal }));
    }

    /// A host call that succeeded, and wrote no more of the response than it answers.
    #[inline(never)]
    pub(in crate::host) fn usual_host_call(
        &mut self,
        entry: &AuditEntry,
        fuel_before: u64,
        meter: &Meter,
        linear_memory: &[u8],
        arguments: &Arguments,
    ) {
        let Some(recorder) = &mut self.recorder else { return };
        // Both lie in linear memory, or the call would have failed.
        let part = |ptr: u32, len: u32| {
            let tail = linear_memory.get(ptr as usize..);
            tail.and_then(|m| m.get(..len as usize)).unwrap_or_default()
        };
        let (visited, moved) = recorder.used(meter.rows(), meter.bytes());
        recorder.usual(&Usual {
            function: entry.function,
            time_us: entry.time_us,
            fuel_left: fuel_before,
            fuel_host: fuel_before.saturating_sub(meter.fuel()),
            capacity: arguments.response_capacity,
            rows: entry.rows,
            visited,
            moved,
            request: part(arguments.request_ptr, arguments.request_len),
            response: part(arguments.response_ptr, entry.bytes_out),
        });
    }

    /// A host call that was answered, and whose audit entry is made.
    #[cold]
    pub(in crate::host) fn host_call(
        &mut self,
        call: &mut HostCall<'_>,
        answer: &Result<i32, Box<Stopped>>,
    ) {
        let stop = match answer {
            Ok(_) => Stop::No,
            Err(stop) => match **stop {
                Stopped::OutOfFuel(_) => Stop::OutOfFuel,
                Stopped::Denied(_) => Stop::Denied,
                #[cfg(feature = "hooks")]
                Stopped::Stopped => Stop::Stopped,
                // There is no answer.
                Stopped::Diverged => return,
            },
        };
        let touched = core::mem::take(&mut call.identity.touched);
        let Some(recorder) = &mut self.recorder else { return };
        let (visited, moved) = recorder.used(call.meter.rows(), call.meter.bytes());
        let entry = call.audit.last();
        let arguments = call.arguments;
        let (request, response) = match regions(call.linear_memory, arguments) {
            Ok((request, response)) => (Data::Full(request), response),
            Err(_) => (Data::Absent { len: arguments.request_len }, Default::default()),
        };
        let answered = match entry.status {
            // The length that would do.
            status if status == crate::abi::Status::BufferTooSmall.code() => 4,
            status => usize::try_from(status).unwrap_or(0),
        };
        let written = match stop {
            // The plugin's memory is forgotten.
            Stop::OutOfFuel | Stop::Denied | Stop::Stopped => 0,
            Stop::No => touched.max(answered).min(response.len()),
        };
        recorder.host_call(HostCallEvent {
            function: call.function,
            time_us: entry.time_us,
            fuel_left: call.fuel_before,
            fuel_host: call.fuel_before.saturating_sub(call.meter.fuel()),
            capacity: arguments.response_capacity,
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

    /// How a call ended: what is kept of it, and a digest of the memory it leaves if its entry point
    /// returned. A replay that cannot know the end or its text takes those that were recorded.
    pub(super) fn ends(&mut self, call: &Ended<'_>, playing: &Playing) {
        let Some(recorder) = &mut self.recorder else { return };
        let fuel_used = call.fuel_used.saturating_add(playing.debt());
        let hashed = call.completed && recorder.hashes_memory();
        let text;
        let output = match call.kept {
            Ok(_) => call.output,
            Err(error) => {
                text = error.to_string();
                text.as_bytes()
            }
        };
        let (ending, code) = ending(call.kept);
        let (ending, code, output) = match playing.recorded_end(ending, code) {
            Some(CallOut { ending, code, output: Data::Full(text), .. }) => (ending, code, text),
            Some(_) | None => (ending, code, output),
        };
        recorder.call_out(CallOut {
            ending,
            code,
            output: Data::Full(output),
            fuel_left: call.fuel_limit.saturating_sub(fuel_used),
            memory_bytes: call.memory_bytes,
            memory: hashed.then(|| Digest::of(call.memory)),
        });
    }

    /// Ends the record of a call that the embedder's own panic left: as one that its hook stopped
    /// if it was the hook's, since that can be replayed; nothing more is recorded otherwise.
    pub(in crate::host) fn unwinds(&mut self, fuel_left: u64, memory_bytes: u32) {
        let asked_us = self.hook_asked_us.take();
        let Some(recorder) = &mut self.recorder else { return };
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
}
