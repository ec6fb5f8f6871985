//! What recorded calls used of each limit: one place for `what-if` and `infer`, made from the table of limits.

use crate::{
    abi::{Builtin, Status},
    limits::{LIMITS, Limits, Usage},
    trace::HostCallEvent,
};

/// An amount for each limit, in the order of [`LIMITS`].
pub(in crate::replay) type Amounts = [u64; LIMITS.len()];

/// What a host call used of a limit; `None` if host calls use nothing of it.
pub(in crate::replay) fn of_host_call(usage: Usage, call: &HostCallEvent<'_>) -> Option<u64> {
    match usage {
        Usage::HostCalls => Some(1),
        Usage::Rows => Some(call.visited.into()),
        Usage::Bytes => Some(call.moved),
        // A message that is refused for its length or its text is not counted by the host either.
        Usage::LogMessages => {
            let counted = call.status >= 0 || call.status == Status::LimitExceeded.code();
            let logs = call.function.builtin() == Some(Builtin::LogMessage);
            Some((logs && counted).into())
        }
        Usage::Unrecorded | Usage::Memory | Usage::Fuel | Usage::Time => None,
    }
}

/// The limits that allow what either allows.
pub(in crate::replay) fn widest(a: &Limits, b: &Limits) -> Limits {
    let mut widest = *a;
    for spec in LIMITS {
        // Without a limit on one side there is none on both.
        spec.set(&mut widest, spec.of(a).zip(spec.of(b)).map(|(a, b)| a.max(b)));
    }
    widest
}

/// The limits under which `most` is just allowed; those that a trace does not measure are those of
/// `loaded`.
pub(in crate::replay) fn narrowest(loaded: &Limits, most: &Amounts) -> Limits {
    let mut narrowest = *loaded;
    for (spec, most) in LIMITS.iter().zip(most) {
        if spec.usage.is_measured() {
            spec.set(&mut narrowest, Some((*most).max(spec.min)));
        }
    }
    narrowest
}
