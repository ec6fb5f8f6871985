//! Conditions: tests against a zero of every origin, which the interpreter joins with what selects or
//! branches by them, and does so wrongly at times.

use crate::{
    code::Code,
    instructions::{number, operator, plain},
    operators::{Other, Ty},
    writer::Writer,
};

impl Writer<'_> {
    /// What a `select`, an `if` or a `br_if` goes by: any value, or a test against zero.
    pub fn condition(&mut self, out: &mut Code, depth: u32) {
        if self.random.one_in(2) {
            return self.value(out, Ty::I32, depth);
        }
        match self.random.below(4) {
            0 => {
                self.value(out, Ty::I32, depth);
                out.push(operator("I32Eqz"));
            }
            order => {
                if order == 1 {
                    self.zero(out);
                }
                self.value(out, Ty::I32, depth);
                if order != 1 {
                    self.zero(out);
                }
                out.push(operator(self.random.pick(&["I32Eq", "I32Ne", "I32Xor"])));
            }
        }
        match self.random.below(6) {
            0 => out.push(operator("I32Eqz")),
            1 => {
                self.zero(out);
                out.push(operator(self.random.pick(&["I32Eq", "I32Ne", "I32Shl", "I32Rotr"])));
            }
            2 => self.nothing(out),
            _ => {}
        }
    }

    /// A zero: as it is, of an operator that is folded, set before, or of a global.
    fn zero(&mut self, out: &mut Code) {
        let bits = self.random.integer() as u32;
        let same = number(Ty::I32, bits.into());
        match self.random.below(7) {
            0 => out.extend([number(Ty::I64, u64::from(bits) + 1), operator("I64Eqz")]),
            1 => out.extend([number(Ty::F32, 0), number(Ty::F32, 1), operator("F32Eq")]),
            2 => {
                let fold = operator(self.random.pick(&["I32Sub", "I32Xor", "I32Ne"]));
                out.extend([same, number(Ty::I32, bits.into()), fold]);
            }
            3 => {
                out.push(number(Ty::I32, 0));
                if let Some(at) = self.local(Ty::I32) {
                    out.push(plain(Other::LocalTee, at));
                }
            }
            // The descriptor's address.
            4 => out.push(plain(Other::GlobalGet, 0)),
            5 => {
                out.push(number(Ty::I32, 0));
                self.nothing(out);
            }
            _ => out.push(number(Ty::I32, 0)),
        }
    }
}
