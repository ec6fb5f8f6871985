//! One call of a replay: the plugin is called, answered from the trace, and what it did is compared.

use alloc::{
    boxed::Box,
    collections::VecDeque,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    compare::Found,
    error::{NoAnswer, ReplayError},
    limited,
    outcome::{Ended, FuelDifference, Loaded},
    read_calls::{Call, CutCall, around},
    session::{Played, Session},
};
use crate::{
    host::{
        CallError,
        tape::{Answering, Limited, Player, Recorded, ending},
    },
    replay::explain::{
        cause::Evidence,
        difference::{self, Compared, Difference},
        divergence::Cause,
    },
    trace::{CallIn, CallOut, Data, Ending, Event},
};

impl Session<'_, '_> {
    /// Replays a call from its begin to its end.
    pub(super) fn call(&mut self, mut call: Call) -> Result<(), ReplayError> {
        let (Event::CallIn(begin), Event::CallOut(end)) = (call.begin.event(), call.end.event())
        else {
            return Err(ReplayError::Misplaced { event: call.begin.number, what: "call" });
        };
        let input = begin.input.bytes().unwrap_or_default();
        match end.output {
            Data::Full(_) => {}
            // Outputs that are redacted are not compared.
            Data::Digest { .. } if self.replay.redacted => self.replay.redacted_outputs += 1,
            Data::Digest { .. } | Data::Absent { .. } => return Err(ReplayError::NoAnswers),
        }
        let plugin = self.called(call.begin.number, &begin, call.nested.is_some())?;
        let exactly = self.answering == Answering::Exactly;
        let fuel = self.same_wasmi && !plugin.changed;
        let limited = match exactly && !fuel {
            true => limited::limited(&call, &begin, &end),
            false => None,
        };
        let mut output = Vec::new();
        let limit = limited.map(|limited| (limited, limited::fuel(&call, &limited)));
        let events = core::mem::take(&mut call.events);
        let begun = Begun { begin: &call.begin, nested: call.nested.as_ref() };
        let kept = self.play(&plugin, (&begun, events, &call.end), limit, &mut output)?;
        let got = self.end(&plugin, &kept, &output);
        let played = self.played();
        if !exactly {
            return self.ended(&begin, played, &got, &kept);
        }
        let compared =
            Compared { ending: !played.stopped, trap: self.same_wasmi, fuel, memory: fuel };
        let expected = kept_end(&end, &got);
        let ended = |session: &Self| {
            session.evidence(input, &played).ended(call.end.number, &expected, &got, compared)
        };
        let found = if let Some(found) = not_begun(&call.begin, &kept) {
            Some(found)
        } else if let found @ Some(_) = self.otherwise(input, &played, Some(&call.end), &got, fuel)
        {
            found
        } else if limited.is_some() {
            self.limited_end(&plugin, &begin, &end, &got, &played, ended)
        } else {
            ended(self)
        };
        if limited.is_some() {
            // It was ended in the middle of something, when it was recorded.
            self.host.restart_plugin(plugin.id);
        }
        match found {
            Some(found) => self.diverged(&begin, found, plugin.changed),
            None => {
                self.compare_fuel(fuel || limited.is_some(), &plugin, &end, &got);
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
        self.replay.events += 1 + u64::from(call.nested.is_some()) + call.events.len() as u64;
        self.replay.calls += 1;
        self.names.learn(&call.begin.event());
        let plugin = self.called(call.begin.number, &begin, call.nested.is_some())?;
        let fuel = self.same_wasmi && !plugin.changed;
        let mut output = Vec::new();
        let begun = Begun { begin: &call.begin, nested: call.nested.as_ref() };
        let kept = self.answered(&plugin, &begun, call.events, None, None, &mut output)?;
        let got = self.end(&plugin, &kept, &output);
        let played = self.played();
        let found = not_begun(&call.begin, &kept);
        if let Some(found) = found.or_else(|| self.otherwise(input, &played, None, &got, fuel)) {
            self.diverged(&begin, found, plugin.changed);
        }
        Ok(())
    }

    /// The plugin that a call is of.
    fn called(
        &mut self,
        event: u64,
        begin: &CallIn<'_>,
        nested: bool,
    ) -> Result<Loaded, ReplayError> {
        match begin.input {
            Data::Full(_) => {}
            _ if self.replay.redacted => return Err(ReplayError::Redacted),
            Data::Digest { .. } | Data::Absent { .. } => return Err(ReplayError::NoAnswers),
        }
        let known = self.plugins.get(&begin.plugin).copied().filter(|plugin| plugin.announced);
        let mut plugin =
            known.ok_or(ReplayError::UnknownPlugin { event, plugin: begin.plugin.0 })?;
        if nested {
            // It had what its caller had left, if that was less.
            plugin.limits.fuel_per_call = plugin.limits.fuel_per_call.min(begin.fuel);
        }
        self.entry = begin.entry.into();
        Ok(plugin)
    }

    /// Makes a whole call, answered by its recorded events.
    fn play(
        &mut self,
        plugin: &Loaded,
        (begun, events, end): (&Begun<'_>, VecDeque<Recorded>, &Recorded),
        limit: Option<(Limited, u64)>,
        output: &mut Vec<u8>,
    ) -> Result<Result<u32, CallError>, ReplayError> {
        let end = Some(end.clone());
        let Some((_, fuel)) = limit else {
            return self.answered(plugin, begun, events, end, None, output);
        };
        self.host.set_fuel_per_call(plugin.id, fuel);
        let played = self.answered(plugin, begun, events, end, limit, output);
        self.host.set_fuel_per_call(plugin.id, plugin.fuel_per_call);
        played
    }

    /// Makes a call, answered by recorded events. Its end is `None` if the trace breaks off in it.
    /// What the call returned or said of its failure is left in `output`.
    fn answered(
        &mut self,
        plugin: &Loaded,
        begun: &Begun<'_>,
        events: VecDeque<Recorded>,
        end: Option<Recorded>,
        limit: Option<(Limited, u64)>,
        output: &mut Vec<u8>,
    ) -> Result<Result<u32, CallError>, ReplayError> {
        if !events.iter().all(|recorded| is_answered(&recorded.event())) {
            return Err(ReplayError::NoAnswers);
        }
        let Begun { begin, nested } = *begun;
        let Event::CallIn(call) = begin.event() else { return Err(ReplayError::NoAnswers) };
        let exactly = self.answering == Answering::Exactly;
        let fuel = self.same_wasmi && !plugin.changed;
        if let Some(player) = self.host.player_mut() {
            player.fuel = fuel && exactly;
            let sliced = call.sliced && (fuel || !exactly);
            player.begin(events, end, sliced, call.time_us);
            if let Some((limited, fuel)) = limit {
                player.limit(limited, fuel);
            }
            player.remember(begin.clone());
        }
        let Data::Full(input) = call.input else { return Err(ReplayError::NoAnswers) };
        let around = nested.and_then(around);
        let own = self.host.replay_inside(plugin.id, around, limit.is_none().then_some(call.fuel));
        let kept = self.host.call(plugin.id, call.entry, input).map(|outcome| {
            *output = outcome.output.to_vec();
            u32::try_from(output.len()).unwrap_or(u32::MAX)
        });
        if let Err(error) = &kept {
            *output = error.to_string().into_bytes();
        }
        own.into_iter().for_each(|fuel| self.host.set_fuel_per_call(plugin.id, fuel));
        Ok(kept)
    }

    fn evidence<'a>(&'a self, input: &'a [u8], played: &'a Played) -> Evidence<'a> {
        Evidence {
            names: &self.names,
            input,
            answered: &played.answered,
            other_features: self.other_features,
        }
    }

    /// How the plugin's call differs from the recording.
    fn otherwise(
        &self,
        input: &[u8],
        played: &Played,
        end: Option<&Recorded>,
        got: &CallOut<'_>,
        fuel: bool,
    ) -> Option<Found> {
        let evidence = self.evidence(input, played);
        let missing = played.rest.iter().find(|event| !skipped(event, fuel));
        match (&played.mismatch, missing) {
            (Some(mismatch), _) => {
                let expected = mismatch.expected.as_ref().or(end)?;
                Some(evidence.mismatched(mismatch, expected, &played.rest))
            }
            (None, Some(missing)) => Some(evidence.missing(missing, got)),
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
            Ok(_) | Err(CallError::Failed { .. } | CallError::OutputTooLarge { .. })
                if self.answering == Answering::Exactly =>
            {
                self.host.memory_digest(plugin.id)
            }
            _ => None,
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
            beyond: player.beyond.take(),
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
        kept: &Result<u32, CallError>,
    ) -> Result<(), ReplayError> {
        let call = self.replay.calls;
        if let Some(error) = refused(kept) {
            // A trace of what happens now would not have the call.
            return Err(ReplayError::Refused {
                call,
                plugin: self.names.plugin(begin.plugin),
                entry: begin.entry.into(),
                reason: error.to_string(),
            });
        }
        if let Some(mismatch) = &played.mismatch {
            let (function, request) = difference::asked(&self.names, &mismatch.got);
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

    fn diverged(&mut self, begin: &CallIn<'_>, mut found: Found, changed: bool) {
        if changed {
            (found.cause, found.because) = (Cause::PluginChanged, String::new());
        } else if self.replay.redacted {
            let Found { cause, because, .. } = &found;
            found.because = alloc::format!("it looks like {}: {because}", cause.as_str());
            found.cause = Cause::Redaction;
        }
        let plugin = self.names.plugin(begin.plugin);
        let (call, before) = (self.replay.calls, self.before());
        let divergence = found.into_divergence(call, plugin, begin.entry.into(), before);
        self.replay.divergences.push(divergence);
    }
}

/// How a recorded call began.
struct Begun<'b> {
    begin: &'b Recorded,
    /// What is before it, if a plugin made it.
    nested: Option<&'b Recorded>,
}

/// Why a call did not begin, if it did not: nothing of it would be recorded.
fn refused(kept: &Result<u32, CallError>) -> Option<&CallError> {
    match kept {
        Err(
            error @ (CallError::NoSuchPlugin(_)
            | CallError::NoSuchEntry { .. }
            | CallError::EntryType { .. }
            | CallError::InputTooLarge { .. }
            | CallError::TransactionPending
            | CallError::Restart(_)),
        ) => Some(error),
        _ => None,
    }
}

/// A recorded call that does not begin.
fn not_begun(begin: &Recorded, kept: &Result<u32, CallError>) -> Option<Found> {
    let error = refused(kept)?;
    let Event::CallIn(call) = begin.event() else { return None };
    let (field, expected) = if let CallError::InputTooLarge { .. } = error {
        ("input", alloc::format!("an input of {} bytes", call.input.len()))
    } else {
        ("entry", alloc::format!("the entry point {}", call.entry))
    };
    Some(Found {
        event: begin.number,
        function: None,
        difference: Difference::of_values(field, expected, error),
        cause: Cause::Missing,
        because: String::new(),
    })
}

/// The recorded end, as far as a replay can know it: a storage that failed when the plugin was done
/// leaves its text in place of the output, and no number.
fn kept_end<'e>(end: &CallOut<'e>, got: &CallOut<'_>) -> CallOut<'e> {
    if let Ending::Commit = end.ending {
        CallOut { ending: Ending::Output, code: got.code, output: Data::Absent { len: 0 }, ..*end }
    } else {
        *end
    }
}

/// Whether a host call's bytes are here, or were nowhere.
fn is_answered(event: &Event<'_>) -> bool {
    if let Event::HostCall(call) = event {
        matches!(call.response, Data::Full(_)) && !matches!(call.request, Data::Digest { .. })
    } else {
        true
    }
}

/// Whether an event that is left over says nothing: slices and growths of another interpreter's.
fn skipped(event: &Recorded, fuel: bool) -> bool {
    !fuel && matches!(event.event(), Event::Slice(_) | Event::Growth(_))
}
