//! A host that answers from a trace: the other end of [`recording`](super::recording).
//!
//! The player holds the recorded events of one call and hands them out as the plugin asks. What the
//! plugin does otherwise than was recorded is noted, once, and ends the call. What that means and how
//! it is told is the business of [`replay`](crate::replay).

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use super::{
    Host, Shared,
    context::quoted,
    dispatch::{Arguments, Stop as Stopped, regions},
    error::CallError,
    plugin::PluginState,
    recording::slice_end,
    registry::RegistryError,
    result::{HostCallResult, Message},
};
use crate::{
    abi::{
        Capability, Name, Status,
        wire::{Reader, Wire},
    },
    audit::{FunctionId, PluginId},
    database::Storage,
    host::{HostFunction, HostFunctionContext},
    limits::{Limit, LimitExceeded},
    trace::{
        CallOut, Checkpoint, Data, Digest, Ending, Event, Growth, GrowthRefusal, HostCallEvent,
        Recorder, Slice, SliceEnd, Stop,
    },
};

/// Fuel that wasmi 2.0 charges for growing linear memory: one for so many bytes.
const GROWTH_BYTES_PER_FUEL: u64 = 64;

/// An event of a trace that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) number: u64,
    bytes: Vec<u8>,
    /// Rows visited and bytes moved by this host call alone.
    used: (u32, u64),
}

impl Recorded {
    pub(crate) fn new(number: u64, event: &Event<'_>) -> Self {
        let mut counter = crate::abi::wire::Writer::new(&mut []);
        event.encode(&mut counter);
        let mut bytes = alloc::vec![0; counter.position()];
        event.encode(&mut crate::abi::wire::Writer::new(&mut bytes));
        Self { number, bytes, used: (0, 0) }
    }

    pub(crate) fn event(&self) -> Event<'_> {
        let event = Event::decode(&mut Reader::new(&self.bytes));
        // The bytes were made of an event.
        event.unwrap_or(Event::End(crate::trace::End {}))
    }
}

/// What answers a plugin gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answering {
    /// Those that were recorded, if it asks what it asked then, in the same order.
    Exactly,
    /// Those that were recorded for the same request, in any order. Functions that answer nothing
    /// need no recorded answer.
    SameRequest,
    /// The next one that was recorded for the same function, whatever the request.
    SameFunction,
}

/// What the plugin did instead of what was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    HostCall { function: FunctionId, request: Vec<u8>, absent: Option<u32>, capacity: u32 },
    Growth { asked: u64 },
    Slice,
}

impl Got {
    /// Whether this was recorded in `event`.
    pub(crate) fn is(&self, event: &Event<'_>) -> bool {
        match (self, event) {
            (
                Self::HostCall { function, request, absent: None, capacity },
                Event::HostCall(call),
            ) => {
                call.function == *function
                    && call.request == Data::Full(request)
                    && call.capacity == *capacity
            }
            _ => false,
        }
    }
}

/// The first thing that was otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) expected: Option<Recorded>,
    pub(crate) got: Got,
    pub(crate) fuel_left: u64,
    /// Only the fuel is otherwise.
    pub(crate) only_fuel: bool,
}

/// The recorded events of a call, and how the replay of it goes.
#[derive(Debug)]
pub(crate) struct Player {
    /// What was recorded and has not happened yet; the end of the call is not among it.
    pub(crate) script: VecDeque<Recorded>,
    pub(crate) answering: Answering,
    /// Whether fuel is compared, and slices with it.
    pub(crate) fuel: bool,
    pub(crate) sliced: bool,
    pub(crate) time_us: u64,
    pub(crate) mismatch: Option<Mismatch>,
    /// The call ended in a host call, as it was recorded.
    pub(crate) stopped: bool,
    /// The last things that happened.
    pub(crate) happened: VecDeque<Recorded>,
    /// How the call ended when it was recorded.
    end: Option<Recorded>,
    /// The host calls that were answered in this call.
    pub(crate) answered: Vec<Recorded>,
    /// The clock was looked at since the call began.
    started: bool,
    /// Fuel for a growth that failed only after it was paid for.
    debt: u64,
}

/// How many events the player remembers to tell of.
const REMEMBERED: usize = 5;

impl Player {
    pub(crate) fn new(answering: Answering, fuel: bool) -> Self {
        Self {
            script: VecDeque::new(),
            answering,
            fuel,
            sliced: false,
            time_us: 0,
            mismatch: None,
            stopped: false,
            happened: VecDeque::new(),
            end: None,
            answered: Vec::new(),
            started: false,
            debt: 0,
        }
    }

    /// Makes ready for a call whose recorded events are `script`, and `end`.
    pub(crate) fn begin(
        &mut self,
        mut script: VecDeque<Recorded>,
        end: Recorded,
        sliced: bool,
        time_us: u64,
    ) {
        let mut before = (0, 0);
        for recorded in &mut script {
            let Event::HostCall(HostCallEvent { visited, moved, .. }) = recorded.event() else {
                continue;
            };
            recorded.used = (visited.saturating_sub(before.0), moved.saturating_sub(before.1));
            before = (visited, moved);
        }
        self.script = script;
        self.end = Some(end);
        self.answered.clear();
        self.started = false;
        self.sliced = sliced;
        self.time_us = time_us;
        self.mismatch = None;
        self.stopped = false;
        self.debt = 0;
    }

    /// Fuel that is still to be paid for a growth that failed.
    pub(crate) const fn debt(&self) -> u64 {
        self.debt
    }

    /// How the call ended when it was recorded, if the replay, which ended so, cannot know it or its
    /// text: in a host call, after the plugin was done, or with the text of `last_error`.
    pub(super) fn recorded_end(&self, ending: Ending, code: i32) -> Option<&Recorded> {
        let recorded = self.end.as_ref()?;
        let Event::CallOut(end) = recorded.event() else { return None };
        let failed = end.ending == Ending::Failed && (end.ending, end.code) == (ending, code);
        (self.stopped || failed || end.ending == Ending::Commit).then_some(recorded)
    }

    pub(crate) fn remember(&mut self, event: Recorded) {
        if self.happened.len() >= REMEMBERED {
            self.happened.pop_front();
        }
        self.happened.push_back(event);
    }

    fn differs(&mut self, expected: Option<Recorded>, got: Got, fuel_left: u64, only_fuel: bool) {
        if self.mismatch.is_none() {
            self.mismatch = Some(Mismatch { expected, got, fuel_left, only_fuel });
        }
    }

    /// The recorded answer to a host call; `None` if there is none and the call has to end.
    fn answer(&mut self, asked: &Asked<'_>) -> Option<Recorded> {
        if !self.fuel {
            // Slices end elsewhere, and a changed plugin grows otherwise.
            let passed = |event: Event<'_>| matches!(event, Event::Slice(_) | Event::Growth(_));
            while self.script.front().is_some_and(|recorded| passed(recorded.event())) {
                self.script.pop_front();
            }
        }
        let at = match self.answering {
            Answering::Exactly => 0,
            Answering::SameRequest => {
                self.script.iter().position(|recorded| asked.is(&recorded.event()))?
            }
            Answering::SameFunction => self.script.iter().position(|recorded| {
                matches!(recorded.event(), Event::HostCall(call) if call.function == asked.function)
            })?,
        };
        let recorded = self.script.remove(at);
        let fuel_left = asked.fuel_left;
        let only_fuel = match recorded.as_ref().map(Recorded::event) {
            Some(Event::HostCall(call)) if self.answering != Answering::Exactly => {
                self.time_us = call.time_us.max(self.time_us);
                return recorded;
            }
            Some(event @ Event::HostCall(call)) if asked.is(&event) => {
                self.time_us = call.time_us;
                if !self.fuel || call.fuel_left == fuel_left {
                    return recorded;
                }
                true
            }
            _ => false,
        };
        self.differs(recorded, asked.got(), fuel_left, only_fuel);
        None
    }

    /// Why the growth that the plugin asks for was refused when it was recorded, if it was.
    fn refuses_growth(&mut self, asked: u64, current: u64) -> Option<GrowthRefusal> {
        let Some(Event::Growth(growth)) = self.script.front().map(Recorded::event) else {
            return None;
        };
        if growth.asked != asked {
            return None;
        }
        if growth.refusal == GrowthRefusal::OutOfMemory {
            self.debt += asked.saturating_sub(current) / GROWTH_BYTES_PER_FUEL;
        }
        if let Some(event) = self.script.pop_front() {
            self.remember(event);
        }
        Some(growth.refusal)
    }

    /// How the slice that just ended was followed.
    fn slice(&mut self, fuel_left: u64, decided: SliceEnd) -> Option<SliceEnd> {
        if self.answering != Answering::Exactly {
            // Its time is known by now; that the hook stopped the call here is all else it says.
            return match self.script.front().map(Recorded::event) {
                Some(Event::Slice(slice)) => {
                    self.script.pop_front();
                    Some(if slice.end == SliceEnd::Stopped { slice.end } else { decided })
                }
                _ => Some(decided),
            };
        }
        if !self.fuel {
            return Some(SliceEnd::Continue);
        }
        let recorded = self.script.pop_front();
        if let Some(recorded) = &recorded
            && let Event::Slice(slice) = recorded.event()
            && slice.fuel_left == fuel_left
            && (slice.end == decided || slice.end == SliceEnd::Stopped)
        {
            self.remember(recorded.clone());
            return Some(slice.end);
        }
        self.differs(recorded, Got::Slice, fuel_left, false);
        None
    }

    /// The clock: that of the event to come.
    fn now_us(&mut self) -> u64 {
        if !core::mem::replace(&mut self.started, true) {
            return self.time_us;
        }
        let next = self.script.front().map(Recorded::event);
        if let Some(Event::Slice(Slice { time_us, .. })) = next {
            self.time_us = time_us.max(self.time_us);
        }
        self.time_us
    }
}

/// What a plugin asks of a host function.
struct Asked<'a> {
    function: FunctionId,
    request: Data<'a>,
    capacity: u32,
    fuel_left: u64,
}

impl Asked<'_> {
    /// Whether this was asked in a recorded event.
    fn is(&self, event: &Event<'_>) -> bool {
        matches!(event, Event::HostCall(call) if call.function == self.function
            && call.request == self.request
            && call.capacity == self.capacity)
    }

    fn got(&self) -> Got {
        let (request, absent) = match self.request {
            Data::Full(bytes) => (bytes.into(), None),
            other => (Vec::new(), Some(other.len())),
        };
        Got::HostCall { function: self.function, request, absent, capacity: self.capacity }
    }
}

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
    pub(super) fn now_us(&mut self) -> u64 {
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
    pub(super) fn replayed_slicing(&self) -> Option<bool> {
        Some(self.shared.as_deref()?.player.as_deref()?.sliced)
    }

    /// Whether linear memory may grow; `None` if this is no replay.
    pub(super) fn replayed_growth(&mut self, current: usize, desired: usize) -> Option<bool> {
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
    pub(super) fn replayed_slice(
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
    pub(super) fn replay(
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
        let asked = Asked { function, request, capacity, fuel_left: fuel_before };
        let recorded = match player.answer(&asked) {
            Some(recorded) => recorded,
            None if player.mismatch.is_none() && answers_nothing(function) => {
                silent_answer(&asked, player.time_us)
            }
            None => {
                player.differs(None, asked.got(), fuel_before, false);
                return Err(Box::new(Stopped::Diverged));
            }
        };
        let Event::HostCall(answer) = recorded.event() else {
            return Err(Box::new(Stopped::Diverged));
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
        let (visited, moved) = recorded.used;
        meter.use_up(visited, moved);
        *denied += u32::from(answer.status == Status::PermissionDenied.code());
        let result = match answer.stop {
            Stop::No => Ok(answer.status),
            Stop::OutOfFuel => {
                player.stopped = true;
                let allowed = meter.fuel_limit();
                let asked = allowed.saturating_add(1);
                Err(Stopped::OutOfFuel(LimitExceeded { limit: Limit::Fuel, allowed, asked }))
            }
            Stop::Denied => {
                player.stopped = true;
                Err(Stopped::Denied(Message::new("as it was recorded")))
            }
        };
        self.identity.touched = written.len() > entry_len(answer.status);
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
    matches!(function.name(), Some("emit_metric" | "log_message"))
}

/// The answer of a function that answers nothing.
fn silent_answer(asked: &Asked<'_>, time_us: u64) -> Recorded {
    let moved = asked.request.len().into();
    let price = crate::meter::PRICES.call
        + u64::from(asked.request.len()).div_ceil(16) * crate::meter::PRICES.bytes16;
    let mut recorded = Recorded::new(
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
    );
    recorded.used = (0, moved);
    recorded
}
