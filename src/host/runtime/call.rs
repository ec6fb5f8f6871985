//! One call of a plugin's entry point: input, fuel slices, output, and all or nothing.
//!
//! Deadlines need no interrupts: the plugin runs a slice of fuel at a time, and between two slices
//! the host looks at its clock and asks the embedder's hook. How a call is sliced changes neither
//! its result nor its fuel.

use alloc::{boxed::Box, string::ToString};

use wasmi::{Store, TrapCode, TypedFunc, TypedResumableCall};

use super::{
    host::Host,
    slice::{FuelSlice, SliceDecision, SliceHook},
};
use crate::{
    audit::PluginId,
    database::Storage,
    host::{
        boundary::Stop,
        error::CallError,
        plugin::{Plugin, PluginState, Shared, reason},
        report::CallReport,
        tape::{Begun, Ended},
    },
    limits::{Limit, LimitExceeded, Limits},
    meter::Meter,
};

/// What a finished call leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome<'h> {
    /// What the plugin wrote into its Output Buffer. Lies in linear memory: copy it before the
    /// next call.
    pub output: &'h [u8],
    /// What the call used.
    pub report: CallReport,
}

/// The shared state while a plugin has it. Comes home when this is dropped, also by unwinding from
/// the embedder's slice hook; what an unfinished call wrote is rolled back then.
struct Loan<'h, S: Storage> {
    finished: bool,
    home: &'h mut Option<Box<Shared<S>>>,
    store: &'h mut Store<PluginState<S>>,
}

impl<'h, S: Storage> Loan<'h, S> {
    fn new(home: &'h mut Option<Box<Shared<S>>>, store: &'h mut Store<PluginState<S>>) -> Self {
        if let Some(shared) = home.as_deref_mut() {
            shared.database.hold(true);
        }
        store.data_mut().shared = home.take();
        Self { finished: false, home, store }
    }
}

impl<S: Storage> Drop for Loan<'_, S> {
    fn drop(&mut self) {
        let (memory_bytes, fuel_left) = (memory_bytes(self.store), self.store.data().meter.fuel());
        *self.home = self.store.data_mut().shared.take();
        if let Some(shared) = self.home {
            shared.database.hold(false);
            if !self.finished {
                shared.tape.recording.unwinds(fuel_left, memory_bytes);
                shared.database.rollback();
            }
        }
    }
}

impl<S: Storage + 'static> Host<S> {
    /// Calls the entry point `entry` of a plugin with `input`.
    ///
    /// Everything that the plugin writes in the call is kept if it returns a length, and dropped
    /// if the call fails in any way. After a trap the plugin begins its next call with its memory
    /// as it was after loading.
    ///
    /// # Errors
    /// [`CallError`]; the database is then as it was before the call.
    pub fn call(
        &mut self,
        plugin: PluginId,
        entry: &str,
        input: &[u8],
    ) -> Result<Outcome<'_>, CallError> {
        let at = self.position(plugin);
        let Some((at, loaded)) = at.and_then(|at| Some((at, self.plugins.get_mut(at)?))) else {
            return Err(CallError::NoSuchPlugin(plugin));
        };
        if let Some(shared) = &self.shared
            && loaded.trapped
        {
            loaded.restart(&shared.registry).map_err(CallError::Restart)?;
        }
        if self.shared.as_ref().is_some_and(|shared| shared.database.has_pending()) {
            return Err(CallError::TransactionPending);
        }
        let function = find_entry(loaded, entry)?;
        write_input(loaded, input)?;

        let mut report = CallReport::default();
        // Until the call has ended well, also if a hook of the embedder's unwinds out of it.
        loaded.trapped = true;
        let returned = {
            let mut loan = Loan::new(&mut self.shared, &mut loaded.store);
            let hook = &mut self.slice_hook;
            let called = Called { entry, function, input };
            let returned = run(&mut loan, called, &loaded.limits, hook, &mut report);
            loan.finished = true;
            returned
        };
        account(loaded, &returned, report);
        let completed = returned.is_ok();
        let kept = returned.and_then(|code| check_output(loaded, code)).and_then(|len| {
            let database = &mut self.shared_mut().database;
            database.commit().map_err(CallError::Commit)?;
            Ok(len)
        });
        self.end_on_tape(at, completed, &kept);
        if kept.is_err() {
            self.shared_mut().database.rollback();
        }
        let len = kept?;
        let loaded = self.plugins.get(at);
        let output = loaded.map(|loaded| loaded.bytes(loaded.descriptor.output_ptr, len));
        let report = loaded.map(|loaded| loaded.report);
        Ok(Outcome { output: output.unwrap_or_default(), report: report.unwrap_or_default() })
    }

    /// Shows the tape how a call ended: what is kept of it, and the memory that it leaves.
    fn end_on_tape(&mut self, at: usize, completed: bool, kept: &Result<u32, CallError>) {
        let (Some(shared), Some(plugin)) = (self.shared.as_deref_mut(), self.plugins.get(at))
        else {
            return;
        };
        let memory_bytes = plugin.report.memory_bytes;
        let output = kept.as_ref().map(|len| plugin.bytes(plugin.descriptor.output_ptr, *len));
        shared.tape.ends(&Ended {
            kept,
            output: output.unwrap_or_default(),
            memory: plugin.bytes(0, memory_bytes),
            completed,
            memory_bytes,
            fuel_limit: plugin.limits.fuel_per_call,
            fuel_used: plugin.report.fuel,
        });
    }
}

/// Takes down what a call used, and whether it left the plugin's memory in the middle of something.
fn account<S: Storage>(
    plugin: &mut Plugin<S>,
    returned: &Result<i32, CallError>,
    mut report: CallReport,
) {
    let state = plugin.store.data();
    report.host_calls = state.host_calls;
    report.denied = state.denied;
    report.rows = state.meter.rows();
    report.bytes = state.meter.bytes();
    report.memory_bytes = memory_bytes(&plugin.store);
    plugin.report = report;
    plugin.trapped = matches!(
        returned,
        Err(CallError::Trap { .. }
            | CallError::StackOverflow { .. }
            | CallError::Limit(_)
            | CallError::Stopped
            | CallError::Denied { .. })
    );
    plugin.totals.add(&report, plugin.trapped);
}

fn find_entry<S: Storage>(
    plugin: &Plugin<S>,
    entry: &str,
) -> Result<TypedFunc<i32, i32>, CallError> {
    plugin.entry(entry).ok_or_else(|| {
        let exported = plugin.module.get_export(entry);
        let entry = entry.into();
        match exported {
            Some(_) => CallError::EntryType { entry },
            None => CallError::NoSuchEntry { entry },
        }
    })
}

fn write_input<S: Storage>(plugin: &mut Plugin<S>, input: &[u8]) -> Result<(), CallError> {
    let capacity = plugin.descriptor.input_capacity;
    let start = plugin.descriptor.input_ptr as usize;
    let memory = plugin.store.data().memory;
    let target = memory
        .filter(|_| input.len() <= capacity as usize)
        .and_then(|memory| memory.data_mut(&mut *plugin.store).get_mut(start..))
        .and_then(|memory| memory.get_mut(..input.len()));
    match target {
        Some(target) => {
            target.copy_from_slice(input);
            Ok(())
        }
        None => Err(CallError::InputTooLarge { len: input.len(), capacity }),
    }
}

/// The length of the output, from what the entry point returned.
fn check_output<S: Storage>(plugin: &Plugin<S>, code: i32) -> Result<u32, CallError> {
    let capacity = plugin.descriptor.output_capacity;
    match u32::try_from(code) {
        Ok(len) if len <= capacity => Ok(len),
        Ok(len) => Err(CallError::OutputTooLarge { len, capacity }),
        Err(_) => {
            let last_error = plugin.identity().blamed(code, plugin.report.host_calls).into();
            Err(CallError::Failed { code, last_error })
        }
    }
}

/// Size of linear memory.
fn memory_bytes<S: Storage>(store: &Store<PluginState<S>>) -> u32 {
    let size = |memory: wasmi::Memory| u32::try_from(memory.data_size(store)).unwrap_or(u32::MAX);
    store.data().memory.map_or(0, size)
}

/// What is called, and with what.
struct Called<'c> {
    entry: &'c str,
    function: TypedFunc<i32, i32>,
    input: &'c [u8],
}

/// Runs the entry point to its end, slice by slice. Says in `report` what it used.
fn run<S: Storage>(
    loan: &mut Loan<'_, S>,
    called: Called<'_>,
    limits: &Limits,
    hook: &mut Option<Box<dyn SliceHook>>,
    report: &mut CallReport,
) -> Result<i32, CallError> {
    let store = &mut *loan.store;
    let mut slices = Slices::begin(store, limits, hook);
    begin_on_tape(store.data_mut(), &called, &slices);
    // As wasm has it: an input of 2 GiB or more is a negative number to those who read it so.
    let input_len = (called.input.len() as u32).cast_signed();
    let mut running = called.function.call_resumable(&mut *store, input_len);
    let returned = loop {
        let (required, paused) = match running {
            Ok(TypedResumableCall::Finished(code)) => break Ok(code),
            Ok(TypedResumableCall::HostTrap(trap)) => {
                break Err(stopped(trap.host_error(), limits));
            }
            Ok(TypedResumableCall::OutOfFuel(paused)) => (paused.required_fuel(), paused),
            Err(error) => break Err(stopped(&error, limits)),
        };
        if let Err(error) = slices.next(store, limits, hook, required) {
            break Err(error);
        }
        running = paused.resume(&mut *store);
    };
    report.slices = slices.count;
    report.fuel = limits.fuel_per_call.saturating_sub(fuel_left(store));
    returned
}

/// Shows the tape that a call begins.
fn begin_on_tape<S: Storage>(state: &mut PluginState<S>, called: &Called<'_>, slices: &Slices) {
    state.identity.touched = 0;
    let Some(Shared { database, tape, .. }) = state.shared.as_deref_mut() else { return };
    let begun = Begun {
        plugin: state.identity.id,
        entry: called.entry,
        input: called.input,
        fuel: state.meter.fuel(),
        sliced: slices.watched,
        time_us: slices.started_us,
    };
    tape.begins(&begun, database);
}

/// Fuel that is left of the call, once the interpreter stopped.
fn fuel_left<S: Storage>(store: &mut Store<PluginState<S>>) -> u64 {
    let slice = store.get_fuel().unwrap_or(0);
    let meter = &mut store.data_mut().meter;
    meter.set_slice(slice);
    meter.fuel()
}

/// Fuel slices and the deadline of one call.
struct Slices {
    count: u32,
    started_us: u64,
    /// Fuel of a slice; all of it where nobody looks between slices.
    size: u64,
    /// Whether somebody looks between slices.
    watched: bool,
}

impl Slices {
    fn begin<S: Storage>(
        store: &mut Store<PluginState<S>>,
        limits: &Limits,
        hook: &Option<Box<dyn SliceHook>>,
    ) -> Self {
        let watched = limits.deadline_ms.is_some() || hook.is_some();
        let played = store.data().shared.as_deref().and_then(|shared| shared.tape.playing.sliced());
        let watched = played.unwrap_or(watched);
        let size = if watched { limits.slice_fuel.max(1) } else { u64::MAX };
        let state = store.data_mut();
        state.meter = Meter::new(limits);
        let fuel = state.meter.begin_slice(size);
        state.host_calls = 0;
        state.denied = 0;
        state.identity.begin_call();
        let started_us = state.shared.as_deref_mut().map_or(0, Shared::now_us);
        // Fuel metering is on in every engine of this crate, so setting it does not fail.
        let _ = store.set_fuel(fuel);
        Self { count: 1, started_us, size, watched }
    }

    /// Between two slices: is there fuel, is there time, does the embedder want to go on?
    fn next<S: Storage>(
        &mut self,
        store: &mut Store<PluginState<S>>,
        limits: &Limits,
        hook: &mut Option<Box<dyn SliceHook>>,
        required: u64,
    ) -> Result<(), CallError> {
        let left = fuel_left(store);
        let fuel = limits.fuel_per_call.saturating_sub(left);
        if required > left {
            return Err(CallError::Limit(LimitExceeded {
                limit: Limit::Fuel,
                allowed: limits.fuel_per_call,
                asked: fuel.saturating_add(required),
            }));
        }
        let state = store.data_mut();
        let shared = state.shared.as_deref_mut();
        let (number, started_us) = (self.count, self.started_us);
        let mut pause = |now_us: u64| {
            let elapsed_us = now_us.saturating_sub(started_us);
            let slice = FuelSlice { plugin: state.identity.id, number, fuel, elapsed_us };
            decide(&slice, limits, hook)
        };
        match shared {
            Some(shared) => {
                let now_us = shared.now_us();
                shared.tape.recording.hook_is_asked(now_us);
                let decided = pause(now_us);
                shared.tape.slice_ends(now_us, left, decided)?;
            }
            None => pause(0)?,
        }
        self.count = self.count.saturating_add(1);
        // A slice must pay at least for the next block of code, or the call would never go on.
        let size = state.meter.begin_slice(self.size.max(required));
        let _ = store.set_fuel(size);
        Ok(())
    }
}

/// Is there time, and does the embedder want to go on?
fn decide(
    slice: &FuelSlice,
    limits: &Limits,
    hook: &mut Option<Box<dyn SliceHook>>,
) -> Result<(), CallError> {
    if let Some(deadline_ms) = limits.deadline_ms
        && slice.elapsed_us > u64::from(deadline_ms).saturating_mul(1000)
    {
        return Err(CallError::Limit(LimitExceeded {
            limit: Limit::Deadline,
            allowed: deadline_ms.into(),
            asked: slice.elapsed_us.div_ceil(1000),
        }));
    }
    match hook.as_mut().map(|hook| hook.between_slices(slice)) {
        Some(SliceDecision::Stop) => Err(CallError::Stopped),
        Some(SliceDecision::Continue) | None => Ok(()),
    }
}

/// Why the interpreter stopped.
fn stopped(error: &wasmi::Error, limits: &Limits) -> CallError {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::OutOfFuel(exceeded) => CallError::Limit(*exceeded),
            Stop::Denied(message) => CallError::Denied { reason: message.to_string() },
            Stop::Diverged => CallError::Stopped,
        };
    }
    match error.as_trap_code() {
        Some(TrapCode::StackOverflow) => CallError::StackOverflow {
            stack_bytes: limits.stack_bytes,
            recursion: limits.recursion,
        },
        Some(code) => CallError::Trap { reason: code.trap_message().to_string() },
        None => CallError::Trap { reason: reason(error) },
    }
}
