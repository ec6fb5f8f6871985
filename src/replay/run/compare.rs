//! From what a player noticed in a call to the difference that is reported.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    host::tape::{Got, Mismatch, Recorded},
    replay::explain::{
        cause::Evidence,
        difference::{Compared, Difference, difference, end_difference, shown},
        divergence::{Cause, Divergence, Side},
    },
    trace::{CallOut, Event},
};

/// Where a difference is, what it is, and what it likely comes from.
pub(in crate::replay) struct Found {
    pub(in crate::replay) event: u64,
    pub(in crate::replay) function: Option<String>,
    pub(in crate::replay) difference: Difference,
    pub(in crate::replay) cause: Cause,
    pub(in crate::replay) because: String,
}

impl Found {
    /// The report of what was found in a call, with the events before it as lines.
    pub(in crate::replay) fn into_divergence(
        self,
        call: u64,
        plugin: String,
        entry: String,
        before: Vec<String>,
    ) -> Divergence {
        let Self { event, function, difference, cause, because } = self;
        let Difference { field, expected, got } = difference;
        Divergence {
            event,
            call,
            plugin,
            entry,
            function,
            field,
            expected,
            got,
            cause,
            because,
            before,
        }
    }
}

impl Evidence<'_> {
    /// A host call, a growth or a slice that was not recorded like this. `expected` is what was, or
    /// the call's end; `later` is what was recorded behind it.
    pub(in crate::replay) fn mismatched<'l>(
        &self,
        mismatch: &Mismatch,
        expected: &Recorded,
        later: impl IntoIterator<Item = &'l Recorded>,
    ) -> Found {
        let event = expected.event();
        let mut difference = difference(self.names, &event, &mismatch.got);
        let recorded_fuel = fuel_left(&event);
        difference.expected.fuel_left = recorded_fuel;
        difference.got.fuel_left = Some(mismatch.fuel_left);
        if mismatch.only_fuel {
            difference.field = Some("fuel".into());
            difference.expected.value = recorded_fuel.map_or_else(String::new, |f| f.to_string());
            difference.got.value = mismatch.fuel_left.to_string();
        }
        let (cause, because) = match (&mismatch.got, &event) {
            _ if mismatch.only_fuel => (Cause::Fuel, String::new()),
            (Got::Growth { .. }, _) => (Cause::Memory, String::new()),
            (Got::Slice, _) => (Cause::Fuel, String::new()),
            (Got::HostCall { .. }, Event::Growth(_)) => (Cause::Memory, String::new()),
            (Got::HostCall { .. }, Event::Slice(_)) => (Cause::Fuel, String::new()),
            (Got::HostCall { .. }, Event::CallOut(_)) => (Cause::Extra, String::new()),
            (Got::HostCall { .. }, _) => {
                // With the fuel that it had then, nothing was left out before it: something was put
                // into the trace.
                let same = |later: &&Recorded| {
                    mismatch.got.is(&later.event())
                        && fuel_left(&later.event()) == Some(mismatch.fuel_left)
                };
                match later.into_iter().find(same) {
                    Some(later) => {
                        let because =
                            alloc::format!("the recording has this later, as #{}", later.number);
                        (Cause::Missing, because)
                    }
                    None => self.cause(&difference),
                }
            }
        };
        let function = match mismatch.got {
            Got::HostCall { function, .. } => Some(self.names.function(function)),
            Got::Growth { .. } | Got::Slice => None,
        };
        Found { event: expected.number, function, difference, cause, because }
    }

    /// An event that was recorded and did not come.
    pub(in crate::replay) fn missing(&self, missing: &Recorded, got: &CallOut<'_>) -> Found {
        let event = missing.event();
        let function = if let Event::HostCall(call) = &event {
            Some(self.names.function(call.function))
        } else {
            None
        };
        let difference = Difference {
            field: Some("event".into()),
            expected: Side { fuel_left: fuel_left(&event), ..Side::of(shown(self.names, &event)) },
            got: Side {
                fuel_left: Some(got.fuel_left),
                ..Side::of(shown(self.names, &Event::CallOut(*got)))
            },
        };
        let (cause, because) = (Cause::Missing, String::new());
        Found { event: missing.number, function, difference, cause, because }
    }

    /// An end that is not the recorded one; `None` if it is.
    pub(in crate::replay) fn ended(
        &self,
        number: u64,
        expected: &CallOut<'_>,
        got: &CallOut<'_>,
        compared: Compared,
    ) -> Option<Found> {
        let (mut difference, quiet) = end_difference(expected, got, compared)?;
        let (cause, because) = match quiet {
            Some(cause) => (cause, String::new()),
            None => self.cause(&difference),
        };
        difference.expected.fuel_left = Some(expected.fuel_left);
        difference.got.fuel_left = Some(got.fuel_left);
        Some(Found { event: number, function: None, difference, cause, because })
    }
}

/// Fuel of the call that was left at an event.
pub(in crate::replay) fn fuel_left(event: &Event<'_>) -> Option<u64> {
    match event {
        Event::HostCall(call) => Some(call.fuel_left),
        Event::Slice(slice) => Some(slice.fuel_left),
        Event::CallOut(call) => Some(call.fuel_left),
        Event::Header(_)
        | Event::Checkpoint(_)
        | Event::Function(_)
        | Event::Table(_)
        | Event::Load(_)
        | Event::Unload(_)
        | Event::Replace(_)
        | Event::Restore(_)
        | Event::Nested(_)
        | Event::CallIn(_)
        | Event::Growth(_)
        | Event::End(_) => None,
    }
}
