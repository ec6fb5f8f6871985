//! Shapes: the types of an entry point's input and output as text, which convert JSON to bytes and
//! back. `docs/cli.md` has the language.
//!
//! The bytes are postcard's, as the SDK for plugins in Rust reads and writes them.

mod decode;
mod encode;
mod kinds;
mod parse;

pub use decode::decode;
pub use encode::encode;
pub use kinds::{InputError, Shape, Signature, TYPES_SECTION};
pub use parse::{ShapeError, signature, types};

#[cfg(test)]
mod tests;
