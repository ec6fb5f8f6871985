//! Valid plugins over the operators of integers and memory, every kind of operand and every size of
//! offset, each with what it must answer. Every value is known while the code is written, so writing is
//! running it: this is the other engine.

use crate::random::Random;

/// What the entry point `f` must do.
#[derive(Debug, PartialEq, Eq)]
pub enum Expected {
    Output(Vec<u8>),
    Trap,
}

pub struct Program {
    pub wasm: Vec<u8>,
    pub expected: Expected,
}

const MEMORY: u64 = 4 << 16;
/// Below are the descriptor and the buffers.
const FREE: u64 = 1024;
const OUTPUT: u64 = 512;
const I32S: u32 = 4;
const I64S: u32 = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ty {
    I32,
    I64,
}

struct Writer<'r> {
    random: &'r mut Random,
    code: Vec<u8>,
    i32s: [u32; I32S as usize],
    i64s: [u64; I64S as usize],
    memory: Vec<u8>,
    /// Inside a branch that is not taken: nothing changes.
    dead: bool,
    /// The code has ended in a trap.
    trapped: bool,
}

pub fn program(random: &mut Random) -> Program {
    let mut memory = vec![0; MEMORY as usize];
    memory[..20].copy_from_slice(&descriptor());
    let mut writer = Writer {
        random,
        code: Vec::new(),
        i32s: [0; I32S as usize],
        i64s: [0; I64S as usize],
        memory,
        dead: false,
        trapped: false,
    };
    for _ in 0..4 + writer.random.below(12) {
        writer.statement();
        if writer.trapped {
            break;
        }
    }
    writer.finish()
}

fn descriptor() -> [u8; 20] {
    let mut bytes = [0; 20];
    for (at, word) in [1_u32, 256, 256, 512, 256].into_iter().enumerate() {
        bytes[at * 4..at * 4 + 4].copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// LEB128 of an unsigned number.
fn unsigned(out: &mut Vec<u8>, mut value: u64) {
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

impl Writer<'_> {
    fn op(&mut self, byte: u8) {
        self.code.push(byte);
    }

    fn local(&mut self, op: u8, index: u32) {
        self.op(op);
        unsigned(&mut self.code, index.into());
    }

    fn constant(&mut self, ty: Ty, value: u64) -> u64 {
        match ty {
            Ty::I32 => {
                self.op(0x41);
                signed(&mut self.code, i64::from(value as u32 as i32));
                u64::from(value as u32)
            }
            Ty::I64 => {
                self.op(0x42);
                signed(&mut self.code, value as i64);
                value
            }
        }
    }

    /// A local of a type: its index and its value.
    fn any_local(&mut self, ty: Ty) -> (u32, u64) {
        match ty {
            Ty::I32 => {
                let at = self.random.below(I32S as usize);
                (at as u32, self.i32s[at].into())
            }
            Ty::I64 => {
                let at = self.random.below(I64S as usize);
                (I32S + at as u32, self.i64s[at])
            }
        }
    }

    fn set(&mut self, index: u32, value: u64) {
        if self.dead {
            return;
        }
        match index.checked_sub(I32S) {
            None => self.i32s[index as usize] = value as u32,
            Some(at) => self.i64s[at as usize] = value,
        }
    }

    /// Writes what leaves a value of the type, and says which.
    fn value(&mut self, ty: Ty, depth: u32) -> u64 {
        let leaf = depth == 0;
        match self.random.below(if leaf { 3 } else { 16 }) {
            0 => {
                let value = self.random.integer();
                self.constant(ty, value)
            }
            1 | 2 | 3 => {
                let (index, value) = self.any_local(ty);
                self.local(0x20, index);
                value
            }
            4 => {
                let value = self.value(ty, depth - 1);
                let (index, _) = self.any_local(ty);
                self.local(0x22, index);
                self.set(index, value);
                value
            }
            5 => {
                // A block or a loop, with something in it that leaves nothing now and then.
                let block = self.random.pick(&[0x02, 0x03]);
                self.op(block);
                self.op(if ty == Ty::I32 { 0x7f } else { 0x7e });
                let value = self.value(ty, depth - 1);
                self.nothing();
                self.op(0x0b);
                value
            }
            6 => self.branches(ty, depth),
            7 => {
                let first = self.value(ty, depth - 1);
                let second = self.value(ty, depth - 1);
                let condition = self.value(Ty::I32, depth - 1);
                self.op(0x1b);
                if condition != 0 { first } else { second }
            }
            8 => self.load(ty, depth),
            9 => self.conversion(ty, depth),
            10 => {
                // The function that gives back what it is given.
                let value = self.value(ty, depth - 1);
                self.op(0x10);
                self.op(if ty == Ty::I32 { 1 } else { 2 });
                value
            }
            11 => self.unary(ty, depth),
            _ => self.binary(ty, depth),
        }
    }

    /// Operators that leave the operands as they were.
    fn nothing(&mut self) {
        match self.random.below(8) {
            0 => self.op(0x01),
            1 => {
                let (index, _) = self.any_local(Ty::I32);
                self.local(0x20, index);
                self.op(0x1a);
            }
            2 => self.code.extend([0x02, 0x40, 0x0b]),
            3 => {
                let value = self.value(Ty::I32, 1);
                let (index, _) = self.any_local(Ty::I32);
                self.local(0x21, index);
                self.set(index, value);
            }
            4 => self.code.extend([0x10, 0]),
            _ => {}
        }
    }

    fn branches(&mut self, ty: Ty, depth: u32) -> u64 {
        let condition = self.value(Ty::I32, depth - 1);
        self.op(0x04);
        self.op(if ty == Ty::I32 { 0x7f } else { 0x7e });
        let was_dead = self.dead;
        self.dead = was_dead || condition == 0;
        let first = self.value(ty, depth - 1);
        self.op(0x05);
        self.dead = was_dead || condition != 0;
        let second = self.value(ty, depth - 1);
        self.op(0x0b);
        self.dead = was_dead;
        if condition != 0 { first } else { second }
    }

    fn conversion(&mut self, ty: Ty, depth: u32) -> u64 {
        match ty {
            Ty::I32 => match self.random.below(2) {
                0 => {
                    let value = self.value(Ty::I64, depth - 1);
                    self.op(0xa7);
                    u64::from(value as u32)
                }
                _ => {
                    let value = self.value(Ty::I32, depth - 1);
                    self.code.extend([0xbe, 0xbc]);
                    value
                }
            },
            Ty::I64 => match self.random.below(3) {
                0 => {
                    let value = self.value(Ty::I32, depth - 1);
                    self.op(0xac);
                    i64::from(value as u32 as i32) as u64
                }
                1 => {
                    let value = self.value(Ty::I32, depth - 1);
                    self.op(0xad);
                    value
                }
                _ => {
                    let value = self.value(Ty::I64, depth - 1);
                    self.code.extend([0xbf, 0xbd]);
                    value
                }
            },
        }
    }

    fn unary(&mut self, ty: Ty, depth: u32) -> u64 {
        let value = self.value(ty, depth - 1);
        let which = self.random.below(5);
        if ty == Ty::I32 {
            let value = value as u32;
            self.op([0x67, 0x68, 0x69, 0xc0, 0xc1][which]);
            u64::from(match which {
                0 => value.leading_zeros(),
                1 => value.trailing_zeros(),
                2 => value.count_ones(),
                3 => i32::from(value as i8) as u32,
                _ => i32::from(value as i16) as u32,
            })
        } else {
            self.op([0x79, 0x7a, 0x7b, 0xc2, 0xc4][which]);
            match which {
                0 => value.leading_zeros().into(),
                1 => value.trailing_zeros().into(),
                2 => value.count_ones().into(),
                3 => i64::from(value as i8) as u64,
                _ => i64::from(value as i32) as u64,
            }
        }
    }

    fn binary(&mut self, ty: Ty, depth: u32) -> u64 {
        // Comparisons of either type leave an i32.
        if ty == Ty::I32 && self.random.one_in(3) {
            return self.comparison(depth);
        }
        let (a, b) = (self.value(ty, depth - 1), self.value(ty, depth - 1));
        let which = self.random.below(11);
        if ty == Ty::I32 {
            let (a, b) = (a as u32, b as u32);
            self.op([0x6a, 0x6b, 0x6c, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78][which]);
            u64::from(match which {
                0 => a.wrapping_add(b),
                1 => a.wrapping_sub(b),
                2 => a.wrapping_mul(b),
                3 => a & b,
                4 => a | b,
                5 => a ^ b,
                6 => a.wrapping_shl(b),
                7 => (a as i32).wrapping_shr(b) as u32,
                8 => a.wrapping_shr(b),
                9 => a.rotate_left(b % 32),
                _ => a.rotate_right(b % 32),
            })
        } else {
            self.op([0x7c, 0x7d, 0x7e, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a][which]);
            match which {
                0 => a.wrapping_add(b),
                1 => a.wrapping_sub(b),
                2 => a.wrapping_mul(b),
                3 => a & b,
                4 => a | b,
                5 => a ^ b,
                6 => a.wrapping_shl(b as u32),
                7 => (a as i64).wrapping_shr(b as u32) as u64,
                8 => a.wrapping_shr(b as u32),
                9 => a.rotate_left((b % 64) as u32),
                _ => a.rotate_right((b % 64) as u32),
            }
        }
    }

    fn comparison(&mut self, depth: u32) -> u64 {
        let ty = self.random.pick(&[Ty::I32, Ty::I64]);
        let a = self.value(ty, depth - 1);
        if self.random.one_in(4) {
            self.op(if ty == Ty::I32 { 0x45 } else { 0x50 });
            return u64::from(a == 0);
        }
        let b = self.value(ty, depth - 1);
        let which = self.random.below(10);
        self.op(if ty == Ty::I32 { 0x46 } else { 0x51 } + which as u8);
        let extend = |value: u64| match ty {
            Ty::I32 => i64::from(value as u32 as i32),
            Ty::I64 => value as i64,
        };
        let (sa, sb) = (extend(a), extend(b));
        u64::from(match which {
            0 => a == b,
            1 => a != b,
            2 => sa < sb,
            3 => a < b,
            4 => sa > sb,
            5 => a > b,
            6 => sa <= sb,
            7 => a <= b,
            8 => sa >= sb,
            _ => a >= b,
        })
    }

    /// An offset, often at an edge of what the interpreter encodes.
    fn offset(&mut self) -> u32 {
        match self.random.below(8) {
            0 => 0,
            1 => 65_535,
            2 => 65_536,
            3 => 1 << 31,
            4 => u32::MAX,
            _ => self.random.below(MEMORY as usize) as u32,
        }
    }

    /// Loads from a constant address, so that it is in bounds.
    fn load(&mut self, ty: Ty, _depth: u32) -> u64 {
        let offset = self.random.below(MEMORY as usize / 2) as u32;
        let address = self.random.below(MEMORY as usize / 2 - 8) as u64;
        self.constant(Ty::I32, address);
        self.op(if ty == Ty::I32 { 0x28 } else { 0x29 });
        self.op(0);
        unsigned(&mut self.code, offset.into());
        let at = address as usize + offset as usize;
        let value = u64::from_le_bytes(self.memory[at..at + 8].try_into().unwrap());
        if ty == Ty::I32 { u64::from(value as u32) } else { value }
    }

    fn statement(&mut self) {
        match self.random.below(4) {
            0 => {
                let ty = self.random.pick(&[Ty::I32, Ty::I64]);
                let (index, _) = self.any_local(ty);
                let value = match self.random.below(2) {
                    // An address in bounds.
                    0 => {
                        let value = self.random.below(MEMORY as usize / 4) as u64;
                        let low = self.random.below(1000) as u64;
                        self.constant(ty, value);
                        self.constant(ty, low);
                        self.op(if ty == Ty::I32 { 0x6a } else { 0x7c });
                        value + low
                    }
                    _ => self.value(ty, 3),
                };
                self.local(0x21, index);
                self.set(index, value);
            }
            _ => self.store(),
        }
    }

    fn store(&mut self) {
        let depth = self.random.below(3) as u32;
        let before = self.code.len();
        let (i32s, i64s) = (self.i32s, self.i64s);
        let address = self.value(Ty::I32, depth);
        self.nothing();
        let (op, ty, bytes) = self.random.pick(&[
            (0x36, Ty::I32, 4),
            (0x37, Ty::I64, 8),
            (0x3a, Ty::I32, 1),
            (0x3b, Ty::I32, 2),
            (0x3c, Ty::I64, 1),
            (0x3d, Ty::I64, 2),
            (0x3e, Ty::I64, 4),
        ]);
        let value = self.value(ty, depth);
        self.nothing();
        let offset = self.offset();
        let at = address + u64::from(offset);
        let outside = at + bytes > MEMORY;
        if at < FREE || (outside && !self.random.one_in(16)) {
            // Not this one.
            self.code.truncate(before);
            (self.i32s, self.i64s) = (i32s, i64s);
            return;
        }
        self.op(op);
        self.op(0);
        unsigned(&mut self.code, offset.into());
        if outside {
            self.trapped = true;
            return;
        }
        let at = at as usize;
        let bytes = bytes as usize;
        self.memory[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
        // What is in memory now goes into the answer.
        self.constant(Ty::I32, at.min(MEMORY as usize - 8) as u64);
        self.op(0x29);
        self.code.extend([0, 0]);
        self.local(0x20, I32S);
        self.op(0x85);
        self.local(0x21, I32S);
        let at = at.min(MEMORY as usize - 8);
        self.i64s[0] ^= u64::from_le_bytes(self.memory[at..at + 8].try_into().unwrap());
    }

    fn finish(mut self) -> Program {
        let mut output = Vec::new();
        for index in 0..I32S {
            self.constant(Ty::I32, OUTPUT + u64::from(index) * 4);
            self.local(0x20, index);
            self.code.extend([0x36, 0, 0]);
            output.extend(self.i32s[index as usize].to_le_bytes());
        }
        for index in 0..I64S {
            self.constant(Ty::I32, OUTPUT + u64::from(I32S * 4 + index * 8));
            self.local(0x20, I32S + index);
            self.code.extend([0x37, 0, 0]);
            output.extend(self.i64s[index as usize].to_le_bytes());
        }
        self.constant(Ty::I32, output.len() as u64);
        self.op(0x0b);
        let expected = if self.trapped { Expected::Trap } else { Expected::Output(output) };
        Program { wasm: module(&self.code), expected }
    }
}

/// The plugin around the code of its entry point, whose parameter is the first of the i32 locals.
fn module(code: &[u8]) -> Vec<u8> {
    let mut out = b"\0asm\x01\0\0\0".to_vec();
    let mut section = |id: u8, content: &[u8]| {
        out.push(id);
        unsigned(&mut out, content.len() as u64);
        out.extend_from_slice(content);
    };
    section(1, &[3, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 1, 0x7e, 1, 0x7e]);
    // 0 does nothing, 1 and 2 give back what they are given, 3 is the entry point.
    section(3, &[4, 0, 1, 2, 1]);
    section(5, &[1, 0, 4]);
    section(6, &[1, 0x7f, 0, 0x41, 0, 0x0b]);
    section(7, b"\x03\x06memory\x02\0\x0dsochdb_plugin\x03\0\x01f\0\x03");
    let mut body = vec![2, I32S as u8 - 1, 0x7f, I64S as u8, 0x7e];
    body.extend_from_slice(code);
    let mut functions = vec![4, 2, 0, 0x0b, 4, 0, 0x20, 0, 0x0b, 4, 0, 0x20, 0, 0x0b];
    unsigned(&mut functions, body.len() as u64);
    functions.extend(body);
    section(10, &functions);
    let mut data = vec![1, 0, 0x41, 0, 0x0b, 20];
    data.extend(descriptor());
    section(11, &data);
    out
}
