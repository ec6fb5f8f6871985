//! Fewer calls: as few of each entry point as it still fails with, then each alone.

use alloc::{vec, vec::Vec};

use super::{
    ddmin::{Verdict, ddmin_to, shortest},
    search::Search,
};
use crate::{
    audit::PluginId,
    replay::run::read_calls::Step,
    trace::{CallIn, Data, Event},
};

/// More calls than this that are all the same are not left out one by one: how many are needed is known
/// by then, and each would be a try in vain.
const ALIKE: usize = 16;

/// So many entry points are looked at one after the other.
const ENTRIES: usize = 64;

impl Search<'_, '_> {
    /// Leaves out calls, checkpoints and what was unloaded; then plugins and tables that nobody
    /// uses any more.
    pub(super) fn fewer_calls(&mut self, steps: Vec<Step>) -> Vec<Step> {
        let optional = optional(&steps);
        if optional.is_empty() {
            return steps;
        }
        let steps = match self.fails_without(&steps, &optional) {
            Some(true) => without(&steps, &optional),
            Some(false) => {
                let steps = self.fewer_of_each_entry(steps);
                self.fewer_steps(steps)
            }
            None => return steps,
        };
        let fewer: Vec<Step> = steps.iter().filter(|step| used(step, &steps)).cloned().collect();
        if fewer.len() < steps.len() && self.fails(&fewer) == Some(true) { fewer } else { steps }
    }

    /// Keeps as few calls of each entry point as it still fails with, the last ones: a plugin that counts
    /// its calls needs many of one, and none of the others.
    fn fewer_of_each_entry(&mut self, mut steps: Vec<Step>) -> Vec<Step> {
        let mut done = Vec::new();
        while let Some(places) = next_entry(&steps, &mut done) {
            let gone = |kept: usize| places.get(..places.len().saturating_sub(kept));
            let kept = shortest(places.len(), |kept| {
                self.fails_without(&steps, gone(kept).unwrap_or_default())
            });
            if let Some(kept) = kept {
                steps = without(&steps, gone(kept).unwrap_or_default());
            }
            if self.is_over() {
                break;
            }
        }
        steps
    }

    /// Leaves out steps one by one, after halves and quarters of them.
    fn fewer_steps(&mut self, steps: Vec<Step>) -> Vec<Step> {
        let alike = alike(&steps);
        let optional: Vec<usize> =
            optional(&steps).into_iter().filter(|at| alike.get(*at) != Some(&true)).collect();
        let gone = |kept: &[usize]| -> Vec<usize> {
            let mut kept = kept.iter().peekable();
            optional
                .iter()
                .copied()
                .filter(|at| kept.next_if(|kept| *kept == at).is_none())
                .collect()
        };
        let kept =
            ddmin_to(optional.clone(), usize::MAX, |kept| self.fails_without(&steps, &gone(kept)));
        without(&steps, &gone(&kept))
    }

    /// Whether it fails without the steps at these places, which rise.
    fn fails_without(&mut self, steps: &[Step], gone: &[usize]) -> Verdict {
        self.fails(kept(steps, gone))
    }
}

/// The steps but for those at these places, which rise.
fn kept<'s>(steps: &'s [Step], gone: &[usize]) -> impl Iterator<Item = &'s Step> {
    let mut gone = gone.iter().copied().peekable();
    steps
        .iter()
        .enumerate()
        .filter(move |(at, _)| gone.next_if_eq(at).is_none())
        .map(|(_, step)| step)
}

fn without(steps: &[Step], gone: &[usize]) -> Vec<Step> {
    kept(steps, gone).cloned().collect()
}

/// The places of the steps that may go: the last one is the call that fails.
fn optional(steps: &[Step]) -> Vec<usize> {
    let mut checkpoints = 0;
    let mut may_go = |step: &Step| match step {
        Step::Call(_) => true,
        Step::Between(recorded) => match recorded.event() {
            Event::Checkpoint(_) => {
                checkpoints += 1;
                checkpoints > 1
            }
            Event::Unload(_) => true,
            Event::Header(_)
            | Event::Function(_)
            | Event::Table(_)
            | Event::Load(_)
            | Event::Replace(_)
            | Event::Restore(_)
            | Event::Nested(_)
            | Event::CallIn(_)
            | Event::HostCall(_)
            | Event::Growth(_)
            | Event::Slice(_)
            | Event::CallOut(_)
            | Event::End(_) => false,
        },
    };
    let last = steps.len().saturating_sub(1);
    steps
        .iter()
        .enumerate()
        .filter(|(at, step)| may_go(step) && *at != last)
        .map(|(at, _)| at)
        .collect()
}

/// How a call begins.
fn begin(step: &Step) -> Option<CallIn<'_>> {
    let Step::Call(call) = step else { return None };
    if let Event::CallIn(begin) = call.begin.event() { Some(begin) } else { None }
}

/// The places of the calls of the next entry point that is not done, but for the last step.
fn next_entry(steps: &[Step], done: &mut Vec<(PluginId, Vec<u8>)>) -> Option<Vec<usize>> {
    if done.len() >= ENTRIES {
        return None;
    }
    let before_last = steps.split_last().map_or(&[][..], |(_, before)| before);
    let is = |begin: &CallIn<'_>, entry: &(PluginId, Vec<u8>)| {
        begin.plugin == entry.0 && begin.entry.as_bytes() == entry.1
    };
    let new = before_last
        .iter()
        .filter_map(begin)
        .find(|begin| !done.iter().any(|done| is(begin, done)))?;
    let entry = (new.plugin, Vec::from(new.entry));
    let places = before_last
        .iter()
        .enumerate()
        .filter(|(_, step)| begin(step).is_some_and(|begin| is(&begin, &entry)))
        .map(|(at, _)| at)
        .collect();
    done.push(entry);
    Some(places)
}

/// Which steps are calls of an entry point with many, all with the same input.
fn alike(steps: &[Step]) -> Vec<bool> {
    let mut alike = vec![false; steps.len()];
    let mut done = Vec::new();
    while let Some(places) = next_entry(steps, &mut done) {
        let mut inputs =
            places.iter().map(|&at| steps.get(at).and_then(begin).map(|begin| begin.input));
        let first: Option<Option<Data<'_>>> = inputs.next();
        if places.len() > ALIKE && inputs.all(|input| Some(input) == first) {
            for at in places {
                if let Some(alike) = alike.get_mut(at) {
                    *alike = true;
                }
            }
        }
    }
    alike
}

/// Whether a plugin or a table is used by one of the calls; everything else is.
fn used(step: &Step, steps: &[Step]) -> bool {
    let Step::Between(recorded) = step else { return true };
    let calls = steps.iter().filter_map(|step| match step {
        Step::Call(call) => Some(call),
        Step::Between(_) => None,
    });
    let is_called =
        |plugin| steps.iter().filter_map(begin).any(|begin: CallIn<'_>| begin.plugin == plugin);
    match recorded.event() {
        Event::Load(load) | Event::Replace(load) => is_called(load.plugin),
        Event::Restore(restore) => is_called(restore.plugin),
        Event::Table(table) => calls.flat_map(|call| &call.events).any(|event| {
            let table = Some(table.name);
            matches!(event.event(), Event::HostCall(call) if call.table == table)
        }),
        Event::Header(_)
        | Event::Checkpoint(_)
        | Event::Function(_)
        | Event::Unload(_)
        | Event::Nested(_)
        | Event::CallIn(_)
        | Event::HostCall(_)
        | Event::Growth(_)
        | Event::Slice(_)
        | Event::CallOut(_)
        | Event::End(_) => true,
    }
}
