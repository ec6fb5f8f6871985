//! The script of a replay: the recorded events of one call, handed out as the plugin asks.
//!
//! The first difference between what the plugin does and what was recorded is noted and ends the call.
//! [`replay`](crate::replay) interprets and reports it.

use alloc::{collections::VecDeque, sync::Arc, vec::Vec};

use crate::{
    abi::{
        Builtin,
        wire::{Reader, Wire},
    },
    audit::FunctionId,
    trace::{Data, Ending, Event, GrowthRefusal, HostCallEvent, Slice, SliceEnd},
};

/// Fuel that wasmi 2.0 charges for growing linear memory: one for so many bytes.
const GROWTH_BYTES_PER_FUEL: u64 = 64;

/// An event of a trace that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) number: u64,
    /// Shared, as a trace that is made smaller is run again and again.
    bytes: Arc<[u8]>,
}

impl Recorded {
    pub(crate) fn new(number: u64, event: &Event<'_>) -> Self {
        let mut counter = crate::abi::wire::Writer::new(&mut []);
        event.encode(&mut counter);
        let mut bytes = alloc::vec![0; counter.position()];
        event.encode(&mut crate::abi::wire::Writer::new(&mut bytes));
        Self { number, bytes: bytes.into() }
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
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

/// The first difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) expected: Option<Recorded>,
    pub(crate) got: Got,
    pub(crate) fuel_left: u64,
    /// Only the fuel differs.
    pub(crate) only_fuel: bool,
}

/// How much fuel a recorded call took that fuel or time ended, where neither can be compared: the
/// plugin or the interpreter is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limited {
    /// Fuel of the whole call.
    pub(crate) used: u64,
    /// Fuel after its last host call.
    pub(crate) after_last: u64,
}

/// How much more or less fuel the same work may take in another plugin or interpreter.
pub(crate) const FUEL_FACTOR: u64 = 16;

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
    /// Begin and deadline of the embedder's call, if a plugin made the recorded one in it.
    pub(crate) around: Option<(u64, Option<u32>)>,
    pub(crate) mismatch: Option<Mismatch>,
    /// The call ended in a host call, as it was recorded, or was left where the trace breaks off.
    pub(crate) stopped: bool,
    /// The last things that happened.
    pub(crate) happened: VecDeque<Recorded>,
    /// How the call ended when it was recorded; `None` if the trace breaks off in it.
    end: Option<Recorded>,
    /// The host calls that were answered in this call.
    pub(crate) answered: Vec<Recorded>,
    /// The clock was looked at since the call began.
    started: bool,
    /// Values of the trace are redacted.
    pub(crate) redacted: bool,
    /// Fuel for a growth that failed only after it was paid for.
    pub(crate) debt: u64,
    /// The recorded call was ended by a limit that cannot be compared.
    limited: Option<Limited>,
    /// Fuel of such a call that was left after the last host call that was answered.
    fuel_answered: u64,
    /// What the plugin asked after all that was recorded of such a call.
    pub(crate) beyond: Option<Got>,
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
            around: None,
            mismatch: None,
            stopped: false,
            happened: VecDeque::new(),
            end: None,
            answered: Vec::new(),
            started: false,
            redacted: false,
            debt: 0,
            limited: None,
            fuel_answered: 0,
            beyond: None,
        }
    }

    /// Makes ready for a call whose recorded events are `script`, and `end`. Without an end, it is left
    /// when it does the first thing behind the script.
    pub(crate) fn begin(
        &mut self,
        script: VecDeque<Recorded>,
        end: Option<Recorded>,
        sliced: bool,
        time_us: u64,
    ) {
        self.script = script;
        self.end = end;
        self.answered.clear();
        self.started = false;
        self.sliced = sliced;
        self.time_us = time_us;
        self.mismatch = None;
        self.stopped = false;
        self.debt = 0;
        self.limited = None;
        self.beyond = None;
    }

    /// Makes the call that begins one whose recorded limit cannot be compared. It gets `fuel`.
    pub(crate) const fn limit(&mut self, limited: Limited, fuel: u64) {
        self.limited = Some(limited);
        self.fuel_answered = fuel;
    }

    /// Takes note of the fuel, `left` of `all`, after a host call was answered. The fuel to go on
    /// with: once everything recorded was asked, what the recorded call had in all.
    pub(crate) fn fuel_to_keep(&mut self, all: u64, left: u64) -> u64 {
        let Some(limited) = self.limited else { return left };
        let is_host_call = |recorded: &Recorded| matches!(recorded.event(), Event::HostCall(_));
        let keep = match self.script.iter().any(is_host_call) {
            true => left,
            false => left.min(limited.used.saturating_sub(all.saturating_sub(left))),
        };
        self.fuel_answered = keep;
        keep
    }

    /// Whether the recorded call may have asked this too, had its limit been a little higher.
    fn is_beyond(&self, got: &Got, fuel_left: u64) -> bool {
        let (Some(limited), Got::HostCall { .. }) = (&self.limited, got) else { return false };
        let fuel = self.fuel_answered.saturating_sub(fuel_left);
        fuel.saturating_mul(FUEL_FACTOR) >= limited.after_last
    }

    /// Fuel that is still to be paid for a growth that failed.
    pub(crate) const fn debt(&self) -> u64 {
        self.debt
    }

    /// How the call ended when it was recorded, if the replay, which ended so, cannot know it or its
    /// text: in a host call, after the plugin was done, or with the text of `last_error`.
    pub(crate) fn recorded_end(&self, ending: Ending, code: i32) -> Option<&Recorded> {
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

    /// Whether nothing has differed so far, and the call is not over.
    pub(crate) const fn goes_on(&self) -> bool {
        self.mismatch.is_none() && !self.stopped
    }

    pub(crate) fn differs(
        &mut self,
        expected: Option<Recorded>,
        got: Got,
        fuel_left: u64,
        only_fuel: bool,
    ) {
        if self.end.is_none() && expected.is_none() {
            // Nobody knows what came here.
            self.stopped = true;
        } else if expected.is_none() && self.is_beyond(&got, fuel_left) {
            self.stopped = true;
            self.beyond = Some(got);
        } else if self.mismatch.is_none() {
            self.mismatch = Some(Mismatch { expected, got, fuel_left, only_fuel });
        }
    }

    /// The recorded answer to a host call; `None` if the recording has none, and the call has to end.
    pub(crate) fn answer(&mut self, asked: &Asked<'_>) -> Option<Recorded> {
        if !self.fuel {
            // Slices end elsewhere, and a changed plugin grows its memory differently.
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
    pub(crate) fn refuses_growth(&mut self, asked: u64, current: u64) -> Option<GrowthRefusal> {
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
    pub(crate) fn slice(&mut self, fuel_left: u64, decided: SliceEnd) -> Option<SliceEnd> {
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
    pub(crate) fn now_us(&mut self) -> u64 {
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
pub(crate) struct Asked<'a> {
    pub(crate) function: FunctionId,
    pub(crate) request: Data<'a>,
    pub(crate) capacity: u32,
    pub(crate) fuel_left: u64,
    pub(crate) redacted: bool,
}

impl Asked<'_> {
    /// Whether this was asked in a recorded event.
    fn is(&self, event: &Event<'_>) -> bool {
        matches!(event, Event::HostCall(call) if call.function == self.function
            && (call.request == self.request || self.is_redacted_whole(call))
            && call.capacity == self.capacity)
    }

    /// Whether nothing but the length of the request is left in the trace.
    fn is_redacted_whole(&self, call: &HostCallEvent<'_>) -> bool {
        // Texts of logs, labels of metrics, what plugins tell each other, and what only the embedder knows the meaning of.
        let whole = match self.function.builtin() {
            None | Some(Builtin::EmitMetric | Builtin::LogMessage | Builtin::CallPlugin) => true,
            Some(
                Builtin::SochRead
                | Builtin::SochWrite
                | Builtin::SochDelete
                | Builtin::VectorSearch
                | Builtin::IndexLookup
                | Builtin::GetConfig
                | Builtin::LastError,
            ) => false,
        };
        self.redacted && whole && call.request.len() == self.request.len()
    }

    pub(crate) fn got(&self) -> Got {
        let (request, absent) = match self.request {
            Data::Full(bytes) => (bytes.into(), None),
            other @ (Data::Digest { .. } | Data::Absent { .. }) => (Vec::new(), Some(other.len())),
        };
        Got::HostCall { function: self.function, request, absent, capacity: self.capacity }
    }
}
