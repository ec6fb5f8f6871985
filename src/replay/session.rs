//! One replay: a host without a database or a clock that does the steps of a trace.

use alloc::{
    boxed::Box,
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    calls::{Call, Step},
    cause::Told,
    compare::Found,
    divergence::{Cause, Divergence},
    error::{NoAnswer, ReplayError},
    explain::{self, Compared, Difference},
    line::Line,
    load::Loaded,
    names::Names,
    run::{FuelDifference, Replay, Replayer, Run},
};
use crate::{
    abi::ABI_VERSION,
    audit::PluginId,
    database::{Database, MemoryLimits},
    host::{
        CallError, Host, HostConfig, NoClock,
        player::{Answering, Mismatch, Player, Recorded},
        recording::ending,
    },
    trace::{
        CallIn, CallOut, Data, Ending, Event, FEATURES, Header, Mode, Recorder, Stop, WASMI_VERSION,
    },
};

/// How a call ended that was not replayed exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// Number of the call, from 1.
    pub(super) call: u64,
    pub(super) plugin: String,
    pub(super) entry: String,
    pub(super) ending: Ending,
    pub(super) code: i32,
    /// The text of a failure.
    pub(super) reason: String,
}

pub(super) struct Session<'r, 'p> {
    pub(super) replayer: &'r Replayer<'p>,
    pub(super) answering: Answering,
    pub(super) host: Host,
    /// By the number that the trace gives it.
    pub(super) plugins: BTreeMap<PluginId, Loaded>,
    names: Names,
    pub(super) same_wasmi: bool,
    other_features: bool,
    entry: String,
    ends: Vec<Ended>,
    pub(super) replay: Replay,
}

impl<'r, 'p> Session<'r, 'p> {
    pub(super) fn new(
        replayer: &'r Replayer<'p>,
        answering: Answering,
        recorder: Option<Recorder>,
    ) -> Self {
        let config = HostConfig {
            audit_entries: 0,
            metric_series: 0,
            plugins: usize::from(u16::MAX),
            log_bytes: 0,
        };
        let database = Database::in_memory(MemoryLimits::default());
        let mut host = Host::new(config, database, NoClock);
        host.play(Player::new(answering, answering == Answering::Exactly));
        if let Some(recorder) = recorder {
            host.record_replay(recorder);
        }
        Self {
            replayer,
            answering,
            host,
            plugins: BTreeMap::new(),
            names: Names::default(),
            same_wasmi: true,
            other_features: false,
            entry: String::new(),
            ends: Vec::new(),
            replay: Replay::default(),
        }
    }

    pub(super) fn finish(mut self) -> Run {
        let recorder = self.host.stop_recording();
        Run { replay: self.replay, ends: self.ends, recorder }
    }

    pub(super) fn step(&mut self, step: Step) -> Result<(), ReplayError> {
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

    /// Plugin and entry point of the last call.
    pub(super) fn last_call(&self) -> (String, String) {
        (self.names.running(), self.entry.clone())
    }

    /// The last events, a line each.
    pub(super) fn before(&self) -> Vec<String> {
        let line = |recorded: &Recorded| {
            let (number, names) = (recorded.number, &self.names);
            Line { number, event: &recorded.event(), names }.to_string()
        };
        let player = self.host.player();
        player.map(|player| player.happened.iter().map(line).collect()).unwrap_or_default()
    }

    fn remember(&mut self, recorded: Recorded) {
        if let Some(player) = self.host.player_mut() {
            player.remember(recorded);
        }
    }

    fn between(&mut self, recorded: &Recorded) -> Result<(), ReplayError> {
        let event = recorded.event();
        match &event {
            Event::Header(header) => return self.header(header),
            Event::Checkpoint(checkpoint) => {
                self.plugins.values_mut().for_each(|plugin| plugin.told = false);
                self.host.replay_checkpoint(checkpoint.audited);
            }
            Event::Function(function) => {
                if self.host.registry().find(function.module, function.name).is_none() {
                    self.host
                        .register_recorded(function.module, function.name)
                        .map_err(ReplayError::Function)?;
                }
                self.host.record_again(&event);
            }
            Event::Load(load) => return self.load(recorded.number, load),
            Event::Unload(unload) => {
                if let Some(plugin) = self.plugins.remove(&unload.plugin) {
                    self.host.unload(plugin.id);
                    let unload = crate::trace::Unload { plugin: plugin.id };
                    self.host.record_again(&Event::Unload(unload));
                }
            }
            Event::Table(_) => self.host.record_again(&event),
            _ => {}
        }
        Ok(())
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
        self.other_features = header.features != FEATURES;
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
        let Some(plugin) = self.plugins.get(&begin.plugin).copied().filter(|plugin| plugin.told)
        else {
            let (event, plugin) = (call.begin.number, begin.plugin.0);
            return Err(ReplayError::UnknownPlugin { event, plugin });
        };
        self.entry = begin.entry.into();
        let exactly = self.answering == Answering::Exactly;
        let fuel = self.same_wasmi && !plugin.changed;
        let ended_in_host = call.events.back().is_some_and(
            |last| matches!(last.event(), Event::HostCall(last) if last.stop != Stop::No),
        );
        let unequal = matches!(end.ending, Ending::Limit | Ending::Stopped);
        if exactly && !fuel && unequal && !ended_in_host {
            // It ended for lack of fuel or time, which are not comparable.
            self.host.restart_plugin(plugin.id);
            return Ok(());
        }
        if !call.events.iter().all(|recorded| is_answered(&recorded.event())) {
            return Err(ReplayError::NoAnswers);
        }
        if let Some(player) = self.host.player_mut() {
            player.fuel = fuel && exactly;
            let sliced = begin.sliced && (fuel || !exactly);
            player.begin(call.events, call.end.clone(), sliced, begin.time_us);
            player.remember(call.begin.clone());
        }
        let mut output = Vec::new();
        let kept = self.host.call(plugin.id, begin.entry, input).map(|outcome| {
            output = outcome.output.to_vec();
            u32::try_from(output.len()).unwrap_or(u32::MAX)
        });
        if let Err(error) = &kept {
            output = error.to_string().into_bytes();
        }
        let got = self.end(&plugin, &kept, &output);
        let played = self.played();
        if !exactly {
            return self.ended(&begin, played, &got);
        }
        let compared = Compared {
            ending: !played.stopped && end.ending != Ending::Commit,
            fuel,
            memory: fuel,
        };
        let told = Told {
            names: &self.names,
            input,
            answered: &played.answered,
            other_features: self.other_features,
        };
        let missing = played.rest.iter().find(|event| !skipped(event, fuel));
        let found = match (&played.mismatch, missing) {
            (Some(mismatch), _) => Some(told.mismatched(mismatch, &played.rest, &call.end)),
            (None, Some(missing)) => Some(told.missing(missing, &got)),
            (None, None) => told.ended(call.end.number, &end, &got, compared),
        };
        match found {
            Some(found) => self.diverged(&begin, found, plugin.changed),
            None => {
                self.compare_fuel(fuel, &plugin, &end, &got);
                self.remember(call.end);
            }
        }
        Ok(())
    }

    /// How the call that just ended would be recorded.
    fn end<'o>(
        &mut self,
        plugin: &Loaded,
        kept: &Result<u32, CallError>,
        output: &'o [u8],
    ) -> CallOut<'o> {
        let report = self.host.report(plugin.id).unwrap_or_default();
        let memory = match kept {
            Ok(_) | Err(CallError::Failed { .. } | CallError::OutputTooLarge { .. }) => {
                self.host.memory_digest(plugin.id)
            }
            Err(_) => None,
        };
        let debt = self.host.player().map_or(0, Player::debt);
        let (ending, code) = ending(kept);
        CallOut {
            ending,
            code,
            output: Data::Full(output),
            fuel_left: plugin.limits.fuel_per_call.saturating_sub(report.fuel).saturating_sub(debt),
            memory_bytes: report.memory_bytes,
            memory,
        }
    }

    /// What the player noticed in the call that just ended.
    fn played(&mut self) -> Played {
        let Some(player) = self.host.player_mut() else { return Played::default() };
        Played {
            mismatch: player.mismatch.take(),
            stopped: player.stopped,
            answered: core::mem::take(&mut player.answered),
            rest: core::mem::take(&mut player.script).into(),
        }
    }

    /// The end of a call that was not to be exact.
    fn ended(
        &mut self,
        begin: &CallIn<'_>,
        played: Played,
        got: &CallOut<'_>,
    ) -> Result<(), ReplayError> {
        let call = self.replay.calls;
        if let Some(mismatch) = &played.mismatch {
            let (function, request) = explain::asked(&self.names, &mismatch.got);
            return Err(ReplayError::NoAnswer(Box::new(NoAnswer {
                call,
                plugin: self.names.plugin(begin.plugin),
                entry: begin.entry.into(),
                function,
                request,
                before: self.before(),
            })));
        }
        let reason = match got {
            CallOut { ending: Ending::Output, .. } => String::new(),
            CallOut { output, .. } => {
                String::from_utf8_lossy(output.bytes().unwrap_or_default()).into_owned()
            }
        };
        self.ends.push(Ended {
            call,
            plugin: self.names.plugin(begin.plugin),
            entry: begin.entry.into(),
            ending: got.ending,
            code: got.code,
            reason,
        });
        Ok(())
    }

    fn compare_fuel(&mut self, fuel: bool, plugin: &Loaded, end: &CallOut<'_>, got: &CallOut<'_>) {
        let spent = |left| plugin.limits.fuel_per_call.saturating_sub(left);
        let (recorded, replayed) = (spent(end.fuel_left), spent(got.fuel_left));
        if !fuel && recorded != replayed {
            self.replay.fuel.push(FuelDifference { call: self.replay.calls, recorded, replayed });
        }
    }

    fn diverged(&mut self, begin: &CallIn<'_>, found: Found, changed: bool) {
        let Found { event, function, difference, mut cause, mut because } = found;
        if changed {
            (cause, because) = (Cause::PluginChanged, String::new());
        } else if self.replay.redacted {
            because = alloc::format!("it looks like {}: {because}", cause.as_str());
            cause = Cause::Redaction;
        }
        let Difference { field, expected, got } = difference;
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
            because,
            before: self.before(),
        });
    }
}

/// What a player noticed in a call.
#[derive(Default)]
struct Played {
    mismatch: Option<Mismatch>,
    /// The call ended in a host call, as it was recorded.
    stopped: bool,
    answered: Vec<Recorded>,
    /// What was recorded and did not happen.
    rest: Vec<Recorded>,
}

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
