//! The wasmi side.
