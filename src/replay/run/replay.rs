//! Replays of traces against plugins.
//!
//! It reads the trace step by step. What a step does is [`session`](super::session)'s.

use alloc::string::String;

use embedded_io::Read;

use super::{
    error::ReplayError,
    outcome::{Replay, Run},
    read_calls::{Step, StepError, Steps},
    replayer::Replayer,
    session::Session,
};
use crate::{
    host::tape::Answering,
    replay::explain::divergence::{Cause, Divergence, Side},
    trace::{Recorder, TraceError},
};

impl Replayer<'_> {
    /// Replays a trace.
    ///
    /// # Errors
    /// [`ReplayError`] if there is nothing that could be replayed, or if the trace is not what was
    /// recorded. A trace that breaks off is replayed as far as it goes
    /// ([`Replay::broken_off`]).
    pub fn replay<R: Read<Error: 'static>>(&self, trace: R) -> Result<Replay, ReplayError> {
        self.run(trace, Answering::Exactly, None).map(|run| run.replay)
    }

    /// Replays a trace and records what happens now, answering as `answering` says.
    pub(in crate::replay) fn run<R: Read<Error: 'static>>(
        &self,
        trace: R,
        answering: Answering,
        recorder: Option<Recorder>,
    ) -> Result<Run, ReplayError> {
        let mut steps = Steps::new(trace);
        let mut session = Session::new(self, answering, recorder);
        loop {
            match steps.next() {
                Ok(Some(step)) => {
                    session.step(step)?;
                    let replay = &mut session.replay;
                    let ended = match self.call {
                        Some(call) => replay.keep_only(call),
                        None => replay.divergences.len() >= self.divergences,
                    };
                    if ended {
                        break;
                    }
                }
                Ok(None) => {
                    session.replay.link = Some(steps.finish()?);
                    break;
                }
                Err(StepError::BreaksOff(error)) => {
                    while let Some(cut) = steps.take_cut() {
                        session.cut(cut)?;
                    }
                    session.replay.truncated = Some(truncated(&session, &error));
                    session.replay.broken_off = Some(error);
                    break;
                }
                Err(StepError::Wrong(error)) => return Err(error),
            }
        }
        let run = session.finish();
        match run.replay {
            Replay { calls: 0, broken_off: None, .. } => Err(ReplayError::NoCalls),
            _ => Ok(run),
        }
    }

    /// As [`run`](Self::run), for steps that were read, or made, before.
    pub(in crate::replay) fn run_steps<'s>(
        &self,
        steps: impl IntoIterator<Item = &'s Step>,
        answering: Answering,
        recorder: Option<Recorder>,
    ) -> Result<Run, ReplayError> {
        let mut session = Session::new(self, answering, recorder);
        for step in steps {
            session.step(step.clone())?;
            if session.replay.divergences.len() >= self.divergences {
                break;
            }
        }
        Ok(session.finish())
    }
}

fn truncated(session: &Session<'_, '_>, error: &TraceError) -> Divergence {
    let event = if let TraceError::Torn { event, .. } = error {
        *event
    } else if let TraceError::Unfinished { event } = error {
        event.saturating_add(1)
    } else {
        session.replay.events
    };
    let (plugin, entry) = session.last_call();
    Divergence {
        event,
        call: session.replay.calls,
        plugin,
        entry,
        function: None,
        field: None,
        expected: Side::of("more events, and an end"),
        got: Side::of(alloc::format!("{error}")),
        cause: Cause::Truncated,
        because: String::new(),
        before: session.before(),
    }
}
