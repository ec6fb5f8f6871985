//! MPS2 board, AN386: a Cortex-M4 at 25 MHz.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use cortex_m::{
    Peripherals,
    peripheral::{SYST, syst::SystClkSource},
};
use cortex_m_rt::{ExceptionFrame, entry, exception};

/// The board's 32 interrupts, none of which is used: a table for the 240 that a Cortex-M4 could have
/// would be 800 bytes of flash more.
// SAFETY: the section is where the linker script wants the vectors behind those of the core, the
// name is the one it looks for, and each entry is the address of a function of a handler's type.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [unsafe extern "C" fn(); 32] = [DefaultHandler; 32];

unsafe extern "C" {
    /// What `cortex-m-rt` does with an interrupt that nobody handles.
    fn DefaultHandler();
}

/// Cycles of a microsecond.
const CYCLES: u32 = 25;

/// Milliseconds since the start.
static MILLIS: AtomicU32 = AtomicU32::new(0);

#[entry]
fn main() -> ! {
    if let Some(mut peripherals) = Peripherals::take() {
        let timer = &mut peripherals.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(1000 * CYCLES - 1);
        timer.clear_current();
        timer.enable_counter();
        timer.enable_interrupt();
    }
    crate::main("Cortex-M4 (thumbv7em-none-eabihf)", now_us)
}

/// The stack pointer.
pub fn stack_pointer() -> usize {
    cortex_m::register::msp::read() as usize
}

/// A fault of the processor, such as a stack that ran into the heap's end: the run ends.
#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    semihosting::process::exit(102)
}

#[exception]
fn SysTick() {
    MILLIS.fetch_add(1, Relaxed);
}

/// Microseconds since the start: whole ones from the interrupt, the rest from the counter.
fn now_us() -> u64 {
    loop {
        let millis = MILLIS.load(Relaxed);
        let rest = 1000 - 1 - SYST::get_current() / CYCLES;
        // The interrupt between the two looks would pair a new count with an old one.
        if MILLIS.load(Relaxed) == millis {
            return u64::from(millis) * 1000 + u64::from(rest);
        }
    }
}
