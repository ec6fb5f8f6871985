//! The keys of the store. Their bytes sort as the things that they name do: rows by table and id,
//! index entries by table, index, column values and id.
//!
//! All keys of the engine are made here. It does not say what is stored under them.

use heapless::Vec;

use super::entry::MAX_KEY_LEN;
use crate::{
    abi::Value,
    database::schema::ColumnType,
    limits::{Limit, LimitExceeded},
};

/// Schemas by table number; the key of the space alone holds the store's format version.
const CATALOG: u8 = 1;
/// The next row id of each table.
const COUNTER: u8 = 2;
/// Rows by table and id.
const ROW: u8 = 3;
/// Index entries.
const INDEX: u8 = 4;

/// Before a value in an index key: null, so nulls sort first.
const NULL: u8 = 0;
/// Before a value in an index key: a value follows.
const PRESENT: u8 = 1;

/// Bytes of a row id at the end of an index key.
const ID_LEN: usize = 8;
/// Bytes before the values in an index key: the space, the table and the index.
pub const INDEX_PREFIX_LEN: usize = 7;

/// Bytes of a key of the store.
pub type Key = Vec<u8, MAX_KEY_LEN, u8>;

/// Bytes of a row's key: two words, so that making and hashing one takes two stores and two loads
/// of the same width, which a processor can forward.
pub type RowKey = [u8; 16];

/// The key that holds the store's format version.
pub const FORMAT: [u8; 1] = [CATALOG];
/// The first key after the catalog.
pub const CATALOG_END: [u8; 1] = [CATALOG + 1];

fn with_table(space: u8, table: u32) -> [u8; 5] {
    let [a, b, c, d] = table.to_be_bytes();
    [space, a, b, c, d]
}

/// The key of a table's schema.
pub fn catalog(table: u32) -> [u8; 5] {
    with_table(CATALOG, table)
}

/// The number of the table whose schema is under a key.
pub fn catalog_table(key: &[u8]) -> Option<u32> {
    match key {
        [CATALOG, table @ ..] => Some(u32::from_be_bytes(table.try_into().ok()?)),
        _ => None,
    }
}

/// The key of a table's counter of row ids.
pub fn counter(table: u32) -> [u8; 5] {
    with_table(COUNTER, table)
}

/// The key of a row.
#[inline]
pub fn row(table: u32, id: u64) -> RowKey {
    let mut key = [0; 16];
    let (space, row) = key.split_at_mut(8);
    space.copy_from_slice(&(u64::from(ROW) << 56 | u64::from(table)).to_be_bytes());
    row.copy_from_slice(&id.to_be_bytes());
    key
}

/// The keys of the rows of a table from one id to before another; `None` for no end.
pub fn rows(table: u32, from: u64, until: Option<u64>) -> [RowKey; 2] {
    let end = match (until, table.checked_add(1)) {
        (Some(until), _) => row(table, until),
        (None, Some(next)) => row(next, 0),
        // Past the last table comes the next space.
        (None, None) => {
            let mut next_space = [0; 16];
            next_space[0] = ROW + 1;
            next_space
        }
    };
    [row(table, from), end]
}

/// Whether a key is a row's.
#[inline]
pub fn is_row(key: &[u8]) -> bool {
    key.first() == Some(&ROW)
}

/// The row that a key is of, if it is a row's key from end to end.
#[inline]
pub fn row_id(key: &[u8]) -> Option<u64> {
    (is_row(key) && key.len() == size_of::<RowKey>()).then(|| id(key))
}

/// The row id at the end of the key of a row or an index entry.
#[inline]
pub fn id(key: &[u8]) -> u64 {
    key.last_chunk::<ID_LEN>().map_or(0, |id| u64::from_be_bytes(*id))
}

/// An index key without the row id at its end.
pub fn without_id(key: &Key) -> &[u8] {
    key.get(..key.len().saturating_sub(ID_LEN)).unwrap_or_default()
}

/// Makes a prefix the first key after it that does not begin with it.
pub fn after_prefix(prefix: &mut Key) {
    while let Some(last) = prefix.pop() {
        if let Some(next) = last.checked_add(1) {
            // There is room: a byte was just taken.
            let _ = prefix.push(next);
            break;
        }
    }
}

/// Builds an index key in its place: as much of it as fits. The rest is counted, so that the error says
/// how long it is.
#[derive(Debug)]
pub struct IndexKey<'k> {
    key: &'k mut Key,
    asked: usize,
}

impl<'k> IndexKey<'k> {
    /// Begins with the part that all entries of an index share, whatever `key` was before.
    pub fn begin(key: &'k mut Key, table: u32, index: u16) -> Self {
        key.clear();
        let mut key = Self { key, asked: 0 };
        key.raw(&with_table(INDEX, table));
        key.raw(&index.to_be_bytes());
        key
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.asked = self.asked.saturating_add(bytes.len());
        let room = MAX_KEY_LEN.saturating_sub(self.key.len());
        // What is cut here is missed in `finish`.
        let _ = self.key.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// Appends a value of an indexable column.
    pub fn value(&mut self, value: &Value<'_>) {
        let number = |bits: u64| {
            let [a, b, c, d, e, f, g, h] = bits.to_be_bytes();
            [PRESENT, a, b, c, d, e, f, g, h]
        };
        match value {
            Value::Bool(value) => self.raw(&[PRESENT, u8::from(*value)]),
            // Negative numbers below positive ones.
            Value::Int(value) => self.raw(&number(value.cast_unsigned() ^ (1 << 63))),
            Value::UInt(value) => self.raw(&number(*value)),
            Value::Float(value) => self.raw(&number(ordered_float(*value))),
            Value::Text(value) => self.terminated(value.as_bytes()),
            Value::Binary(value) => self.terminated(value),
            // The schema allows no other kind in an index.
            Value::Null | Value::Array(_) | Value::Object(_) | Value::Ref { .. } => {
                self.raw(&[NULL]);
            }
        }
    }

    fn terminated(&mut self, bytes: &[u8]) {
        self.beginning(bytes);
        self.raw(&[0, 0]);
    }

    /// Appends the beginning of a text or binary value: zeros are escaped as `00 FF`, so that the
    /// terminator `00 00` sorts a value before those that it begins.
    pub fn beginning(&mut self, bytes: &[u8]) {
        self.raw(&[PRESENT]);
        let room = MAX_KEY_LEN.saturating_sub(self.key.len());
        let (bytes, cut) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        // A key that is cut is only measured.
        let zeros = cut.iter().map(|&byte| usize::from(byte == 0)).sum();
        self.asked = self.asked.saturating_add(cut.len()).saturating_add(zeros);
        for part in bytes.split_inclusive(|&byte| byte == 0) {
            self.raw(part);
            if part.last() == Some(&0) {
                self.raw(&[0xff]);
            }
        }
    }

    /// Appends the row id, the last part of an entry.
    pub fn id(&mut self, id: u64) {
        self.raw(&id.to_be_bytes());
    }

    /// Ends the key.
    ///
    /// # Errors
    /// [`Limit::KeyBytes`] if it is longer than [`MAX_KEY_LEN`].
    pub fn finish(self) -> Result<(), LimitExceeded> {
        if self.asked == self.key.len() {
            return Ok(());
        }
        Err(LimitExceeded {
            limit: Limit::KeyBytes,
            allowed: MAX_KEY_LEN as u64,
            asked: self.asked as u64,
        })
    }
}

/// IEEE 754 bits, changed so that they sort as unsigned numbers as the doubles do. Both zeros are
/// one value.
fn ordered_float(value: f64) -> u64 {
    // -0.0 + 0.0 is +0.0.
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// Whether `bytes` are values of these types and a row id, as they follow the prefix in the key of
/// an index entry.
pub fn is_entry(types: impl Iterator<Item = ColumnType>, mut bytes: &[u8]) -> bool {
    for kind in types {
        let Some(rest) = skip_value(kind, bytes) else { return false };
        bytes = rest;
    }
    bytes.len() == ID_LEN
}

fn skip_value(kind: ColumnType, bytes: &[u8]) -> Option<&[u8]> {
    let (&tag, rest) = bytes.split_first()?;
    match (tag, kind) {
        (NULL, _) => Some(rest),
        (PRESENT, ColumnType::Bool) => rest.strip_prefix(&[0]).or(rest.strip_prefix(&[1])),
        (PRESENT, ColumnType::Int | ColumnType::UInt | ColumnType::Float) => rest.get(8..),
        (PRESENT, ColumnType::Text | ColumnType::Binary) => {
            let mut rest = rest;
            loop {
                let zero = rest.iter().position(|&byte| byte == 0)?;
                let (after, tail) = rest.get(zero + 1..)?.split_first()?;
                match after {
                    0 => return Some(tail),
                    0xff => rest = tail,
                    _ => return None,
                }
            }
        }
        _ => None,
    }
}
