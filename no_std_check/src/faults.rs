//! A program that goes wrong in the way that its command line names, in the middle of what the
//! firmware does. `run.sh` starts it and wants the run to end with an error: with 101 after a panic,
//! with 102 after a fault of the processor.

#![no_std]
#![no_main]

extern crate alloc;

#[allow(dead_code, reason = "nothing is measured here")]
mod heap;
#[cfg_attr(target_arch = "arm", path = "cortex_m4.rs")]
#[cfg_attr(target_arch = "riscv32", path = "rv32.rs")]
#[allow(dead_code, reason = "nothing is measured here")]
mod machine;
mod panic;

use alloc::vec::Vec;
use core::hint::black_box;

use semihosting::{experimental::env, println, process};

/// Bytes of the heap.
const HEAP_BYTES: usize = 64 << 10;

/// Where the machine has neither memory nor a device.
const NOWHERE: usize = if cfg!(target_arch = "arm") { 0x7000_0000 } else { 0x1f00_0000 };

type Clock = fn() -> u64;

/// Ends with 0 only if nothing went wrong.
fn main(name: &str, _: Clock) -> ! {
    heap::init();
    println!("{name}");
    if let Ok(arguments) = env::args::<64>() {
        for argument in (&arguments).flatten() {
            go_wrong(argument);
        }
    }
    process::exit(0)
}

fn go_wrong(how: &str) {
    match how {
        "panic" => panic!("on purpose"),
        "index" => {
            let bytes = black_box([1, 2, 3]);
            let _ = black_box(bytes[black_box(3)]);
        }
        "heap" => {
            let _ = black_box(Vec::<u8>::with_capacity(black_box(2 * HEAP_BYTES)));
        }
        "instruction" => undefined_instruction(),
        "address" => {
            let nowhere: *const u32 = core::ptr::without_provenance(black_box(NOWHERE));
            // SAFETY: there is none: nothing is at this address, and the processor faults, which
            // is what is wanted.
            let _ = unsafe { nowhere.read_volatile() };
        }
        _ => {}
    }
}

fn undefined_instruction() {
    #[cfg(target_arch = "arm")]
    cortex_m::asm::udf();
    #[cfg(target_arch = "riscv32")]
    // SAFETY: the instruction that no processor has ends the run in the handler of faults.
    unsafe {
        core::arch::asm!("unimp")
    };
}
