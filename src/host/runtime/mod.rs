//! The host itself: loading and calling plugins, and recording and replaying their calls.

mod call;
mod config;
mod host;
#[cfg(feature = "record")]
pub(super) mod recording;
#[cfg(feature = "replay")]
mod replaying;
mod slice;

pub use call::Outcome;
pub use config::HostConfig;
pub use host::Host;
#[cfg(feature = "replay")]
pub(crate) use recording::ending;
#[cfg(feature = "record")]
pub(super) use recording::record_usual;
pub use slice::{Slice, SliceDecision, SliceHook};
