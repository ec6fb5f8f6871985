//! A NOR flash in memory, with the rules of a real one: an erase sets all bits of a block, a write
//! only clears bits, of words that were erased. The power can fail at every byte that is written
//! and at several places of every erase, and leaves then what real flash may be left with. It
//! counts what is read, written and erased.
//!
//! It needs `core` and `embedded-storage`, and the caller brings the memory, so that firmware can
//! have one in RAM that outlives a reset: include it with `#[path]`.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// Bytes of an erase block.
pub const BLOCK: usize = 4096;
/// The most blocks.
pub const BLOCKS: usize = 256;
/// Places in an erase where the power can fail.
pub const ERASE_STEPS: u64 = 4;

/// Why the flash did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An address or a length is not a multiple of a word or block.
    NotAligned,
    /// An address is outside.
    OutOfBounds,
    /// A word was written that was not erased before.
    NotErased,
    /// The power is off.
    NoPower,
}

impl NorFlashError for Fault {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::NotErased | Self::NoPower => NorFlashErrorKind::Other,
        }
    }
}

/// What was done with a flash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes that were read.
    pub read: u64,
    /// Bytes that were written.
    pub written: u64,
    /// Blocks that were erased.
    pub erased: u64,
}

/// A NOR flash with words of `WORD` bytes and erase blocks of `ERASE` bytes, in memory that somebody else has.
#[derive(Clone, Debug)]
pub struct SimulatedFlash<M, const WORD: usize, const ERASE: usize = BLOCK> {
    memory: M,
    /// What was done with it.
    pub counts: Counts,
    /// How often each block was erased.
    pub wear: [u32; BLOCKS],
    /// Steps until the power fails: a byte that is written is one, an erase [`ERASE_STEPS`].
    left: Option<u64>,
}

impl<M: AsRef<[u8]> + AsMut<[u8]>, const WORD: usize, const ERASE: usize>
    SimulatedFlash<M, WORD, ERASE>
{
    /// A flash whose contents are those of `memory`.
    pub fn new(memory: M) -> Self {
        Self { memory, counts: Counts::default(), wear: [0; BLOCKS], left: None }
    }

    /// Lets the power fail after so many steps.
    #[allow(dead_code, reason = "not every user's power fails")]
    pub fn fail_after(&mut self, steps: u64) {
        self.left = Some(steps);
    }

    /// The power is back, and stays.
    #[allow(dead_code, reason = "not every user's power fails")]
    pub fn power_on(&mut self) {
        self.left = None;
    }

    /// The contents.
    #[allow(dead_code, reason = "not every user looks at them")]
    pub fn memory(&mut self) -> &mut [u8] {
        self.memory.as_mut()
    }

    /// Takes a step; says whether there was power for it.
    fn step(&mut self) -> bool {
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    fn powered(&self) -> Result<(), Fault> {
        if self.left == Some(0) { Err(Fault::NoPower) } else { Ok(()) }
    }

    fn inside(&self, offset: u32, len: usize, unit: usize) -> Result<usize, Fault> {
        let offset = offset as usize;
        if !offset.is_multiple_of(unit) || !len.is_multiple_of(unit) {
            return Err(Fault::NotAligned);
        }
        let end = offset.checked_add(len).ok_or(Fault::OutOfBounds)?;
        if end > self.memory.as_ref().len() { Err(Fault::OutOfBounds) } else { Ok(offset) }
    }
}

/// Bits that a failing power leaves as they happen to be: the same ones each time.
fn noise(seed: u64, at: usize) -> u8 {
    let mixed = (seed ^ (at as u64) << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_be_bytes()[1]
}

impl<M, const WORD: usize, const ERASE: usize> ErrorType for SimulatedFlash<M, WORD, ERASE> {
    type Error = Fault;
}

impl<M: AsRef<[u8]> + AsMut<[u8]>, const WORD: usize, const ERASE: usize> ReadNorFlash
    for SimulatedFlash<M, WORD, ERASE>
{
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        self.powered()?;
        let start = self.inside(offset, bytes.len(), 1)?;
        bytes.copy_from_slice(&self.memory.as_ref()[start..start + bytes.len()]);
        self.counts.read += bytes.len() as u64;
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.memory.as_ref().len()
    }
}

impl<M: AsRef<[u8]> + AsMut<[u8]>, const WORD: usize, const ERASE: usize> NorFlash
    for SimulatedFlash<M, WORD, ERASE>
{
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = ERASE;

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.powered()?;
        let start = self.inside(offset, bytes.len(), WORD)?;
        for (at, word) in bytes.chunks(WORD).enumerate() {
            let place = start + at * WORD;
            if self.memory.as_ref()[place..place + WORD].iter().any(|&byte| byte != 0xff) {
                return Err(Fault::NotErased);
            }
            // A word is written as one. If the power fails meanwhile, some of its bits have fallen.
            let done = word.iter().take_while(|_| self.step()).count();
            let seed = self.left.map_or(0, |_| self.counts.written + done as u64);
            for (byte, (&new, at)) in
                self.memory.as_mut()[place..].iter_mut().zip(word.iter().zip(place..))
            {
                let late = match done {
                    done if done == WORD => 0,
                    0 => 0xff,
                    _ => noise(seed, at),
                };
                *byte &= new | late;
            }
            if done < WORD {
                return Err(Fault::NoPower);
            }
            self.counts.written += WORD as u64;
        }
        self.powered()
    }

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        self.powered()?;
        let start = self.inside(from, to.saturating_sub(from) as usize, ERASE)?;
        for block in start / ERASE..to as usize / ERASE {
            let done = (0..ERASE_STEPS).take_while(|_| self.step()).count() as u64;
            let seed = self.counts.erased * ERASE_STEPS + done;
            let bytes = &mut self.memory.as_mut()[block * ERASE..][..ERASE];
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte |= match done {
                    ERASE_STEPS => 0xff,
                    0 => 0,
                    // The first half is done; some bits are up everywhere; most are.
                    1 => u8::from(at < ERASE / 2) * 0xff,
                    2 => noise(seed, at),
                    _ => noise(seed, at) | noise(seed + 7, at) | noise(seed + 11, at),
                };
            }
            if done < ERASE_STEPS {
                return Err(Fault::NoPower);
            }
            self.counts.erased += 1;
            if let Some(wear) = self.wear.get_mut(block) {
                *wear += 1;
            }
        }
        self.powered()
    }
}
