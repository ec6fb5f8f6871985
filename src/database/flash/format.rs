//! Bytes of the leaf store: page headers, entries, checksums. `docs/flash-format.md` has the layout.

use crate::database::storage::MAX_KEY_LEN;

/// Bytes of a page, if erase blocks are not longer.
pub const MIN_PAGE: usize = 4096;
/// The longest page: places in a page are 16 bits.
pub const MAX_PAGE: usize = 16384;
/// Bytes of a page's header before its low key.
pub const HEADER: usize = 32;
/// Bytes of an entry before its key.
pub const ENTRY: usize = 6;
/// Bytes of an entry besides the rest of its key and its value.
pub const OVERHEAD: usize = ENTRY + 4;
/// The longest value of one entry: longer ones are several.
pub const CHUNK: usize = 256;
/// The longest value.
pub const MAX_VALUE: usize = 4096;
/// One entry in so many is found without reading those before it.
pub const RESTART: usize = 4;
/// The longest entry.
pub const MAX_ENTRY: usize = OVERHEAD + MAX_KEY_LEN + CHUNK;
/// The format's version.
pub const VERSION: u8 = 3;
/// The oldest version that can be read; pages of it are replaced as they are written anew.
pub const OLDEST: u8 = 2;
/// The first bytes of every page.
pub const MAGIC: [u8; 4] = *b"SoF2";
/// What an erased byte reads as.
pub const ERASED: u8 = 0xff;

/// A page that holds entries.
pub const LEAF: u8 = 1;
/// A page that holds the commit log.
pub const LOG: u8 = 2;

#[expect(clippy::indexing_slicing, reason = "the compiler evaluates it")]
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

/// CRC-32 of IEEE 802.3, going on from another one.
pub fn crc(from: u32, bytes: &[u8]) -> u32 {
    let mut crc = !from;
    for &byte in bytes {
        if let Some(entry) = TABLE.get((crc as u8 ^ byte) as usize) {
            crc = crc >> 8 ^ entry;
        }
    }
    !crc
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let found = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    found.map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    found.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// A key and the number of the part of its value.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    bytes: [u8; MAX_KEY_LEN],
    len: u8,
    /// Which part of the value.
    pub chunk: u8,
}

impl Default for Key {
    fn default() -> Self {
        Self { bytes: [0; MAX_KEY_LEN], len: 0, chunk: 0 }
    }
}

impl Key {
    /// A key of at most 128 bytes; what is longer is cut.
    pub fn new(bytes: &[u8], chunk: u8) -> Self {
        Self::joined(bytes, &[], chunk)
    }

    /// A key of two parts.
    pub fn joined(first: &[u8], rest: &[u8], chunk: u8) -> Self {
        let mut key = Self { chunk, ..Self::default() };
        let (first_len, rest_len) = (first.len().min(MAX_KEY_LEN), rest.len());
        let (to, after) = key.bytes.split_at_mut(first_len);
        to.copy_from_slice(first.get(..first_len).unwrap_or_default());
        let rest_len = rest_len.min(after.len());
        if let (Some(to), Some(rest)) = (after.get_mut(..rest_len), rest.get(..rest_len)) {
            to.copy_from_slice(rest);
        }
        key.len = (first_len + rest_len) as u8;
        key
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }

    /// Where it is in the order.
    pub fn order(&self) -> (&[u8], u8) {
        (self.bytes(), self.chunk)
    }

    /// How many bytes it begins with that another one begins with.
    pub fn shared(&self, bytes: &[u8]) -> usize {
        self.bytes().iter().zip(bytes).take_while(|(one, other)| one == other).count()
    }
}

/// What an entry says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Bytes of the value.
    pub len: usize,
    /// Which part.
    pub chunk: u8,
    /// Whether a part follows.
    pub more: bool,
    /// Whether the entry says that the key is gone.
    pub deleted: bool,
}

impl About {
    fn pack(self) -> u16 {
        let flag = |set: bool, bit: u16| u16::from(set) << bit;
        self.len as u16 & 0x1ff
            | u16::from(self.chunk & 15) << 9
            | flag(self.more, 13)
            | flag(self.deleted, 14)
    }

    fn unpack(packed: u16) -> Self {
        let flag = |bit: u16| packed >> bit & 1 == 1;
        Self {
            len: usize::from(packed & 0x1ff),
            chunk: (packed >> 9 & 15) as u8,
            more: flag(13),
            deleted: flag(14),
        }
    }
}

/// The first bytes of an entry.
#[derive(Clone, Copy, Debug)]
pub struct EntryHead {
    /// How much of the low key the key begins with.
    pub shared: usize,
    /// Bytes of the rest of the key.
    pub rest: usize,
    /// About the value.
    pub about: About,
    /// Of the key.
    pub hash: u16,
}

/// The hash of a key.
pub fn hash(key: &Key) -> u16 {
    let sum = crc(u32::from(key.chunk), key.bytes());
    (sum ^ sum >> 16) as u16
}

impl EntryHead {
    /// Reads one. `None` if there cannot be such an entry.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (&[shared, rest], _) = bytes.split_first_chunk::<2>()?;
        let about = About::unpack(u16_at(bytes, 2));
        let head = Self { shared: shared.into(), rest: rest.into(), about, hash: u16_at(bytes, 4) };
        let fits = head.shared + head.rest <= MAX_KEY_LEN && about.len <= CHUNK;
        fits.then_some(head)
    }

    /// The head of an entry in a leaf with this low key.
    pub fn of(low: &Key, key: &Key, about: About) -> Self {
        let shared = low.shared(key.bytes());
        Self { shared, rest: key.bytes().len() - shared, about, hash: hash(key) }
    }

    /// Bytes of the whole entry.
    pub const fn len(&self) -> usize {
        OVERHEAD + self.rest + self.about.len
    }

    /// The bytes.
    pub fn bytes(&self) -> [u8; ENTRY] {
        let ([a, b], [c, d]) = (self.about.pack().to_le_bytes(), self.hash.to_le_bytes());
        [self.shared as u8, self.rest as u8, a, b, c, d]
    }
}

/// The checksum of an entry at a place of a page.
pub fn entry_sum(serial: u32, at: usize, bytes: &[u8]) -> u32 {
    crc(serial ^ (at as u32) << 16, bytes)
}

/// What the header of a page says.
#[derive(Clone, Copy, Debug)]
pub struct PageHead {
    /// What is in the page.
    pub kind: u8,
    /// The format's version.
    pub version: u8,
    /// The first key.
    pub low: Key,
    /// Which page of all that were ever written.
    pub serial: u32,
    /// How often it was erased.
    pub erases: u32,
    /// Its place in the region.
    pub page: u16,
    /// Pages of the region.
    pub pages: u16,
    /// Where the sorted entries end.
    pub entries_end: u16,
    /// How many restarts follow them.
    pub restarts: u16,
    /// The checksum of the restarts.
    pub restarts_sum: u32,
}

impl PageHead {
    /// Bytes with the low key.
    pub fn len(&self) -> usize {
        HEADER + self.low.bytes().len()
    }

    /// Writes the bytes, and returns their checksum.
    pub fn write(&self, into: &mut [u8]) -> u32 {
        let len = self.low.bytes().len() as u8;
        let head = [self.kind, self.version, len, self.low.chunk];
        let numbers = [self.serial, self.erases].map(u32::to_le_bytes);
        let shorts = [self.page, self.pages, self.entries_end, self.restarts].map(u16::to_le_bytes);
        let (numbers, shorts) = (numbers.as_flattened(), shorts.as_flattened());
        let parts = [&MAGIC[..], &head, numbers, shorts, &self.restarts_sum.to_le_bytes()];
        let mut fixed = [0; HEADER - 4];
        for (to, from) in fixed.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        let sum = crc(crc(0, &fixed), self.low.bytes());
        let sum_bytes = sum.to_le_bytes();
        let all = fixed.iter().chain(&sum_bytes).chain(self.low.bytes());
        for (to, from) in into.iter_mut().zip(all) {
            *to = *from;
        }
        sum
    }

    /// Bytes of the low key that follows.
    pub fn low_len(fixed: &[u8; HEADER]) -> usize {
        usize::from(fixed[6]).min(MAX_KEY_LEN)
    }

    /// Reads a header and its checksum; `None` if the header is missing or damaged.
    pub fn read(fixed: &[u8; HEADER], low: &[u8]) -> Option<(Self, u32)> {
        let sum = crc(crc(0, fixed.first_chunk::<{ HEADER - 4 }>()?), low);
        if !fixed.starts_with(&MAGIC) || u32_at(fixed, 28) != sum {
            return None;
        }
        let head = Self {
            kind: fixed[4],
            version: fixed[5],
            low: Key::new(low, fixed[7]),
            serial: u32_at(fixed, 8),
            erases: u32_at(fixed, 12),
            page: u16_at(fixed, 16),
            pages: u16_at(fixed, 18),
            entries_end: u16_at(fixed, 20),
            restarts: u16_at(fixed, 22),
            restarts_sum: u32_at(fixed, 24),
        };
        Some((head, sum))
    }
}

/// A leaf, as the directory lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its page.
    pub page: u16,
    /// Where its log ends.
    pub end: u16,
    /// Bytes of what is live.
    pub live: u16,
    /// Checksum of the header and of the heads of all entries in the log.
    pub digest: u32,
}

/// Bytes of a leaf in a record, and in RAM.
pub const LEAF_BYTES: usize = 10;

impl Leaf {
    /// The bytes.
    pub fn bytes(&self) -> [u8; LEAF_BYTES] {
        let [[a, b], [c, d], [e, f]] = [self.page, self.end, self.live].map(u16::to_le_bytes);
        let [g, h, i, j] = self.digest.to_le_bytes();
        [a, b, c, d, e, f, g, h, i, j]
    }

    /// Reads one.
    pub fn read(bytes: &[u8; LEAF_BYTES]) -> Self {
        let short = |at| u16_at(bytes, at);
        Self { page: short(0), end: short(2), live: short(4), digest: u32_at(bytes, 6) }
    }
}
