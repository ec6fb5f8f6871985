//! What another manifest would deny: the report, its text and its JSON.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use crate::{limits::LimitExceeded, replay::json::Json, trace::TraceError};

/// Why something would be denied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The grant is missing.
    Grant {
        /// What would allow it: `can_read_table for weather`, `the capability device.own`.
        needed: String,
    },
    /// The limit is too low. `asked` is what the call needed up to here.
    Limit(LimitExceeded),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant { needed } => write!(f, "needs {needed}"),
            Self::Limit(exceeded) => exceeded.fmt(f),
        }
    }
}

/// Something that would be denied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denial {
    /// Number of the event.
    pub event: u64,
    /// Number of the call, from 1.
    pub call: u64,
    /// Name of the plugin.
    pub plugin: String,
    /// Its entry point.
    pub entry: String,
    /// The host function; `None` for a limit that the plugin's own code would have reached.
    pub function: Option<String>,
    /// The table, if it is about one.
    pub table: Option<String>,
    /// Why.
    pub refusal: Refusal,
    /// It was denied when it was recorded, too.
    pub recorded: bool,
    /// It is the first new one in its call, so that it would come just like this. After it the
    /// plugin might do something else.
    pub certain: bool,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, call, plugin, entry, refusal, .. } = self;
        write!(f, "#{event} call {call} ({plugin}.{entry})")?;
        if let Some(function) = &self.function {
            write!(f, " {function}")?;
        }
        if let Some(table) = &self.table {
            write!(f, " {table}")?;
        }
        write!(f, ": {refusal}")?;
        match (self.recorded, self.certain) {
            (true, _) => write!(f, " (denied already)"),
            (false, true) => Ok(()),
            (false, false) => write!(f, " (if it came so far)"),
        }
    }
}

/// What of a trace would have been denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WhatIf {
    /// Calls that were looked at.
    pub calls: u64,
    /// Host calls in them.
    pub host_calls: u64,
    /// What would be denied, in order.
    pub denials: Vec<Denial>,
    /// Where the trace breaks off, if it does.
    pub broken_off: Option<TraceError>,
}

impl WhatIf {
    /// What would be denied and was not when it was recorded.
    pub fn new_denials(&self) -> impl Iterator<Item = &Denial> {
        self.denials.iter().filter(|denial| !denial.recorded)
    }

    /// For tools: one JSON object with the fields of this struct and of [`Denial`]; in the place of
    /// `refusal` stand its text, and `limit`, `allowed` and `asked`, `null` for a grant.
    #[must_use]
    pub fn to_json(&self) -> String {
        Json::object(|json| {
            json.plain("calls", self.calls);
            json.plain("host_calls", self.host_calls);
            json.objects("denials", &self.denials, |json, denial| {
                json.plain("event", denial.event);
                json.plain("call", denial.call);
                json.text("plugin", &denial.plugin);
                json.text("entry", &denial.entry);
                json.optional_text("function", denial.function.as_deref());
                json.optional_text("table", denial.table.as_deref());
                json.text("refusal", &denial.refusal.to_string());
                let exceeded = match &denial.refusal {
                    Refusal::Limit(exceeded) => Some(exceeded),
                    Refusal::Grant { .. } => None,
                };
                json.optional_text("limit", exceeded.map(|e| e.limit.as_str()));
                json.optional("allowed", exceeded.map(|e| e.allowed));
                json.optional("asked", exceeded.map(|e| e.asked));
                json.plain("recorded", denial.recorded);
                json.plain("certain", denial.certain);
            });
            let broken_off = self.broken_off.as_ref().map(|error| error.to_string());
            json.optional_text("broken_off", broken_off.as_deref());
        })
    }
}
