//! Files: reading, writing them whole or not at all, traces in them, and what becomes of them on a signal.

mod access;
pub mod signals;
pub mod trace_file;
pub mod unfinished;

pub use access::{argument, bytes, is_stdin, read, read_text, rest, text_argument, write};
