//! What a host plays back in a replay: the recorded events of a call.

#[cfg(feature = "replay")]
mod player;

#[cfg(feature = "replay")]
pub(crate) use player::{Answering, Asked, FUEL_FACTOR, Got, Limited, Mismatch, Player, Recorded};
