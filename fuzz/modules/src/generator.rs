//! Valid plugins over every operator that the host accepts, every kind of operand and every size of
//! offset, each with what it must answer: `machine` runs a statement as soon as it is written, and one
//! that traps is kept now and then only, so that most plugins come to their end.

use crate::{
    code::{Code, Function, Global, Instruction, Module, OUTPUT},
    instructions::{COUNTERS, number, operator, plain, type_index},
    machine::{Machine, Mark},
    operators::{Operator, Other, Trap, Ty, constant},
    random::Random,
    writer::Writer,
};

/// What the entry point `f` must do.
#[derive(Debug, PartialEq, Eq)]
pub enum Expected {
    Output(Vec<u8>),
    Trap(Trap),
    /// It is not loaded: a block of it has parameters.
    Refused,
}

pub struct Program {
    pub wasm: Vec<u8>,
    pub expected: Expected,
}

/// The most steps of a statement, and of the loop over all of memory.
const STEPS: u32 = 2_000;
const LONG_STEPS: u32 = 1_000_000;

/// The locals of the entry point: its parameter first, the counters of loops last.
pub const LOCALS: [Ty; 15] = [
    Ty::I32,
    Ty::I32,
    Ty::I32,
    Ty::I32,
    Ty::I64,
    Ty::I64,
    Ty::I64,
    Ty::F32,
    Ty::F32,
    Ty::F64,
    Ty::F64,
    Ty::Func,
    Ty::I32,
    Ty::I32,
    Ty::I32,
];
/// Writes a program; `seen` gets each of its operators.
pub fn program(random: &mut Random, seen: &mut dyn FnMut(&'static Operator)) -> Program {
    program_without(random, 0, seen)
}

/// Writes a program without those of its statements whose bits are set.
pub fn program_without(
    random: &mut Random,
    left_out: u32,
    seen: &mut dyn FnMut(&'static Operator),
) -> Program {
    let mut module = Module {
        types: Vec::new(),
        functions: Vec::new(),
        globals: globals(random),
        data: (0..40).map(|_| random.next() as u8).collect(),
        elements: Vec::new(),
        block_parameters: random.one_in(16),
    };
    helpers(random, &mut module);
    let mut machine = Machine::new(&module);
    let mut code = Code::new();
    let mut locals = vec![0; LOCALS.len()];
    let mut trap = None;
    for index in 0..4 + random.below(12) {
        // Each from its own seed, so that those after one that is left out are as they were.
        let random = &mut Random::new(random.next());
        let mut statement = Code::new();
        Writer::of_entry(random, &mut module, &LOCALS).statement(&mut statement, 3);
        if left_out >> index & 1 == 1 {
            continue;
        }
        let (mark, before) = (machine.mark(), locals.clone());
        match machine.statement(&module, &statement, &mut locals, STEPS) {
            Ok(()) => code.extend(statement),
            Err(why) if !why.is_unusable() && random.one_in(12) => {
                code.extend(statement);
                trap = Some(why);
                break;
            }
            Err(_) => {
                machine.undo(mark);
                locals = before;
            }
        }
    }
    let expected = match trap {
        Some(why) => {
            code.push(Instruction::Plain(constant(Ty::I32), 0, 0));
            Expected::Trap(why)
        }
        None => answer(random, &mut module, &mut machine, &mut locals, &mut code),
    };
    let ty = type_index(&mut module.types, &[Ty::I32], &[Ty::I32]);
    module.functions.push(Function { ty, locals: LOCALS[1..].to_vec(), code });
    let wasm = module.encode(seen);
    match module.has_block_parameters() {
        true => Program { wasm, expected: Expected::Refused },
        false => Program { wasm, expected },
    }
}

/// One that is the descriptor's address, two that never change, and one of each type that may.
fn globals(random: &mut Random) -> Vec<Global> {
    let mut globals = vec![
        Global { ty: Ty::I32, mutable: false, value: 0 },
        Global { ty: Ty::I32, mutable: false, value: u64::from(random.integer() as u32) },
        Global { ty: Ty::F64, mutable: false, value: random.float_64() },
    ];
    for ty in Ty::NUMBERS {
        let value = match ty {
            Ty::I32 | Ty::F32 => u64::from(random.float_32()),
            Ty::I64 | Ty::F64 | Ty::Func => random.integer(),
        };
        globals.push(Global { ty, mutable: true, value });
    }
    globals
}

/// The functions that the entry point and later ones call.
fn helpers(random: &mut Random, module: &mut Module) {
    use Ty::{F32, F64, I32, I64};
    const TYPES: [(&[Ty], &[Ty]); 9] = [
        (&[], &[]),
        (&[I32], &[I32]),
        (&[I64], &[I64]),
        (&[], &[F32]),
        (&[F64, I32], &[F64]),
        (&[I32, I64], &[I32, F64]),
        (&[F32], &[I64, I32, I64]),
        (&[I32, I32], &[I32]),
        (&[I64, F32, F64, I32], &[F32, F32]),
    ];
    for at in 0..3 + random.below(4) {
        let (takes, gives) = if at == 0 { TYPES[0] } else { random.pick(&TYPES) };
        let ty = type_index(&mut module.types, takes, gives);
        let locals = [&[I32, I64, F32, F64], &[I32; COUNTERS][..]].concat();
        let all = [takes, &locals].concat();
        let mut code = Code::new();
        if at > 0 {
            Writer::of_function(random, module, &all, gives).function(&mut code);
        }
        module.functions.push(Function { ty, locals, code });
        module.elements.push(at as u64);
    }
}

/// Code that writes locals, globals and what is in memory to the Output Buffer, and what it writes.
fn answer(
    random: &mut Random,
    module: &mut Module,
    machine: &mut Machine,
    locals: &mut Vec<u64>,
    code: &mut Code,
) -> Expected {
    let mut at = OUTPUT;
    let mut out = Code::new();
    let mut words = std::mem::take(&mut machine.written);
    words.sort_unstable();
    words.dedup();
    words.truncate(40);
    digest(&mut out, &words);
    if random.one_in(64) {
        digest_of_all(&mut out, module);
    }
    let numbers = LOCALS[..LOCALS.len() - COUNTERS].iter().enumerate();
    for (index, &ty) in numbers {
        store(&mut out, &mut at, ty, plain(Other::LocalGet, index as u64));
    }
    for (index, global) in module.globals.iter().enumerate() {
        store(&mut out, &mut at, global.ty, plain(Other::GlobalGet, index as u64));
    }
    store(&mut out, &mut at, Ty::I32, plain(Other::MemorySize, 0));
    let _: Mark = machine.mark();
    machine.answering = true;
    let result = machine.statement(module, &out, locals, LONG_STEPS);
    assert_eq!(result, Ok(()), "the answer is written without a trap");
    out.push(number(Ty::I32, at - OUTPUT));
    code.extend(out);
    Expected::Output(machine.memory[OUTPUT as usize..at as usize].to_vec())
}

/// The i64 local that takes up what is in memory.
const SUM: u64 = 4;

fn store(out: &mut Code, at: &mut u64, ty: Ty, value: Instruction) {
    out.push(number(Ty::I32, *at));
    out.push(value);
    let (name, len) = match ty {
        Ty::I32 => ("I32Store", 4),
        Ty::I64 => ("I64Store", 8),
        Ty::F32 => ("F32Store", 4),
        Ty::F64 => ("F64Store", 8),
        Ty::Func => {
            out.push(plain(Other::RefIsNull, 0));
            ("I32Store", 4)
        }
    };
    out.push(operator(name));
    *at += len;
}

/// Adds words of eight bytes to the sum.
fn digest(out: &mut Code, words: &[u64]) {
    for word in words {
        out.extend([plain(Other::LocalGet, SUM), number(Ty::I64, 7), operator("I64Rotl")]);
        out.extend([number(Ty::I32, word * 8), operator("I64Load"), operator("I64Xor")]);
        out.push(plain(Other::LocalSet, SUM));
    }
}

/// Adds every word of the initial memory to the sum, in a loop.
fn digest_of_all(out: &mut Code, module: &mut Module) {
    let at = LOCALS.len() as u64 - 1;
    let mut body = vec![
        plain(Other::LocalGet, SUM),
        number(Ty::I64, 7),
        operator("I64Rotl"),
        plain(Other::LocalGet, at),
        operator("I64Load"),
        operator("I64Xor"),
        plain(Other::LocalSet, SUM),
    ];
    body.extend([plain(Other::LocalGet, at), number(Ty::I32, 8), operator("I32Add")]);
    body.extend([plain(Other::LocalTee, at), number(Ty::I32, 4 << 16), operator("I32LtU")]);
    body.push(plain(Other::BrIf, 0));
    let ty = type_index(&mut module.types, &[], &[]);
    out.extend([number(Ty::I32, 0), plain(Other::LocalSet, at)]);
    out.push(Instruction::Nested(Other::Loop, ty, body, None));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::operators::OPERATORS;

    #[test]
    fn every_kind_of_program_is_generated() {
        let kinds: BTreeSet<_> = (0..500)
            .map(|seed| match program(&mut Random::new(seed), &mut |_| {}).expected {
                Expected::Output(_) => 0,
                Expected::Trap(_) => 1,
                Expected::Refused => 2,
            })
            .collect();
        assert_eq!(kinds.len(), 3);
    }

    #[test]
    fn every_operator_of_the_table_is_generated() {
        let mut missing: BTreeSet<&str> = OPERATORS.iter().map(|operator| operator.name).collect();
        for seed in 0..2_000 {
            program(&mut Random::new(seed), &mut |operator| {
                missing.remove(operator.name);
            });
        }
        assert!(missing.is_empty(), "never generated: {missing:?}");
    }
}
