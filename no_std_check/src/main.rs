//! The weather station as firmware: what `examples/weather_station.rs` does on a desk, on two
//! machines without an operating system.
//!
//! [`job`] is the same for both; [`cortex_m4`] and [`rv32`] bring a clock and an entry point.

#![no_std]
#![no_main]

extern crate alloc;

#[cfg(target_arch = "arm")]
mod cortex_m4;
mod failure;
mod feed;
mod heap;
mod job;
mod logger;
mod own_function;
#[cfg(target_arch = "riscv32")]
mod rv32;
mod stack;
mod tally;

use semihosting::{eprintln, println, process};

/// Runs the job, prints what it used, and ends the run: with 0 if everything was as it must be.
fn main(machine: &str, clock: fn() -> u64) -> ! {
    heap::init();
    logger::init();
    let before = heap::live();
    println!("{machine}");
    if let Err(failure) = job::run(clock) {
        eprintln!("failed: {failure}");
        process::exit(1);
    }
    let after = heap::live();
    println!("used: heap_live_before {before}");
    println!("used: heap_live_after {after}");
    println!("used: heap_peak {}", heap::peak());
    println!("used: heap_reach {}", heap::reach());
    println!("used: stack_peak {}", stack::peak());
    println!("used: microseconds {}", clock());
    process::exit(i32::from(before != after));
}

/// Ends the run. What a panic would say is not looked at, so neither the texts nor the code that
/// formats them are in the firmware.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    process::exit(101)
}
