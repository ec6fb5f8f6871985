//! One replay: a host without a database or a clock that does the steps of a trace.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    error::ReplayError,
    outcome::{Ended, Loaded, Replay, Run},
    read_calls::Step,
    replayer::Replayer,
};
use crate::{
    abi::ABI_VERSION,
    audit::PluginId,
    database::{Database, MemoryLimits},
    host::{
        Host, HostConfig, NoClock,
        tape::{Answering, Got, Mismatch, Player, Recorded},
    },
    replay::explain::{event_text::Line, names::Names},
    trace::{Event, FEATURES, Header, Mode, Recorder, WASMI_VERSION},
};

/// What a player noticed in a call.
#[derive(Default)]
pub(super) struct Played {
    pub(super) mismatch: Option<Mismatch>,
    /// The call ended in a host call, as it was recorded, or where nothing more was recorded.
    pub(super) stopped: bool,
    /// What the plugin asked after all that was recorded of a call that a limit ended.
    pub(super) beyond: Option<Got>,
    pub(super) answered: Vec<Recorded>,
    /// What was recorded and did not happen.
    pub(super) rest: Vec<Recorded>,
}

pub(super) struct Session<'r, 'p> {
    pub(super) replayer: &'r Replayer<'p>,
    pub(super) answering: Answering,
    pub(super) host: Host,
    /// By the number that the trace gives it.
    pub(super) plugins: BTreeMap<PluginId, Loaded>,
    /// The versions that were replaced, and may come back if the migration fails.
    pub(super) replaced: BTreeMap<PluginId, Loaded>,
    pub(super) names: Names,
    pub(super) same_wasmi: bool,
    pub(super) other_features: bool,
    /// Entry point of the last call.
    pub(super) entry: String,
    pub(super) ends: Vec<Ended>,
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
            replaced: BTreeMap::new(),
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
                self.replay.events +=
                    2 + u64::from(call.nested.is_some()) + call.events.len() as u64;
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

    pub(super) fn remember(&mut self, recorded: Recorded) {
        if let Some(player) = self.host.player_mut() {
            player.remember(recorded);
        }
    }

    fn between(&mut self, recorded: &Recorded) -> Result<(), ReplayError> {
        let event = recorded.event();
        match &event {
            Event::Header(header) => return self.header(header),
            Event::Checkpoint(checkpoint) => {
                self.plugins.values_mut().for_each(|plugin| plugin.announced = false);
                self.replaced.clear();
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
            Event::Replace(load) => return self.replace(recorded.number, load),
            Event::Restore(restore) => return self.restore(recorded.number, *restore),
            Event::Unload(unload) => {
                if let Some(plugin) = self.plugins.remove(&unload.plugin) {
                    self.host.unload(plugin.id);
                    let unload = crate::trace::Unload { plugin: plugin.id };
                    self.host.record_again(&Event::Unload(unload));
                }
            }
            Event::Table(_) => self.host.record_again(&event),
            Event::Nested(_)
            | Event::CallIn(_)
            | Event::HostCall(_)
            | Event::Growth(_)
            | Event::Slice(_)
            | Event::CallOut(_)
            | Event::End(_) => {}
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
            if self.answering != Answering::Exactly {
                // What would be recorded has pseudonyms in it, and nothing that says so.
                return Err(ReplayError::Redacted);
            }
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
}
