//! The settings of a search for a smaller trace: the plugins that fail, those that were recorded, and how
//! often they may run.

use alloc::{boxed::Box, string::String, vec::Vec};

use super::failure::{Failure, MinimiseError};
use crate::{
    host::tape::Answering,
    replay::run::{read_calls::Step, replayer::Replayer},
    trace::{Ending, Event},
};

/// Makes failing traces small.
#[derive(Clone, Debug)]
pub struct Minimiser<'p> {
    pub(super) failing: Replayer<'p>,
    pub(super) recorded: Option<Replayer<'p>>,
    pub(super) tries: u32,
}

impl<'p> Minimiser<'p> {
    /// A minimiser for the plugins of this replayer, which fail. They may be other ones than were
    /// recorded. It takes at most 2,000 tries.
    #[must_use]
    pub fn new(failing: Replayer<'p>) -> Self {
        Self { failing: failing.with_changed_plugins(), recorded: None, tries: 2000 }
    }

    /// Adds the plugins that were recorded, for failures that are divergences from them.
    #[must_use]
    pub fn with_recorded(mut self, recorded: Replayer<'p>) -> Self {
        self.recorded = Some(recorded);
        self
    }

    /// Sets how often plugins may run.
    #[must_use]
    pub fn with_tries(mut self, most: u32) -> Self {
        self.tries = most;
        self
    }

    /// Which of the plugins that fail runs in the place of each plugin of a trace.
    pub(super) fn plugins(&self, steps: &[Step]) -> Vec<(String, usize)> {
        let mut plugins: Vec<(String, usize)> = Vec::new();
        for step in steps {
            let Step::Between(recorded) = step else { continue };
            let (Event::Load(load) | Event::Replace(load)) = recorded.event() else { continue };
            let place = self.failing.place(load.name, load.module);
            if let Some((place, _)) = place
                && !plugins.iter().any(|(name, at)| name == load.name && *at == place)
            {
                plugins.push((load.name.into(), place));
            }
        }
        plugins
    }

    /// How the trace fails, and in which call.
    pub(super) fn failure(&self, steps: &[Step]) -> Result<(Failure, u64), MinimiseError> {
        let exact = self.failing.run_steps(steps, Answering::Exactly, None)?;
        if let Some(divergence) = exact.replay.divergences.first() {
            let failure = Failure::of_divergence(divergence);
            return match self.recorded {
                Some(_) => Ok((failure, divergence.call)),
                None => Err(MinimiseError::NeedsRecorded(Box::new(divergence.clone()))),
            };
        }
        let run = self.failing.run_steps(steps, Answering::SameFunction, None)?;
        let failed = run.ends.iter().find(|ended| ended.ending != Ending::Output);
        let failed = failed.ok_or(MinimiseError::DoesNotFail)?;
        Ok((Failure::of_call(failed), failed.call))
    }
}
