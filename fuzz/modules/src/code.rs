//! Code as a tree, and the bytes of a module around it.

use crate::operators::{Operator, Other, Ty, Work, that};

pub enum Instruction {
    /// An operator with its immediates, in their order.
    Plain(&'static Operator, u64, u64),
    /// `block`, `loop` or `if`: the type, the code, and that behind `else`, which may be missing.
    Nested(Other, usize, Vec<Instruction>, Option<Vec<Instruction>>),
    /// The labels of a `br_table`, the default last.
    BranchTable(Vec<u64>),
    /// `select` with its type.
    TypedSelect(Ty),
}

pub type Code = Vec<Instruction>;

#[derive(Clone, PartialEq, Eq)]
pub struct FunctionType {
    pub takes: Vec<Ty>,
    pub gives: Vec<Ty>,
}

pub struct Function {
    pub ty: usize,
    /// The types of the locals behind the parameters.
    pub locals: Vec<Ty>,
    pub code: Code,
}

pub struct Global {
    pub ty: Ty,
    pub mutable: bool,
    pub value: u64,
}

/// The first function has a table for all others, and the last is the entry point `f`.
pub struct Module {
    pub types: Vec<FunctionType>,
    pub functions: Vec<Function>,
    pub globals: Vec<Global>,
    /// The passive data segment; the active one before it has the descriptor.
    pub data: Vec<u8>,
    /// Functions by index: what the table holds at first, and the passive segment has too.
    pub elements: Vec<u64>,
    /// Blocks may have parameters, which the host refuses.
    pub block_parameters: bool,
}

pub const PAGES: u64 = 4;
pub const MOST_PAGES: u64 = 6;
pub const TABLE: u64 = 8;
pub const OUTPUT: u64 = 512;
/// Below are the descriptor and the buffers.
pub const FREE: u64 = 1024;

pub fn descriptor() -> [u8; 20] {
    let mut bytes = [0; 20];
    for (at, word) in [1_u32, 256, 256, OUTPUT as u32, 256].into_iter().enumerate() {
        bytes[at * 4..at * 4 + 4].copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// LEB128 of an unsigned number.
pub fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn signed(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = value as u8 & 0x7f;
        value >>= 7;
        if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// Writes code, and says which operators it has.
struct Encoder<'a> {
    types: &'a [FunctionType],
    out: Vec<u8>,
    seen: &'a mut dyn FnMut(&'static Operator),
}

impl Encoder<'_> {
    fn operator(&mut self, operator: &'static Operator) {
        (self.seen)(operator);
        if operator.code > 0xff {
            self.out.push(0xfc);
            unsigned(&mut self.out, u64::from(operator.code & 0xff));
        } else {
            self.out.push(operator.code as u8);
        }
    }

    fn code(&mut self, code: &[Instruction]) {
        for instruction in code {
            match instruction {
                Instruction::Plain(operator, a, b) => self.plain(operator, *a, *b),
                Instruction::Nested(kind, ty, first, second) => {
                    self.operator(that(*kind));
                    self.block_type(*ty);
                    self.code(first);
                    if let Some(second) = second {
                        self.operator(that(Other::Else));
                        self.code(second);
                    }
                    self.operator(that(Other::End));
                }
                Instruction::BranchTable(labels) => {
                    self.operator(that(Other::BrTable));
                    unsigned(&mut self.out, labels.len() as u64 - 1);
                    labels.iter().for_each(|&label| unsigned(&mut self.out, label));
                }
                Instruction::TypedSelect(ty) => {
                    self.operator(that(Other::TypedSelect));
                    self.out.extend([1, ty.code()]);
                }
            }
        }
    }

    /// The short form where there is one.
    fn block_type(&mut self, index: usize) {
        let ty = &self.types[index];
        match (&*ty.takes, &*ty.gives) {
            ([], []) => self.out.push(0x40),
            ([], [ty]) => self.out.push(ty.code()),
            _ => signed(&mut self.out, index as i64),
        }
    }

    fn plain(&mut self, operator: &'static Operator, a: u64, b: u64) {
        self.operator(operator);
        let out = &mut self.out;
        match operator.work {
            Work::Unary(_) | Work::Binary(_) => {}
            // The alignment, and the offset.
            Work::Load(..) | Work::Store(_) => {
                unsigned(out, b);
                unsigned(out, a);
            }
            Work::Other(Other::Const) => match operator.gives {
                Some(Ty::I32) => signed(out, i64::from(a as i32)),
                Some(Ty::I64) => signed(out, a as i64),
                Some(Ty::F32) => out.extend((a as u32).to_le_bytes()),
                Some(Ty::F64) => out.extend(a.to_le_bytes()),
                Some(Ty::Func) | None => {}
            },
            Work::Other(Other::RefNull) => out.push(Ty::Func.code()),
            Work::Other(other) => {
                [a, b].iter().take(indices(other)).for_each(|&index| unsigned(out, index));
            }
        }
    }
}

/// How many indices stand behind an operator. A memory or table is 0.
const fn indices(other: Other) -> usize {
    match other {
        Other::Unreachable | Other::Nop | Other::Block | Other::Loop | Other::If => 0,
        Other::Else | Other::End | Other::BrTable | Other::Return | Other::Drop => 0,
        Other::Select | Other::TypedSelect | Other::RefIsNull => 0,
        Other::Const | Other::RefNull => 0,
        Other::Br | Other::BrIf | Other::Call | Other::ReturnCall => 1,
        Other::LocalGet | Other::LocalSet | Other::LocalTee => 1,
        Other::GlobalGet | Other::GlobalSet | Other::RefFunc => 1,
        Other::MemorySize | Other::MemoryGrow | Other::MemoryFill | Other::DataDrop => 1,
        Other::TableGet | Other::TableSet | Other::TableSize | Other::TableGrow => 1,
        Other::TableFill | Other::ElemDrop => 1,
        Other::CallIndirect | Other::ReturnCallIndirect | Other::MemoryInit => 2,
        Other::MemoryCopy | Other::TableInit | Other::TableCopy => 2,
    }
}

fn types(out: &mut Vec<u8>, types: &[Ty]) {
    unsigned(out, types.len() as u64);
    out.extend(types.iter().map(|ty| ty.code()));
}

impl Module {
    /// Whether a block has parameters.
    pub fn has_block_parameters(&self) -> bool {
        self.functions.iter().any(|function| self.have_parameters(&function.code))
    }

    fn have_parameters(&self, code: &[Instruction]) -> bool {
        code.iter().any(|instruction| match instruction {
            Instruction::Nested(_, ty, first, second) => {
                !self.types[*ty].takes.is_empty()
                    || self.have_parameters(first)
                    || second.as_ref().is_some_and(|second| self.have_parameters(second))
            }
            Instruction::Plain(..) | Instruction::BranchTable(_) | Instruction::TypedSelect(_) => {
                false
            }
        })
    }

    /// The bytes of the module; `seen` gets each operator.
    pub fn encode(&self, seen: &mut dyn FnMut(&'static Operator)) -> Vec<u8> {
        let mut out = b"\0asm\x01\0\0\0".to_vec();
        let mut section = |id: u8, count: usize, content: &[u8]| {
            let mut counted = Vec::new();
            unsigned(&mut counted, count as u64);
            counted.extend_from_slice(content);
            out.push(id);
            unsigned(&mut out, counted.len() as u64);
            out.extend(counted);
        };
        let mut content = Vec::new();
        for ty in &self.types {
            content.push(0x60);
            types(&mut content, &ty.takes);
            types(&mut content, &ty.gives);
        }
        section(1, self.types.len(), &content);
        content.clear();
        for function in &self.functions {
            unsigned(&mut content, function.ty as u64);
        }
        section(3, self.functions.len(), &content);
        section(4, 1, &[0x70, 0, TABLE as u8]);
        section(5, 1, &[1, PAGES as u8, MOST_PAGES as u8]);
        section(6, self.globals.len(), &self.globals());
        let mut exports = b"\x06memory\x02\0\x0dsochdb_plugin\x03\0\x01f\0".to_vec();
        unsigned(&mut exports, self.functions.len() as u64 - 1);
        section(7, 3, &exports);
        let mut list = Vec::new();
        unsigned(&mut list, self.elements.len() as u64);
        self.elements.iter().for_each(|&function| unsigned(&mut list, function));
        let active = [&[0, 0x41, 0, 0x0b], &*list].concat();
        section(9, 2, &[&*active, &[1, 0], &list].concat());
        // The count has no list behind it.
        section(12, 2, &[]);
        let code = self.functions(seen);
        section(10, self.functions.len(), &code);
        let mut data = vec![0, 0x41, 0, 0x0b, 20];
        data.extend(descriptor());
        data.push(1);
        unsigned(&mut data, self.data.len() as u64);
        data.extend(&self.data);
        section(11, 2, &data);
        out
    }

    fn globals(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for global in &self.globals {
            out.extend([global.ty.code(), global.mutable.into()]);
            let mut seen = |_: &'static Operator| {};
            let mut encoder = Encoder { types: &[], out, seen: &mut seen };
            encoder.plain(crate::operators::constant(global.ty), global.value, 0);
            out = encoder.out;
            out.push(0x0b);
        }
        out
    }

    fn functions(&self, seen: &mut dyn FnMut(&'static Operator)) -> Vec<u8> {
        let mut out = Vec::new();
        for function in &self.functions {
            let mut body = Vec::new();
            unsigned(&mut body, function.locals.len() as u64);
            for ty in &function.locals {
                body.extend([1, ty.code()]);
            }
            let mut encoder = Encoder { types: &self.types, out: body, seen: &mut *seen };
            encoder.code(&function.code);
            encoder.operator(that(Other::End));
            unsigned(&mut out, encoder.out.len() as u64);
            out.extend(encoder.out);
        }
        out
    }
}
