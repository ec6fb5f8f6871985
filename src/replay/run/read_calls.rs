//! A trace as steps: a whole call of an entry point at a time, and what stands between calls.
//!
//! A call that a plugin made inside its own is a step before that one, as it ended before it. No plugin is
//! entered while it runs, so each finds its memory as it was.

use alloc::{collections::VecDeque, vec::Vec};

use embedded_io::Read;

use super::error::ReplayError;
use crate::{
    host::tape::Recorded,
    trace::{Event, Nested, TraceError, TraceReader},
};

/// The events of one call.
#[derive(Clone, Debug)]
pub(in crate::replay) struct Call {
    /// The call's begin.
    pub(in crate::replay) begin: Recorded,
    /// What is before it, if a plugin made it.
    pub(in crate::replay) nested: Option<Recorded>,
    /// What happened in it.
    pub(in crate::replay) events: VecDeque<Recorded>,
    /// Its end.
    pub(in crate::replay) end: Recorded,
}

/// A call that the trace breaks off in.
#[derive(Debug)]
pub(in crate::replay) struct CutCall {
    /// The call's begin.
    pub(in crate::replay) begin: Recorded,
    /// What is before it, if a plugin made it.
    pub(in crate::replay) nested: Option<Recorded>,
    /// What is left of what happened in it.
    pub(in crate::replay) events: VecDeque<Recorded>,
}

/// A part of a trace.
#[derive(Clone, Debug)]
pub(in crate::replay) enum Step {
    /// An event outside calls.
    Between(Recorded),
    /// A call.
    Call(Call),
}

/// What a trace says of the calls around a nested one.
pub(super) fn around(nested: &Recorded) -> Option<Nested> {
    if let Event::Nested(nested) = nested.event() { Some(nested) } else { None }
}

/// Reads a trace step by step.
pub(in crate::replay) struct Steps<R> {
    reader: TraceReader<R>,
    /// The calls that are not over, each inside the one before it.
    open: Vec<CutCall>,
    /// The nested call that begins with the next event.
    nested: Option<Recorded>,
}

/// Why there is no further step.
pub(in crate::replay) enum StepError {
    /// The trace breaks off or ends without an end. What was read before is whole.
    BreaksOff(TraceError),
    /// Something is wrong with it.
    Wrong(ReplayError),
}

impl From<ReplayError> for StepError {
    fn from(error: ReplayError) -> Self {
        Self::Wrong(error)
    }
}

impl From<TraceError> for StepError {
    fn from(error: TraceError) -> Self {
        if error.breaks_off() { Self::BreaksOff(error) } else { Self::Wrong(error.into()) }
    }
}

impl<R: Read<Error: 'static>> Steps<R> {
    pub(in crate::replay) fn new(trace: R) -> Self {
        Self { reader: TraceReader::new(trace), open: Vec::new(), nested: None }
    }

    /// The next step; `None` after the end, behind which there is nothing.
    pub(in crate::replay) fn next(&mut self) -> Result<Option<Step>, StepError> {
        loop {
            let Some(recorded) = self.recorded()? else { return self.ended() };
            let event = recorded.event();
            let inside = self.nested.is_some();
            if inside && !matches!(event, Event::CallIn(_)) {
                return Err(misplaced(&recorded));
            }
            match event {
                Event::CallIn(_) if inside || self.open.is_empty() => {
                    let nested = self.nested.take();
                    let events = VecDeque::new();
                    self.open.push(CutCall { begin: recorded, nested, events });
                }
                Event::CallIn(_) => return Err(misplaced(&recorded)),
                Event::Nested(_) => self.nested = Some(recorded),
                Event::HostCall(_) | Event::Growth(_) | Event::Slice(_) => {
                    match self.open.last_mut() {
                        Some(call) => call.events.push_back(recorded),
                        None => return Err(misplaced(&recorded)),
                    }
                }
                Event::CallOut(_) => {
                    let Some(call) = self.open.pop() else { return Err(misplaced(&recorded)) };
                    let CutCall { begin, nested, events } = call;
                    return Ok(Some(Step::Call(Call { begin, nested, events, end: recorded })));
                }
                Event::Header(_)
                | Event::Checkpoint(_)
                | Event::Function(_)
                | Event::Table(_)
                | Event::Load(_)
                | Event::Unload(_)
                | Event::Replace(_)
                | Event::Restore(_)
                | Event::End(_) => match self.open.is_empty() {
                    true => return Ok(Some(Step::Between(recorded))),
                    false => return Err(misplaced(&recorded)),
                },
            }
        }
    }

    /// There is no further event.
    fn ended(&mut self) -> Result<Option<Step>, StepError> {
        match self.open.first() {
            Some(call) => Err(TraceError::Unfinished { event: call.begin.number }.into()),
            None => Ok(None),
        }
    }

    /// What there is of the calls that the trace breaks off in, after that was said, one after the other:
    /// the one inside all others first.
    pub(in crate::replay) fn take_cut(&mut self) -> Option<CutCall> {
        self.open.pop()
    }

    fn recorded(&mut self) -> Result<Option<Recorded>, TraceError> {
        let entry = self.reader.read()?;
        Ok(entry.map(|entry| Recorded::new(entry.number, &entry.event)))
    }

    /// The last link of the chain, once there is no further step.
    pub(in crate::replay) fn finish(&mut self) -> Result<[u8; 32], TraceError> {
        self.reader.finish()
    }
}

/// An event that stands where it cannot.
fn misplaced(recorded: &Recorded) -> StepError {
    let (event, what) = (recorded.number, recorded.event().as_str());
    ReplayError::Misplaced { event, what }.into()
}
