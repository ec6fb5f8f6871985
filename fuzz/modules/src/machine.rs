//! The other engine: runs the code of a module as the specification says, over a tree, with a stack of
//! 64-bit values. It does not check types: the generator writes valid code.

use crate::{
    code::{Code, FREE, Function, Instruction, MOST_PAGES, Module, PAGES, TABLE, descriptor},
    operators::{Operator, Other, Trap, Work},
};

const PAGE: u64 = 1 << 16;

/// How code ends.
enum Flow {
    Next,
    /// To the label so many blocks outside.
    Branch(u64),
    Return,
    /// A tail call of a function whose arguments are on the stack.
    TailCall(usize),
}

/// What code can change.
pub struct Machine {
    pub memory: Vec<u8>,
    pub globals: Vec<u64>,
    pub table: Vec<u64>,
    pub data_dropped: [bool; 2],
    pub elements_dropped: [bool; 2],
    /// Bytes as they were, since the last mark, and the size of memory then.
    undo: Vec<(usize, u8)>,
    /// The words of eight bytes that were written, for the answer.
    pub written: Vec<u64>,
    pub steps: u32,
    /// The buffers may be written: it is the answer.
    pub answering: bool,
}

/// What a statement that is not wanted is undone to.
pub struct Mark {
    len: usize,
    globals: Vec<u64>,
    table: Vec<u64>,
    dropped: [[bool; 2]; 2],
    written: usize,
}

/// What code runs in.
pub struct Frame<'a> {
    pub module: &'a Module,
    pub locals: &'a mut Vec<u64>,
    pub stack: &'a mut Vec<u64>,
    pub depth: u32,
}

impl Machine {
    pub fn new(module: &Module) -> Self {
        let mut memory = vec![0; (PAGES * PAGE) as usize];
        memory[..20].copy_from_slice(&descriptor());
        let mut table = vec![0; TABLE as usize];
        for (place, function) in table.iter_mut().zip(&module.elements) {
            *place = function + 1;
        }
        Self {
            memory,
            globals: module.globals.iter().map(|global| global.value).collect(),
            table,
            // Active segments are gone.
            data_dropped: [true, false],
            elements_dropped: [true, false],
            undo: Vec::new(),
            written: Vec::new(),
            steps: 0,
            answering: false,
        }
    }

    pub fn mark(&mut self) -> Mark {
        self.undo.clear();
        Mark {
            len: self.memory.len(),
            globals: self.globals.clone(),
            table: self.table.clone(),
            dropped: [self.data_dropped, self.elements_dropped],
            written: self.written.len(),
        }
    }

    pub fn undo(&mut self, mark: Mark) {
        for (at, byte) in self.undo.drain(..).rev() {
            self.memory[at] = byte;
        }
        self.memory.truncate(mark.len);
        self.globals = mark.globals;
        self.table = mark.table;
        [self.data_dropped, self.elements_dropped] = mark.dropped;
        self.written.truncate(mark.written);
    }

    /// Runs code that neither takes nor leaves values.
    pub fn statement(
        &mut self,
        module: &Module,
        code: &Code,
        locals: &mut Vec<u64>,
        most_steps: u32,
    ) -> Result<(), Trap> {
        self.steps = most_steps;
        let mut stack = Vec::new();
        self.run(&mut Frame { module, locals, stack: &mut stack, depth: 0 }, code).map(|_| ())
    }

    fn run(&mut self, frame: &mut Frame<'_>, code: &[Instruction]) -> Result<Flow, Trap> {
        for instruction in code {
            self.steps = self.steps.checked_sub(1).ok_or(Trap::TooLong)?;
            let flow = match instruction {
                Instruction::Plain(operator, a, _) => self.plain(frame, operator, *a)?,
                Instruction::Nested(kind, ty, first, second) => {
                    self.nested(frame, *kind, *ty, first, second.as_ref())?
                }
                Instruction::BranchTable(labels) => {
                    let index = (pop(frame) as usize).min(labels.len() - 1);
                    Flow::Branch(labels[index])
                }
                Instruction::TypedSelect(_) => select(frame),
            };
            match flow {
                Flow::Next => {}
                Flow::Branch(_) | Flow::Return | Flow::TailCall(_) => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn nested(
        &mut self,
        frame: &mut Frame<'_>,
        kind: Other,
        ty: usize,
        first: &Code,
        second: Option<&Code>,
    ) -> Result<Flow, Trap> {
        let code: &[Instruction] = match kind {
            Other::If if pop(frame) == 0 => second.map_or(&[], |code| code),
            _ => first,
        };
        let ty = &frame.module.types[ty];
        let (takes, gives) = (ty.takes.len(), ty.gives.len());
        let height = frame.stack.len() - takes;
        let to_begin = matches!(kind, Other::Loop);
        loop {
            match self.run(frame, code)? {
                Flow::Branch(0) => {
                    keep(frame.stack, height, if to_begin { takes } else { gives });
                    if !to_begin {
                        return Ok(Flow::Next);
                    }
                }
                Flow::Branch(label) => return Ok(Flow::Branch(label - 1)),
                other @ (Flow::Next | Flow::Return | Flow::TailCall(_)) => return Ok(other),
            }
        }
    }

    /// Calls a function with the arguments on the stack.
    fn call(&mut self, frame: &mut Frame<'_>, mut index: usize) -> Result<(), Trap> {
        let module = frame.module;
        if frame.depth > 20 {
            return Err(Trap::TooLong);
        }
        loop {
            let Function { ty, locals, code } = &module.functions[index];
            let ty = &module.types[*ty];
            let mut values = frame.stack.split_off(frame.stack.len() - ty.takes.len());
            values.extend(locals.iter().map(|_| 0));
            let mut stack = Vec::new();
            let mut inner =
                Frame { module, locals: &mut values, stack: &mut stack, depth: frame.depth + 1 };
            match self.run(&mut inner, code)? {
                Flow::TailCall(next) => {
                    self.steps = self.steps.checked_sub(1).ok_or(Trap::TooLong)?;
                    let takes = module.types[module.functions[next].ty].takes.len();
                    keep(&mut stack, 0, takes);
                    frame.stack.append(&mut stack);
                    index = next;
                }
                Flow::Next | Flow::Branch(_) | Flow::Return => {
                    keep(&mut stack, 0, ty.gives.len());
                    frame.stack.append(&mut stack);
                    return Ok(());
                }
            }
        }
    }

    fn indirect(&mut self, frame: &mut Frame<'_>, ty: u64) -> Result<usize, Trap> {
        let place = pop(frame) as usize;
        let reference = *self.table.get(place).ok_or(Trap::TableOutOfBounds)?;
        let index = reference.checked_sub(1).ok_or(Trap::IndirectCallToNull)? as usize;
        match frame.module.functions[index].ty as u64 == ty {
            true => Ok(index),
            false => Err(Trap::BadSignature),
        }
    }

    fn plain(&mut self, frame: &mut Frame<'_>, operator: &Operator, a: u64) -> Result<Flow, Trap> {
        match operator.work {
            Work::Unary(work) => {
                let value = work(pop(frame))?;
                frame.stack.push(value);
            }
            Work::Binary(work) => {
                let second = pop(frame);
                let value = work(pop(frame), second)?;
                frame.stack.push(value);
            }
            Work::Load(len, work) => {
                let at = self.place(pop(frame) + a, len as u64)?;
                let mut bytes = [0; 8];
                bytes[..len].copy_from_slice(&self.memory[at..at + len]);
                frame.stack.push(work(u64::from_le_bytes(bytes)));
            }
            Work::Store(len) => {
                let value = pop(frame);
                let at = self.place(pop(frame) + a, len as u64)?;
                self.write(at, &value.to_le_bytes()[..len])?;
            }
            Work::Other(other) => return self.other(frame, other, a),
        }
        Ok(Flow::Next)
    }

    fn other(&mut self, frame: &mut Frame<'_>, other: Other, a: u64) -> Result<Flow, Trap> {
        let at = a as usize;
        match other {
            Other::Unreachable => return Err(Trap::Unreachable),
            // The others of this line are nested, and not plain.
            Other::Nop | Other::Block | Other::Loop | Other::If | Other::Else | Other::End => {}
            Other::BrTable | Other::TypedSelect => {}
            Other::Br => return Ok(Flow::Branch(a)),
            Other::BrIf => {
                if pop(frame) != 0 {
                    return Ok(Flow::Branch(a));
                }
            }
            Other::Return => return Ok(Flow::Return),
            Other::Call => self.call(frame, at)?,
            Other::CallIndirect => {
                let index = self.indirect(frame, a)?;
                self.call(frame, index)?;
            }
            Other::ReturnCall => return Ok(Flow::TailCall(at)),
            Other::ReturnCallIndirect => {
                return self.indirect(frame, a).map(Flow::TailCall);
            }
            Other::Drop => {
                pop(frame);
            }
            Other::Select => return Ok(select(frame)),
            Other::LocalGet => frame.stack.push(frame.locals[at]),
            Other::LocalSet => frame.locals[at] = pop(frame),
            Other::LocalTee => frame.locals[at] = *frame.stack.last().unwrap_or(&0),
            Other::GlobalGet => frame.stack.push(self.globals[at]),
            Other::GlobalSet => self.globals[at] = pop(frame),
            Other::Const => frame.stack.push(a),
            Other::RefNull => frame.stack.push(0),
            Other::RefFunc => frame.stack.push(a + 1),
            Other::RefIsNull => {
                let value = pop(frame);
                frame.stack.push(u64::from(value == 0));
            }
            Other::MemorySize => frame.stack.push(self.memory.len() as u64 / PAGE),
            Other::MemoryGrow => self.grow(frame),
            Other::DataDrop => self.data_dropped[at] = true,
            Other::ElemDrop => self.elements_dropped[at] = true,
            Other::MemoryInit | Other::MemoryCopy | Other::MemoryFill => {
                self.bulk_memory(frame, other, at)?;
            }
            Other::TableGet
            | Other::TableSet
            | Other::TableSize
            | Other::TableGrow
            | Other::TableInit
            | Other::TableCopy
            | Other::TableFill => self.table(frame, other, at)?,
        }
        Ok(Flow::Next)
    }

    fn grow(&mut self, frame: &mut Frame<'_>) {
        let before = self.memory.len() as u64 / PAGE;
        let after = before + pop(frame);
        let grown = after <= MOST_PAGES;
        if grown {
            self.memory.resize((after * PAGE) as usize, 0);
        }
        frame.stack.push(if grown { before } else { u64::from(u32::MAX) });
    }

    /// Where bytes of memory are.
    pub fn place(&self, at: u64, len: u64) -> Result<usize, Trap> {
        within(&self.memory, at, len).map(|_| at as usize).ok_or(Trap::MemoryOutOfBounds)
    }

    pub fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), Trap> {
        if (at as u64) < FREE && !bytes.is_empty() && !self.answering {
            return Err(Trap::Reserved);
        }
        for (at, &byte) in (at..).zip(bytes) {
            self.undo.push((at, self.memory[at]));
            self.memory[at] = byte;
        }
        if !bytes.is_empty() {
            self.written.extend([at as u64 / 8, (at + bytes.len() - 1) as u64 / 8]);
        }
        Ok(())
    }
}

pub fn within<T>(values: &[T], at: u64, len: u64) -> Option<&[T]> {
    values.get(usize::try_from(at).ok()?..)?.get(..usize::try_from(len).ok()?)
}

pub fn pop(frame: &mut Frame<'_>) -> u64 {
    match frame.stack.pop() {
        Some(value) => value,
        None => panic!("the generated code takes more than there is"),
    }
}

fn select(frame: &mut Frame<'_>) -> Flow {
    let (condition, second, first) = (pop(frame), pop(frame), pop(frame));
    frame.stack.push(if condition != 0 { first } else { second });
    Flow::Next
}

/// Keeps the last values above a height.
fn keep(stack: &mut Vec<u64>, height: usize, count: usize) {
    let from = stack.len() - count;
    stack.drain(height..from);
}
