//! The playing side of a [tape](super): every place at which a plugin asks something, answered as it was
//! when the call was recorded.
//!
//! What was recorded, and what differed, is the [`Player`]'s.

use alloc::boxed::Box;

use super::{
    endings::slice_end,
    moments::{Grown, HostCall, Refusal},
    player::{Answering, Asked, Got, Player, Recorded},
};
use crate::{
    abi::{Builtin, Name, Status},
    audit::FunctionId,
    host::{
        boundary::{Message, Stop as Stopped, regions},
        error::CallError,
    },
    limits::{Limit, LimitExceeded},
    meter::PRICES,
    trace::{CallOut, Data, Ending, Event, GrowthRefusal, HostCallEvent, SliceEnd, Stop},
};

/// The player of a host that answers from a trace.
#[derive(Default)]
pub(in crate::host) struct Playing(Option<Box<Player>>);

impl Playing {
    #[inline]
    pub(in crate::host) const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Answers from a trace from now on.
    pub(in crate::host) fn start(&mut self, player: Box<Player>) {
        self.0 = Some(player);
    }

    pub(in crate::host) fn player(&self) -> Option<&Player> {
        self.0.as_deref()
    }

    pub(in crate::host) fn player_mut(&mut self) -> Option<&mut Player> {
        self.0.as_deref_mut()
    }

    /// What the clock showed when the call was recorded; `None` if this is no replay.
    pub(in crate::host) fn now_us(&mut self) -> Option<u64> {
        Some(self.player_mut()?.now_us())
    }

    /// When the embedder's call began that the recorded call ran in, and its deadline; `None` if the
    /// embedder made the call itself, or if this is no replay.
    pub(in crate::host) fn around(&self) -> Option<(u64, Option<u32>)> {
        self.player()?.around
    }

    /// Whether the recorded call ran in slices; `None` if this is no replay.
    pub(in crate::host) fn sliced(&self) -> Option<bool> {
        Some(self.player()?.sliced)
    }

    /// The fuel that was left where the deadline of the recorded call passed; `None` if it did not.
    pub(in crate::host) fn late_at(&self) -> Option<u64> {
        match self.player()?.script.back().map(Recorded::event) {
            Some(Event::Slice(slice)) if slice.end == SliceEnd::Deadline => Some(slice.fuel_left),
            _ => None,
        }
    }

    /// Whether linear memory grew; `None` if this is no replay.
    pub(super) fn grows(&mut self, current: usize, desired: usize, allowed: bool) -> Option<Grown> {
        let player = self.player_mut()?;
        let (asked, current) = (desired as u64, current as u64);
        let refusal = match player.refuses_growth(asked, current) {
            Some(GrowthRefusal::Limit) => Refusal::Limit,
            Some(GrowthRefusal::OutOfMemory) => Refusal::OutOfMemory,
            None if allowed => return Some(Grown::Allowed),
            None => {
                if player.answering == Answering::Exactly {
                    let expected = player.script.front().cloned();
                    player.differs(expected, Got::Growth { asked }, 0, false);
                }
                Refusal::Limit
            }
        };
        Some(Grown::Refused(refusal))
    }

    /// What followed the slice: what the trace says, if this is a replay.
    pub(super) fn slice_ends(
        &mut self,
        fuel_left: u64,
        decided: Result<(), CallError>,
    ) -> Result<(), CallError> {
        let Some(player) = self.player_mut() else { return decided };
        match player.slice(fuel_left, slice_end(&decided)) {
            Some(SliceEnd::Continue) => Ok(()),
            Some(_) if decided.is_err() => decided,
            _ => Err(CallError::Stopped),
        }
    }

    /// Fuel that is still to be paid for a growth that failed.
    pub(super) fn debt(&self) -> u64 {
        self.player().map_or(0, Player::debt)
    }

    /// How the call ended when it was recorded, if the replay cannot know it or its text.
    pub(super) fn recorded_end(&self, ending: Ending, code: i32) -> Option<CallOut<'_>> {
        let recorded = self.player()?.recorded_end(ending, code)?.event();
        if let Event::CallOut(end) = recorded { Some(end) } else { None }
    }

    /// Answers a host call from the trace.
    #[cold]
    pub(super) fn answers(&mut self, call: &mut HostCall<'_>) -> Result<i32, Box<Stopped>> {
        let Some(player) = self.player_mut() else { return Ok(Status::Error.code()) };
        // What the interpreter would have taken for a growth that failed.
        let debt = core::mem::take(&mut player.debt);
        if call.meter.charge(debt).is_err() {
            call.meter.drain();
        }
        call.fuel_before = call.fuel_before.saturating_sub(debt);
        let recorded = recorded_answer(player, call)?;
        let Event::HostCall(answer) = recorded.event() else {
            return Err(Stopped::Diverged.into());
        };
        write_entry(call, &answer);
        let written = write_response(call, &answer);
        if call.meter.charge(answer.fuel_host).is_err() {
            call.meter.drain();
        }
        call.meter.keep(player.fuel_to_keep(call.meter.fuel_limit(), call.meter.fuel()));
        call.meter.use_up(answer.visited, answer.moved);
        *call.denied += u32::from(answer.status == Status::PermissionDenied.code());
        let more = written > entry_len(answer.status);
        call.identity.touched = if more { written } else { 0 };
        player.stopped |= answer.stop != Stop::No;
        player.answered.push(recorded.clone());
        let result = match answer.stop {
            Stop::No => Ok(answer.status),
            Stop::OutOfFuel => {
                let allowed = call.meter.fuel_limit();
                let asked = allowed.saturating_add(1);
                let exceeded = LimitExceeded { limit: Limit::Fuel, allowed, asked };
                Err(Box::new(Stopped::OutOfFuel(exceeded)))
            }
            Stop::Denied => Err(Box::new(Stopped::Denied(Message::new("as it was recorded")))),
            Stop::Stopped => Err(Box::new(Stopped::Stopped)),
        };
        player.remember(recorded);
        result
    }
}

/// The recorded answer to a host call. Without one the call ends here.
fn recorded_answer(player: &mut Player, call: &mut HostCall<'_>) -> Result<Recorded, Box<Stopped>> {
    let request = match regions(call.linear_memory, call.arguments) {
        Ok((request, _)) => Data::Full(request),
        Err(_) => Data::Absent { len: call.arguments.request_len },
    };
    let asked = Asked {
        function: call.function,
        request,
        capacity: call.arguments.response_capacity,
        fuel_left: call.fuel_before,
        redacted: player.redacted,
    };
    match player.answer(&asked) {
        Some(recorded) => Ok(recorded),
        None if player.goes_on() && answers_nothing(call.function) => {
            Ok(silent_answer(&asked, player.time_us))
        }
        None => {
            player.differs(None, asked.got(), call.fuel_before, false);
            Err(Stopped::Diverged.into())
        }
    }
}

/// The audit entry of a host call, as it was recorded.
fn write_entry(call: &mut HostCall<'_>, answer: &HostCallEvent<'_>) {
    let entry = call.audit.open();
    entry.time_us = answer.time_us;
    entry.plugin = call.identity.id;
    entry.function = call.function;
    entry.table = answer.table.and_then(|name| Name::plugin(name).ok());
    entry.status = answer.status;
    entry.rows = answer.rows;
    entry.bytes_in = call.arguments.request_len;
    entry.bytes_out = u32::try_from(answer.status).unwrap_or(0);
    call.audit.close();
}

/// Copies the recorded response into linear memory. Returns how many bytes were recorded.
fn write_response(call: &mut HostCall<'_>, answer: &HostCallEvent<'_>) -> usize {
    let written = answer.response.bytes().unwrap_or_default();
    if let Ok((_, response)) = regions(call.linear_memory, call.arguments) {
        let room = response.len().min(written.len());
        if let (Some(target), Some(written)) = (response.get_mut(..room), written.get(..room)) {
            target.copy_from_slice(written);
        }
    }
    written.len()
}

/// Bytes of a response that a status speaks of.
fn entry_len(status: i32) -> usize {
    if status == Status::BufferTooSmall.code() { 4 } else { usize::try_from(status).unwrap_or(0) }
}

/// Whether a function of SochDB's answers no bytes, so that any request gets the same answer.
fn answers_nothing(function: FunctionId) -> bool {
    function.builtin().is_some_and(Builtin::answers_nothing)
}

/// The answer of a function that answers nothing.
fn silent_answer(asked: &Asked<'_>, time_us: u64) -> Recorded {
    let moved = asked.request.len().into();
    let price = PRICES.call + u64::from(asked.request.len()).div_ceil(16) * PRICES.bytes16;
    Recorded::new(
        0,
        &Event::HostCall(HostCallEvent {
            function: asked.function,
            time_us,
            fuel_left: asked.fuel_left,
            fuel_host: price,
            request: asked.request,
            capacity: asked.capacity,
            status: 0,
            stop: Stop::No,
            table: None,
            rows: 0,
            visited: 0,
            moved,
            response: Data::EMPTY,
        }),
    )
}
