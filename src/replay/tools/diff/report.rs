//! What two traces differ in, and what is not compared.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use crate::{
    replay::{explain::divergence::Divergence, json::Json, run::error::ReplayError},
    trace::TraceError,
};

/// What of two traces is not compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiffOptions {
    /// Clock readings.
    pub ignore_time: bool,
    /// Fuel, and where slices end.
    pub ignore_fuel: bool,
}

/// What two traces differ in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diff {
    /// Calls that were compared.
    pub calls: u64,
    /// The first difference that shows in what plugins asked, were answered or returned; if there is
    /// none, the first one of memory, fuel or time.
    pub divergence: Option<Divergence>,
    /// What differs in the headers, `wasmi: "2.0.0" and "2.0.1"`: it may explain a difference, but
    /// does not count as one.
    pub hosts: Vec<String>,
    /// Names of plugins with another module in the second trace.
    pub changed_plugins: Vec<String>,
    /// Where the first trace breaks off, if it does.
    pub expected_broken_off: Option<TraceError>,
    /// Where the second one does.
    pub got_broken_off: Option<TraceError>,
}

impl Diff {
    /// Whether nothing that was compared differs, and the modules are the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.divergence.is_none() && self.changed_plugins.is_empty()
    }

    /// For tools: one JSON object with the fields `same`, `calls`, `divergence` (as of
    /// [`Divergence::to_json`], or `null`), `hosts`, `changed_plugins`, `expected_broken_off` and
    /// `got_broken_off` (texts, or `null`).
    #[must_use]
    pub fn to_json(&self) -> String {
        Json::object(|json| {
            json.plain("same", self.is_same());
            json.plain("calls", self.calls);
            match &self.divergence {
                Some(divergence) => json.nested("divergence", |json| divergence.json(json)),
                None => json.plain("divergence", "null"),
            }
            json.texts("hosts", &self.hosts);
            json.texts("changed_plugins", &self.changed_plugins);
            let text = |error: &Option<TraceError>| error.as_ref().map(|error| error.to_string());
            json.optional_text("expected_broken_off", text(&self.expected_broken_off).as_deref());
            json.optional_text("got_broken_off", text(&self.got_broken_off).as_deref());
        })
    }
}

/// An input of the comparison is not a valid trace.
#[derive(Clone, Debug, PartialEq)]
pub struct DiffError {
    /// It is the second one.
    pub second: bool,
    /// What is wrong with it.
    pub error: ReplayError,
}

impl fmt::Display for DiffError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} trace: {}", if self.second { "second" } else { "first" }, self.error)
    }
}

impl core::error::Error for DiffError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}
