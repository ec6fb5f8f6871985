//! One host call, from the plugin's four numbers to its status. The order of work is fixed:
//!
//! 1. **bounds**: request and response lie in linear memory and do not overlap;
//! 2. **quota**: the host-call count, then the price of the call and of the request's bytes;
//! 3. **decode**: the function reads its request where it lies, borrowed;
//! 4. **capability**: a named one before the function runs, a table's once its name is decoded;
//! 5. **operation**: every row, comparison and write is paid for before it is done;
//! 6. **encode**: the response goes straight into linear memory, and its bytes are paid for;
//! 7. **audit**: one entry, whatever happened above;
//! 8. **status**: a length or a negative code; the text of a failure is kept for `last_error`.
//!
//! The base price and the quota come before the decoding, because decoding is work too.

use alloc::boxed::Box;

use wasmi::Caller;

use super::state::{PluginState, Shared};
use crate::{
    abi::{Builtin, Status, wire::WireError},
    audit::{AuditEntry, AuditLog, FunctionId},
    database::Storage,
    host::{
        access::{HostFunctionContext, Identity, OnDenied, WHOLE},
        boundary::{Arguments, HostCallResult, Message, Stop, regions},
        registry::Registered,
        tape::{HostCall, Tape},
    },
    limits::{Limit, LimitExceeded},
    meter::{Meter, PRICES},
};

/// Answers one import call of a plugin.
pub(crate) fn host_call<S: Storage>(
    mut caller: Caller<'_, PluginState<S>>,
    function: FunctionId,
    arguments: Arguments,
) -> Result<i32, wasmi::Error> {
    let slice_fuel = caller.get_fuel().unwrap_or(0);
    let Some(memory) = caller.data().memory else {
        return Ok(Status::Error.code());
    };
    let (linear_memory, state) = memory.data_and_store_mut(&mut caller);
    state.meter.set_slice(slice_fuel);
    let answer = state.host_call(function, linear_memory, arguments);
    let left = state.meter.slice();
    caller.set_fuel(left)?;
    answer.map_err(|stop| wasmi::Error::host(*stop))
}

impl<S: Storage> PluginState<S> {
    #[inline]
    fn host_call(
        &mut self,
        function: FunctionId,
        linear_memory: &mut [u8],
        arguments: Arguments,
    ) -> Result<i32, Box<Stop>> {
        let Some(shared) = self.shared.as_deref_mut() else { return Ok(Status::Error.code()) };
        let fuel_before = self.meter.fuel();
        if shared.tape.playing.is_on() {
            return self.played(function, fuel_before, linear_memory, arguments);
        }
        #[cfg(feature = "hooks")]
        if function.0 < 32 && shared.intercepted >> function.0 & 1 != 0 {
            return self.nested(function, fuel_before, linear_memory, arguments);
        }
        let Shared {
            database, registry, audit, audit_sink, metrics, clock, log_bytes, tape, ..
        } = shared;
        let entry = open_entry(audit, &self.identity, function, &arguments);
        entry.time_us = clock.now_us();
        let result = if self.host_calls >= self.host_calls_limit {
            refused(&mut self.meter, too_many_calls(self.host_calls_limit).into())
        } else {
            self.host_calls += 1;
            let mut context = HostFunctionContext {
                plugin: &mut self.identity,
                database,
                metrics,
                meter: &mut self.meter,
                entry,
                log_bytes: *log_bytes,
            };
            run(&mut context, registry.get_mut(function), linear_memory, arguments)
        };
        let (status, bytes_out) = if let HostCallResult::Success(len) = result {
            (len as i32, len as u32)
        } else {
            (result.status_code(), 0)
        };
        entry.status = status;
        entry.bytes_out = bytes_out;
        let entry = audit.close();
        if let Some(sink) = audit_sink {
            sink.record(entry);
        }
        if tape.recording.is_on() {
            if let HostCallResult::Success(_) = result
                && self.identity.touched == 0
            {
                let (recording, meter) = (&mut tape.recording, &self.meter);
                recording.usual_host_call(entry, fuel_before, meter, linear_memory, &arguments);
                return Ok(status);
            }
            return self.recorded(function, fuel_before, linear_memory, arguments, result);
        }
        if let HostCallResult::Success(_) = result {
            return Ok(status);
        }
        self.failed(function, result, linear_memory, arguments)
    }

    /// Answers a host call from a trace.
    #[cold]
    fn played(
        &mut self,
        function: FunctionId,
        fuel_before: u64,
        linear_memory: &mut [u8],
        arguments: Arguments,
    ) -> Result<i32, Box<Stop>> {
        if self.host_calls < self.host_calls_limit {
            self.host_calls += 1;
        }
        match self.on_tape(function, fuel_before, linear_memory, arguments) {
            Some((tape, call)) => tape.plays(call),
            None => Ok(Status::Error.code()),
        }
    }

    /// The tape, and the host call as it is shown to it.
    pub(super) fn on_tape<'c>(
        &'c mut self,
        function: FunctionId,
        fuel_before: u64,
        linear_memory: &'c mut [u8],
        arguments: Arguments,
    ) -> Option<(&'c mut Tape, HostCall<'c>)> {
        let Self { shared, identity, meter, denied, .. } = self;
        let Shared { audit, tape, .. } = shared.as_deref_mut()?;
        let call = HostCall {
            function,
            arguments,
            linear_memory,
            fuel_before,
            identity,
            meter,
            audit,
            denied,
        };
        Some((tape, call))
    }

    /// Ends a host call whose audit entry is made, and records it.
    #[cold]
    fn recorded(
        &mut self,
        function: FunctionId,
        fuel_before: u64,
        linear_memory: &mut [u8],
        arguments: Arguments,
        result: HostCallResult,
    ) -> Result<i32, Box<Stop>> {
        let answer = if let HostCallResult::Success(_) = result {
            Ok(result.status_code())
        } else {
            self.failed(function, result, linear_memory, arguments)
        };
        if let Some((tape, mut call)) =
            self.on_tape(function, fuel_before, linear_memory, arguments)
        {
            tape.recording.host_call(&mut call, &answer);
        }
        answer
    }

    #[cold]
    pub(super) fn failed(
        &mut self,
        function: FunctionId,
        result: HostCallResult,
        linear_memory: &mut [u8],
        arguments: Arguments,
    ) -> Result<i32, Box<Stop>> {
        let status = result.status_code();
        let mut stop = None;
        let message = match result {
            HostCallResult::Success(_) => return Ok(status),
            HostCallResult::PermissionDenied(message) => {
                self.denied = self.denied.saturating_add(1);
                if self.on_denied == OnDenied::Trap {
                    stop = Some(Box::new(Stop::Denied(message.clone())));
                }
                message
            }
            HostCallResult::BufferTooSmall { needed } => {
                let bytes = u32::try_from(needed).unwrap_or(u32::MAX).to_le_bytes();
                let at = arguments.response_ptr as usize;
                if arguments.response_capacity as usize >= bytes.len()
                    && let Some(target) = linear_memory.get_mut(at..).and_then(|m| m.get_mut(..4))
                {
                    target.copy_from_slice(&bytes);
                }
                Message::new(format_args!("the response needs {needed} bytes"))
            }
            HostCallResult::OutOfFuel(exceeded) => {
                let message = Message::new(exceeded);
                stop = Some(Box::new(Stop::OutOfFuel(exceeded)));
                message
            }
            HostCallResult::Malformed(error) => Message::new(error),
            HostCallResult::NotFound(message)
            | HostCallResult::InvalidArgs(message)
            | HostCallResult::Error(message)
            | HostCallResult::LimitExceeded(message) => message,
        };
        // Asking for the text does not replace it.
        if function.builtin() == Some(Builtin::LastError) {
            self.identity.passes_over_call();
        } else {
            self.identity.fails(message, status, self.host_calls);
        }
        stop.map_or(Ok(status), Err)
    }
}

/// Steps 1 to 6. The length of a success is at most the response's, and fits an `i32`, as no linear
/// memory is larger.
#[inline(always)]
fn run<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    function: Option<&mut Registered<S>>,
    linear_memory: &mut [u8],
    arguments: Arguments,
) -> HostCallResult {
    let (request, response) = match regions(linear_memory, arguments) {
        Ok(regions) => regions,
        Err(failure) => return refused(context.meter, failure.into()),
    };
    if let Err(exhausted) = context.meter.begin_call(request.len()) {
        return exhausted.into();
    }
    let Some(function) = function else {
        return HostCallResult::not_found("the function was removed");
    };
    if let Some(name) = &function.capability
        && !context.plugin.capabilities.can_call(name)
    {
        let plugin = context.plugin();
        return HostCallResult::denied(format_args!("{plugin} lacks the capability {name}"));
    }
    let capacity = response.len();
    let savepoint = context.database.savepoint();
    let failure = match function.function.execute(context, request, response) {
        HostCallResult::Success(len) if len <= capacity => match context.meter.move_bytes(len) {
            Ok(()) => return HostCallResult::Success(len),
            Err(exhausted) => {
                // More, if rows that did not fit were taken back.
                context.plugin.touched = context.plugin.touched.max(len);
                exhausted.into()
            }
        },
        HostCallResult::Success(len) => HostCallResult::BufferTooSmall { needed: len },
        HostCallResult::Malformed(error) => malformed(&function.name, error),
        failure @ (HostCallResult::PermissionDenied(_)
        | HostCallResult::NotFound(_)
        | HostCallResult::InvalidArgs(_)
        | HostCallResult::Error(_)
        | HostCallResult::BufferTooSmall { .. }
        | HostCallResult::LimitExceeded(_)
        | HostCallResult::OutOfFuel(_)) => failure,
    };
    // Whatever a function of the embedder's wrote before it failed.
    if !function.builtin || matches!(failure, HostCallResult::BufferTooSmall { .. }) {
        context.plugin.touched = WHOLE;
    }
    // A plugin that gets a negative status may go on, and nothing was done then: also if what
    // failed is the response, after the work.
    context.database.rollback_to(savepoint);
    context.entry.rows = 0;
    failure
}

/// A request that its function could not decode.
#[cold]
pub(super) fn malformed(function: &str, error: WireError) -> HostCallResult {
    HostCallResult::invalid(format_args!("the request of {function} is malformed: {error}"))
}

/// The audit entry of a host call. It is filled in its place in the log, the table's name by the context.
#[inline(always)]
pub(super) fn open_entry<'l>(
    audit: &'l mut AuditLog<Box<[AuditEntry]>>,
    plugin: &Identity,
    function: FunctionId,
    arguments: &Arguments,
) -> &'l mut AuditEntry {
    let entry = audit.open();
    entry.plugin = plugin.id;
    entry.function = function;
    entry.table = None;
    entry.rows = 0;
    entry.bytes_in = arguments.request_len;
    entry.set_called(match &plugin.caller {
        None => (None, 0),
        Some(caller) => (Some(caller.id()), caller.depth()),
    });
    entry
}

#[cold]
pub(super) fn too_many_calls(allowed: u32) -> LimitExceeded {
    let allowed = u64::from(allowed);
    LimitExceeded { limit: Limit::HostCalls, allowed, asked: allowed + 1 }
}

/// A call that is refused before it is looked at costs what every call costs.
#[cold]
pub(super) fn refused(meter: &mut Meter, failure: HostCallResult) -> HostCallResult {
    match meter.charge(PRICES.call) {
        Ok(()) => failure,
        Err(exhausted) => exhausted.into(),
    }
}
