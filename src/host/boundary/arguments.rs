//! The boundary between a plugin and a host call: the four numbers, the two parts of linear memory
//! that they name, and the reasons for which a call does not return to the plugin. It knows no host
//! function.

use core::fmt;

use wasmi::errors::HostError;

#[cfg(feature = "hooks")]
use super::result::HostCallResult;
use super::result::{HostCallFailure, Message};
use crate::limits::LimitExceeded;

/// Why a host call ends the plugin's call instead of returning a status.
pub(crate) enum Stop {
    /// The fuel does not pay for the host's work.
    OutOfFuel(LimitExceeded),
    /// A denial, and the plugin was loaded with [`OnDenied::Trap`].
    Denied(Message),
    /// The embedder's slice hook stopped a call that the plugin had made.
    #[cfg(feature = "hooks")]
    Stopped,
    /// A replay came upon something that was not recorded.
    Diverged,
}

/// How a call that a plugin makes of another one ended.
#[cfg(feature = "hooks")]
pub(crate) enum Entered {
    /// The caller goes on with this answer.
    Answer(HostCallResult),
    /// The embedder's slice hook stopped it, and with it all calls around it.
    Stopped(Message),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfFuel(exceeded) => exceeded.fmt(f),
            Self::Denied(message) => message.fmt(f),
            #[cfg(feature = "hooks")]
            Self::Stopped => f.write_str("the slice hook stopped the call"),
            Self::Diverged => f.write_str("the replay diverged"),
        }
    }
}

/// What the interpreter asks of an error. As it is displayed: a form of its own would be flash that
/// nobody looks at.
impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl HostError for Stop {}

/// The four numbers that every host function takes.
#[derive(Clone, Copy)]
pub(crate) struct Arguments {
    pub(crate) request_ptr: u32,
    pub(crate) request_len: u32,
    pub(crate) response_ptr: u32,
    pub(crate) response_capacity: u32,
}

/// Request and response, as two parts of linear memory that do not overlap. Where a recorder or a
/// call of another plugin needs it too, the compiler would no longer inline it into the hot one of its callers.
#[cfg_attr(any(feature = "record", feature = "hooks"), inline(always))]
#[cfg_attr(not(any(feature = "record", feature = "hooks")), inline)]
pub(crate) fn regions(
    linear_memory: &mut [u8],
    arguments: Arguments,
) -> Result<(&[u8], &mut [u8]), HostCallFailure> {
    let size = linear_memory.len();
    let Arguments { request_ptr, request_len, response_ptr, response_capacity } = arguments;
    let request = range(size, "request", request_ptr, request_len)?;
    let response = range(size, "response", response_ptr, response_capacity)?;
    if request.is_empty() {
        return Ok((&[], linear_memory.get_mut(response).unwrap_or_default()));
    }
    if response.is_empty() {
        return Ok((linear_memory.get(request).unwrap_or_default(), &mut []));
    }
    match linear_memory.get_disjoint_mut([request, response]) {
        Ok([request, response]) => Ok((request, response)),
        Err(_) => Err(overlap(arguments)),
    }
}

#[inline]
fn range(
    size: usize,
    what: &str,
    ptr: u32,
    len: u32,
) -> Result<core::ops::Range<usize>, HostCallFailure> {
    let (start, len_) = (ptr as usize, len as usize);
    match start.checked_add(len_) {
        Some(end) if end <= size => Ok(start..end),
        _ => Err(out_of_bounds(size, what, ptr, len)),
    }
}

#[cold]
fn out_of_bounds(size: usize, what: &str, ptr: u32, len: u32) -> HostCallFailure {
    HostCallFailure::invalid(format_args!(
        "the {what} of {len} bytes at {ptr} is outside the linear memory of {size} bytes"
    ))
}

#[cold]
fn overlap(arguments: Arguments) -> HostCallFailure {
    let Arguments { request_ptr, request_len, response_ptr, response_capacity } = arguments;
    HostCallFailure::invalid(format_args!(
        "the request ({request_len} bytes at {request_ptr}) and the response \
         ({response_capacity} bytes at {response_ptr}) overlap"
    ))
}
