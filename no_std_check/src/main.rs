//! The weather station as firmware: what `examples/weather_station.rs` does on a desk, on two
//! machines without an operating system.
//!
//! [`small`] is what fits 64 KiB of heap and stack, [`job`] is everything. Both are the same on
//! either machine; [`machine`] brings the clock and the entry point.

#![no_std]
#![no_main]

extern crate alloc;

mod decimal;
mod failure;
mod feed;
mod heap;
mod job;
mod logger;
#[cfg_attr(target_arch = "arm", path = "cortex_m4.rs")]
#[cfg_attr(target_arch = "riscv32", path = "rv32.rs")]
mod machine;
mod memory;
mod own_function;
mod panic;
mod part;
mod plugin_limits;
#[allow(dead_code, reason = "another program has the others")]
mod plugins;
mod small;
mod stack;
mod tally;

use semihosting::{println, process};

/// Bytes of the heap.
const HEAP_BYTES: usize = if cfg!(feature = "roomy") { 2 << 20 } else { 512 << 10 };

/// Runs both parts, prints what each used, and ends the run: with 0 if everything was as it must
/// be.
fn main(name: &str, clock: part::Clock) -> ! {
    heap::init();
    logger::init();
    println!("{name}");
    part::run("small", small::run, clock);
    part::run("job", job::run, clock);
    process::exit(0)
}
