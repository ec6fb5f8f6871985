//! One wrong bit in what has a CRC-32: the checksum says which one it is. Two wrong bits, or several in one
//! byte, are never taken for a third one within a page, so a wrong correction needs damage of several
//! bytes, and then one chance in 2^32 for each bit.

use super::{
    format::{ENTRY, EntryHead, HEADER, Key, MAGIC, PageHead, crc, entry_sum, hash},
    loaded::parts,
};
use crate::database::storage::MAX_KEY_LEN;

/// Bytes of a record before its contents: length, kind, checksum.
pub const RECORD: usize = 8;

/// What a checksum covers.
struct Sum {
    /// The checksum of what is there, exclusive or the one that is written.
    difference: u32,
    /// Where the covered bytes end.
    end: usize,
    /// Where it is written.
    at: usize,
}

/// Which bit is wrong, from the last of so many bytes, if checksums differ by this.
fn wrong_bit(difference: u32, bytes: usize) -> Option<usize> {
    let mut sum = 0xedb8_8320;
    (0..bytes * 8).find(|_| {
        let found = sum == difference;
        sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
        found
    })
}

fn flip(bytes: &mut [u8], at: usize, bit: usize) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << bit;
    }
}

/// Corrects one wrong bit. The first `head` bytes say how much is covered, so each of their bits is tried.
fn mend(bytes: &mut [u8], head: usize, sum: &dyn Fn(&[u8]) -> Option<Sum>) -> bool {
    if let Some(Sum { difference, end, at }) = sum(bytes) {
        if difference == 0 {
            return true;
        }
        if difference.is_power_of_two() {
            let bit = difference.trailing_zeros() as usize;
            flip(bytes, at + bit / 8, bit % 8);
            return true;
        }
        if let Some(bit) = wrong_bit(difference, end.saturating_sub(head)) {
            flip(bytes, end - 1 - bit / 8, 7 - bit % 8);
            return true;
        }
    }
    (0..head * 8).any(|bit| {
        flip(bytes, bit / 8, bit % 8);
        let sound = sum(bytes).is_some_and(|sum| sum.difference == 0);
        if !sound {
            flip(bytes, bit / 8, bit % 8);
        }
        sound
    })
}

fn written(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|sum| u32::from_le_bytes(*sum))
}

/// Corrects the entry that bytes begin with, at a place of a page with this serial; says whether it is whole.
fn entry(serial: u32, place: usize, bytes: &mut [u8]) -> bool {
    mend(bytes, ENTRY, &|bytes| {
        let end = EntryHead::read(bytes)?.len() - 4;
        let found = entry_sum(serial, place, bytes.get(..end)?);
        Some(Sum { difference: found ^ written(bytes, end)?, end, at: end })
    })
}

/// Corrects an entry of a leaf with this low key; returns its length if it is whole.
#[cold]
#[inline(never)]
pub fn whole_entry(serial: u32, place: usize, low: &Key, bytes: &mut [u8]) -> Option<usize> {
    if !entry(serial, place, bytes) {
        return None;
    }
    let head = EntryHead::read(bytes)?;
    let (key, ..) = parts(low, bytes.get(..head.len())?)?;
    (hash(&key) == head.hash).then_some(head.len())
}

/// Corrects the record that bytes begin with; says whether it is whole.
#[cold]
#[inline(never)]
pub fn record(serial: u32, place: usize, bytes: &mut [u8]) -> bool {
    mend(bytes, RECORD, &|bytes| {
        let (&head, _) = bytes.split_first_chunk::<4>()?;
        let end = usize::from(u16::from_le_bytes([head[0], head[1]]));
        let found = record_sum(serial, place, head, bytes.get(RECORD..end)?);
        Some(Sum { difference: found ^ written(bytes, 4)?, end, at: 4 })
    })
}

/// The checksum of a record.
pub fn record_sum(serial: u32, place: usize, head: [u8; 4], contents: &[u8]) -> u32 {
    crc(crc(serial ^ (place as u32) << 16, &head), contents)
}

/// Whether a page begins as one of the store does, but for one bit.
pub fn is_page(fixed: &[u8; HEADER]) -> bool {
    let wrong = fixed.iter().zip(MAGIC).map(|(found, wanted)| (found ^ wanted).count_ones());
    wrong.sum::<u32>() <= 1
}

/// Corrects the header of a page, of which `low` has all bytes that may be its low key; `None` if more
/// than a bit of it is wrong.
#[cold]
#[inline(never)]
pub fn head(fixed: &mut [u8; HEADER], low: &mut [u8; MAX_KEY_LEN]) -> Option<(PageHead, u32)> {
    let turn = |fixed: &mut [u8; HEADER], low: &mut [u8; MAX_KEY_LEN], bit: usize| match (bit / 8)
        .checked_sub(HEADER)
    {
        None => flip(fixed, bit / 8, bit % 8),
        Some(at) => flip(low, at, bit % 8),
    };
    (0..(HEADER + MAX_KEY_LEN) * 8).find_map(|bit| {
        turn(fixed, low, bit);
        let found = PageHead::read(fixed, low.get(..PageHead::low_len(fixed)).unwrap_or_default());
        if found.is_none() {
            turn(fixed, low, bit);
        }
        found
    })
}
