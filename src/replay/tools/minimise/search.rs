//! The search for the smallest trace that fails: what is tried, in which order, and what is kept when
//! it is ended early. Plugins run in the replay, which says how they fail.

use alloc::{collections::BTreeSet, vec::Vec};
use core::ops::ControlFlow;

use super::{
    answer::Answer,
    ddmin::{Verdict, ddmin, ddmin_to, shortest},
    failure::Failure,
    result::Progress,
    settings::Minimiser,
};
use crate::{
    host::tape::{Answering, Recorded},
    replay::{
        run::{error::ReplayError, read_calls::Step},
        tools::bless::Blessed,
    },
    trace::{Event, Recorder},
};

/// With so many answers, parts of them are made small before calls are left out.
const MANY: usize = 64;

/// Into how many parts they are taken apart then.
const PARTS: usize = 16;

/// A search for the smallest trace that fails.
pub(super) struct Search<'m, 'p> {
    pub(super) minimiser: &'m Minimiser<'p>,
    pub(super) failure: Failure,
    pub(super) tries: u32,
    /// Whoever watches it ended it.
    pub(super) ended: bool,
    /// The smallest whole trace so far, and what it was recorded from: bytes of its steps.
    pub(super) best: Option<(Blessed, usize)>,
    pub(super) watch: &'m mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>,
}

impl Search<'_, '_> {
    /// Whether it was ended, or there are no tries left.
    pub(super) const fn is_over(&self) -> bool {
        self.ended || self.tries >= self.minimiser.tries
    }

    /// Whether the last of these calls fails as it is to.
    pub(super) fn fails<'s>(&mut self, steps: impl IntoIterator<Item = &'s Step>) -> Verdict {
        if self.is_over() {
            return None;
        }
        self.tries += 1;
        let steps: Vec<&Step> = steps.into_iter().collect();
        let fails = self.still_fails(&steps);
        if fails {
            self.keep(&steps);
        }
        self.tell(None);
        Some(fails)
    }

    /// Records steps that fail, if that is much smaller than what was recorded before: whoever ends
    /// the search has a trace then.
    fn keep(&mut self, steps: &[&Step]) {
        let size = steps.iter().map(|step| size(step)).sum::<usize>();
        let much = |before: usize| size < before - before / 4;
        if self.best.as_ref().is_none_or(|(_, before)| much(*before))
            && let Ok(new) = self.record(steps.iter().copied())
        {
            self.take(new, size);
        }
    }

    /// Takes a whole trace as the best one, if it is smaller. Whether it is.
    pub(super) fn take(&mut self, new: Blessed, size: usize) -> bool {
        let smaller = |(best, _): &(Blessed, usize)| new.trace.len() < best.trace.len();
        if !self.best.as_ref().is_none_or(smaller) {
            return false;
        }
        self.best = Some((new, size));
        if let Some((best, size)) = self.best.take() {
            self.tell(Some(&best));
            self.best = Some((best, size));
        }
        true
    }

    fn tell(&mut self, new: Option<&Blessed>) {
        let tries = self.tries;
        let best = new.or(self.best.as_ref().map(|(best, _)| best));
        let (calls, bytes) = best.map_or((0, 0), |best| (best.calls, best.trace.len()));
        let trace = new.map(|new| new.trace.as_slice());
        self.ended |= (self.watch)(&Progress { tries, calls, bytes, trace }).is_break();
    }

    fn still_fails(&self, steps: &[&Step]) -> bool {
        let steps = steps.iter().copied();
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
    pub(super) fn record<'s>(
        &self,
        steps: impl IntoIterator<Item = &'s Step>,
    ) -> Result<Blessed, ReplayError> {
        let Minimiser { failing, recorded, .. } = self.minimiser;
        let replayer = match (&self.failure, recorded) {
            (Failure::Divergence { .. }, Some(recorded)) => recorded,
            _ => failing,
        };
        let recorder = Some(Recorder::growing());
        replayer.blessed(replayer.run_steps(steps, Answering::SameFunction, recorder)?)
    }

    /// Makes the answers of many host calls as small as they can be, at once.
    pub(super) fn smallest_answers(&mut self, steps: &mut [Step]) {
        for level in 0..3 {
            let mut small = Vec::new();
            for (at, step) in steps.iter().enumerate() {
                let Step::Call(call) = step else { continue };
                for (event, recorded) in call.events.iter().enumerate() {
                    let Event::HostCall(host_call) = recorded.event() else { continue };
                    let answer = Answer::of(&host_call).map(|answer| answer.at_level(level));
                    let answer = answer.and_then(|answer| answer.put_into(recorded));
                    if let Some(new) = answer.filter(|new| new != recorded) {
                        small.push((at, event, new));
                    }
                }
            }
            self.small(steps, &small);
        }
    }

    /// Puts as many of these answers in as it still fails with.
    fn small(&mut self, steps: &mut [Step], small: &[(usize, usize, Recorded)]) {
        let places: Vec<usize> = (0..small.len()).collect();
        let parts = if places.len() > MANY { PARTS } else { 1 };
        let last = small.last().map_or(0, |(at, ..)| *at);
        let mut fails = |large: &[usize]| {
            let mut puts = Vec::new();
            let large: BTreeSet<usize> = large.iter().copied().collect();
            for (number, (at, event, new)) in small.iter().enumerate() {
                if !large.contains(&number) {
                    puts.push((*at, *event, put(steps, *at, *event, new.clone())));
                }
            }
            if puts.is_empty() {
                return Some(false);
            }
            let fails = self.fails(&*steps);
            if fails != Some(true) {
                for (at, event, old) in puts {
                    old.map(|old| put(steps, at, event, old));
                }
            }
            fails
        };
        // Often the call that fails needs its answers, and none before it does.
        let of_last = |number: &usize| small.get(*number).is_some_and(|(at, ..)| *at == last);
        let needed: Vec<usize> = places.iter().copied().filter(of_last).collect();
        let mut none_with = |large: &[usize]| fails(large) == Some(false);
        if !places.is_empty() && none_with(&[]) && none_with(&needed) && parts > 1 {
            ddmin_to(places, parts, fails);
        }
    }

    /// Makes the answers of all host calls smaller, the last call's first.
    pub(super) fn smaller_answers(&mut self, steps: &mut [Step]) {
        for at in (0..steps.len()).rev() {
            if self.is_over() {
                return;
            }
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
            let Some(new) = answer.put_into(&recorded) else { return Some(false) };
            let old = put(steps, at, event, new);
            let fails = self.fails(&*steps);
            if fails != Some(true)
                && let Some(old) = old
            {
                put(steps, at, event, old);
            }
            fails
        };
        let rows: Vec<usize> = (0..answer.rows()).collect();
        let mut best = answer.clone();
        ddmin(rows, |keep| {
            let fewer = answer.with_rows(keep);
            let failed = fails(&fewer);
            if failed == Some(true) {
                best = fewer;
            }
            failed
        });
        answer = best;
        if let Some(last) = answer.without_next()
            && fails(&last) == Some(true)
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

/// About how many bytes a step takes in a trace.
pub(super) fn size(step: &Step) -> usize {
    match step {
        Step::Between(recorded) => recorded.len(),
        Step::Call(call) => {
            let inside = call.events.iter().map(Recorded::len).sum::<usize>();
            inside + call.begin.len() + call.end.len()
        }
    }
}
