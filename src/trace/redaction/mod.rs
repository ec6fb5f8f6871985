//! Values that do not leave the device: they are replaced in events, where they lie in the recorder's
//! buffer, by keyed pseudonyms of the same type and the same encoded length.
//!
//! Equal values of a type have equal pseudonyms under a key, wherever they stand, so that they still
//! compare, and a plugin that only passes them on sends in a replay what it sent then. `docs/trace.md` lists
//! what is replaced and what is not.

mod chosen;
mod pseudonym;
mod replace;
mod shape;

pub use chosen::Redaction;
