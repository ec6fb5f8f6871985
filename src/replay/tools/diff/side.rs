//! One of two traces that are compared: read as far as the other one needs it.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
};

use embedded_io::Read;

use super::{call::same, report::DiffError};
use crate::{
    host::tape::Recorded,
    replay::{
        explain::names::Names,
        run::{
            error::ReplayError,
            read_calls::{Call, Step, StepError, Steps},
        },
    },
    trace::{Event, TraceError},
};

/// How many calls are looked ahead for one that the other trace has now.
const AHEAD: usize = 64;

/// One of the traces.
pub(super) struct TraceSide<R> {
    steps: Steps<R>,
    second: bool,
    pub(super) names: Names,
    /// Events that say what plugins and tables are, by what they say it of.
    pub(super) setup: BTreeMap<String, Recorded>,
    /// What stood there before, for a version that comes back.
    replaced: BTreeMap<String, Recorded>,
    ahead: VecDeque<Step>,
    /// Plugins and entry points that were called so far.
    called: BTreeSet<(String, String)>,
    /// There are no steps but those ahead.
    read: bool,
    pub(super) broken_off: Option<TraceError>,
}

impl<R: Read<Error: 'static>> TraceSide<R> {
    pub(super) fn new(trace: R, second: bool) -> Self {
        Self {
            steps: Steps::new(trace),
            second,
            names: Names::default(),
            setup: BTreeMap::new(),
            replaced: BTreeMap::new(),
            ahead: VecDeque::new(),
            called: BTreeSet::new(),
            read: false,
            broken_off: None,
        }
    }

    /// Reads until there are so many calls ahead.
    pub(super) fn look_ahead(&mut self, calls: usize) -> Result<(), DiffError> {
        let mut there = self.ahead.iter().filter(|step| matches!(step, Step::Call(_))).count();
        while there < calls && !self.read {
            match self.steps.next() {
                Ok(Some(step)) => {
                    there += usize::from(matches!(step, Step::Call(_)));
                    self.ahead.push_back(step);
                }
                Ok(None) => {
                    self.read = true;
                    let finished = self.steps.finish();
                    finished.map_err(|error| self.error(error.into()))?;
                }
                Err(StepError::BreaksOff(error)) => {
                    self.read = true;
                    self.broken_off = Some(error);
                }
                Err(StepError::Wrong(error)) => return Err(self.error(error)),
            }
        }
        Ok(())
    }

    pub(super) fn error(&self, error: ReplayError) -> DiffError {
        DiffError { second: self.second, error }
    }

    /// Takes up what stands before the next call, and the call.
    pub(super) fn next(&mut self) -> Result<Option<Call>, DiffError> {
        self.look_ahead(1)?;
        while let Some(step) = self.ahead.pop_front() {
            match step {
                Step::Call(call) => {
                    if let Event::CallIn(begin) = call.begin.event() {
                        let plugin = self.names.plugin(begin.plugin);
                        self.called.insert((plugin, begin.entry.into()));
                    }
                    return Ok(Some(call));
                }
                Step::Between(recorded) => {
                    let event = recorded.event();
                    self.names.learn(&event);
                    let key = match &event {
                        Event::Header(_) => "header".into(),
                        Event::Load(load) | Event::Replace(load) => {
                            alloc::format!("plugin {}", load.name)
                        }
                        Event::Table(table) => alloc::format!("table {}", table.name),
                        Event::Restore(restore) => {
                            let key =
                                alloc::format!("plugin {}", self.names.plugin(restore.plugin));
                            self.setup.extend(self.replaced.remove_entry(&key));
                            continue;
                        }
                        Event::Checkpoint(_)
                        | Event::Function(_)
                        | Event::Unload(_)
                        | Event::Nested(_)
                        | Event::CallIn(_)
                        | Event::HostCall(_)
                        | Event::Growth(_)
                        | Event::Slice(_)
                        | Event::CallOut(_)
                        | Event::End(_) => continue,
                    };
                    if let Some(before) = self.setup.insert(key.clone(), recorded) {
                        self.replaced.insert(key, before);
                    }
                }
            }
        }
        Ok(None)
    }

    /// That this trace, the first or the second, has no call at all of the entry point that a call of
    /// the other one is of; empty if it has, or is not read to its end.
    pub(super) fn lacks(&self, other: &Call, names: &Names) -> String {
        let Event::CallIn(begin) = other.begin.event() else { return String::new() };
        let plugin = names.plugin(begin.plugin);
        let is_ahead = |step: &Step| match step {
            Step::Call(call) => {
                matches!(call.begin.event(), Event::CallIn(call) if call.entry == begin.entry)
            }
            Step::Between(_) => false,
        };
        let called = self.called.contains(&(plugin.clone(), begin.entry.into()));
        match called || !self.read || self.ahead.iter().any(is_ahead) {
            true => String::new(),
            false => {
                let which = if self.second { "second" } else { "first" };
                alloc::format!("the {which} trace has no call of {plugin}.{} at all", begin.entry)
            }
        }
    }

    /// What makes a call the same as one of the other trace.
    pub(super) fn is(&self, call: &Call, other: &Call, names: &Names) -> bool {
        match (call.begin.event(), other.begin.event()) {
            (Event::CallIn(a), Event::CallIn(b)) => {
                self.names.plugin(a.plugin) == names.plugin(b.plugin)
                    && a.entry == b.entry
                    && same(&a.input, &b.input)
            }
            _ => false,
        }
    }

    /// How far ahead the call `other` of the other trace is.
    pub(super) fn find(&mut self, other: &Call, names: &Names) -> Result<Option<usize>, DiffError> {
        self.look_ahead(AHEAD)?;
        let mut calls = self.ahead.iter().filter_map(|step| match step {
            Step::Call(call) => Some(call),
            Step::Between(_) => None,
        });
        Ok(calls.position(|call| self.is(call, other, names)))
    }
}
