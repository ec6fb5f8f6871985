//! QEMU's machine "virt": an RV32IMAC, whose `mtime` counts at 10 MHz.

use riscv_rt::entry;

/// The halves of `mtime`.
const MTIME_LOW: *const u32 = core::ptr::without_provenance(0x0200_bff8);
const MTIME_HIGH: *const u32 = core::ptr::without_provenance(0x0200_bffc);

#[entry]
fn main() -> ! {
    crate::main("RV32IMAC (riscv32imac-unknown-none-elf)", now_us)
}

/// The stack pointer.
pub fn stack_pointer() -> usize {
    let sp: usize;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mv {}, sp", out(reg) sp, options(nomem, nostack)) };
    sp
}

/// What `riscv-rt` calls after a fault of the processor: the run ends.
// SAFETY: the runtime declares the function so, and leaves the name to whoever defines it.
#[unsafe(no_mangle)]
extern "C" fn abort() -> ! {
    semihosting::process::exit(102)
}

/// Microseconds since the start.
fn now_us() -> u64 {
    loop {
        // SAFETY: the registers of the machine's timer; reading them changes nothing.
        let (high, low, again) = unsafe {
            (MTIME_HIGH.read_volatile(), MTIME_LOW.read_volatile(), MTIME_HIGH.read_volatile())
        };
        if high == again {
            return ((u64::from(high) << 32) | u64::from(low)) / 10;
        }
    }
}
