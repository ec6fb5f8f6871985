//! Traces: their bytes, the recorder, redaction, errors.

mod bytes;
mod doc;
mod errors;
mod golden;
mod random;
mod recorder;
mod redaction;
mod replay;
