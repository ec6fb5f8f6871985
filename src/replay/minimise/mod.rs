//! A failing trace made small: fewer calls, fewer rows, shorter answers, as long as it fails in the
//! same way.
//!
//! Every try runs the plugins again; answers go to whoever asks the same function next. What is left
//! is recorded anew, so that it is a whole trace. The same trace and plugins give the same result.

mod answer;
mod ddmin;
mod failure;
mod rust_test;
mod search;

use alloc::{boxed::Box, string::String, vec::Vec};
use core::ops::ControlFlow;

use embedded_io::Read;

pub use failure::{Failure, MinimiseError};

use self::search::{Search, size};
use super::{
    error::ReplayError,
    replayer::Replayer,
    steps::{Step, StepError, Steps},
};
use crate::{
    host::player::Answering,
    trace::{Ending, Event},
};

/// A trace that was made small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimised {
    /// Its bytes. It replays exactly with the plugins that fail; for a divergence, with those that
    /// were recorded.
    pub trace: Vec<u8>,
    /// How it fails, as the trace that it was made of does.
    pub failure: Failure,
    /// Calls of the old trace.
    pub calls_before: u64,
    /// Calls that are left.
    pub calls: u64,
    /// How often plugins ran.
    pub tries: u32,
    /// There were not enough tries, or the search was ended: it might be smaller.
    pub exhausted: bool,
    /// The plugins of the small trace by name, and which of the plugins that fail each is: its place in
    /// the order in which they were added to the [`Replayer`].
    pub plugins: Vec<(String, usize)>,
}

/// How a search for a smaller trace goes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress<'t> {
    /// How often plugins ran so far.
    pub tries: u32,
    /// Calls of the smallest whole trace so far.
    pub calls: u64,
    /// Its length in bytes.
    pub bytes: usize,
    /// The trace, if it is a new one. It fails as the old one does: whoever may be ended at any
    /// moment keeps it.
    pub trace: Option<&'t [u8]>,
}

/// Makes failing traces small.
#[derive(Clone, Debug)]
pub struct Minimiser<'p> {
    failing: Replayer<'p>,
    recorded: Option<Replayer<'p>>,
    tries: u32,
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

    /// Makes a trace small that fails: the first divergence of the plugins from what was recorded,
    /// or else the first call that does not end with an output. What is after it goes; calls, rows,
    /// texts and bytes before it go as far as it still fails in the same way.
    ///
    /// # Errors
    /// [`MinimiseError`]. A trace that breaks off is taken up to there.
    pub fn minimise<R: Read<Error: 'static>>(&self, trace: R) -> Result<Minimised, MinimiseError> {
        self.minimise_watched(trace, &mut |_| ControlFlow::Continue(()))
    }

    /// As [`minimise`](Self::minimise). `watch` is asked after every try; with
    /// [`ControlFlow::Break`] the search ends, and the result is the smallest trace so far.
    ///
    /// # Errors
    /// As of [`minimise`](Self::minimise).
    pub fn minimise_watched<R: Read<Error: 'static>>(
        &self,
        trace: R,
        watch: &mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Minimised, MinimiseError> {
        let mut steps = Vec::new();
        let mut reader = Steps::new(trace);
        loop {
            match reader.next() {
                Ok(Some(step)) => steps.push(step),
                Ok(None) => {
                    reader.finish().map_err(ReplayError::from)?;
                    break;
                }
                Err(StepError::BreaksOff(_)) => break,
                Err(StepError::Wrong(error)) => return Err(error.into()),
            }
        }
        let calls = steps.iter().filter(|step| is_call(step)).count() as u64;
        if calls == 0 {
            return Err(ReplayError::NoCalls.into());
        }
        let (failure, last) = self.failure(&steps)?;
        // Nothing after the call that fails matters.
        let mut count = 0;
        let after = steps.iter().position(|step| {
            count += u64::from(is_call(step));
            count == last
        });
        steps.truncate(after.map_or(steps.len(), |at| at + 1));
        let mut search =
            Search { minimiser: self, failure, tries: 0, ended: false, best: None, watch };
        if !search.fails(&steps) && search.best.is_none() {
            return Err(MinimiseError::NotReproducible(search.failure));
        }
        loop {
            search.smallest_answers(&mut steps);
            steps = search.fewer_calls(steps);
            search.smaller_answers(&mut steps);
            let smaller = search.record(&steps)?;
            let bytes = steps.iter().map(size).sum();
            if !search.take(smaller, bytes) {
                break;
            }
            if let Some((best, _)) = &search.best {
                steps = read(&best.trace)?;
            }
        }
        let exhausted = search.ended || search.tries >= self.tries;
        let Some((best, _)) = search.best else {
            return Err(MinimiseError::NotReproducible(search.failure));
        };
        Ok(Minimised {
            plugins: self.plugins(&read(&best.trace)?),
            trace: best.trace,
            failure: search.failure,
            calls_before: calls,
            calls: best.calls,
            tries: search.tries,
            exhausted,
        })
    }

    /// Which of the plugins that fail runs in the place of each plugin of a trace.
    fn plugins(&self, steps: &[Step]) -> Vec<(String, usize)> {
        let mut plugins: Vec<(String, usize)> = Vec::new();
        for step in steps {
            let Step::Between(recorded) = step else { continue };
            let Event::Load(load) = recorded.event() else { continue };
            let place = self.failing.place(load.name, load.module);
            if let Some((place, _)) = place
                && !plugins.iter().any(|(name, _)| name == load.name)
            {
                plugins.push((load.name.into(), place));
            }
        }
        plugins
    }

    /// How the trace fails, and in which call.
    fn failure(&self, steps: &[Step]) -> Result<(Failure, u64), MinimiseError> {
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

const fn is_call(step: &Step) -> bool {
    matches!(step, Step::Call(_))
}

fn read(trace: &[u8]) -> Result<Vec<Step>, ReplayError> {
    let mut steps = Vec::new();
    let mut reader = Steps::new(trace);
    loop {
        match reader.next() {
            Ok(Some(step)) => steps.push(step),
            Ok(None) => return Ok(steps),
            Err(StepError::BreaksOff(error)) => return Err(error.into()),
            Err(StepError::Wrong(error)) => return Err(error),
        }
    }
}
