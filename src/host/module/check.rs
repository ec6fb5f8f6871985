//! Checks of a module's sections and code before it is translated.
//!
//! The validator decides whether a module is valid. These checks cover what a validator does not: the limits
//! of this crate, and operators that the interpreter translates wrongly.

use alloc::vec::Vec;

use super::{
    insertions::{CODE_SECTION, Insertions},
    operators::{CodeProblem, scan},
};
use crate::{
    abi::wire::{Reader, WireError},
    host::error::{LoadError, Loading},
    limits::{Limit, LimitExceeded, Limits},
};

/// The most exports of a module: an entry point is found by looking through them.
pub const MAX_EXPORTS: u32 = 1000;

/// The most tables of a module. Each may have [`Limits::table_elements`].
pub const MAX_TABLES: u32 = 8;

const TYPE_SECTION: u8 = 1;
const TABLE_SECTION: u8 = 4;
const EXPORT_SECTION: u8 = 7;
const START_SECTION: u8 = 8;

/// The id and the content of each section, as long as they decode.
fn sections(wasm: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut sections = Reader::new(wasm.get(8..).unwrap_or_default());
    core::iter::from_fn(move || Some((sections.u8().ok()?, sections.bytes().ok()?)))
}

/// Looks at the sections of a module: for a start section, which the interpreter refuses without a
/// name for it, and for what would make much of few bytes. What does not decode is left to the
/// validator, which says more about it.
pub(crate) fn check_sections(wasm: &[u8], limits: &Limits) -> Loading<()> {
    for (id, section) in sections(wasm) {
        let section = Reader::new(section);
        let (limit, allowed, asked) = match id {
            START_SECTION => return Err(LoadError::StartFunction.into()),
            TABLE_SECTION => (Limit::Tables, MAX_TABLES, { section }.u32().unwrap_or(0)),
            EXPORT_SECTION => (Limit::Exports, MAX_EXPORTS, { section }.u32().unwrap_or(0)),
            TYPE_SECTION => (Limit::Results, limits.results, most_results(section)),
            CODE_SECTION => (Limit::Locals, limits.locals, most_locals(section)),
            _ => continue,
        };
        within(limit, allowed, asked)?;
    }
    Ok(())
}

/// Looks at the code of a valid module: no block has parameters, which the interpreter translates wrongly.
/// Returns what is to be put into the code, for other faults of the interpreter and to charge for locals.
///
/// Not inlined: what it needs of the stack shall not lie there while the module is compiled.
#[inline(never)]
pub(crate) fn check_code(wasm: &[u8]) -> Loading<Insertions> {
    let mut types = Reader::new(&[]);
    for (id, section) in sections(wasm) {
        match id {
            TYPE_SECTION => types = Reader::new(section),
            CODE_SECTION => {
                let plain = PlainTypes::new(types);
                return match scan(section, |ty| !plain.has(ty)) {
                    Ok(insertions) => Ok(insertions),
                    // Whatever the validator accepted decodes.
                    Err(CodeProblem::Undecodable) => Ok(Insertions::default()),
                    Err(CodeProblem::BlockParameters(at)) => {
                        let section = section.as_ptr() as usize - wasm.as_ptr() as usize;
                        Err(LoadError::BlockParameters { offset: (section + at) as u32 }.into())
                    }
                };
            }
            _ => {}
        }
    }
    Ok(Insertions::default())
}

fn within(limit: Limit, allowed: u32, asked: u32) -> Loading<()> {
    if asked <= allowed {
        return Ok(());
    }
    let (allowed, asked) = (allowed.into(), asked.into());
    Err(LoadError::Limit(LimitExceeded { limit, allowed, asked }).into())
}

/// The numbers of parameters and of results of the next type.
fn next_type(types: &mut Reader<'_>) -> Result<(u32, u32), WireError> {
    types.u8()?;
    Ok((types.bytes()?.len() as u32, types.bytes()?.len() as u32))
}

/// The most results of a type.
fn most_results(mut types: Reader<'_>) -> u32 {
    let _ = types.u32();
    core::iter::from_fn(|| Some(next_type(&mut types).ok()?.1)).max().unwrap_or(0)
}

/// The types without parameters, by rising index: a block may have one of these.
struct PlainTypes(Vec<u32>);

impl PlainTypes {
    fn new(mut types: Reader<'_>) -> Self {
        let _ = types.u32();
        let parameters = core::iter::from_fn(|| Some(next_type(&mut types).ok()?.0));
        let plain = (0..).zip(parameters).filter(|&(_, parameters)| parameters == 0);
        Self(plain.map(|(ty, _)| ty).collect())
    }

    fn has(&self, ty: u32) -> bool {
        self.0.binary_search(&ty).is_ok()
    }
}

/// The most locals of a function.
fn most_locals(mut functions: Reader<'_>) -> u32 {
    let mut most = 0;
    let _ = functions.u32();
    while let Ok(function) = functions.bytes() {
        let mut groups = Reader::new(function);
        let mut locals = 0_u32;
        for _ in 0..groups.u32().unwrap_or(0) {
            let (Ok(count), Ok(_)) = (groups.u32(), groups.u8()) else { break };
            locals = locals.saturating_add(count);
        }
        most = most.max(locals);
    }
    most
}
