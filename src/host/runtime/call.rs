//! One call of a plugin's entry point: input, fuel slices, output, and all or nothing.
//!
//! When the interpreter stops in between, and who is asked then, is in `slicing`.

use alloc::{boxed::Box, string::ToString};

use wasmi::{Store, TrapCode, TypedFunc, TypedResumableCall};

use super::{
    host::Host,
    slice::SliceHook,
    slicing::{Slices, fuel_left},
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
    limits::Limits,
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
        if let Err(error) = slices.go_on(store, limits, hook, required) {
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
