//! Replays of traces against plugins: what is asked for, and what was found.
//!
//! It reads the trace step by step. What a step does is [`session`](super::session)'s.

use alloc::{string::String, vec::Vec};
use core::fmt;

use embedded_io::Read;

use super::{
    divergence::{Cause, Divergence, Side},
    error::ReplayError,
    json::{Json, hex},
    session::{Ended, Session},
    steps::{Step, StepError, Steps},
};
use crate::{
    host::player::Answering,
    trace::{Recorder, TraceError},
};

/// The fuel of a call under another interpreter than the one that recorded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FuelDifference {
    /// Number of the call, from 1.
    pub call: u64,
    /// Fuel that it took when it was recorded.
    pub recorded: u64,
    /// Fuel that it takes now.
    pub replayed: u64,
}

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay {
    /// Events read.
    pub events: u64,
    /// Calls replayed, with the one that a trace breaks off in.
    pub calls: u64,
    /// What was otherwise, in order; at most as many as were asked for.
    pub divergences: Vec<Divergence>,
    /// Calls whose fuel differs because wasmi or the plugin is another one: no divergence.
    pub fuel: Vec<FuelDifference>,
    /// The version of wasmi that recorded it, if it is another one.
    pub other_wasmi: Option<String>,
    /// Names of the plugins that are not the recorded modules.
    pub changed_plugins: Vec<String>,
    /// Whether values of the trace are redacted: a plugin that decides by one of them does something
    /// else, which is told as [`Cause::Redaction`].
    pub redacted: bool,
    /// Where the trace breaks off, if it does: what is before was replayed.
    pub broken_off: Option<TraceError>,
    /// The same as a report, with the last events that are whole.
    pub truncated: Option<Divergence>,
    /// The last link of the chain of a whole trace.
    pub link: Option<[u8; 32]>,
}

impl Replay {
    /// Whether everything was as it was recorded, to the end.
    pub fn is_exact(&self) -> bool {
        self.divergences.is_empty() && self.broken_off.is_none()
    }

    /// What there is to report: the divergences, and where the trace breaks off.
    pub fn reports(&self) -> impl Iterator<Item = &Divergence> {
        self.divergences.iter().chain(&self.truncated)
    }

    /// The exit code of a program that ends with this: 0, or that of the first report's cause
    /// ([`Cause::exit_code`]).
    pub fn exit_code(&self) -> u8 {
        self.reports().next().map_or(0, |report| report.cause.exit_code())
    }

    /// What was found, for tools: one JSON object with the fields `exact`, `exit_code`, `events`,
    /// `calls`, `divergences` (objects as of [`Divergence::to_json`]), `truncated` (such an object
    /// or `null`), `fuel` (`call`, `recorded`, `replayed`), `other_wasmi`, `changed_plugins`, `redacted`
    /// and `link`.
    pub fn to_json(&self) -> String {
        Json::object(|json| {
            json.plain("exact", self.is_exact());
            json.plain("exit_code", self.exit_code());
            json.plain("events", self.events);
            json.plain("calls", self.calls);
            json.objects("divergences", &self.divergences, |json, divergence| {
                divergence.json(json);
            });
            match &self.truncated {
                Some(divergence) => json.nested("truncated", |json| divergence.json(json)),
                None => json.plain("truncated", "null"),
            }
            json.objects("fuel", &self.fuel, |json, fuel| {
                json.plain("call", fuel.call);
                json.plain("recorded", fuel.recorded);
                json.plain("replayed", fuel.replayed);
            });
            json.optional_text("other_wasmi", self.other_wasmi.as_deref());
            json.texts("changed_plugins", &self.changed_plugins);
            json.plain("redacted", self.redacted);
            json.optional_text("link", self.link.map(|link| hex(&link)).as_deref());
        })
    }
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} calls in {} events", self.calls, self.events)?;
        if let Some(version) = &self.other_wasmi {
            write!(f, ", recorded with wasmi {version}")?;
        }
        if !self.changed_plugins.is_empty() {
            write!(f, ", changed: {}", self.changed_plugins.join(", "))?;
        }
        if !self.fuel.is_empty() {
            write!(f, ", other fuel in {} calls", self.fuel.len())?;
        }
        writeln!(f, ": {}", if self.is_exact() { "as recorded" } else { "not as recorded" })?;
        self.reports().try_for_each(|report| report.fmt(f))
    }
}

/// A plugin that a replayer may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'p> {
    /// The only plugin of the trace that it takes the place of, if it is a changed one.
    pub(super) name: Option<&'p str>,
    pub(super) wasm: &'p [u8],
}

/// Replays traces against plugins.
#[derive(Clone, Debug)]
pub struct Replayer<'p> {
    pub(super) plugins: Vec<Candidate<'p>>,
    pub(super) allow_changed: bool,
    divergences: usize,
}

impl Default for Replayer<'_> {
    fn default() -> Self {
        Self { plugins: Vec::new(), allow_changed: false, divergences: 1 }
    }
}

/// What a replay that may record leaves.
pub(super) struct Run {
    pub(super) replay: Replay,
    /// How every call ended, but for an exact replay.
    pub(super) ends: Vec<Ended>,
    pub(super) recorder: Option<Recorder>,
}

impl<'p> Replayer<'p> {
    /// A replayer without plugins that stops at the first divergence.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a plugin's module.
    #[must_use]
    pub fn with_plugin(mut self, wasm: &'p [u8]) -> Self {
        self.plugins.push(Candidate { name: None, wasm });
        self
    }

    /// Adds the module of the plugin that is called `name` in the trace. Of several changed
    /// plugins each finds its place by it.
    #[must_use]
    pub fn with_named_plugin(mut self, name: &'p str, wasm: &'p [u8]) -> Self {
        self.plugins.push(Candidate { name: Some(name), wasm });
        self
    }

    /// Lets a plugin take the place of one that was recorded with another module: to see what a
    /// change does. Its fuel and memory are then not compared.
    #[must_use]
    pub fn with_changed_plugins(mut self) -> Self {
        self.allow_changed = true;
        self
    }

    /// Goes on after a divergence, with the next call, until there are this many.
    #[must_use]
    pub fn with_divergences(mut self, most: usize) -> Self {
        self.divergences = most.max(1);
        self
    }

    /// Replays a trace.
    ///
    /// # Errors
    /// [`ReplayError`] if there is nothing that could be replayed, or if the trace is not what was
    /// recorded. A trace that breaks off is replayed as far as it goes
    /// ([`Replay::broken_off`]).
    pub fn replay<R: Read>(&self, trace: R) -> Result<Replay, ReplayError> {
        self.run(trace, Answering::Exactly, None).map(|run| run.replay)
    }

    /// Replays a trace and records what happens now, answering as `answering` says.
    pub(super) fn run<R: Read>(
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
                    if session.replay.divergences.len() >= self.divergences {
                        break;
                    }
                }
                Ok(None) => {
                    session.replay.link = Some(steps.finish()?);
                    break;
                }
                Err(StepError::BreaksOff(error)) => {
                    if let Some(cut) = steps.take_cut() {
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
    pub(super) fn run_steps<'s>(
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
    let event = match error {
        TraceError::Torn { event, .. } => *event,
        TraceError::Unfinished { event } => event.saturating_add(1),
        _ => session.replay.events,
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
