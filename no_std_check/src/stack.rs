//! How deep the stack went: painted at the start, looked at in the end.

use crate::machine;

/// An instruction address it is not, and no small number.
const PAINT: u32 = 0x5aa5_5aa5;

unsafe extern "C" {
    /// The lowest address of the stack.
    #[cfg_attr(target_arch = "arm", link_name = "_stack_end")]
    #[cfg_attr(target_arch = "riscv32", link_name = "__estack")]
    static mut LOW: u32;
    /// The address that it begins above.
    #[link_name = "_stack_start"]
    static mut HIGH: u32;
}

/// Paints all of the stack that is not in use.
#[inline(never)]
pub fn paint() {
    let mut at = (&raw mut LOW).cast::<u32>();
    // What this function itself still pushes is far less.
    let end = machine::stack_pointer() - 256;
    while at.addr() < end {
        // SAFETY: from LOW to the stack pointer is memory that the linker script gave to the
        // stack and that no frame uses yet.
        unsafe {
            at.write_volatile(PAINT);
            at = at.add(1);
        }
    }
}

/// The most bytes of stack that were in use since it was painted.
pub fn peak() -> usize {
    let high = (&raw const HIGH).addr();
    let mut at = (&raw const LOW).cast::<u32>();
    // SAFETY: from LOW to HIGH is the stack; every word of it is painted or was written.
    while at.addr() < high && unsafe { at.read_volatile() } == PAINT {
        // SAFETY: `at` is below HIGH, so the next one is at most one past the end.
        at = unsafe { at.add(1) };
    }
    high - at.addr()
}
