//! One call of a replay: the plugin is called, answered from the trace, and what it did is compared.

use alloc::{
    boxed::Box,
    collections::VecDeque,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    cause::Told,
    compare::Found,
    divergence::{Cause, Divergence},
    error::{NoAnswer, ReplayError},
    explain::{self, Compared, Difference},
    load::Loaded,
    run::FuelDifference,
    session::{Ended, Session},
    steps::{Call, CutCall},
};
use crate::{
    host::{
        CallError,
        player::{Answering, Mismatch, Player, Recorded},
        recording::ending,
    },
    trace::{CallIn, CallOut, Data, Ending, Event, Stop},
};

impl Session<'_, '_> {
    /// Replays a call from its begin to its end.
    pub(super) fn call(&mut self, call: Call) -> Result<(), ReplayError> {
        let (Event::CallIn(begin), Event::CallOut(end)) = (call.begin.event(), call.end.event())
        else {
            return Err(ReplayError::Misplaced { event: call.begin.number, what: "call" });
        };
        let input = begin.input.bytes().unwrap_or_default();
        match end.output {
            Data::Full(_) => {}
            // Outputs that are redacted are not compared.
            Data::Digest { .. } if self.replay.redacted => {}
            _ => return Err(ReplayError::NoAnswers),
        }
        let plugin = self.called(call.begin.number, &begin)?;
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
        let mut output = Vec::new();
        let kept =
            self.play(&plugin, &call.begin, call.events, Some(call.end.clone()), &mut output)?;
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
        let found = match self.otherwise(input, &played, Some(&call.end), &got, fuel) {
            None => self.told(input, &played).ended(call.end.number, &end, &got, compared),
            found => found,
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

    /// Replays what is left of a call that the trace breaks off in, if it is to be exact: its host
    /// calls are compared, and what comes behind the last of them is not.
    pub(super) fn cut(&mut self, call: CutCall) -> Result<(), ReplayError> {
        let Event::CallIn(begin) = call.begin.event() else { return Ok(()) };
        let input = begin.input.bytes().unwrap_or_default();
        if self.answering != Answering::Exactly {
            return Ok(());
        }
        self.replay.events += 1 + call.events.len() as u64;
        self.replay.calls += 1;
        self.names.learn(&call.begin.event());
        let plugin = self.called(call.begin.number, &begin)?;
        let fuel = self.same_wasmi && !plugin.changed;
        let mut output = Vec::new();
        let kept = self.play(&plugin, &call.begin, call.events, None, &mut output)?;
        let got = self.end(&plugin, &kept, &output);
        let played = self.played();
        if let Some(found) = self.otherwise(input, &played, None, &got, fuel) {
            self.diverged(&begin, found, plugin.changed);
        }
        Ok(())
    }

    /// The plugin that a call is of.
    fn called(&mut self, event: u64, begin: &CallIn<'_>) -> Result<Loaded, ReplayError> {
        match begin.input {
            Data::Full(_) => {}
            _ if self.replay.redacted => return Err(ReplayError::Redacted),
            _ => return Err(ReplayError::NoAnswers),
        }
        let known = self.plugins.get(&begin.plugin).copied().filter(|plugin| plugin.told);
        let plugin = known.ok_or(ReplayError::UnknownPlugin { event, plugin: begin.plugin.0 })?;
        self.entry = begin.entry.into();
        Ok(plugin)
    }

    /// Makes a call, answered by its recorded events. Its end is `None` if the trace breaks off in it.
    /// What the call returned or said of its failure is left in `output`.
    fn play(
        &mut self,
        plugin: &Loaded,
        begin: &Recorded,
        events: VecDeque<Recorded>,
        end: Option<Recorded>,
        output: &mut Vec<u8>,
    ) -> Result<Result<u32, CallError>, ReplayError> {
        if !events.iter().all(|recorded| is_answered(&recorded.event())) {
            return Err(ReplayError::NoAnswers);
        }
        let Event::CallIn(call) = begin.event() else { return Err(ReplayError::NoAnswers) };
        let exactly = self.answering == Answering::Exactly;
        let fuel = self.same_wasmi && !plugin.changed;
        if let Some(player) = self.host.player_mut() {
            player.fuel = fuel && exactly;
            let sliced = call.sliced && (fuel || !exactly);
            player.begin(events, end, sliced, call.time_us);
            player.remember(begin.clone());
        }
        let Data::Full(input) = call.input else { return Err(ReplayError::NoAnswers) };
        let kept = self.host.call(plugin.id, call.entry, input).map(|outcome| {
            *output = outcome.output.to_vec();
            u32::try_from(output.len()).unwrap_or(u32::MAX)
        });
        if let Err(error) = &kept {
            *output = error.to_string().into_bytes();
        }
        Ok(kept)
    }

    fn told<'a>(&'a self, input: &'a [u8], played: &'a Played) -> Told<'a> {
        Told {
            names: &self.names,
            input,
            answered: &played.answered,
            other_features: self.other_features,
        }
    }

    /// What the plugin did in the call otherwise than was recorded, or did not do.
    fn otherwise(
        &self,
        input: &[u8],
        played: &Played,
        end: Option<&Recorded>,
        got: &CallOut<'_>,
        fuel: bool,
    ) -> Option<Found> {
        let told = self.told(input, played);
        let missing = played.rest.iter().find(|event| !skipped(event, fuel));
        match (&played.mismatch, missing) {
            (Some(mismatch), _) => {
                let expected = mismatch.expected.as_ref().or(end)?;
                Some(told.mismatched(mismatch, expected, &played.rest))
            }
            (None, Some(missing)) => Some(told.missing(missing, got)),
            (None, None) => None,
        }
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
