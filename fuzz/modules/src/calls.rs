//! Calls, direct and by the table, and tail calls, each of a function that was written before.

use crate::{
    code::Code,
    instructions::{number, plain},
    operators::{Other, Ty},
    writer::Writer,
};

impl Writer<'_> {
    /// The functions that have such results.
    fn functions(&self, fits: impl Fn(&[Ty]) -> bool) -> Vec<usize> {
        let functions = self.module.functions.iter().enumerate();
        functions
            .filter(|(_, function)| fits(&self.module.types[function.ty].gives))
            .map(|(at, _)| at)
            .collect()
    }

    pub fn call(&mut self, out: &mut Code, ty: Ty, depth: u32) {
        let functions = self.functions(|gives| gives.first() == Some(&ty));
        if functions.is_empty() {
            return self.leaf(out, ty);
        }
        let index = self.random.pick(&functions);
        let mut gives = self.call_of(out, index, [Other::Call, Other::CallIndirect], depth);
        while gives.len() > 1
            && let Some(ty) = gives.pop()
        {
            self.discard(out, ty);
        }
    }

    pub fn tail_call(&mut self, out: &mut Code, gives: &[Ty], depth: u32) {
        let functions = self.functions(|of| of == gives);
        if !functions.is_empty() {
            let index = self.random.pick(&functions);
            let kinds = [Other::ReturnCall, Other::ReturnCallIndirect];
            self.call_of(out, index, kinds, depth);
        }
    }

    /// Calls a function, directly or by the table, and says what it leaves.
    fn call_of(&mut self, out: &mut Code, index: usize, kinds: [Other; 2], depth: u32) -> Vec<Ty> {
        let ty = self.module.functions[index].ty;
        let takes = self.module.types[ty].takes.clone();
        self.values(out, &takes, depth.saturating_sub(1));
        if self.random.one_in(2) {
            out.push(plain(kinds[0], index as u64));
        } else {
            match self.random.one_in(8) {
                true => self.value(out, Ty::I32, depth.saturating_sub(1)),
                false => out.push(number(Ty::I32, index as u64)),
            }
            out.push(plain(kinds[1], ty as u64));
        }
        self.module.types[ty].gives.clone()
    }
}
