//! The search for the smallest failing trace, step by step.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use embedded_io::Read;

use super::{
    failure::MinimiseError,
    result::{Minimised, Progress},
    search::{Search, size},
    settings::Minimiser,
};
use crate::replay::run::{
    error::ReplayError,
    read_calls::{Step, StepError, Steps},
};

impl Minimiser<'_> {
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
        let mut steps = whole_steps(trace)?;
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
        if search.fails(&steps) != Some(true) && search.best.is_none() {
            return Err(MinimiseError::NotReproducible(search.failure));
        }
        loop {
            search.smallest_answers(&mut steps);
            steps = search.fewer_calls(steps);
            search.smaller_answers(&mut steps);
            let smaller = search.record(&steps)?;
            let bytes = steps.iter().map(size).sum();
            if !search.take(smaller, bytes) || search.is_over() {
                break;
            }
            if let Some((best, _)) = &search.best {
                steps = read(&best.trace)?;
            }
        }
        let exhausted = search.is_over();
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
}

const fn is_call(step: &Step) -> bool {
    matches!(step, Step::Call(_))
}

/// The steps of a trace up to where it breaks off.
fn whole_steps<R: Read<Error: 'static>>(trace: R) -> Result<Vec<Step>, ReplayError> {
    let mut steps = Vec::new();
    let mut reader = Steps::new(trace);
    loop {
        match reader.next() {
            Ok(Some(step)) => steps.push(step),
            Ok(None) => {
                reader.finish()?;
                return Ok(steps);
            }
            Err(StepError::BreaksOff(_)) => return Ok(steps),
            Err(StepError::Wrong(error)) => return Err(error),
        }
    }
}

/// The steps of a trace that was recorded by a search, which is whole.
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
