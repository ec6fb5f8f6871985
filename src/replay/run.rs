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
    trace::{Recorder, TraceError, chain},
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

/// A call that was compared only up to where a limit ended it when it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Number of the call, from 1.
    pub call: u64,
    /// Name of the plugin.
    pub plugin: String,
    /// Its entry point.
    pub entry: String,
    /// What could not be compared, and why.
    pub reason: String,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, plugin, entry, reason } = self;
        write!(f, "call {call} ({plugin}.{entry}): {reason}")
    }
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
    /// Calls that fuel, a deadline or the slice hook ended when they were recorded, and that go on
    /// after it, or end before it, under another plugin or wasmi: their host calls were compared up
    /// to there, and what comes after them was not.
    pub passed_over: Vec<PassedOver>,
    /// Outputs, and texts of failures, that are redacted in the trace and were not compared.
    pub redacted_outputs: u64,
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
    /// Whether everything was compared and as it was recorded, to the end. Redacted outputs are
    /// counted apart ([`redacted_outputs`](Self::redacted_outputs)).
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.agrees() && self.passed_over.is_empty()
    }

    /// Whether everything that could be compared was as it was recorded, to the end.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.divergences.is_empty() && self.broken_off.is_none()
    }

    /// What there is to report: the divergences, and where the trace breaks off.
    pub fn reports(&self) -> impl Iterator<Item = &Divergence> {
        self.divergences.iter().chain(&self.truncated)
    }

    /// The exit code of a program that ends with this: 0, or that of the first report's cause
    /// ([`Cause::exit_code`]).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.reports().next().map_or(0, |report| report.cause.exit_code())
    }

    /// What was found, for tools: one JSON object with the fields `exact`, `exit_code`, `events`,
    /// `calls`, `divergences` (objects as of [`Divergence::to_json`]), `truncated` (such an object
    /// or `null`), `fuel` (`call`, `recorded`, `replayed`), `passed_over` (`call`, `plugin`, `entry`,
    /// `reason`), `other_wasmi`, `changed_plugins`, `redacted`, `redacted_outputs` and `link`.
    #[must_use]
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
            json.objects("passed_over", &self.passed_over, |json, passed| {
                json.plain("call", passed.call);
                json.text("plugin", &passed.plugin);
                json.text("entry", &passed.entry);
                json.text("reason", &passed.reason);
            });
            json.optional_text("other_wasmi", self.other_wasmi.as_deref());
            json.texts("changed_plugins", &self.changed_plugins);
            json.plain("redacted", self.redacted);
            json.plain("redacted_outputs", self.redacted_outputs);
            json.optional_text("link", self.link.map(|link| hex(&link)).as_deref());
        })
    }
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = if self.calls == 1 { "call" } else { "calls" };
        write!(f, "{} {calls} in {} events", self.calls, self.events)?;
        if let Some(version) = &self.other_wasmi {
            write!(f, ", recorded with wasmi {version}")?;
        }
        if !self.changed_plugins.is_empty() {
            write!(f, ", changed: {}", self.changed_plugins.join(", "))?;
        }
        if !self.fuel.is_empty() {
            write!(f, ", other fuel in {} calls", self.fuel.len())?;
        }
        if self.redacted_outputs > 0 {
            write!(f, ", {} outputs redacted and not compared", self.redacted_outputs)?;
        }
        let outcome = match (self.agrees(), self.passed_over.is_empty()) {
            (true, true) => "as recorded",
            (true, false) => "as recorded, as far as it could be compared",
            (false, _) => "not as recorded",
        };
        writeln!(f, ": {outcome}")?;
        for (at, passed) in self.passed_over.iter().enumerate() {
            if at == 0 {
                let count = self.passed_over.len();
                write!(f, "{count} {} passed over: ", if count == 1 { "call" } else { "calls" })?;
            } else {
                write!(f, "                     ")?;
            }
            writeln!(f, "{passed}")?;
        }
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
///
/// ```
/// use sochdb_wasmi::replay::Replayer;
///
/// let trace = include_bytes!("../../tests/traces/queries.trace");
/// let plugin = include_bytes!("../../examples/plugins/weather.wasm");
/// let replay = Replayer::new().with_plugin(plugin).with_changed_plugins().replay(&trace[..])?;
/// println!("{replay}");
/// # Ok::<(), sochdb_wasmi::replay::ReplayError>(())
/// ```
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
    #[must_use]
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

    /// Which of the plugins runs in the place of a recorded one, and whether it is another module: the
    /// one that was given this name, if changed ones are allowed; else the recorded module; else the
    /// first that has no name.
    pub(super) fn place(&self, name: &str, module: &[u8]) -> Option<(usize, bool)> {
        let find = |is: &dyn Fn(&Candidate<'_>) -> bool| self.plugins.iter().position(is);
        let is_recorded = |plugin: &Candidate<'_>| chain::module_hash(plugin.wasm) == module;
        let changed = |at: usize| (at, !self.plugins.get(at).is_some_and(is_recorded));
        let named = find(&|plugin| plugin.name == Some(name)).filter(|_| self.allow_changed);
        let unnamed = || find(&|plugin| plugin.name.is_none()).filter(|_| self.allow_changed);
        named.or_else(|| find(&is_recorded)).or_else(unnamed).map(changed)
    }

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
    pub(super) fn run<R: Read<Error: 'static>>(
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
