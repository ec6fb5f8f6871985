//! The tape of a host: what records its calls, and what plays recorded ones in place of the host functions.
//!
//! [`Tape`] is the seam. Calls and host calls talk to it as if both were there; where a feature is off, its
//! side is a type without contents that does nothing, and the compiler removes the questions. The format of
//! traces is [`trace`](crate::trace)'s, and what a replay finds is judged by `replay`.

#[cfg(feature = "record")]
mod endings;
#[cfg(feature = "record")]
mod load_event;
mod module_hash;
mod moments;
#[cfg(not(feature = "replay"))]
mod no_playing;
#[cfg(not(feature = "record"))]
mod no_recording;
#[cfg(feature = "replay")]
mod player;
#[cfg(feature = "replay")]
mod playing;
#[cfg(feature = "record")]
mod recording;
mod seam;

#[cfg(feature = "replay")]
pub(crate) use endings::ending;
pub(super) use module_hash::ModuleHash;
pub(super) use moments::{Begun, Ended, HostCall, Loaded};
#[cfg(feature = "hooks")]
pub(super) use moments::{Nesting, Used};
#[cfg(not(feature = "replay"))]
use no_playing::Playing;
#[cfg(not(feature = "record"))]
use no_recording::Recording;
#[cfg(feature = "replay")]
pub(crate) use player::{Answering, FUEL_FACTOR, Got, Limited, Mismatch, Player, Recorded};
#[cfg(feature = "replay")]
use playing::Playing;
#[cfg(feature = "record")]
use recording::Recording;
pub(super) use seam::Tape;
