//! What is in an event, and how two of them differ, in words and in JSON. It runs no plugin.

pub(in crate::replay) mod cause;
pub(in crate::replay) mod difference;
pub(in crate::replay) mod divergence;
pub(in crate::replay) mod event_text;
mod field_difference;
mod fields;
pub(in crate::replay) mod names;

pub use divergence::{Cause, Divergence, Side};
pub use event_text::Line;
pub use names::Names;
