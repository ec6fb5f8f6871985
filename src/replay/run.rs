//! Runs the calls of a trace again, one after another, and compares.

use alloc::{
    boxed::Box,
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Write as _;

use embedded_io::Read;

use super::{
    calls::{Call, Step, StepError, Steps},
    divergence::{Cause, Divergence, Side},
    error::ReplayError,
    explain::{Compared, Difference, difference, end_difference},
    line::Line,
    names::Names,
};
use crate::{
    abi::ABI_VERSION,
    audit::PluginId,
    capability::Capabilities,
    database::{Database, MemoryLimits},
    host::{
        CallError, Host, HostConfig, NoClock, OnDenied, PluginConfig,
        player::{Answering, Got, Mismatch, Player, Recorded},
        recording::ending,
    },
    limits::Limits,
    trace::{
        CallIn, CallOut, Data, Ending, Event, Header, Load, Mode, Recorder, TraceError,
        WASMI_VERSION, chain,
    },
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
    /// Calls replayed.
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
    /// The last link of the chain of a whole trace.
    pub link: Option<[u8; 32]>,
}

impl Replay {
    /// Whether everything was as it was recorded, to the end.
    pub fn is_exact(&self) -> bool {
        self.divergences.is_empty() && self.broken_off.is_none()
    }
}

/// Replays traces against plugins.
#[derive(Clone, Debug)]
pub struct Replayer<'p> {
    plugins: Vec<&'p [u8]>,
    allow_changed: bool,
    divergences: usize,
}

impl Default for Replayer<'_> {
    fn default() -> Self {
        Self { plugins: Vec::new(), allow_changed: false, divergences: 1 }
    }
}

impl<'p> Replayer<'p> {
    /// A replayer without plugins that stops at the first divergence.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a plugin's module.
    #[must_use]
    pub fn with_plugin(mut self, wasm: &'p [u8]) -> Self {
        self.plugins.push(wasm);
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
        self.run(trace, Answering::Exactly, None).map(|(replay, _)| replay)
    }

    /// Replays a trace and records what happens now, answering as `answering` says.
    pub(super) fn run<R: Read>(
        &self,
        trace: R,
        answering: Answering,
        recorder: Option<Recorder>,
    ) -> Result<(Replay, Option<Recorder>), ReplayError> {
        let mut steps = Steps::new(trace);
        let mut session = Session::new(self, answering);
        if let Some(recorder) = recorder {
            session.host.record(recorder);
        }
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
                    session.replay.broken_off = Some(error);
                    break;
                }
                Err(StepError::Wrong(error)) => return Err(error),
            }
        }
        let recorder = session.host.stop_recording();
        match session.replay {
            Replay { calls: 0, broken_off: None, .. } => Err(ReplayError::NoCalls),
            replay => Ok((replay, recorder)),
        }
    }
}

/// A plugin of the trace.
struct Loaded {
    id: PluginId,
    limits: Limits,
    changed: bool,
}

struct Session<'r, 'p> {
    replayer: &'r Replayer<'p>,
    host: Host,
    /// By the number that the trace gives it.
    plugins: BTreeMap<PluginId, Loaded>,
    names: Names,
    same_wasmi: bool,
    replay: Replay,
}

impl<'r, 'p> Session<'r, 'p> {
    fn new(replayer: &'r Replayer<'p>, answering: Answering) -> Self {
        let config = HostConfig {
            audit_entries: 0,
            metric_series: 0,
            plugins: usize::from(u16::MAX),
            log_bytes: 0,
        };
        let database = Database::in_memory(MemoryLimits::default());
        let mut host = Host::new(config, database, NoClock);
        host.play(Player::new(answering, answering == Answering::Exactly));
        Self {
            replayer,
            host,
            plugins: BTreeMap::new(),
            names: Names::default(),
            same_wasmi: true,
            replay: Replay::default(),
        }
    }

    fn step(&mut self, step: Step) -> Result<(), ReplayError> {
        match step {
            Step::Call(call) => {
                self.replay.events += 2 + call.events.len() as u64;
                self.replay.calls += 1;
                self.names.learn(&call.begin.event());
                self.call(call)
            }
            Step::Between(recorded) => {
                self.replay.events += 1;
                self.names.learn(&recorded.event());
                self.between(&recorded)?;
                self.remember(recorded);
                Ok(())
            }
        }
    }

    fn remember(&mut self, recorded: Recorded) {
        if let Some(player) = self.host.player_mut() {
            player.remember(recorded);
        }
    }

    fn between(&mut self, recorded: &Recorded) -> Result<(), ReplayError> {
        match recorded.event() {
            Event::Header(header) => self.header(&header),
            Event::Checkpoint(_) => {
                for plugin in core::mem::take(&mut self.plugins).into_values() {
                    self.host.unload(plugin.id);
                }
                self.host.checkpoint();
                Ok(())
            }
            Event::Function(function) => {
                if self.host.registry().find(function.module, function.name).is_some() {
                    return Ok(());
                }
                self.host
                    .register_recorded(function.module, function.name)
                    .map(|_| ())
                    .map_err(ReplayError::Function)
            }
            Event::Load(load) => self.load(recorded.number, &load),
            Event::Unload(unload) => {
                if let Some(plugin) = self.plugins.remove(&unload.plugin) {
                    self.host.unload(plugin.id);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn header(&mut self, header: &Header<'_>) -> Result<(), ReplayError> {
        if header.abi_version != ABI_VERSION {
            return Err(ReplayError::AbiVersion { found: header.abi_version });
        }
        if header.mode != Mode::Full {
            return Err(ReplayError::NoAnswers);
        }
        if header.redaction.is_some() {
            self.replay.redacted = true;
            if let Some(player) = self.host.player_mut() {
                player.redacted = true;
            }
        }
        if header.wasmi != WASMI_VERSION {
            self.same_wasmi = false;
            self.replay.other_wasmi = Some(header.wasmi.into());
        }
        Ok(())
    }

    fn load(&mut self, number: u64, load: &Load<'_>) -> Result<(), ReplayError> {
        let name = load.name;
        if self.plugins.contains_key(&load.plugin) {
            return Err(ReplayError::Misplaced { event: number, what: "load" });
        }
        let same = |wasm: &&&[u8]| chain::module_hash(wasm) == load.module;
        let (wasm, changed) = match self.replayer.plugins.iter().find(same) {
            Some(wasm) => (*wasm, false),
            None => match self.replayer.plugins.first() {
                Some(wasm) if self.replayer.allow_changed => (*wasm, true),
                _ => {
                    let mut expected = String::new();
                    for byte in load.module {
                        // Writing to a string does not fail.
                        let _ = write!(expected, "{byte:02x}");
                    }
                    return Err(ReplayError::WrongModule { plugin: name.into(), expected });
                }
            },
        };
        let mut limits = load.limits;
        if !self.same_wasmi {
            // Another interpreter counts otherwise: what ended for lack of fuel is not replayed,
            // and what did not gets more than it may need.
            limits.fuel_per_call = limits.fuel_per_call.saturating_mul(16);
        }
        if changed {
            limits.module_bytes = u32::MAX;
        }
        let on_denied = if load.trap_on_denied { OnDenied::Trap } else { OnDenied::Status };
        let config = PluginConfig::new(Capabilities::default())
            .with_limits(limits)
            .with_on_denied(on_denied);
        let id = self
            .host
            .load(name, wasm, &config)
            .map_err(|error| ReplayError::Load { plugin: name.into(), error: Box::new(error) })?;
        if changed && !self.replay.changed_plugins.iter().any(|known| known == name) {
            self.replay.changed_plugins.push(name.into());
        }
        self.plugins.insert(load.plugin, Loaded { id, limits: load.limits, changed });
        Ok(())
    }

    fn call(&mut self, call: Call) -> Result<(), ReplayError> {
        let (Event::CallIn(begin), Event::CallOut(end)) = (call.begin.event(), call.end.event())
        else {
            return Err(ReplayError::Misplaced { event: call.begin.number, what: "call" });
        };
        let input = match (begin.input, end.output) {
            (Data::Full(input), Data::Full(_)) => input,
            // Outputs that are redacted are not compared.
            (Data::Full(input), Data::Digest { .. }) if self.replay.redacted => input,
            (Data::Digest { .. }, _) if self.replay.redacted => return Err(ReplayError::Redacted),
            _ => return Err(ReplayError::NoAnswers),
        };
        let Some(plugin) = self.plugins.get(&begin.plugin) else {
            let (event, plugin) = (call.begin.number, begin.plugin.0);
            return Err(ReplayError::UnknownPlugin { event, plugin });
        };
        let (id, changed, limits) = (plugin.id, plugin.changed, plugin.limits);
        let fuel = self.same_wasmi && !changed;
        let ended_in_host = call.events.back().is_some_and(
            |last| matches!(last.event(), Event::HostCall(last) if last.stop != crate::trace::Stop::No),
        );
        if !fuel && matches!(end.ending, Ending::Limit | Ending::Stopped) && !ended_in_host {
            // It ended for lack of fuel or time, which are not comparable.
            self.host.forget_memory(id);
            return Ok(());
        }
        if !call.events.iter().all(|recorded| is_answered(&recorded.event())) {
            return Err(ReplayError::NoAnswers);
        }
        if let Some(player) = self.host.player_mut() {
            player.fuel = fuel && player.answering == Answering::Exactly;
            player.begin(call.events, begin.sliced && fuel, begin.time_us);
            player.remember(call.begin.clone());
        }
        let outcome = self.host.call(id, begin.entry, input);
        let mut output = Vec::new();
        let kept = outcome.map(|outcome| {
            output = outcome.output.to_vec();
            u32::try_from(output.len()).unwrap_or(u32::MAX)
        });
        if let Err(error) = &kept {
            output = error.to_string().into_bytes();
        }
        let report = self.host.report(id).unwrap_or_default();
        let memory = match kept {
            Ok(_) | Err(CallError::Failed { .. } | CallError::OutputTooLarge { .. }) => {
                self.host.memory_digest(id)
            }
            Err(_) => None,
        };
        let (ending, code) = ending(&kept);
        let mut got = CallOut {
            ending,
            code,
            output: Data::Full(&output),
            fuel_left: limits.fuel_per_call.saturating_sub(report.fuel),
            memory_bytes: report.memory_bytes,
            memory,
        };
        let Some(player) = self.host.player_mut() else { return Ok(()) };
        got.fuel_left = got.fuel_left.saturating_sub(player.debt());
        let mismatch = player.mismatch.take();
        let stopped = player.stopped;
        let next = player.script.pop_front();
        let exactly = player.answering == Answering::Exactly;
        let found = match (mismatch, next) {
            (Some(mismatch), _) => Some(self.mismatched(&mismatch, &call.end)),
            (None, Some(missing)) if exactly && !skipped(&missing, fuel) => {
                Some(self.missing(&missing, &got))
            }
            _ if !exactly => None,
            _ => {
                let ending = !stopped && end.ending != Ending::Commit;
                let compared = Compared { ending, fuel, memory: fuel };
                end_difference(&end, &got, compared).map(|(difference, fuel, memory)| {
                    let cause = match (fuel, memory) {
                        (true, _) => Cause::Fuel,
                        (_, true) => Cause::Memory,
                        _ => self.cause(),
                    };
                    let mut difference = difference;
                    difference.expected.fuel_left = Some(end.fuel_left);
                    difference.got.fuel_left = Some(got.fuel_left);
                    (call.end.number, None, difference, cause)
                })
            }
        };
        if let Some((event, function, difference, cause)) = found {
            let cause = match cause {
                _ if changed => Cause::PluginChanged,
                _ if self.replay.redacted => Cause::Redaction,
                cause => cause,
            };
            self.diverged(event, &begin, function, difference, cause);
        } else {
            if !fuel && exactly {
                let spent = |left| limits.fuel_per_call.saturating_sub(left);
                let (recorded, replayed) = (spent(end.fuel_left), report.fuel);
                if recorded != replayed {
                    let call = self.replay.calls;
                    self.replay.fuel.push(FuelDifference { call, recorded, replayed });
                }
            }
            self.remember(call.end);
        }
        Ok(())
    }

    /// A host call, a growth or a slice that was not recorded like this.
    fn mismatched(&self, mismatch: &Mismatch, end: &Recorded) -> Found {
        let expected = mismatch.expected.as_ref().unwrap_or(end);
        let event = expected.event();
        let mut difference = difference(&self.names, &event, &mismatch.got);
        let recorded_fuel = match &event {
            Event::HostCall(call) => Some(call.fuel_left),
            Event::Slice(slice) => Some(slice.fuel_left),
            Event::CallOut(call) => Some(call.fuel_left),
            _ => None,
        };
        difference.expected.fuel_left = recorded_fuel;
        difference.got.fuel_left = Some(mismatch.fuel_left);
        if mismatch.only_fuel {
            difference.field = Some("fuel".into());
            difference.expected.value = recorded_fuel.map_or_else(String::new, |f| f.to_string());
            difference.got.value = mismatch.fuel_left.to_string();
        }
        let cause = match (&mismatch.got, &event) {
            _ if mismatch.only_fuel => Cause::Fuel,
            (Got::Growth { .. }, _) => Cause::Memory,
            (Got::Slice, _) => Cause::Fuel,
            (Got::HostCall { .. }, Event::Growth(_)) => Cause::Memory,
            (Got::HostCall { .. }, Event::Slice(_)) => Cause::Fuel,
            (Got::HostCall { .. }, Event::CallOut(_)) => Cause::Extra,
            (Got::HostCall { .. }, _) => self.cause(),
        };
        let function = match mismatch.got {
            Got::HostCall { function, .. } => Some(self.names.function(function)),
            _ => None,
        };
        (expected.number, function, difference, cause)
    }

    /// An event that was recorded and did not come.
    fn missing(&self, missing: &Recorded, got: &CallOut<'_>) -> Found {
        let event = missing.event();
        let function = match &event {
            Event::HostCall(call) => Some(self.names.function(call.function)),
            _ => None,
        };
        let side = |value, fuel| Side { value, fuel_left: fuel, ..Side::default() };
        let fuel = if let Event::HostCall(call) = &event { Some(call.fuel_left) } else { None };
        let end = super::explain::told(&self.names, &Event::CallOut(*got));
        let difference = Difference {
            field: Some("event".into()),
            expected: side(super::explain::told(&self.names, &event), fuel),
            got: side(end, Some(got.fuel_left)),
        };
        (missing.number, function, difference, Cause::Missing)
    }

    /// Why a plugin that did not change does something else: what it was told was something else.
    fn cause(&self) -> Cause {
        let answered = self.host.player().is_some_and(|player| {
            player
                .happened
                .iter()
                .rev()
                .take_while(|event| !matches!(event.event(), Event::CallIn(_)))
                .any(|event| matches!(event.event(), Event::HostCall(_)))
        });
        if answered { Cause::DifferentAnswer } else { Cause::DifferentInput }
    }

    fn diverged(
        &mut self,
        event: u64,
        begin: &CallIn<'_>,
        function: Option<String>,
        difference: Difference,
        cause: Cause,
    ) {
        let Difference { field, expected, got } = difference;
        let line = |recorded: &Recorded| {
            let (number, names) = (recorded.number, &self.names);
            Line { number, event: &recorded.event(), names }.to_string()
        };
        let before = self
            .host
            .player()
            .map(|player| player.happened.iter().map(line).collect())
            .unwrap_or_default();
        self.replay.divergences.push(Divergence {
            event,
            call: self.replay.calls,
            plugin: self.names.plugin(begin.plugin),
            entry: begin.entry.into(),
            function,
            field,
            expected,
            got,
            cause,
            before,
        });
    }
}

/// Where a difference is, and what it is.
type Found = (u64, Option<String>, Difference, Cause);

/// Whether a host call's bytes are here, or were nowhere.
fn is_answered(event: &Event<'_>) -> bool {
    match event {
        Event::HostCall(call) => {
            matches!(call.response, Data::Full(_)) && !matches!(call.request, Data::Digest { .. })
        }
        _ => true,
    }
}

/// Whether an event that is left over says nothing: slices and growths of another interpreter's.
fn skipped(event: &Recorded, fuel: bool) -> bool {
    !fuel && matches!(event.event(), Event::Slice(_) | Event::Growth(_))
}
