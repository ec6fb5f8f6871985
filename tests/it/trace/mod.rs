//! Traces: their bytes, the recorder, redaction, errors.

mod bytes;
mod changed;
mod damage;
mod doc;
mod errors;
mod golden;
mod own_functions;
mod passed_on;
mod random;
mod recorder;
mod redaction;
mod refused;
mod replay;
mod ring;
