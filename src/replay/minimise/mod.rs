//! A failing trace made small: fewer calls, fewer rows, shorter answers, as long as it fails in the
//! same way.
//!
//! Every try runs the plugins again; answers go to whoever asks the same function next. What is left
//! is recorded anew, so that it is a whole trace. The same trace and plugins give the same result.

mod answer;
mod ddmin;
mod failure;
mod rust_test;

use alloc::{boxed::Box, collections::BTreeSet, vec::Vec};
use embedded_io::Read;

pub use failure::{Failure, MinimiseError};

use self::{
    answer::Answer,
    ddmin::{ddmin, shortest},
};
use super::{
    bless::Blessed,
    error::ReplayError,
    run::Replayer,
    steps::{Step, StepError, Steps},
};
use crate::{
    host::player::{Answering, Recorded},
    trace::{Ending, Event, Recorder},
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
    /// There were not enough tries: it might be smaller.
    pub exhausted: bool,
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
    pub fn minimise<R: Read>(&self, trace: R) -> Result<Minimised, MinimiseError> {
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
        let mut search = Search { minimiser: self, failure, tries: 0 };
        if !search.fails(&steps) {
            return Err(MinimiseError::NotReproducible(search.failure));
        }
        let mut best = search.record(&steps)?;
        loop {
            steps = search.fewer_calls(steps);
            search.smaller_answers(&mut steps);
            let smaller = search.record(&steps)?;
            if smaller.trace.len() >= best.trace.len() {
                break;
            }
            steps = read(&smaller.trace)?;
            best = smaller;
        }
        let exhausted = search.tries >= self.tries;
        Ok(Minimised {
            trace: best.trace,
            failure: search.failure,
            calls_before: calls,
            calls: best.calls,
            tries: search.tries,
            exhausted,
        })
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

/// A search for the smallest trace that fails.
struct Search<'m, 'p> {
    minimiser: &'m Minimiser<'p>,
    failure: Failure,
    tries: u32,
}

impl Search<'_, '_> {
    /// Whether the last of these calls fails as it is to.
    fn fails<'s>(&mut self, steps: impl IntoIterator<Item = &'s Step>) -> bool {
        if self.tries >= self.minimiser.tries {
            return false;
        }
        self.tries += 1;
        let Minimiser { failing, recorded, .. } = self.minimiser;
        match (&self.failure, recorded) {
            (Failure::Divergence { .. }, Some(recorded)) => {
                let recorder = Some(Recorder::growing());
                let run = recorded.run_steps(steps, Answering::SameFunction, recorder);
                let Ok(new) = run.and_then(|run| recorded.blessed(run)) else { return false };
                let Ok(replay) = failing.replay(new.trace.as_slice()) else { return false };
                replay.divergences.first().is_some_and(|divergence| {
                    divergence.call == new.calls
                        && Failure::of_divergence(divergence) == self.failure
                })
            }
            _ => {
                let run = failing.run_steps(steps, Answering::SameFunction, None);
                let Ok(run) = run else { return false };
                run.ends.last().is_some_and(|ended| Failure::of_call(ended) == self.failure)
            }
        }
    }

    /// The steps as a whole trace of what happens in them.
    fn record(&self, steps: &[Step]) -> Result<Blessed, ReplayError> {
        let Minimiser { failing, recorded, .. } = self.minimiser;
        let replayer = match (&self.failure, recorded) {
            (Failure::Divergence { .. }, Some(recorded)) => recorded,
            _ => failing,
        };
        let recorder = Some(Recorder::growing());
        replayer.blessed(replayer.run_steps(steps, Answering::SameFunction, recorder)?)
    }

    /// Leaves out calls, checkpoints and what was unloaded; then plugins and tables that nobody
    /// uses any more.
    fn fewer_calls(&mut self, steps: Vec<Step>) -> Vec<Step> {
        let last = steps.len().saturating_sub(1);
        let mut checkpoints = 0;
        let mut may_go = |step: &Step| match step {
            Step::Call(_) => true,
            Step::Between(recorded) => match recorded.event() {
                Event::Checkpoint(_) => {
                    checkpoints += 1;
                    checkpoints > 1
                }
                event => matches!(event, Event::Unload(_)),
            },
        };
        let optional: Vec<usize> = steps
            .iter()
            .enumerate()
            .filter(|(at, step)| may_go(step) && *at != last)
            .map(|(at, _)| at)
            .collect();
        let all: BTreeSet<usize> = optional.iter().copied().collect();
        let kept_steps = |kept: &[usize]| -> Vec<usize> {
            (0..steps.len()).filter(|at| !all.contains(at) || kept.contains(at)).collect()
        };
        let kept = ddmin(optional, |kept| {
            let places = kept_steps(kept);
            self.fails(places.iter().filter_map(|&at| steps.get(at)))
        });
        let places = kept_steps(&kept);
        let steps: Vec<Step> = places.iter().filter_map(|&at| steps.get(at).cloned()).collect();
        let fewer: Vec<Step> = steps.iter().filter(|step| used(step, &steps)).cloned().collect();
        if fewer.len() < steps.len() && self.fails(&fewer) { fewer } else { steps }
    }

    /// Makes the answers of all host calls smaller, the last call's first.
    fn smaller_answers(&mut self, steps: &mut [Step]) {
        for at in (0..steps.len()).rev() {
            let events = match steps.get(at) {
                Some(Step::Call(call)) => call.events.len(),
                _ => 0,
            };
            for event in 0..events {
                self.smaller_answer(steps, at, event);
            }
        }
    }

    fn smaller_answer(&mut self, steps: &mut [Step], at: usize, event: usize) {
        let place = |steps: &[Step]| match steps.get(at) {
            Some(Step::Call(call)) => call.events.get(event).cloned(),
            _ => None,
        };
        let Some(recorded) = place(steps) else { return };
        let Event::HostCall(call) = recorded.event() else { return };
        let Some(mut answer) = Answer::of(&call) else { return };
        let mut fails = |answer: &Answer<'_>| {
            let Some(new) = answer.put_into(&recorded) else { return false };
            let old = put(steps, at, event, new);
            let fails = self.fails(&*steps);
            if !fails && let Some(old) = old {
                put(steps, at, event, old);
            }
            fails
        };
        let rows: Vec<usize> = (0..answer.rows()).collect();
        let mut best = answer.clone();
        ddmin(rows, |keep| {
            let fewer = answer.with_rows(keep);
            let failed = fails(&fewer);
            if failed {
                best = fewer;
            }
            failed
        });
        answer = best;
        if let Some(last) = answer.without_next()
            && fails(&last)
        {
            answer = last;
        }
        for (place, len) in answer.lengths().into_iter().enumerate() {
            if let Some(shorter) = shortest(len, |len| fails(&answer.shortened(place, len))) {
                answer = answer.shortened(place, shorter);
            }
        }
    }
}

/// Puts an event into a call. The one that was there.
fn put(steps: &mut [Step], at: usize, event: usize, new: Recorded) -> Option<Recorded> {
    let Some(Step::Call(call)) = steps.get_mut(at) else { return None };
    let place = call.events.get_mut(event)?;
    Some(core::mem::replace(place, new))
}

const fn is_call(step: &Step) -> bool {
    matches!(step, Step::Call(_))
}

/// Whether a plugin or a table is used by one of the calls; everything else is.
fn used(step: &Step, steps: &[Step]) -> bool {
    let Step::Between(recorded) = step else { return true };
    let mut calls = steps.iter().filter_map(|step| match step {
        Step::Call(call) => Some(call),
        Step::Between(_) => None,
    });
    match recorded.event() {
        Event::Load(load) => calls.any(
            |call| matches!(call.begin.event(), Event::CallIn(begin) if begin.plugin == load.plugin),
        ),
        Event::Table(table) => calls.flat_map(|call| &call.events).any(
            |event| matches!(event.event(), Event::HostCall(call) if call.table == Some(table.name)),
        ),
        _ => true,
    }
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
