//! A trace as steps: a whole call of an entry point at a time, and what stands between calls.

use alloc::collections::VecDeque;

use embedded_io::Read;

use super::error::ReplayError;
use crate::{
    host::tape::Recorded,
    trace::{Event, TraceError, TraceReader},
};

/// The events of one call.
#[derive(Clone, Debug)]
pub(in crate::replay) struct Call {
    /// The call's begin.
    pub(in crate::replay) begin: Recorded,
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

/// Reads a trace step by step.
pub(in crate::replay) struct Steps<R> {
    reader: TraceReader<R>,
    cut: Option<CutCall>,
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
        Self { reader: TraceReader::new(trace), cut: None }
    }

    /// The next step; `None` after the end, behind which there is nothing.
    pub(in crate::replay) fn next(&mut self) -> Result<Option<Step>, StepError> {
        let Some(first) = self.recorded()? else { return Ok(None) };
        match first.event() {
            Event::CallIn(_) => {}
            event @ (Event::HostCall(_)
            | Event::Growth(_)
            | Event::Slice(_)
            | Event::CallOut(_)) => {
                let (event, what) = (first.number, event.as_str());
                return Err(ReplayError::Misplaced { event, what }.into());
            }
            Event::Header(_)
            | Event::Checkpoint(_)
            | Event::Function(_)
            | Event::Table(_)
            | Event::Load(_)
            | Event::Unload(_)
            | Event::Replace(_)
            | Event::Restore(_)
            | Event::End(_) => return Ok(Some(Step::Between(first))),
        }
        let mut events = VecDeque::new();
        loop {
            let recorded = match self.recorded() {
                Ok(Some(recorded)) => recorded,
                Ok(None) => return Err(TraceError::Unfinished { event: first.number }.into()),
                Err(error) => {
                    self.cut = Some(CutCall { begin: first, events });
                    return Err(error.into());
                }
            };
            match recorded.event() {
                Event::CallOut(_) => {
                    return Ok(Some(Step::Call(Call { begin: first, events, end: recorded })));
                }
                Event::HostCall(_) | Event::Growth(_) | Event::Slice(_) => {
                    events.push_back(recorded);
                }
                event @ (Event::Header(_)
                | Event::Checkpoint(_)
                | Event::Function(_)
                | Event::Table(_)
                | Event::Load(_)
                | Event::Unload(_)
                | Event::Replace(_)
                | Event::Restore(_)
                | Event::CallIn(_)
                | Event::End(_)) => {
                    let (event, what) = (recorded.number, event.as_str());
                    return Err(ReplayError::Misplaced { event, what }.into());
                }
            }
        }
    }

    /// What there is of the call that the trace breaks off in, after that was said.
    pub(in crate::replay) fn take_cut(&mut self) -> Option<CutCall> {
        self.cut.take()
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
