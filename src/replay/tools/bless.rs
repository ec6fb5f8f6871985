//! A new trace of a changed plugin, from the answers of an old one.

use alloc::{boxed::Box, string::String, vec::Vec};

use embedded_io::Read;

use crate::{
    host::tape::Answering,
    replay::run::{error::ReplayError, outcome::Run, replayer::Replayer},
    trace::Recorder,
};

/// A trace that was made of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blessed {
    /// Its bytes.
    pub trace: Vec<u8>,
    /// Calls in it.
    pub calls: u64,
    /// Names of the plugins that are not the ones of the old trace.
    pub changed_plugins: Vec<String>,
}

impl Replayer<'_> {
    /// Runs the calls of a trace against plugins that may have changed, and records what they do
    /// now. A request gets the answer that was recorded for the same request in the same call, in
    /// any order, each answer once; `emit_metric` and `log_message`, which answer nothing, need
    /// none.
    ///
    /// With the plugins that were recorded the new trace is the old one, byte for byte. It replays
    /// exactly in any case.
    ///
    /// # Errors
    /// [`ReplayError::NoAnswer`] shows a request that was not recorded. [`ReplayError::Trace`] also
    /// for a trace that breaks off: what is lost would look as if it were not wanted.
    /// [`ReplayError::Unstable`] if the new trace does not replay exactly.
    pub fn bless<R: Read<Error: 'static>>(&self, trace: R) -> Result<Blessed, ReplayError> {
        let replayer = self.clone().with_changed_plugins();
        let run = replayer.run(trace, Answering::SameRequest, Some(Recorder::growing()))?;
        if let Some(error) = run.replay.broken_off {
            return Err(error.into());
        }
        replayer.blessed(run)
    }

    /// What was recorded in a run, if it replays exactly.
    pub(in crate::replay) fn blessed(&self, run: Run) -> Result<Blessed, ReplayError> {
        let Run { replay, recorder, .. } = run;
        let mut trace = Vec::new();
        if let Some(mut recorder) = recorder {
            // A vector takes all there is.
            let _ = recorder.write_to(&mut Bytes(&mut trace));
        }
        let again = self.replay(trace.as_slice())?;
        if let Some(divergence) = again.divergences.into_iter().next() {
            return Err(ReplayError::Unstable(Box::new(divergence)));
        }
        Ok(Blessed { trace, calls: again.calls, changed_plugins: replay.changed_plugins })
    }
}

/// A vector that is written to, also where there is no standard library.
pub(in crate::replay) struct Bytes<'v>(pub(in crate::replay) &'v mut Vec<u8>);

impl embedded_io::ErrorType for Bytes<'_> {
    type Error = core::convert::Infallible;
}

impl embedded_io::Write for Bytes<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}
