//! Scans with falling keys, over cursors that only rise.
//!
//! The last entries of a range are found by halving it: a cursor that begins in the middle either
//! reaches the end within a few entries, which are then handed out from the last to the first, or
//! does not, and then the upper half is halved again.

use alloc::{vec, vec::Vec};
use core::ops::ControlFlow;

use embedded_storage::nor_flash::NorFlash;

use super::{Ekv, walk};
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
pub fn scan<F: NorFlash>(
    database: &Ekv<F>,
    range: KeyRange<'_>,
    value: &mut [u8],
    visit: &mut Visit<'_>,
) -> Result<(), StorageError> {
    let mut kept = Kept::default();
    let mut upper = range.upper.map(<[u8]>::to_vec);
    // All entries from `from` to `upper` are looked at; those before it may not be.
    let mut from = range.lower.to_vec();
    // The highest key that is known to have entries from it on to `upper`.
    let mut floor = from.clone();
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
            // Too many: the last entries are in the upper part.
            Some(key) => {
                from = middle(&key, upper.as_deref());
                floor = key;
            }
            None => {
                if kept.hand_out(visit).is_break() || from == range.lower {
                    return Ok(());
                }
                upper = Some(from);
                // What is left ends here. Where it begins to be few enough is not known.
                from = floor;
                floor = range.lower.to_vec();
                if upper.as_deref().is_some_and(|upper| upper <= from.as_slice()) {
                    from = floor.clone();
                }
            }
        }
    }
}

/// A key between two, the lower one included: halfway, as fractions of 256.
fn middle(lower: &[u8], upper: Option<&[u8]>) -> Vec<u8> {
    // One byte more than the longer of the two, so that there is something between neighbours.
    let len = lower.len().max(upper.map_or(0, <[u8]>::len)).saturating_add(1).min(MAX_KEY_LEN);
    let digit = |key: &[u8], at: usize| u16::from(key.get(at).copied().unwrap_or(0));
    let mut sum = vec![0; len];
    let mut carry = 0;
    for (at, place) in sum.iter_mut().enumerate().rev() {
        let high = upper.map_or(0xff, |upper| digit(upper, at));
        let total = digit(lower, at) + high + carry;
        *place = total & 0xff;
        carry = total >> 8;
    }
    let mut half = Vec::with_capacity(len);
    for place in sum {
        let value = carry << 8 | place;
        half.push((value >> 1) as u8);
        carry = value & 1;
    }
    // Where the digits end, half may be no more than the lower one.
    if half.as_slice() > lower { half } else { lower.to_vec() }
}
