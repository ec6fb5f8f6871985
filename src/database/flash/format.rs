//! How `ekv` 1.0.0 lays out a page of its file table, as far as telling a torn one from a corrupt
//! one needs it, and the numbers that it is built with: `Cargo.toml` sets them as features. They
//! are part of the format, so the version of `ekv` is fixed there and this file fits that one.
//!
//! A page begins with a header: a magic number, the number of the page, the checksum of the rest of
//! the header, and that rest. Chunks follow: a magic number of two bytes, the length, the checksum,
//! and the bytes, padded to a word. Numbers have the byte order of the target.

/// Bytes of a page.
pub const PAGE: u32 = 4096;
/// The most pages.
pub const MAX_PAGES: u32 = 256;
/// Bytes that are read and written at a time are a multiple of this.
pub const WORD: u32 = 4;
/// The longest value.
pub const MAX_VALUE: usize = 4096;
/// The longest chunk. Short ones make reads cheap; `ekv` wants its file table to fit into one.
pub const MAX_CHUNK: usize = 256;
/// Bytes of entries in a full page: 15 chunks of 256 bytes and one of 96.
pub const PAYLOAD: u64 = 3936;
/// Bytes that an entry takes besides its key and value, as `ekv` reckons.
pub const RECORD: u64 = 4;

const _: () = assert!(ekv::config::PAGE_SIZE == PAGE as usize);
const _: () = assert!(ekv::config::MAX_PAGE_COUNT == MAX_PAGES as usize);
const _: () = assert!(ekv::config::ALIGN == WORD as usize);
const _: () = assert!(ekv::config::MAX_VALUE_SIZE == MAX_VALUE);
const _: () = assert!(ekv::config::MAX_CHUNK_SIZE == MAX_CHUNK);
const _: () = assert!(ekv::config::MAX_KEY_SIZE == crate::database::MAX_KEY_LEN);
const _: () = assert!(ekv::config::CRC && ekv::config::ERASE_VALUE == ERASED);

/// What an erased byte reads as.
pub const ERASED: u8 = 0xff;

/// Bytes of the header of a page of the file table, and where its first chunk begins.
pub const META_HEADER: usize = 20;
/// Bytes of the header of a page of entries, and where its first chunk begins.
pub const DATA_HEADER: usize = 32;
/// Bytes of a chunk's header.
pub const CHUNK_HEADER: usize = 8;

const META_MAGIC: u32 = 0x1d81_bcde;
const DATA_MAGIC: u32 = 0x7fcb_f35d;
const CHUNK_MAGIC: u16 = 0x59c5;

/// What the first bytes of a page say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// A page of the file table, and which one of those that were ever begun.
    Meta {
        /// 1 for the one that formatting writes.
        seq: u32,
    },
    /// A page of entries.
    Data {
        /// The place of its first byte among those that were ever written to the file.
        seq: u32,
        /// The page before it in the file.
        previous: Option<u32>,
    },
    /// Nothing that is whole.
    Other,
}

impl PageKind {
    /// What a page with this number and these first bytes is.
    pub fn of(page: u32, header: &[u8; DATA_HEADER]) -> Self {
        let word = |at: usize| {
            let bytes = header.get(at..).and_then(|bytes| bytes.first_chunk::<4>());
            bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
        };
        let sum = |len: usize| checksum(header.get(12..len).unwrap_or_default());
        match (word(0), word(4) == page) {
            (META_MAGIC, true) if word(8) == sum(META_HEADER) => Self::Meta { seq: word(16) },
            (DATA_MAGIC, true) if word(8) == sum(DATA_HEADER) => {
                let previous = header.get(16..).and_then(|bytes| bytes.first_chunk());
                Self::Data { seq: word(12), previous: previous.and_then(|bytes| page_id(*bytes)) }
            }
            _ => Self::Other,
        }
    }

    /// Which page of the file table this would be, were not one bit of its header wrong.
    pub fn mended(page: u32, header: [u8; DATA_HEADER]) -> Option<u32> {
        (0..META_HEADER * 8).find_map(|bit| {
            let mut mended = header;
            *mended.get_mut(bit / 8)? ^= 1 << (bit % 8);
            match Self::of(page, &mended) {
                Self::Meta { seq } => Some(seq),
                Self::Data { .. } | Self::Other => None,
            }
        })
    }

    /// The header that formatting writes to a page first of all.
    pub fn first_header(page: u32, pages: u32) -> [u8; META_HEADER] {
        let ([a, b, c, d], [e, f, g, h]) = (pages.to_ne_bytes(), 1u32.to_ne_bytes());
        let rest = [a, b, c, d, e, f, g, h];
        let words = [META_MAGIC, page, checksum(&rest)].map(u32::to_ne_bytes);
        let mut header = [0; META_HEADER];
        let bytes = words.iter().flatten().chain(&rest);
        header.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        header
    }
}

/// Files in a file table: two on each of eight levels, and the one that they are merged into.
pub const FILES: usize = 17;

/// What a file table says about a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileEntry {
    /// Its last page; `None` if it is empty.
    pub last: Option<u32>,
    /// The place of its first byte among those that were ever written to it.
    pub first: u32,
}

impl FileEntry {
    /// The number of a file and what is said about it.
    pub fn read(bytes: &[u8; 8]) -> (usize, Self) {
        let [file, _flags, a, b, first @ ..] = *bytes;
        (file.into(), Self { last: page_id([a, b]), first: u32::from_ne_bytes(first) })
    }
}

/// The number of a page in a list of pages; all ones are none.
fn page_id(bytes: [u8; 2]) -> Option<u32> {
    let number = u16::from_ne_bytes(bytes);
    (number != u16::MAX).then_some(number.into())
}

/// The header of a chunk: its length and checksum, or `None` if there is no chunk.
pub fn chunk(header: &[u8; CHUNK_HEADER]) -> Option<(usize, u32)> {
    let [a, b, c, d, sum @ ..] = *header;
    let len = usize::from(u16::from_ne_bytes([c, d]));
    let known = u16::from_ne_bytes([a, b]) == CHUNK_MAGIC && len <= MAX_CHUNK;
    known.then_some((len, u32::from_ne_bytes(sum)))
}

/// CRC-32 of IEEE 802.3, as `ekv` has it.
pub fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |mut crc, &byte| {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
        crc
    })
}

/// The seed with which `ekv` begins to take pages at `page`: it multiplies a seed by a prime.
pub const fn seed_for(page: u32) -> u32 {
    page.wrapping_mul(INVERSE)
}

const PRIME: u32 = 1_750_509_587;

/// The inverse of the prime, by Newton's method: each step doubles the bits that are right.
const INVERSE: u32 = {
    let mut inverse = PRIME;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2u32.wrapping_sub(PRIME.wrapping_mul(inverse)));
        step += 1;
    }
    assert!(PRIME.wrapping_mul(inverse) == 1);
    inverse
};
