//! Scans with falling keys, over cursors that only rise.
//!
//! The last entries of a range are found by halving it: a cursor that begins in the middle either
//! reaches the end within a few entries, which are then handed out from the last to the first, or
//! does not, and then the upper half is halved again. Keys that are numbers lie close together, in
//! a small part of what their bytes could say: where nothing is found, the next part is looked for
//! in leaps.

use alloc::{vec, vec::Vec};
use core::{mem, ops::ControlFlow};

use embedded_storage::nor_flash::NorFlash;

use super::tree::{Ekv, walk};
use crate::database::storage::{KeyRange, MAX_KEY_LEN, StorageError, Visit};

/// The most bytes of entries that are kept, and one entry of any length.
const KEPT_BYTES: usize = 2048;
/// The most entries that are kept. The engine asks for 16 at a time.
const KEPT: usize = 20;

/// Entries in rising order.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    /// Where each entry's value begins and ends.
    ends: heapless::Vec<(usize, usize), KEPT>,
}

impl Kept {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Keeps an entry; says whether there was room.
    fn keep(&mut self, key: &[u8], value: &[u8]) -> bool {
        let len = self.bytes.len().saturating_add(key.len()).saturating_add(value.len());
        if self.ends.is_full() || (len > KEPT_BYTES && !self.ends.is_empty()) {
            return false;
        }
        self.bytes.extend_from_slice(key);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((middle, self.bytes.len())).is_ok()
    }

    /// Hands the entries to `visit`, from the last to the first.
    fn hand_out(&self, visit: &mut Visit<'_>) -> ControlFlow<()> {
        for at in (0..self.ends.len()).rev() {
            let start = at.checked_sub(1).and_then(|at| self.ends.get(at)).map_or(0, |end| end.1);
            let (middle, end) = self.ends.get(at).copied().unwrap_or_default();
            let key = self.bytes.get(start..middle).unwrap_or_default();
            visit(key, self.bytes.get(middle..end).unwrap_or_default())?;
        }
        ControlFlow::Continue(())
    }
}

/// Hands the entries of a range to `visit`, keys falling.
///
/// # Errors
/// [`StorageError`].
pub fn scan<F: NorFlash>(
    database: &Ekv<F>,
    range: KeyRange<'_>,
    value: &mut [u8],
    visit: &mut Visit<'_>,
) -> Result<(), StorageError> {
    let mut kept = Kept::default();
    // What is left to be handed out ends before this key.
    let mut upper = range.upper.map(<[u8]>::to_vec);
    // It is known how much there is from `from` on; below it, to `floor`, it is not.
    let mut from = range.lower.to_vec();
    let mut floor = from.clone();
    // The part of what is between that is looked at: one half, or less, as a power of two.
    let mut shift = 1;
    loop {
        kept.clear();
        let mut beyond: Option<Vec<u8>> = None;
        let part = KeyRange { lower: &from, upper: upper.as_deref() };
        walk(database, part, value, &mut |key, value| {
            if kept.keep(key, value) {
                return ControlFlow::Continue(());
            }
            beyond = Some(key.to_vec());
            ControlFlow::Break(())
        })?;
        match beyond {
            // Too many: the last ones are above this one.
            Some(key) => {
                floor = key;
                shift = 1;
                from = between(&floor, upper.as_deref(), shift);
            }
            None if kept.hand_out(visit).is_break() || from == range.lower => return Ok(()),
            // Nothing: keys are close together somewhere below, so less is looked at each time.
            None if kept.ends.is_empty() && from > floor => {
                upper = Some(from);
                shift = shift.saturating_mul(2);
                from = between(&floor, upper.as_deref(), shift);
            }
            None => {
                let below = if from > floor { floor } else { range.lower.to_vec() };
                upper = Some(mem::replace(&mut from, below));
                floor = range.lower.to_vec();
                shift = 1;
            }
        }
    }
}

/// The key that is above `lower` by the 2^`shift`th part of what is between two keys, as fractions
/// of 256; `lower` itself if nothing is.
fn between(lower: &[u8], upper: Option<&[u8]>, shift: usize) -> Vec<u8> {
    // One byte more than the longer of the two, so that there is something between neighbours.
    let len = lower.len().max(upper.map_or(0, <[u8]>::len)).saturating_add(1).min(MAX_KEY_LEN);
    let digit = |key: &[u8], at: usize| i16::from(key.get(at).copied().unwrap_or(0));
    let high = |at| upper.map_or(0xff, |upper| digit(upper, at));
    let mut gap = vec![0; len];
    let mut borrow = 0;
    for (at, place) in gap.iter_mut().enumerate().rev() {
        let rest = high(at) - digit(lower, at) - borrow;
        borrow = i16::from(rest < 0);
        *place = rest + 256 * borrow;
    }
    let (bytes, bits) = (shift / 8, shift % 8);
    let shifted = |at: usize| {
        let byte = |at: Option<usize>| at.and_then(|at| gap.get(at)).copied().unwrap_or(0);
        let pair = byte(at.checked_sub(bytes + 1)) << 8 | byte(at.checked_sub(bytes));
        pair >> bits & 0xff
    };
    let mut key = vec![0; len];
    let mut carry = 0;
    for (at, place) in key.iter_mut().enumerate().rev() {
        let sum = digit(lower, at) + shifted(at) + carry;
        *place = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    // Nothing was added.
    let (same, rest) = key.split_at_checked(lower.len()).unwrap_or_default();
    if same == lower && rest.iter().all(|&byte| byte == 0) { lower.to_vec() } else { key }
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn parts_are_counted_from_the_lower_key() {
        assert_eq!(between(&[2], Some(&[4]), 1), [3, 0]);
        assert_eq!(between(&[2], Some(&[3]), 1), [2, 128]);
        assert_eq!(between(&[2], Some(&[3]), 8), [2, 1]);
        assert_eq!(between(&[2, 255], Some(&[3, 1]), 1), [3, 0, 0]);
        assert_eq!(between(&[0], None, 4), [15, 255]);
        // No byte is left.
        assert_eq!(between(&[2], Some(&[3]), 9), [2]);
        assert_eq!(between(&[7; 128], Some(&[7; 128]), 1), [7; 128]);
    }
}
