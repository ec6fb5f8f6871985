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
mod own_function;
mod panic;
mod plugins;
mod small;
mod stack;
mod tally;

use semihosting::{eprintln, println, process};

/// Bytes of the heap.
const HEAP_BYTES: usize = if cfg!(feature = "roomy") { 2 << 20 } else { 512 << 10 };

/// Runs both parts, prints what each used, and ends the run: with 0 if everything was as it must
/// be.
fn main(name: &str, clock: Clock) -> ! {
    heap::init();
    logger::init();
    println!("{name}");
    part("small", small::run, clock);
    part("job", job::run, clock);
    process::exit(0)
}

/// Microseconds since the start.
type Clock = fn() -> u64;

/// Runs a part of the firmware, on an empty heap and a freshly painted stack.
fn part(name: &str, run: fn(Clock) -> Result<(), failure::Failure>, clock: Clock) {
    heap::reset();
    stack::paint();
    let (bytes, started) = (heap::live(), clock());
    if let Err(failure) = run(clock) {
        eprintln!("{name} failed: {failure}");
        process::exit(1);
    }
    println!("used: {name}_us {}", clock() - started);
    println!("used: {name}_heap_peak {}", heap::peak());
    println!("used: {name}_heap_reach {}", heap::reach());
    println!("used: {name}_stack_peak {}", stack::peak());
    println!("used: {name}_heap_left {}", heap::live() - bytes);
    if heap::live() != bytes {
        eprintln!("{name} failed: something is left on the heap");
        process::exit(1);
    }
}
