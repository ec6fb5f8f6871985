//! The boundary between a plugin and a host function: the four numbers of a host call, the parts of
//! linear memory they name, and the result.
//!
//! This room knows no plugin and no host function.

mod arguments;
mod result;

#[cfg(feature = "hooks")]
pub(super) use arguments::Entered;
pub(super) use arguments::{Arguments, Stop, regions};
pub use result::{HostCallFailure, HostCallResult, MAX_MESSAGE_LEN, Message};
