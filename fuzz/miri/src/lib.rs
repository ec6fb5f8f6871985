//! What Miri runs: every use of `unsafe` in the crate but those that only `wasm32` has, and the storages in RAM and
//! on flash.
//!
//! Small on purpose: Miri is hundreds of times slower than a processor. `tests/it` has the tests of results.
#![cfg(test)]

mod buffers;
mod lent_memory;
#[path = "../../../tests/nor_flash/mod.rs"]
mod nor_flash;
mod storages;
