//! What the machine does with ranges of memory, and with tables.

use crate::{
    machine::{Frame, Machine, pop, within},
    operators::{Other, Trap},
};

impl Machine {
    pub fn bulk_memory(
        &mut self,
        frame: &mut Frame<'_>,
        other: Other,
        segment: usize,
    ) -> Result<(), Trap> {
        let (len, from, to) = (pop(frame), pop(frame), pop(frame));
        let bytes = match other {
            Other::MemoryFill => {
                self.place(to, len)?;
                vec![from as u8; len as usize]
            }
            Other::MemoryInit => {
                let data = match self.data_dropped[segment] {
                    true => &[],
                    false => &frame.module.data[..],
                };
                within(data, from, len).ok_or(Trap::MemoryOutOfBounds)?.to_vec()
            }
            _ => within(&self.memory, from, len).ok_or(Trap::MemoryOutOfBounds)?.to_vec(),
        };
        let to = self.place(to, len)?;
        self.write(to, &bytes)
    }

    pub fn table(
        &mut self,
        frame: &mut Frame<'_>,
        other: Other,
        segment: usize,
    ) -> Result<(), Trap> {
        match other {
            Other::TableSize => frame.stack.push(self.table.len() as u64),
            Other::TableGrow => {
                pop(frame);
                pop(frame);
                // The host refuses it while a plugin runs.
                frame.stack.push(u64::from(u32::MAX));
            }
            Other::TableGet => {
                let place = pop(frame) as usize;
                frame.stack.push(*self.table.get(place).ok_or(Trap::TableOutOfBounds)?);
            }
            Other::TableSet => {
                let value = pop(frame);
                let place = pop(frame) as usize;
                *self.table.get_mut(place).ok_or(Trap::TableOutOfBounds)? = value;
            }
            _ => {
                let (len, from, to) = (pop(frame), pop(frame), pop(frame));
                let values = match other {
                    Other::TableFill => {
                        within(&self.table, to, len).ok_or(Trap::TableOutOfBounds)?;
                        vec![from; len as usize]
                    }
                    Other::TableInit => {
                        let elements: Vec<u64> = match self.elements_dropped[segment] {
                            true => Vec::new(),
                            false => frame.module.elements.iter().map(|at| at + 1).collect(),
                        };
                        within(&elements, from, len).ok_or(Trap::TableOutOfBounds)?.to_vec()
                    }
                    _ => within(&self.table, from, len).ok_or(Trap::TableOutOfBounds)?.to_vec(),
                };
                within(&self.table, to, len).ok_or(Trap::TableOutOfBounds)?;
                self.table[to as usize..][..values.len()].copy_from_slice(&values);
            }
        }
        Ok(())
    }
}
