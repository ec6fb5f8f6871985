//! A weather station whose power fails again and again, in the middle of writing to its flash, and
//! which goes on each time where the last finished call ended.
//!
//! The flash is simulated, in RAM that a reset leaves as it is. The reset is a real one of the
//! (emulated) machine: the processor starts again at its vectors, and whatever else was in RAM is
//! gone.

#![no_std]
#![no_main]

extern crate alloc;

#[path = "../../src/failure.rs"]
mod failure;
#[path = "../../src/heap.rs"]
#[allow(dead_code, reason = "the other firmware uses more of it")]
mod heap;
mod job;
#[cfg(feature = "flash")]
mod kept;
#[path = "../../../tests/nor_flash/mod.rs"]
#[cfg(feature = "flash")]
mod nor_flash;
#[path = "../../src/plugin_limits.rs"]
mod plugin_limits;
mod stack;

use cortex_m_rt::{ExceptionFrame, entry, exception};
use semihosting::{eprintln, process};

/// Bytes of the heap.
const HEAP_BYTES: usize = 512 << 10;

/// What the stack's painter asks of the machine.
mod machine {
    /// The stack pointer.
    pub fn stack_pointer() -> usize {
        cortex_m::register::msp::read() as usize
    }
}

#[entry]
fn main() -> ! {
    heap::init();
    stack::paint();
    match job::run() {
        Ok(()) => process::exit(0),
        Err(failure) => {
            eprintln!("failed: {failure}");
            process::exit(1)
        }
    }
}

/// The board's 32 interrupts, none of which is used.
// SAFETY: the section is where the linker script wants the vectors behind those of the core, the
// name is the one it looks for, and each entry is the address of a function of a handler's type.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [unsafe extern "C" fn(); 32] = [DefaultHandler; 32];

unsafe extern "C" {
    /// What `cortex-m-rt` does with an interrupt that nobody handles.
    fn DefaultHandler();
}

#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    process::exit(102)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    process::exit(101)
}
