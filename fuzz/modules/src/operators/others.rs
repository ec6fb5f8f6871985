//! Control, locals, memory, tables and constants.

use super::{
    Operator, Other, Ty,
    Ty::{F32, F64, Func, I32, I64},
    Work,
};

const fn row(
    name: &'static str,
    code: u16,
    takes: &'static [Ty],
    gives: Option<Ty>,
    work: Work,
) -> Operator {
    Operator { name, code, takes, gives, work }
}

pub(super) fn operators() -> Vec<Operator> {
    let mut all = loads_and_stores();
    all.extend(others());
    all
}

#[rustfmt::skip]
fn loads_and_stores() -> Vec<Operator> {
    vec![
        row("I32Load", 0x28, &[I32], Some(I32), Work::Load(4, |value| value)),
        row("I64Load", 0x29, &[I32], Some(I64), Work::Load(8, |value| value)),
        row("F32Load", 0x2a, &[I32], Some(F32), Work::Load(4, |value| value)),
        row("F64Load", 0x2b, &[I32], Some(F64), Work::Load(8, |value| value)),
        row("I32Load8S", 0x2c, &[I32], Some(I32), Work::Load(1, |value| u64::from(i32::from(value as i8).cast_unsigned()))),
        row("I32Load8U", 0x2d, &[I32], Some(I32), Work::Load(1, |value| value)),
        row("I32Load16S", 0x2e, &[I32], Some(I32), Work::Load(2, |value| u64::from(i32::from(value as i16).cast_unsigned()))),
        row("I32Load16U", 0x2f, &[I32], Some(I32), Work::Load(2, |value| value)),
        row("I64Load8S", 0x30, &[I32], Some(I64), Work::Load(1, |value| i64::from(value as i8).cast_unsigned())),
        row("I64Load8U", 0x31, &[I32], Some(I64), Work::Load(1, |value| value)),
        row("I64Load16S", 0x32, &[I32], Some(I64), Work::Load(2, |value| i64::from(value as i16).cast_unsigned())),
        row("I64Load16U", 0x33, &[I32], Some(I64), Work::Load(2, |value| value)),
        row("I64Load32S", 0x34, &[I32], Some(I64), Work::Load(4, |value| i64::from(value as i32).cast_unsigned())),
        row("I64Load32U", 0x35, &[I32], Some(I64), Work::Load(4, |value| value)),
        row("I32Store", 0x36, &[I32, I32], None, Work::Store(4)),
        row("I64Store", 0x37, &[I32, I64], None, Work::Store(8)),
        row("F32Store", 0x38, &[I32, F32], None, Work::Store(4)),
        row("F64Store", 0x39, &[I32, F64], None, Work::Store(8)),
        row("I32Store8", 0x3a, &[I32, I32], None, Work::Store(1)),
        row("I32Store16", 0x3b, &[I32, I32], None, Work::Store(2)),
        row("I64Store8", 0x3c, &[I32, I64], None, Work::Store(1)),
        row("I64Store16", 0x3d, &[I32, I64], None, Work::Store(2)),
        row("I64Store32", 0x3e, &[I32, I64], None, Work::Store(4)),
    ]
}

#[rustfmt::skip]
fn others() -> Vec<Operator> {
    vec![
        row("I32Const", 0x41, &[], Some(I32), Work::Other(Other::Const)),
        row("I64Const", 0x42, &[], Some(I64), Work::Other(Other::Const)),
        row("F32Const", 0x43, &[], Some(F32), Work::Other(Other::Const)),
        row("F64Const", 0x44, &[], Some(F64), Work::Other(Other::Const)),
        row("Unreachable", 0x00, &[], None, Work::Other(Other::Unreachable)),
        row("Nop", 0x01, &[], None, Work::Other(Other::Nop)),
        row("Block", 0x02, &[], None, Work::Other(Other::Block)),
        row("Loop", 0x03, &[], None, Work::Other(Other::Loop)),
        row("If", 0x04, &[I32], None, Work::Other(Other::If)),
        row("Else", 0x05, &[], None, Work::Other(Other::Else)),
        row("End", 0x0b, &[], None, Work::Other(Other::End)),
        row("Br", 0x0c, &[], None, Work::Other(Other::Br)),
        row("BrIf", 0x0d, &[I32], None, Work::Other(Other::BrIf)),
        row("BrTable", 0x0e, &[I32], None, Work::Other(Other::BrTable)),
        row("Return", 0x0f, &[], None, Work::Other(Other::Return)),
        row("Call", 0x10, &[], None, Work::Other(Other::Call)),
        row("CallIndirect", 0x11, &[], None, Work::Other(Other::CallIndirect)),
        row("ReturnCall", 0x12, &[], None, Work::Other(Other::ReturnCall)),
        row("ReturnCallIndirect", 0x13, &[], None, Work::Other(Other::ReturnCallIndirect)),
        row("Drop", 0x1a, &[], None, Work::Other(Other::Drop)),
        row("Select", 0x1b, &[], None, Work::Other(Other::Select)),
        row("TypedSelect", 0x1c, &[], None, Work::Other(Other::TypedSelect)),
        row("LocalGet", 0x20, &[], None, Work::Other(Other::LocalGet)),
        row("LocalSet", 0x21, &[], None, Work::Other(Other::LocalSet)),
        row("LocalTee", 0x22, &[], None, Work::Other(Other::LocalTee)),
        row("GlobalGet", 0x23, &[], None, Work::Other(Other::GlobalGet)),
        row("GlobalSet", 0x24, &[], None, Work::Other(Other::GlobalSet)),
        row("TableGet", 0x25, &[I32], Some(Func), Work::Other(Other::TableGet)),
        row("TableSet", 0x26, &[I32, Func], None, Work::Other(Other::TableSet)),
        row("MemorySize", 0x3f, &[], Some(I32), Work::Other(Other::MemorySize)),
        row("MemoryGrow", 0x40, &[I32], Some(I32), Work::Other(Other::MemoryGrow)),
        row("MemoryInit", 0xfc08, &[I32, I32, I32], None, Work::Other(Other::MemoryInit)),
        row("DataDrop", 0xfc09, &[], None, Work::Other(Other::DataDrop)),
        row("MemoryCopy", 0xfc0a, &[I32, I32, I32], None, Work::Other(Other::MemoryCopy)),
        row("MemoryFill", 0xfc0b, &[I32, I32, I32], None, Work::Other(Other::MemoryFill)),
        row("TableInit", 0xfc0c, &[I32, I32, I32], None, Work::Other(Other::TableInit)),
        row("ElemDrop", 0xfc0d, &[], None, Work::Other(Other::ElemDrop)),
        row("TableCopy", 0xfc0e, &[I32, I32, I32], None, Work::Other(Other::TableCopy)),
        row("TableGrow", 0xfc0f, &[Func, I32], Some(I32), Work::Other(Other::TableGrow)),
        row("TableSize", 0xfc10, &[], Some(I32), Work::Other(Other::TableSize)),
        row("TableFill", 0xfc11, &[I32, Func, I32], None, Work::Other(Other::TableFill)),
        row("RefNull", 0xd0, &[], Some(Func), Work::Other(Other::RefNull)),
        row("RefIsNull", 0xd1, &[Func], Some(I32), Work::Other(Other::RefIsNull)),
        row("RefFunc", 0xd2, &[], Some(Func), Work::Other(Other::RefFunc)),
    ]
}
