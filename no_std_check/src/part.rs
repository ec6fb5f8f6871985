//! A part of a program, and what it takes of heap and stack.

use semihosting::{eprintln, println, process};

use crate::{failure::Failure, heap, stack};

/// Microseconds since the start.
pub type Clock = fn() -> u64;

/// Runs a part of the firmware, on an empty heap and a freshly painted stack.
pub fn run(name: &str, work: fn(Clock) -> Result<(), Failure>, clock: Clock) {
    heap::reset();
    stack::paint();
    let (bytes, started) = (heap::live(), clock());
    if let Err(failure) = work(clock) {
        eprintln!("{name} failed: {failure}");
        process::exit(1);
    }
    let used = [
        ("us", (clock() - started) as usize),
        ("heap_peak", heap::peak()),
        ("heap_reach", heap::reach()),
        ("stack_peak", stack::peak()),
        ("heap_left", heap::live() - bytes),
    ];
    for (what, amount) in used {
        println!("used: {name}_{what} {amount}");
    }
    if heap::live() != bytes {
        eprintln!("{name} failed: something is left on the heap");
        process::exit(1);
    }
}
