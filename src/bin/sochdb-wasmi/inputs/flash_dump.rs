//! The bytes of a device's flash, as a flash in RAM: what opening a store repairs changes this copy only.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// Bytes of an erase block.
const BLOCK: usize = 4096;

/// A flash in RAM.
pub struct FlashDump(pub Vec<u8>);

/// An address or a length that the dump does not have.
#[derive(Debug)]
pub struct OutOfBounds;

impl NorFlashError for OutOfBounds {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::OutOfBounds
    }
}

impl FlashDump {
    fn part(&mut self, from: u32, to: u32) -> Result<&mut [u8], OutOfBounds> {
        self.0.get_mut(from as usize..to as usize).ok_or(OutOfBounds)
    }
}

fn end(offset: u32, bytes: &[u8]) -> Result<u32, OutOfBounds> {
    u32::try_from(bytes.len()).ok().and_then(|len| offset.checked_add(len)).ok_or(OutOfBounds)
}

impl ErrorType for FlashDump {
    type Error = OutOfBounds;
}

impl ReadNorFlash for FlashDump {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), OutOfBounds> {
        let end = end(offset, bytes)?;
        bytes.copy_from_slice(self.part(offset, end)?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for FlashDump {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = BLOCK;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), OutOfBounds> {
        self.part(from, to)?.fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let end = end(offset, bytes)?;
        // Writing flash only clears bits.
        self.part(offset, end)?.iter_mut().zip(bytes).for_each(|(old, new)| *old &= new);
        Ok(())
    }
}
