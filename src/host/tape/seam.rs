//! The seam between a host and its tape: each moment of a call at which something is recorded or played.

use alloc::boxed::Box;

use super::{
    Playing, Recording,
    moments::{Begun, Ended, Grown, HostCall, Loaded},
};
use crate::{
    audit::{FunctionId, PluginId},
    database::{Database, Storage},
    host::{boundary::Stop, error::CallError, registry::HostFunctionRegistry},
};

/// Records a host's calls, and plays recorded ones.
#[derive(Default)]
pub(in crate::host) struct Tape {
    pub(in crate::host) recording: Recording,
    pub(in crate::host) playing: Playing,
}

impl Tape {
    /// A function of the embedder's was added. In a replay the trace lists the functions.
    pub(in crate::host) fn adds_function<S: Storage>(
        &mut self,
        registry: &HostFunctionRegistry<S>,
        id: FunctionId,
    ) {
        if !self.playing.is_on() {
            self.recording.adds_function(registry, id);
        }
    }

    /// A plugin was loaded. In a replay the trace lists the plugins.
    pub(in crate::host) fn loads(&mut self, plugin: &Loaded<'_>) {
        if !self.playing.is_on() {
            self.recording.loads(plugin);
        }
    }

    /// A plugin is about to be unloaded.
    pub(in crate::host) fn unloads(&mut self, plugin: PluginId) {
        if !self.playing.is_on() {
            self.recording.unloads(plugin);
        }
    }

    /// Another version of a plugin is in its place.
    pub(in crate::host) fn replaces(&mut self, plugin: &Loaded<'_>) {
        if !self.playing.is_on() {
            self.recording.replaces(plugin);
        }
    }

    /// The migration of a version failed, and the version before is in its place again.
    pub(in crate::host) fn restores(&mut self, plugin: PluginId) {
        if !self.playing.is_on() {
            self.recording.restores(plugin);
        }
    }

    /// A call begins.
    pub(in crate::host) fn begins<S: Storage>(&mut self, call: &Begun<'_>, database: &Database<S>) {
        self.recording.begins(call, database);
    }

    /// A slice of fuel is over, and what the host decided to do next. Returns what it does: in a replay what
    /// was done when the call was recorded.
    pub(in crate::host) fn slice_ends(
        &mut self,
        now_us: u64,
        fuel_left: u64,
        decided: Result<(), CallError>,
    ) -> Result<(), CallError> {
        let decided = self.playing.slice_ends(fuel_left, decided);
        self.recording.slice_ends(now_us, fuel_left, &decided);
        decided
    }

    /// Linear memory is about to grow, and whether the limits allow it. Returns whether it grows.
    pub(in crate::host) fn grows(&mut self, current: usize, desired: usize, allowed: bool) -> bool {
        match self.playing.grows(current, desired, allowed) {
            None => self.recording.grows(desired, allowed),
            Some(Grown::Allowed) => return true,
            Some(Grown::Refused(refusal)) => {
                self.recording.growth_refused(desired as u64, refusal);
                return false;
            }
        }
        allowed
    }

    /// Answers a host call from the tape that is played, and records it.
    #[cold]
    pub(in crate::host) fn plays(&mut self, mut call: HostCall<'_>) -> Result<i32, Box<Stop>> {
        let answer = self.playing.answers(&mut call);
        self.recording.host_call(&mut call, &answer);
        answer
    }

    /// A call is over.
    pub(in crate::host) fn ends(&mut self, call: &Ended<'_>) {
        self.recording.ends(call, &self.playing);
    }
}
