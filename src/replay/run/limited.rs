//! A call that fuel or time ended when it was recorded, replayed where neither can be compared: the
//! plugin or the interpreter is another one.
//!
//! Its host calls are compared, up to the last one that was recorded. Then the plugin gets as much
//! fuel as the recorded call had in all, and has to be ended by a limit too.

use alloc::{format, string::String};

use super::{
    compare::Found,
    outcome::{Loaded, PassedOver},
    read_calls::Call,
    session::{Played, Session},
};
use crate::{
    host::tape::{FUEL_FACTOR, Limited, Recorded},
    replay::explain::difference,
    trace::{CallIn, CallOut, Ending, Event, Stop},
};

/// The limits of a call to replay, if its recorded end cannot be compared.
pub(super) fn limited(call: &Call, begin: &CallIn<'_>, end: &CallOut<'_>) -> Option<Limited> {
    let last = call.events.iter().rev().find_map(|recorded| {
        if let Event::HostCall(call) = recorded.event() { Some(call) } else { None }
    });
    let ended_in_host = last.is_some_and(|last| last.stop != Stop::No);
    if !matches!(end.ending, Ending::Limit | Ending::Stopped) || ended_in_host {
        return None;
    }
    let used = begin.fuel.saturating_sub(end.fuel_left);
    let after_last = last.map_or(used, |last| {
        last.fuel_left.saturating_sub(last.fuel_host).saturating_sub(end.fuel_left)
    });
    Some(Limited { used, after_last })
}

/// The fuel that such a call gets to come to the last of its recorded host calls.
pub(super) fn fuel(call: &Call, limited: &Limited) -> u64 {
    let asks = |recorded: &Recorded| matches!(recorded.event(), Event::HostCall(_));
    match call.events.iter().any(asks) {
        true => limited.used.saturating_mul(FUEL_FACTOR),
        false => limited.used,
    }
}

impl Session<'_, '_> {
    /// Compares the end of such a call, all of whose recorded host calls were made.
    pub(super) fn limited_end(
        &mut self,
        plugin: &Loaded,
        begin: &CallIn<'_>,
        end: &CallOut<'_>,
        got: &CallOut<'_>,
        played: &Played,
        ended: impl FnOnce(&Self) -> Option<Found>,
    ) -> Option<Found> {
        if let Some(beyond) = &played.beyond {
            let (function, _) = difference::asked(&self.names, beyond);
            let last = match played.answered.last() {
                Some(last) => format!("after #{}", last.number),
                None => String::from("before any host call"),
            };
            self.pass_over(
                begin,
                format!("it calls {function} {last}, where the recorded call had ended"),
            );
            return None;
        }
        if got.ending == Ending::Limit {
            return None;
        }
        if !plugin.changed {
            // The same module, whose fuel the interpreters count differently.
            let (was, is) = (end.ending.as_str(), got.ending.as_str());
            self.pass_over(begin, format!("it ends with {is}, where it was ended by {was} before"));
            return None;
        }
        ended(self)
    }

    fn pass_over(&mut self, begin: &CallIn<'_>, reason: String) {
        self.replay.passed_over.push(PassedOver {
            call: self.replay.calls,
            plugin: self.names.plugin(begin.plugin),
            entry: begin.entry.into(),
            reason,
        });
    }
}
