//! The record of every host call.
