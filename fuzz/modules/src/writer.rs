//! Writes code of which only the types are known: operands of every kind, blocks, branches and calls.
//! Whatever it writes is valid; whether it traps is for the machine to say.

use crate::{
    code::{Code, Instruction, Module},
    instructions::{COUNTERS, number, operator, plain, type_index},
    operators::{OPERATORS, Operator, Other, Ty, Work},
    random::Random,
};

/// A label: the types of what a branch to it takes; those of loops, and of the entry point itself, are
/// branched to by nothing but the counter.
struct Label {
    types: Vec<Ty>,
    open: bool,
}

pub struct Writer<'a> {
    pub random: &'a mut Random,
    pub module: &'a mut Module,
    locals: &'a [Ty],
    labels: Vec<Label>,
    /// The types of the results, if the function may return early.
    gives: Option<Vec<Ty>>,
    loops: usize,
}

impl<'a> Writer<'a> {
    /// For statements of the entry point, which must come to its end.
    pub fn of_entry(random: &'a mut Random, module: &'a mut Module, locals: &'a [Ty]) -> Self {
        Self { random, module, locals, labels: Vec::new(), gives: None, loops: 0 }
    }

    pub fn of_function(
        random: &'a mut Random,
        module: &'a mut Module,
        locals: &'a [Ty],
        gives: &[Ty],
    ) -> Self {
        let labels = vec![Label { types: gives.to_vec(), open: true }];
        Self { random, module, locals, labels, gives: Some(gives.to_vec()), loops: 0 }
    }

    /// The body of a function.
    pub fn function(&mut self, out: &mut Code) {
        let gives = self.gives.clone().unwrap_or_default();
        for _ in 0..self.random.below(3) {
            self.statement(out, 2);
        }
        self.body(out, Vec::new(), &gives, 2);
    }

    /// A local of a type, if there is one. The last ones count loops and are not to be changed.
    pub fn local(&mut self, ty: Ty) -> Option<u64> {
        let usable = &self.locals[..self.locals.len() - COUNTERS];
        let of_type: Vec<usize> =
            usable.iter().enumerate().filter(|&(_, &of)| of == ty).map(|(at, _)| at).collect();
        (!of_type.is_empty()).then(|| self.random.pick(&of_type) as u64)
    }

    pub fn global(&mut self, ty: Ty, to_set: bool) -> Option<u64> {
        let globals = self.module.globals.iter().enumerate();
        let of_type: Vec<usize> = globals
            .filter(|(_, global)| global.ty == ty && (global.mutable || !to_set))
            .map(|(at, _)| at)
            .collect();
        (!of_type.is_empty()).then(|| self.random.pick(&of_type) as u64)
    }

    pub fn constant(&mut self, ty: Ty) -> Instruction {
        let value = match ty {
            Ty::I32 => u64::from(self.random.integer() as u32),
            Ty::I64 => self.random.integer(),
            Ty::F32 => self.random.float_32().into(),
            Ty::F64 => self.random.float_64(),
            Ty::Func if self.random.one_in(4) => return plain(Other::RefNull, 0),
            Ty::Func => {
                let count = self.module.elements.len();
                return match count {
                    0 => plain(Other::RefNull, 0),
                    _ => plain(Other::RefFunc, self.random.below(count) as u64),
                };
            }
        };
        number(ty, value)
    }

    pub fn leaf(&mut self, out: &mut Code, ty: Ty) {
        let leaf = match self.random.below(6) {
            0 | 1 => None,
            2 => self.global(ty, false).map(|at| plain(Other::GlobalGet, at)),
            _ => self.local(ty).map(|at| plain(Other::LocalGet, at)),
        };
        let leaf = leaf.unwrap_or_else(|| self.constant(ty));
        out.push(leaf);
    }

    /// Writes what leaves a value of the type.
    pub fn value(&mut self, out: &mut Code, ty: Ty, depth: u32) {
        if depth == 0 {
            return self.leaf(out, ty);
        }
        match self.random.below(16) {
            0..=3 => self.leaf(out, ty),
            4 => {
                self.value(out, ty, depth - 1);
                if let Some(at) = self.local(ty) {
                    out.push(plain(Other::LocalTee, at));
                }
            }
            5 | 6 => self.block(out, ty, depth),
            7 => self.call(out, ty, depth),
            8 => {
                self.values(out, &[ty, ty], depth - 1);
                self.condition(out, depth - 1);
                out.push(match ty != Ty::Func && !self.random.one_in(3) {
                    true => plain(Other::Select, 0),
                    false => Instruction::TypedSelect(ty),
                });
            }
            _ => {
                let rows: Vec<&'static Operator> =
                    OPERATORS.iter().filter(|operator| operator.gives == Some(ty)).collect();
                let row = self.random.pick(&rows);
                self.operator(out, row, depth);
            }
        }
    }

    /// Operands: those of one type are the same local now and then.
    pub fn values(&mut self, out: &mut Code, types: &[Ty], depth: u32) {
        if let [first, second] = types
            && first == second
            && self.random.one_in(4)
            && let Some(at) = self.local(*first)
        {
            out.extend([plain(Other::LocalGet, at), plain(Other::LocalGet, at)]);
            return;
        }
        for &ty in types {
            self.value(out, ty, depth);
            if self.random.one_in(6) {
                self.nothing(out);
            }
        }
    }

    /// Leaves the operands as they are.
    pub fn nothing(&mut self, out: &mut Code) {
        match self.random.below(6) {
            0 => out.push(plain(Other::Nop, 0)),
            1 => {
                let ty = type_index(&mut self.module.types, &[], &[]);
                out.push(Instruction::Nested(Other::Block, ty, Code::new(), None));
            }
            2 => {
                let ty = self.random.pick(&Ty::NUMBERS);
                self.leaf(out, ty);
                out.push(plain(Other::Drop, 0));
            }
            3 if !self.module.functions.is_empty() => out.push(plain(Other::Call, 0)),
            _ => {
                let ty = self.random.pick(&Ty::NUMBERS);
                self.leaf(out, ty);
                self.discard(out, ty);
            }
        }
    }

    /// Takes the last value away.
    pub fn discard(&mut self, out: &mut Code, ty: Ty) {
        let into = match self.random.below(3) {
            0 => None,
            1 => self.global(ty, true).map(|at| plain(Other::GlobalSet, at)),
            _ => self.local(ty).map(|at| plain(Other::LocalSet, at)),
        };
        out.push(into.unwrap_or_else(|| plain(Other::Drop, 0)));
    }

    /// A `block`, `loop` or `if` that leaves a value of the type, perhaps with parameters and more results.
    fn block(&mut self, out: &mut Code, ty: Ty, depth: u32) {
        let mut types = vec![ty];
        while self.random.one_in(4) && types.len() < 3 {
            types.push(self.random.pick(&Ty::NUMBERS));
        }
        self.nested(out, &types, depth);
        while types.len() > 1
            && let Some(ty) = types.pop()
        {
            self.discard(out, ty);
        }
    }

    pub fn nested(&mut self, out: &mut Code, gives: &[Ty], depth: u32) {
        let depth = depth.saturating_sub(1);
        let kind = self.random.pick(&[Other::Block, Other::Loop, Other::If, Other::If]);
        if kind == Other::Loop && self.loops < COUNTERS && self.random.one_in(2) {
            return self.counted(out, gives, depth);
        }
        let mut takes: Vec<Ty> = match self.random.below(3) {
            0 => gives.to_vec(),
            _ => Vec::new(),
        };
        if self.random.one_in(4) {
            takes.push(self.random.pick(&Ty::NUMBERS));
        }
        // The interpreter translates blocks with parameters wrongly (docs/upstream/wasmi-2.0.0.md), so the
        // host refuses them: a few plugins have them all the same.
        if !self.module.block_parameters {
            takes.clear();
        }
        self.values(out, &takes, depth);
        let ty = type_index(&mut self.module.types, &takes, gives);
        if kind == Other::If {
            self.condition(out, depth);
        }
        let label = match kind {
            Other::Loop => Label { types: takes.clone(), open: false },
            _ => Label { types: gives.to_vec(), open: true },
        };
        self.labels.push(label);
        let mut first = Code::new();
        self.body(&mut first, takes.clone(), gives, depth);
        let mut second = None;
        if kind == Other::If && (takes != gives || self.random.one_in(2)) {
            let mut code = Code::new();
            self.body(&mut code, takes, gives, depth);
            second = Some(code);
        }
        self.labels.pop();
        out.push(Instruction::Nested(kind, ty, first, second));
    }

    /// A loop that runs a few times and leaves values of these types.
    fn counted(&mut self, out: &mut Code, types: &[Ty], depth: u32) {
        let counter = (self.locals.len() - 1 - self.loops) as u64;
        out.push(number(Ty::I32, 1 + self.random.below(4) as u64));
        out.push(plain(Other::LocalSet, counter));
        let ty = type_index(&mut self.module.types, &[], types);
        self.labels.push(Label { types: Vec::new(), open: false });
        self.loops += 1;
        let mut code = Code::new();
        self.body(&mut code, Vec::new(), types, depth);
        code.extend([plain(Other::LocalGet, counter), number(Ty::I32, 1)]);
        code.push(operator("I32Sub"));
        code.extend([plain(Other::LocalTee, counter), plain(Other::BrIf, 0)]);
        self.loops -= 1;
        self.labels.pop();
        out.push(Instruction::Nested(Other::Loop, ty, code, None));
    }

    /// Code that makes some values of others: what is in a block of these types.
    fn body(&mut self, out: &mut Code, mut stack: Vec<Ty>, gives: &[Ty], depth: u32) {
        if self.random.one_in(4) {
            self.exit(out, depth);
        }
        for _ in 0..self.random.below(3) {
            self.work_on(out, &mut stack, depth);
        }
        while !gives.starts_with(&stack)
            && let Some(ty) = stack.pop()
        {
            self.discard(out, ty);
        }
        self.values(out, &gives[stack.len()..], depth);
        if self.random.one_in(3) {
            self.branch(out, gives, depth);
        }
    }

    /// An operator of what is on top.
    fn work_on(&mut self, out: &mut Code, stack: &mut Vec<Ty>, depth: u32) {
        let Some(&top) = stack.last() else {
            return self.statement(out, depth.min(1));
        };
        let fits: Vec<&'static Operator> = OPERATORS
            .iter()
            .filter(|operator| match operator.work {
                Work::Unary(_) | Work::Binary(_) => operator.takes[0] == top,
                Work::Load(..) | Work::Store(_) | Work::Other(_) => false,
            })
            .collect();
        if fits.is_empty() {
            return;
        }
        let operator = self.random.pick(&fits);
        self.values(out, &operator.takes[1..], depth.min(1));
        out.push(Instruction::Plain(operator, 0, 0));
        stack.pop();
        stack.extend(operator.gives);
    }

    /// Branches that take these values, which are on top.
    fn branch(&mut self, out: &mut Code, types: &[Ty], depth: u32) {
        let labels: Vec<u64> = self
            .labels
            .iter()
            .rev()
            .zip(0..)
            .filter(|(label, _)| label.open && label.types == types)
            .map(|(_, depth)| depth)
            .collect();
        if labels.is_empty() {
            return;
        }
        match self.random.below(4) {
            0 => out.push(plain(Other::Br, self.random.pick(&labels))),
            1 => {
                self.value(out, Ty::I32, depth.min(1));
                let count = 1 + self.random.below(4);
                let labels = (0..count).map(|_| self.random.pick(&labels)).collect();
                out.push(Instruction::BranchTable(labels));
            }
            _ => {
                self.condition(out, depth.min(1));
                out.push(plain(Other::BrIf, self.random.pick(&labels)));
            }
        }
    }

    /// A way out of what is around, on a condition.
    fn exit(&mut self, out: &mut Code, depth: u32) {
        let depth = depth.min(1);
        self.condition(out, depth);
        let mut code = Code::new();
        let open: Vec<usize> = (0..self.labels.len()).filter(|&at| self.labels[at].open).collect();
        self.labels.push(Label { types: Vec::new(), open: false });
        match (self.random.below(4), self.gives.clone()) {
            (0, _) if self.random.one_in(4) => code.push(plain(Other::Unreachable, 0)),
            (1, Some(gives)) => {
                self.values(&mut code, &gives, depth);
                code.push(plain(Other::Return, 0));
            }
            (2, Some(gives)) => self.tail_call(&mut code, &gives, depth),
            _ if !open.is_empty() => {
                let at = self.random.pick(&open);
                let types = self.labels[at].types.clone();
                self.values(&mut code, &types, depth);
                code.push(plain(Other::Br, (self.labels.len() - 1 - at) as u64));
            }
            _ => {}
        }
        self.labels.pop();
        let ty = type_index(&mut self.module.types, &[], &[]);
        out.push(Instruction::Nested(Other::If, ty, code, None));
    }

    /// An operator of the table that leaves a value, with its operands.
    fn operator(&mut self, out: &mut Code, operator: &'static Operator, depth: u32) {
        match operator.work {
            Work::Unary(_) | Work::Binary(_) => {
                self.values(out, operator.takes, depth - 1);
                out.push(Instruction::Plain(operator, 0, 0));
            }
            Work::Load(len, _) => {
                let offset = self.address(out, len as u64, depth - 1);
                let most = len.trailing_zeros() as usize;
                let alignment = self.random.below(most + 1) as u64;
                out.push(Instruction::Plain(operator, offset, alignment));
            }
            Work::Store(_) => self.store(out, depth - 1),
            Work::Other(other) => self.other(out, other, operator, depth - 1),
        }
    }
}
