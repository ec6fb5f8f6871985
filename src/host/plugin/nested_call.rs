//! The host call that runs another plugin: the steps are those of every host call, but that the plugin has not
//! what it shares while the other one runs.
//!
//! Whom it may call, and how that one runs, is above: `runtime/nested.rs`.

use alloc::boxed::Box;

use super::{
    dispatch::{malformed, open_entry, refused, too_many_calls},
    state::{PluginState, Shared},
};
use crate::{
    abi::{Builtin, Name, Status, wire::Reader},
    audit::FunctionId,
    database::Storage,
    host::{
        access::WHOLE,
        boundary::{Arguments, Entered, HostCallResult, Stop, regions},
    },
};

impl<S: Storage> PluginState<S> {
    /// Answers `call_plugin`. The audit entry is made when the other plugin is done, and follows its
    /// entries.
    #[cold]
    pub(super) fn nested(
        &mut self,
        function: FunctionId,
        fuel_before: u64,
        linear_memory: &mut [u8],
        arguments: Arguments,
    ) -> Result<i32, Box<Stop>> {
        let Some(shared) = self.shared.as_deref_mut() else { return Ok(Status::Error.code()) };
        let time_us = shared.clock.now_us();
        let builtin = Builtin::from_number(function.0).unwrap_or(Builtin::CallPlugin);
        let mut named = None;
        let (entered, rows) = self.enter(builtin, linear_memory, arguments, &mut named);
        let (result, stopped) = match entered {
            Entered::Answer(HostCallResult::Malformed(error)) => {
                (malformed(builtin.spec().name, error), false)
            }
            Entered::Answer(result) => (result, false),
            Entered::Stopped(message) => (HostCallResult::Error(message), true),
        };
        if let HostCallResult::BufferTooSmall { .. } = result {
            self.identity.touched = WHOLE;
        }
        let Some(shared) = self.shared.as_deref_mut() else { return Ok(Status::Error.code()) };
        let Shared { audit, audit_sink, tape, .. } = shared;
        let entry = open_entry(audit, &self.identity, function, &arguments);
        entry.time_us = time_us;
        entry.table = named;
        entry.rows = rows;
        entry.status = result.status_code();
        entry.bytes_out = u32::try_from(entry.status).unwrap_or(0);
        let entry = audit.close();
        if let Some(sink) = audit_sink {
            sink.record(entry);
        }
        let recorded = tape.recording.is_on();
        let answer = if let HostCallResult::Success(_) = result {
            Ok(result.status_code())
        } else {
            self.failed(function, result, linear_memory, arguments)
        };
        let answer = if stopped { Err(Box::new(Stop::Stopped)) } else { answer };
        if recorded
            && let Some((tape, mut call)) =
                self.on_tape(function, fuel_before, linear_memory, arguments)
        {
            tape.recording.host_call(&mut call, &answer);
        }
        answer
    }

    /// Bounds, quota and price, and then the work; and how many rows were written. The name at the front of
    /// the request is left in `named`, if it is one.
    fn enter(
        &mut self,
        builtin: Builtin,
        linear_memory: &mut [u8],
        arguments: Arguments,
        named: &mut Option<Name>,
    ) -> (Entered, u32) {
        if self.host_calls >= self.host_calls_limit {
            let exceeded = too_many_calls(self.host_calls_limit);
            return (Entered::Answer(refused(&mut self.meter, exceeded.into())), 0);
        }
        self.host_calls += 1;
        let (request, response) = match regions(linear_memory, arguments) {
            Ok(regions) => regions,
            Err(failure) => {
                return (Entered::Answer(refused(&mut self.meter, failure.into())), 0);
            }
        };
        if let Err(exhausted) = self.meter.begin_call(request.len()) {
            return (Entered::Answer(exhausted.into()), 0);
        }
        let name = Reader::new(request).text().ok();
        *named = name.and_then(|name| Name::plugin(name).ok());
        match self.shared.as_deref() {
            Some(shared) if builtin == Builtin::CallPlugin => {
                ((shared.call_plugin)(self, request, response), 0)
            }
            Some(shared) => (shared.change)(self, builtin, request, response),
            None => (Entered::Answer(HostCallResult::failed("nothing is shared")), 0),
        }
    }
}
