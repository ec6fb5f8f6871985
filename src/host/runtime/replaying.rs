//! How a host answers from a trace: every place at which a plugin asks, or is told, something.
//!
//! What was recorded, and what was otherwise, is the [`Player`]'s.

use alloc::boxed::Box;

use super::{host::Host, recording::slice_end};
use crate::{
    abi::{Builtin, Capability, Name, Status},
    audit::{FunctionId, PluginId},
    database::Storage,
    escaped::quoted,
    host::{
        access::HostFunctionContext,
        boundary::{Arguments, HostCallResult, Message, Stop as Stopped, regions},
        error::CallError,
        plugin::{PluginState, Shared},
        registry::{HostFunction, RegistryError},
        tape::{Answering, Asked, Got, Player, Recorded},
    },
    limits::{Limit, LimitExceeded},
    meter::PRICES,
    trace::{
        Checkpoint, Data, Digest, Event, Growth, GrowthRefusal, HostCallEvent, Recorder, SliceEnd,
        Stop,
    },
};

impl<S: Storage + 'static> Host<S> {
    /// Answers from a trace from now on.
    pub(crate) fn play(&mut self, player: Player) {
        self.shared_mut().player = Some(Box::new(player));
    }

    pub(crate) fn player_mut(&mut self) -> Option<&mut Player> {
        self.shared_mut().player.as_deref_mut()
    }

    pub(crate) fn player(&self) -> Option<&Player> {
        self.shared().player.as_deref()
    }

    /// Digest of a plugin's linear memory.
    pub(crate) fn memory_digest(&self, plugin: PluginId) -> Option<Digest> {
        let plugin = self.plugins.get(self.position(plugin)?)?;
        Some(Digest::of(plugin.bytes(0, plugin.report.memory_bytes)))
    }

    /// Records what is replayed, without saying what the host is made of: the trace says it.
    pub(crate) fn record_replay(&mut self, mut recorder: Recorder) {
        recorder.begin();
        self.shared_mut().recorder = Some(Box::new(recorder));
    }

    /// Records an event of the trace that stands between calls.
    pub(crate) fn record_again(&mut self, event: &Event<'_>) {
        if let Some(recorder) = &mut self.shared_mut().recorder {
            recorder.append(event);
        }
    }

    /// A checkpoint of the trace, which had `audited` audit entries before it.
    pub(crate) fn replay_checkpoint(&mut self, audited: u64) {
        for plugin in &mut self.plugins {
            plugin.trapped = true;
        }
        if let Some(recorder) = &mut self.shared_mut().recorder {
            let previous = recorder.checkpoint();
            recorder.append(&Event::Checkpoint(Checkpoint { previous: &previous, audited }));
        }
    }

    /// Sets the fuel of a plugin's calls.
    pub(crate) fn set_fuel_per_call(&mut self, plugin: PluginId, fuel: u64) {
        if let Some(at) = self.position(plugin)
            && let Some(plugin) = self.plugins.get_mut(at)
        {
            plugin.limits.fuel_per_call = fuel;
        }
    }

    /// Lets a plugin begin its next call with its memory as it was after loading.
    pub(crate) fn restart_plugin(&mut self, plugin: PluginId) {
        if let Some(at) = self.position(plugin)
            && let Some(plugin) = self.plugins.get_mut(at)
        {
            plugin.trapped = true;
        }
    }

    /// A place in the registry for a function that a trace names and only the trace answers.
    pub(crate) fn register_recorded(
        &mut self,
        module: &str,
        name: &str,
    ) -> Result<FunctionId, RegistryError> {
        let name = Name::new(name).map_err(RegistryError::Name)?;
        self.register(module, OnlyRecorded(name))
    }
}

/// A function that is not here, but whose answers are in the trace.
struct OnlyRecorded(Name);

impl<S: Storage> HostFunction<S> for OnlyRecorded {
    fn name(&self) -> &str {
        &self.0
    }

    fn capability(&self) -> Capability<'_> {
        Capability::Always
    }

    fn execute(
        &mut self,
        _context: &mut HostFunctionContext<'_, S>,
        _request: &[u8],
        _response: &mut [u8],
    ) -> HostCallResult {
        HostCallResult::not_found(format_args!("{} answers in a replay only", quoted(&self.0)))
    }
}

impl<S: Storage> Shared<S> {
    /// The clock, or what it was when the trace was recorded.
    pub(crate) fn now_us(&mut self) -> u64 {
        match &mut self.player {
            Some(player) => player.now_us(),
            None => self.clock.now_us(),
        }
    }
}

impl<S: Storage> PluginState<S> {
    fn player(&mut self) -> Option<&mut Player> {
        self.shared.as_deref_mut()?.player.as_deref_mut()
    }

    /// Whether the recorded call ran in slices; `None` if this is no replay.
    pub(crate) fn replayed_slicing(&self) -> Option<bool> {
        Some(self.shared.as_deref()?.player.as_deref()?.sliced)
    }

    /// Whether linear memory may grow; `None` if this is no replay.
    pub(crate) fn replayed_growth(&mut self, current: usize, desired: usize) -> Option<bool> {
        let (asked, current) = (desired as u64, current as u64);
        let allowed = self.growth.permits_memory(desired);
        let player = self.player()?;
        let refused = player.refuses_growth(asked, current);
        let refusal = match (&refused, allowed) {
            (Some(refusal), _) => Some(*refusal),
            (None, false) => Some(GrowthRefusal::Limit),
            (None, true) => None,
        };
        let refused = refused.is_some();
        if !allowed && !refused && player.answering == Answering::Exactly {
            let expected = player.script.front().cloned();
            player.differs(expected, Got::Growth { asked }, 0, false);
        }
        if let Some(refusal) = refusal
            && let Some(recorder) = self.recorder()
        {
            recorder.append(&Event::Growth(Growth { asked, refusal }));
        }
        Some(refusal.is_none())
    }

    /// What followed the slice: what the trace says, if this is a replay.
    pub(crate) fn replayed_slice(
        &mut self,
        fuel_left: u64,
        decided: Result<(), CallError>,
    ) -> Result<(), CallError> {
        let Some(player) = self.player() else { return decided };
        let end = slice_end(&decided);
        match player.slice(fuel_left, end) {
            Some(SliceEnd::Continue) => Ok(()),
            Some(_) if decided.is_err() => decided,
            _ => Err(CallError::Stopped),
        }
    }

    /// Answers a host call from the trace.
    #[cold]
    pub(crate) fn replay(
        &mut self,
        fuel_before: u64,
        function: FunctionId,
        linear_memory: &mut [u8],
        arguments: Arguments,
    ) -> Result<i32, Box<Stopped>> {
        let Self { shared, meter, host_calls, host_calls_limit, denied, .. } = self;
        let Some(Shared { audit, player: Some(player), .. }) = shared.as_deref_mut() else {
            return Ok(Status::Error.code());
        };
        if *host_calls < *host_calls_limit {
            *host_calls += 1;
        }
        // What the interpreter would have taken for a growth that failed.
        let debt = core::mem::take(&mut player.debt);
        if meter.charge(debt).is_err() {
            meter.drain();
        }
        let fuel_before = fuel_before.saturating_sub(debt);
        let capacity = arguments.response_capacity;
        let (request, response) = match regions(linear_memory, arguments) {
            Ok((request, response)) => (Data::Full(request), response),
            Err(_) => (Data::Absent { len: arguments.request_len }, Default::default()),
        };
        let redacted = player.redacted;
        let asked = Asked { function, request, capacity, fuel_left: fuel_before, redacted };
        let recorded = match player.answer(&asked) {
            Some(recorded) => recorded,
            None if player.goes_on() && answers_nothing(function) => {
                silent_answer(&asked, player.time_us)
            }
            None => {
                player.differs(None, asked.got(), fuel_before, false);
                return Err(Stopped::Diverged.into());
            }
        };
        let Event::HostCall(answer) = recorded.event() else {
            return Err(Stopped::Diverged.into());
        };
        let entry = audit.open();
        entry.time_us = answer.time_us;
        entry.plugin = self.identity.id;
        entry.function = function;
        entry.table = answer.table.and_then(|name| Name::new(name).ok());
        entry.status = answer.status;
        entry.rows = answer.rows;
        entry.bytes_in = arguments.request_len;
        entry.bytes_out = u32::try_from(answer.status).unwrap_or(0);
        audit.close();
        let written = answer.response.bytes().unwrap_or_default();
        let room = response.len().min(written.len());
        if let (Some(target), Some(written)) = (response.get_mut(..room), written.get(..room)) {
            target.copy_from_slice(written);
        }
        if meter.charge(answer.fuel_host).is_err() {
            meter.drain();
        }
        meter.keep(player.fuel_to_keep(meter.fuel_limit(), meter.fuel()));
        meter.use_up(answer.visited, answer.moved);
        *denied += u32::from(answer.status == Status::PermissionDenied.code());
        let result = match answer.stop {
            Stop::No => Ok(answer.status),
            Stop::OutOfFuel => {
                player.stopped = true;
                let allowed = meter.fuel_limit();
                let asked = allowed.saturating_add(1);
                let exceeded = LimitExceeded { limit: Limit::Fuel, allowed, asked };
                Err(Stopped::OutOfFuel(exceeded))
            }
            Stop::Denied => {
                player.stopped = true;
                Err(Stopped::Denied(Message::new("as it was recorded")))
            }
        };
        let more = written.len() > entry_len(answer.status);
        self.identity.touched = if more { written.len() } else { 0 };
        player.answered.push(recorded.clone());
        player.remember(recorded);
        let result = result.map_err(Box::new);
        self.record(function, fuel_before, linear_memory, arguments, &result);
        result
    }
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
