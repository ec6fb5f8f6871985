//! What a replay found, and what it keeps of plugins and calls. It runs nothing.

use alloc::{string::String, vec::Vec};
use core::fmt;

use crate::{
    audit::PluginId,
    limits::Limits,
    replay::{
        explain::divergence::Divergence,
        json::{Json, hex},
    },
    trace::{Ending, Recorder, TraceError},
};

/// The fuel of a call under another interpreter than the one that recorded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
#[non_exhaustive]
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
#[non_exhaustive]
pub struct Replay {
    /// Events read.
    pub events: u64,
    /// Calls replayed, with the one that a trace breaks off in.
    pub calls: u64,
    /// The divergences, in order; at most as many as were requested.
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
    /// else, which is reported as [`Cause::Redaction`](crate::replay::Cause::Redaction).
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

    /// Forgets what was found in the calls before this one. Whether it was made.
    pub(super) fn keep_only(&mut self, call: u64) -> bool {
        self.divergences.retain(|divergence| divergence.call == call);
        self.fuel.retain(|fuel| fuel.call == call);
        self.passed_over.retain(|passed| passed.call == call);
        if self.calls < call {
            self.redacted_outputs = 0;
        }
        self.calls >= call
    }

    /// What there is to report: the divergences, and where the trace breaks off.
    pub fn reports(&self) -> impl Iterator<Item = &Divergence> {
        self.divergences.iter().chain(&self.truncated)
    }

    /// The exit code of a program that ends with this: 0, or that of the first report's cause
    /// ([`Cause::exit_code`](crate::replay::Cause::exit_code)).
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

/// A plugin of the trace.
#[derive(Clone, Copy)]
pub(in crate::replay) struct Loaded {
    pub(in crate::replay) id: PluginId,
    pub(in crate::replay) limits: Limits,
    /// Fuel that its calls get in the replay.
    pub(in crate::replay) fuel_per_call: u64,
    pub(in crate::replay) changed: bool,
    /// It was named since the last checkpoint.
    pub(in crate::replay) announced: bool,
    /// SHA-256 of the recorded module.
    pub(in crate::replay) module: [u8; 32],
}

/// How a call ended that was not replayed exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::replay) struct Ended {
    /// Number of the call, from 1.
    pub(in crate::replay) call: u64,
    pub(in crate::replay) plugin: String,
    pub(in crate::replay) entry: String,
    pub(in crate::replay) ending: Ending,
    pub(in crate::replay) code: i32,
    /// The text of a failure.
    pub(in crate::replay) reason: String,
}

/// What a replay that may record leaves.
pub(in crate::replay) struct Run {
    pub(in crate::replay) replay: Replay,
    /// How every call ended, but for an exact replay.
    pub(in crate::replay) ends: Vec<Ended>,
    pub(in crate::replay) recorder: Option<Recorder>,
}
