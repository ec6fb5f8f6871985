//! An ordered list of slot numbers in sorted blocks: the order behind scans of the memory storage
//! and of a transaction's writes. It does not know the keys; whoever owns the slots compares them.

use alloc::vec::Vec;

/// The most slots in a block. A block moves at most this many numbers for an insertion.
const BLOCK: usize = 512;

/// A place in an [`Order`]. Good until the order changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    block: usize,
    at: usize,
}

/// Slot numbers in the order of their keys. No block is empty.
#[derive(Debug, Default)]
pub struct Order {
    blocks: Vec<Vec<u32>>,
    /// Blocks that became empty, kept so that emptying and filling again needs no allocation.
    spare: Vec<Vec<u32>>,
}

impl Order {
    /// The first position whose slot does not come `before` what is looked for.
    #[inline]
    pub fn lower_bound(&self, mut before: impl FnMut(u32) -> bool) -> Position {
        let block =
            self.blocks.partition_point(|block| block.last().is_some_and(|&slot| before(slot)));
        let at =
            self.blocks.get(block).map_or(0, |slots| slots.partition_point(|&slot| before(slot)));
        Position { block, at }
    }

    /// The position after all slots.
    pub fn end(&self) -> Position {
        Position { block: self.blocks.len(), at: 0 }
    }

    /// The slot at a position.
    #[inline]
    pub fn get(&self, position: Position) -> Option<u32> {
        self.blocks.get(position.block)?.get(position.at).copied()
    }

    /// The slots from one position to before another.
    pub fn between(
        &self,
        from: Position,
        to: Position,
    ) -> impl DoubleEndedIterator<Item = u32> + use<'_> {
        let blocks = self.blocks.iter().enumerate();
        blocks.take(to.block.saturating_add(1)).skip(from.block).flat_map(move |(number, block)| {
            let start = if number == from.block { from.at } else { 0 };
            let end = if number == to.block { to.at } else { block.len() };
            block.get(start..end).unwrap_or_default().iter().copied()
        })
    }

    /// Puts `slot` before what is at `position`.
    pub fn insert(&mut self, position: Position, slot: u32) {
        let Position { mut block, mut at } = position;
        if block >= self.blocks.len() {
            // After everything. Keys mostly rise, so a full last block stays full and is followed
            // by a new one instead of being split in halves.
            match self.blocks.last() {
                Some(last) if last.len() < BLOCK => {
                    block = self.blocks.len() - 1;
                    at = last.len();
                }
                _ => {
                    let fresh = self.fresh();
                    self.blocks.push(fresh);
                    block = self.blocks.len() - 1;
                    at = 0;
                }
            }
        } else if self.blocks.get(block).is_some_and(|slots| slots.len() >= BLOCK) {
            let mut upper = self.fresh();
            if let Some(slots) = self.blocks.get_mut(block) {
                upper.extend(slots.drain(BLOCK / 2..));
            }
            self.blocks.insert(block + 1, upper);
            if at > BLOCK / 2 {
                block += 1;
                at -= BLOCK / 2;
            }
        }
        if let Some(slots) = self.blocks.get_mut(block) {
            slots.insert(at.min(slots.len()), slot);
        }
    }

    /// Puts `slot` in the place of what is at `position`.
    pub fn replace(&mut self, position: Position, slot: u32) {
        let place = self.blocks.get_mut(position.block).and_then(|b| b.get_mut(position.at));
        if let Some(place) = place {
            *place = slot;
        }
    }

    /// Takes out what is at `position`.
    pub fn remove(&mut self, position: Position) {
        let Some(slots) = self.blocks.get_mut(position.block) else { return };
        if position.at < slots.len() {
            slots.remove(position.at);
        }
        if slots.is_empty() {
            let block = self.blocks.remove(position.block);
            self.spare.push(block);
        }
    }

    /// Takes out everything.
    pub fn clear(&mut self) {
        for mut block in self.blocks.drain(..) {
            block.clear();
            self.spare.push(block);
        }
    }

    fn fresh(&mut self) -> Vec<u32> {
        self.spare.pop().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::{BLOCK, Order};

    #[test]
    fn slots_stay_ordered_through_splits_and_removals() {
        let mut order = Order::default();
        let mut model = Vec::new();
        let mut state = 1u32;
        for step in 0..20 * BLOCK as u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let slot = state >> 12;
            let position = order.lower_bound(|s| s < slot);
            let at = model.partition_point(|&s| s < slot);
            if order.get(position) == Some(slot) {
                order.remove(position);
                model.remove(at);
            } else {
                order.insert(position, slot);
                model.insert(at, slot);
            }
            if step % 5 == 0 && !model.is_empty() {
                let first = order.lower_bound(|_| false);
                order.remove(first);
                model.remove(0);
            }
        }
        let all = || order.between(order.lower_bound(|_| false), order.end());
        assert_eq!(all().collect::<Vec<_>>(), model);
        assert_eq!(
            all().rev().collect::<Vec<_>>(),
            model.iter().rev().copied().collect::<Vec<_>>()
        );
        let (from, to) = (1 << 18, 3 << 18);
        let part = order.between(order.lower_bound(|s| s < from), order.lower_bound(|s| s < to));
        let expected: Vec<_> = model.iter().copied().filter(|s| (from..to).contains(s)).collect();
        assert_eq!(part.collect::<Vec<_>>(), expected);
    }
}
