//! Statements: code that leaves no value, and operators of memory and tables with operands that are in
//! bounds more often than not.

use crate::{
    code::{Code, Instruction, TABLE},
    instructions::{number, operator, plain},
    operators::{OPERATORS, Operator, Other, Ty, Work},
    writer::Writer,
};

impl Writer<'_> {
    pub fn statement(&mut self, out: &mut Code, depth: u32) {
        match self.random.below(16) {
            0..=4 => self.store(out, depth.min(2)),
            5..=7 => self.set(out, depth),
            8 => {
                let gives: &[Ty] = self.random.pick(&[&[], &[Ty::I32, Ty::F64], &[Ty::I64; 2]]);
                self.nested(out, gives, depth);
                gives.iter().rev().for_each(|&ty| self.discard(out, ty));
            }
            9 => {
                let ty = self.random.pick(&[Ty::I32, Ty::I64, Ty::F32, Ty::F64, Ty::Func]);
                self.value(out, ty, depth);
                self.discard(out, ty);
            }
            10 | 11 => {
                let bulk =
                    self.random.pick(&[Other::MemoryCopy, Other::MemoryFill, Other::MemoryInit]);
                self.bulk(out, bulk);
            }
            12 => {
                let bulk =
                    self.random.pick(&[Other::TableCopy, Other::TableFill, Other::TableInit]);
                self.bulk(out, bulk);
            }
            13 => {
                let small = self.random.below(TABLE as usize + 1) as u64;
                out.push(number(Ty::I32, small));
                self.value(out, Ty::Func, depth.min(1));
                out.push(plain(Other::TableSet, 0));
            }
            14 if self.random.one_in(8) => {
                let kind = self.random.pick(&[Other::DataDrop, Other::ElemDrop]);
                out.push(plain(kind, self.random.below(2) as u64));
            }
            _ => {
                let ty = self.random.pick(&Ty::NUMBERS);
                self.value(out, ty, depth);
                self.discard(out, ty);
            }
        }
    }

    /// Sets a local, an i32 often to an address.
    fn set(&mut self, out: &mut Code, depth: u32) {
        let ty = self.random.pick(&[Ty::I32, Ty::I32, Ty::I64, Ty::F32, Ty::F64]);
        let Some(at) = self.local(ty) else { return };
        if ty == Ty::I32 && !self.random.one_in(3) {
            // In a register or in a place of its own.
            let address = 1024 + self.random.below(1 << 16) as u64;
            out.push(number(ty, address));
            if self.random.one_in(2) {
                out.extend([number(ty, self.random.below(1000) as u64), operator("I32Add")]);
            }
        } else {
            self.value(out, ty, depth);
        }
        out.push(plain(Other::LocalSet, at));
    }

    pub fn store(&mut self, out: &mut Code, depth: u32) {
        let stores: Vec<&'static Operator> = OPERATORS
            .iter()
            .filter(|operator| match operator.work {
                Work::Store(_) => true,
                Work::Unary(_) | Work::Binary(_) | Work::Load(..) | Work::Other(_) => false,
            })
            .collect();
        let store = self.random.pick(&stores);
        let Work::Store(len) = store.work else { return };
        let ty = store.takes[1];
        let mut offset = self.address(out, len as u64, depth);
        match out.last() {
            // The address is the value too, with what must not change it.
            Some(&Instruction::Plain(last, at, _))
                if last.name == "LocalGet" && self.random.one_in(3) =>
            {
                out.push(plain(Other::LocalGet, at));
                match ty {
                    Ty::I32 => {}
                    Ty::I64 => out.push(operator("I64ExtendI32U")),
                    Ty::F32 => out.push(operator("F32ReinterpretI32")),
                    Ty::F64 => out.push(operator("F64ConvertI32U")),
                    Ty::Func => {}
                }
                offset = self.random.pick(&[offset, 65_535, 65_536]);
            }
            _ => self.values(out, &[ty], depth),
        }
        let alignment = self.random.below(len.trailing_zeros() as usize + 1) as u64;
        out.push(Instruction::Plain(store, offset, alignment));
    }

    /// Writes an address, and says what offset goes with it.
    pub fn address(&mut self, out: &mut Code, len: u64, depth: u32) -> u64 {
        let near = match self.random.below(5) {
            0 => 0,
            1 => 65_535,
            2 => 65_536,
            3 => 1024,
            _ => self.random.below(3 << 16) as u64,
        };
        let end = (4 << 16) - len;
        match self.random.below(8) {
            // A constant, up to the last byte.
            0 | 1 => {
                let room = (end - near) as usize;
                let at = if self.random.one_in(8) { room } else { self.random.below(room) };
                out.push(number(Ty::I32, at as u64 + u64::from(self.random.one_in(16))));
                near
            }
            2..=4 => {
                self.address_local(out);
                near
            }
            // A result.
            5 | 6 => {
                self.value(out, Ty::I32, depth);
                out.extend([number(Ty::I32, 0xffff), operator("I32And")]);
                near
            }
            _ => {
                self.value(out, Ty::I32, depth);
                self.random.pick(&[near, 1 << 31, (1 << 31) - 1, u64::from(u32::MAX)])
            }
        }
    }

    /// A local, got or just set.
    fn address_local(&mut self, out: &mut Code) {
        let address = 1024 + self.random.below(1 << 16) as u64;
        match self.local(Ty::I32) {
            None => out.push(number(Ty::I32, address)),
            Some(at) => match self.random.below(4) {
                0 => out.extend([number(Ty::I32, address), plain(Other::LocalTee, at)]),
                _ => out.push(plain(Other::LocalGet, at)),
            },
        }
    }

    /// An operator on a range, of which most are in bounds.
    fn bulk(&mut self, out: &mut Code, kind: Other) {
        let in_table = matches!(kind, Other::TableCopy | Other::TableFill | Other::TableInit);
        let places = if in_table { TABLE as usize } else { 3 << 16 };
        let to = self.random.below(places) + if in_table { 0 } else { 1024 };
        out.push(number(Ty::I32, to as u64));
        let from = match kind {
            Other::MemoryInit => Some(self.random.below(40)),
            Other::TableInit => Some(self.random.below(4)),
            Other::MemoryCopy | Other::TableCopy => Some(match self.random.one_in(2) {
                // An overlap, in one direction or the other.
                true => (to + self.random.below(9)).saturating_sub(4),
                false => self.random.below(places),
            }),
            _ => None,
        };
        match (from, kind) {
            (Some(from), _) => out.push(number(Ty::I32, from as u64)),
            (None, Other::TableFill) => self.value(out, Ty::Func, 1),
            (None, _) => self.value(out, Ty::I32, 1),
        }
        let most = if in_table { 4 } else { 40 };
        match self.random.below(8) {
            0 => self.value(out, Ty::I32, 1),
            // Not a constant, but not too many.
            1 => {
                self.value(out, Ty::I32, 1);
                out.extend([number(Ty::I32, most - 1), operator("I32And")]);
            }
            _ => out.push(number(Ty::I32, self.random.below(most as usize) as u64)),
        }
        let segment = match kind {
            Other::MemoryInit | Other::TableInit => u64::from(!self.random.one_in(8)),
            _ => 0,
        };
        out.push(plain(kind, segment));
    }

    /// An operator without a rule of its own that leaves a value.
    pub fn other(&mut self, out: &mut Code, of: Other, row: &'static Operator, depth: u32) {
        match of {
            Other::Const => {
                if let Some(ty) = row.gives {
                    let constant = self.constant(ty);
                    out.push(constant);
                }
            }
            Other::RefNull | Other::MemorySize | Other::TableSize => out.push(plain(of, 0)),
            Other::RefFunc => {
                let reference = self.constant(Ty::Func);
                out.push(reference);
            }
            Other::RefIsNull => {
                self.value(out, Ty::Func, depth);
                out.push(plain(of, 0));
            }
            Other::MemoryGrow => {
                out.push(number(Ty::I32, self.random.pick(&[0, 0, 1, 2, 7, 65_536])));
                out.push(plain(of, 0));
            }
            Other::TableGrow => {
                self.value(out, Ty::Func, depth);
                out.push(number(Ty::I32, 1 + self.random.below(4) as u64));
                out.push(plain(of, 0));
            }
            Other::TableGet => {
                out.push(number(Ty::I32, self.random.below(TABLE as usize) as u64));
                out.push(plain(of, 0));
            }
            // These leave no value of a type that is known, and are written where they belong.
            Other::Unreachable | Other::Nop | Other::Block | Other::Loop | Other::If => {}
            Other::Else | Other::End | Other::Br | Other::BrIf | Other::BrTable => {}
            Other::Return | Other::Call | Other::CallIndirect | Other::ReturnCall => {}
            Other::ReturnCallIndirect | Other::Drop | Other::Select | Other::TypedSelect => {}
            Other::LocalGet | Other::LocalSet | Other::LocalTee | Other::GlobalGet => {}
            Other::GlobalSet | Other::MemoryInit | Other::DataDrop | Other::MemoryCopy => {}
            Other::MemoryFill | Other::TableSet | Other::TableInit | Other::ElemDrop => {}
            Other::TableCopy | Other::TableFill => {}
        }
    }
}
