//! What every call of an entry point is made of, whoever calls: input, fuel slices, output, and what it used.

use alloc::string::ToString;

use wasmi::{Store, TrapCode, TypedFunc, TypedResumableCall};

use super::slicing::{Slices, fuel_left};
use crate::{
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

/// Takes down what a call used, and whether it left the plugin's memory in the middle of something.
pub(super) fn account<S: Storage>(
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

pub(super) fn find_entry<S: Storage>(
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

pub(super) fn write_input<S: Storage>(
    plugin: &mut Plugin<S>,
    input: &[u8],
) -> Result<(), CallError> {
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
pub(super) fn check_output<S: Storage>(plugin: &Plugin<S>, code: i32) -> Result<u32, CallError> {
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
pub(super) fn memory_bytes<S: Storage>(store: &Store<PluginState<S>>) -> u32 {
    let size = |memory: wasmi::Memory| u32::try_from(memory.data_size(store)).unwrap_or(u32::MAX);
    store.data().memory.map_or(0, size)
}

/// What is called, and with what.
pub(super) struct Called<'c> {
    pub(super) entry: &'c str,
    pub(super) function: TypedFunc<i32, i32>,
    pub(super) input: &'c [u8],
}

/// Runs the entry point to its end, slice by slice. Says in `report` what it used.
pub(super) fn run<S: Storage>(
    store: &mut Store<PluginState<S>>,
    called: Called<'_>,
    limits: &Limits,
    report: &mut CallReport,
) -> Result<i32, CallError> {
    let mut slices = Slices::begin(store, limits);
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
        if let Err(error) = slices.go_on(store, limits, required) {
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
            #[cfg(feature = "hooks")]
            Stop::Stopped => CallError::Stopped,
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

/// Shows the tape how a call ended: what is kept of it, and the memory that it leaves.
pub(super) fn end_on_tape<S: Storage>(
    shared: &mut Shared<S>,
    plugin: &Plugin<S>,
    fuel_limit: u64,
    completed: bool,
    kept: &Result<u32, CallError>,
) {
    let memory_bytes = plugin.report.memory_bytes;
    let output = kept.as_ref().map(|len| plugin.bytes(plugin.descriptor.output_ptr, *len));
    shared.tape.ends(&Ended {
        kept,
        output: output.unwrap_or_default(),
        memory: plugin.bytes(0, memory_bytes),
        completed,
        memory_bytes,
        fuel_limit,
        fuel_used: plugin.report.fuel,
    });
}
