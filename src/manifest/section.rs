//! Custom sections of a WebAssembly module: finding one, and putting one in.
//!
//! It walks the sections without looking into any other, so it needs no parser and no heap to
//! find one. It does not check that the module is valid; loading it does.

use alloc::vec::Vec;
use core::fmt;

use crate::abi::wire::{Reader, Writer, varint_len};

/// The custom section that a packed manifest lies in.
pub const MANIFEST_SECTION: &str = "sochdb.manifest";

const MAGIC_AND_VERSION: &[u8] = b"\0asm\x01\0\0\0";
const CUSTOM: u8 = 0;

/// Why a custom section could not be found or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SectionError {
    /// The bytes do not begin as a WebAssembly module of version 1 does.
    NotWasm,
    /// A section does not end where it says, or has no id, length or name.
    Malformed {
        /// Offset in bytes of its start.
        offset: u32,
    },
    /// There are two sections of that name, and nobody can say which one counts.
    Twice {
        /// Offset in bytes of the start of the second.
        offset: u32,
    },
}

impl fmt::Display for SectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWasm => write!(f, "the bytes are not a WebAssembly module"),
            Self::Malformed { offset } => {
                write!(f, "the section at byte {offset} of the module is malformed")
            }
            Self::Twice { offset } => write!(
                f,
                "the module has a second custom section of the same name at byte {offset}"
            ),
        }
    }
}

impl core::error::Error for SectionError {}

/// A section: where it starts and ends in the module, and for a custom one its name and contents.
struct Section<'a> {
    start: usize,
    end: usize,
    custom: Option<(&'a [u8], &'a [u8])>,
}

/// Walks the sections of a module.
struct Sections<'a> {
    wasm: &'a [u8],
    reader: Reader<'a>,
}

impl<'a> Sections<'a> {
    fn new(wasm: &'a [u8]) -> Result<Self, SectionError> {
        let mut reader = Reader::new(wasm);
        match reader.take(MAGIC_AND_VERSION.len()) {
            Ok(MAGIC_AND_VERSION) => Ok(Self { wasm, reader }),
            _ => Err(SectionError::NotWasm),
        }
    }

    fn next(&mut self) -> Result<Option<Section<'a>>, SectionError> {
        if self.reader.rest().is_empty() {
            return Ok(None);
        }
        let start = self.reader.position();
        let malformed = |_| SectionError::Malformed { offset: offset(start) };
        let id = self.reader.u8().map_err(malformed)?;
        let body = self.reader.bytes().map_err(malformed)?;
        let custom = if id == CUSTOM {
            let mut inside = Reader::new(body);
            let name = inside.bytes().map_err(malformed)?;
            Some((name, inside.rest()))
        } else {
            None
        };
        Ok(Some(Section { start, end: self.reader.position(), custom }))
    }

    /// The section of this name, if there is one.
    fn find(mut self, name: &str) -> Result<Option<Section<'a>>, SectionError> {
        let mut found = None;
        while let Some(section) = self.next()? {
            if section.custom.is_some_and(|(given, _)| given == name.as_bytes()) {
                if found.is_some() {
                    return Err(SectionError::Twice { offset: offset(section.start) });
                }
                found = Some(section);
            }
        }
        Ok(found)
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The contents of the custom section `name`, if the module has one.
///
/// # Errors
/// [`SectionError`].
pub fn find<'a>(wasm: &'a [u8], name: &str) -> Result<Option<&'a [u8]>, SectionError> {
    let section = Sections::new(wasm)?.find(name)?;
    Ok(section.and_then(|section| section.custom).map(|(_, contents)| contents))
}

/// The module with a custom section `name` of these contents at its end, in place of the one that
/// it may have had.
///
/// # Errors
/// [`SectionError`].
pub fn embed(wasm: &[u8], name: &str, contents: &[u8]) -> Result<Vec<u8>, SectionError> {
    let sections = Sections::new(wasm)?;
    let all = sections.wasm;
    let (before, after) = match sections.find(name)? {
        Some(old) => (all.get(..old.start), all.get(old.end..)),
        None => (Some(all), None),
    };
    let mut module = Vec::new();
    module.extend_from_slice(before.unwrap_or_default());
    module.extend_from_slice(after.unwrap_or_default());
    let body = varint_len(name.len() as u64) + name.len() + contents.len();
    let header = module.len();
    module.resize(header + 1 + varint_len(body as u64) + body, 0);
    // The size was counted, so all of it fits.
    let mut writer = Writer::new(module.get_mut(header..).unwrap_or_default());
    writer.u8(CUSTOM);
    writer.len(body);
    writer.text(name);
    writer.raw(contents);
    Ok(module)
}
