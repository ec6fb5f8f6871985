//! The flash of this board: simulated, in memory that outlives a reset. Its power fails at the
//! places of a list, one for each start, and a failing power resets the machine.

use core::slice;

use cortex_m::peripheral::SCB;
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

use crate::nor_flash::{BLOCK, Fault, SimulatedFlash};

/// Bytes of the flash.
pub const BYTES: usize = 64 * BLOCK;

/// After how many steps of writing and erasing the power fails, at each start. After the last it
/// stays.
const FAILURES: [u64; 12] = [3, 40, 900, 5000, 2600, 77, 7100, 9001, 4444, 12_345, 600, 15_000];

/// Says that the flash is there: a board fresh from the factory has anything else in its RAM.
const PRESENT: u32 = 0x50da_f1a5;

unsafe extern "C" {
    /// The memory that is kept.
    #[link_name = "_kept_start"]
    static mut KEPT: u32;
}

/// The flash of the board.
pub struct BoardFlash(SimulatedFlash<&'static mut [u8], 4>);

/// Takes the flash, which may happen once, and says how often the board was started before.
pub fn take() -> (BoardFlash, u32) {
    let words = &raw mut KEPT;
    // SAFETY: the linker script keeps 512 KiB there for nobody else, aligned to more than a word:
    // two words and `BYTES` fit. They were never anything but integers, which may have any bits.
    // Nobody takes them again: this is called once after each reset.
    let ([present, starts], memory) = unsafe {
        let head: &mut [u32; 2] = &mut *words.cast();
        (head, slice::from_raw_parts_mut(words.add(2).cast::<u8>(), BYTES))
    };
    if *present != PRESENT {
        *present = PRESENT;
        *starts = 0;
        memory.fill(0xff);
    }
    let before = *starts;
    *starts += 1;
    let mut flash = SimulatedFlash::new(memory);
    if let Some(steps) = FAILURES.get(before as usize) {
        flash.fail_after(*steps);
    }
    (BoardFlash(flash), before)
}

impl BoardFlash {
    /// Whether the power will not fail any more.
    pub const fn is_safe(starts: u32) -> bool {
        starts as usize >= FAILURES.len()
    }
}

/// A failing power resets the machine, in the middle of whatever it does.
fn survive<T>(result: Result<T, Fault>) -> Result<T, Fault> {
    if let Err(Fault::NoPower) = result {
        SCB::sys_reset();
    }
    result
}

impl ErrorType for BoardFlash {
    type Error = Fault;
}

impl ReadNorFlash for BoardFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        survive(self.0.read(offset, bytes))
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl NorFlash for BoardFlash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = BLOCK;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        survive(self.0.erase(from, to))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        survive(self.0.write(offset, bytes))
    }
}
