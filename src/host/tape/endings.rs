//! How a trace names the end of a slice and of a call.

use crate::{
    host::error::CallError,
    limits::{Limit, LimitExceeded},
    trace::{Ending, SliceEnd},
};

/// How a slice of fuel was followed.
pub(super) fn slice_end(decided: &Result<(), CallError>) -> SliceEnd {
    match decided {
        Ok(()) => SliceEnd::Continue,
        Err(CallError::Limit(LimitExceeded { limit: Limit::Deadline, .. })) => SliceEnd::Deadline,
        Err(_) => SliceEnd::Stopped,
    }
}

/// How a call ended, and the number that its entry point returned.
pub(crate) fn ending(kept: &Result<u32, CallError>) -> (Ending, i32) {
    match kept {
        Ok(len) => (Ending::Output, i32::try_from(*len).unwrap_or(i32::MAX)),
        Err(CallError::Failed { code, .. }) => (Ending::Failed, *code),
        Err(CallError::OutputTooLarge { len, .. }) => {
            (Ending::OutputTooLarge, i32::try_from(*len).unwrap_or(i32::MAX))
        }
        Err(CallError::StackOverflow { .. }) => (Ending::StackOverflow, 0),
        Err(CallError::Limit(_)) => (Ending::Limit, 0),
        Err(CallError::Stopped) => (Ending::Stopped, 0),
        Err(CallError::Denied { .. }) => (Ending::Denied, 0),
        Err(CallError::Commit(_)) => (Ending::Commit, 0),
        Err(_) => (Ending::Trap, 0),
    }
}
