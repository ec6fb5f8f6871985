//! Plugins run on the answers of a trace, and what they do is compared with what was recorded.

mod call;
pub(in crate::replay) mod compare;
pub(in crate::replay) mod error;
mod limited;
mod module_for;
pub(in crate::replay) mod outcome;
pub(in crate::replay) mod read_calls;
mod replay;
pub(in crate::replay) mod replayer;
mod session;

pub use error::{NoAnswer, ReplayError};
pub use outcome::{FuelDifference, PassedOver, Replay};
pub use replayer::Replayer;
