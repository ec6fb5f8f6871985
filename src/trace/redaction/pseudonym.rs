//! Walks over an encoded message and replaces values in it by pseudonyms that are as long.

use sha2::{Digest as _, Sha256};

use crate::abi::{MAX_DEPTH, ValueKind};

/// What bytes mean, and so what their pseudonym may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// 0 or 1.
    Bool,
    /// An integer of one to ten bytes.
    Varint,
    /// A double; the pseudonym is one from 1 to 2.
    Float,
    /// A float; the pseudonym is one from 1 to 2.
    Single,
    /// UTF-8; the pseudonym is small letters.
    Text,
    /// Any bytes.
    Binary,
}

/// A place in an encoded message. Everything returns `None` where the bytes are no such message.
pub(super) struct Walk<'b> {
    key: &'b [u8; 32],
    bytes: &'b mut [u8],
    at: usize,
}

impl<'b> Walk<'b> {
    pub(super) fn new(key: &'b [u8; 32], bytes: &'b mut [u8]) -> Self {
        Self { key, bytes, at: 0 }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) const fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// That nothing is left.
    pub(super) fn finish(&self) -> Option<()> {
        (self.at == self.bytes.len()).then_some(())
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn skip(&mut self, len: usize) -> Option<()> {
        self.at = self.at.checked_add(len).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }

    /// Text, or bytes, after its length.
    pub(super) fn text(&mut self) -> Option<&[u8]> {
        let len = usize::try_from(self.varint()?).ok()?;
        let start = self.at;
        self.skip(len)?;
        self.bytes.get(start..self.at)
    }

    /// Replaces the next bytes.
    pub(super) fn redact(&mut self, len: usize, class: Class) -> Option<()> {
        let start = self.at;
        self.skip(len)?;
        replace(self.key, class, self.bytes.get_mut(start..self.at)?);
        Some(())
    }

    /// Replaces a text, or bytes, but not the length.
    pub(super) fn redact_text(&mut self, class: Class) -> Option<()> {
        let len = usize::try_from(self.varint()?).ok()?;
        self.redact(len, class)
    }

    /// Replaces all bytes from here on.
    pub(super) fn rest(&mut self, class: Class) {
        if let Some(rest) = self.bytes.get_mut(self.at..) {
            replace(self.key, class, rest);
        }
    }

    /// Passes over a selector of rows.
    pub(super) fn rows(&mut self) -> Option<()> {
        match self.u8()? {
            0 => _ = self.varint()?,
            1 => {
                for _ in 0..self.varint()? {
                    self.varint()?;
                }
            }
            2 => {
                self.varint()?;
                if self.u8()? == 1 {
                    self.varint()?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Passes over the query of an index, replacing the values at these places, if any.
    pub(super) fn query(&mut self, chosen: Option<u64>) -> Option<()> {
        match self.u8()? {
            0 | 1 => self.values(chosen.unwrap_or(0)),
            2 => {
                for _ in 0..2 {
                    if self.u8()? != 0 {
                        self.values(chosen.unwrap_or(0))?;
                    }
                }
                Some(())
            }
            _ => None,
        }
    }

    /// Passes over rows of an answer, replacing the values at these places.
    pub(super) fn answered(&mut self, chosen: u64) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            self.values(chosen)?;
        }
        Some(())
    }

    /// Passes over a list of values, replacing those at the chosen places.
    pub(super) fn values(&mut self, chosen: u64) -> Option<()> {
        for at in 0..self.varint()? {
            let is = u32::try_from(at).ok().and_then(|at| chosen.checked_shr(at)).unwrap_or(0);
            self.value(Some(is & 1 == 1))?;
        }
        Some(())
    }

    /// Passes over a value, replacing it if it is chosen.
    pub(super) fn value(&mut self, chosen: Option<bool>) -> Option<()> {
        self.nested(chosen == Some(true), MAX_DEPTH)
    }

    fn nested(&mut self, chosen: bool, depth: u8) -> Option<()> {
        match ValueKind::from_number(self.u8()?)? {
            ValueKind::Null => Some(()),
            ValueKind::Bool => self.scalar(1, Class::Bool, chosen),
            ValueKind::Int | ValueKind::UInt => self.number(chosen),
            ValueKind::Float => self.scalar(8, Class::Float, chosen),
            ValueKind::Text => self.bytes_of(Class::Text, chosen),
            ValueKind::Binary => self.bytes_of(Class::Binary, chosen),
            kind @ (ValueKind::Array | ValueKind::Object) => {
                let depth = depth.checked_sub(1)?;
                for _ in 0..self.varint()? {
                    if kind == ValueKind::Object {
                        self.bytes_of(Class::Text, chosen)?;
                    }
                    self.nested(chosen, depth)?;
                }
                Some(())
            }
            ValueKind::Ref => {
                self.bytes_of(Class::Text, chosen)?;
                self.number(chosen)
            }
        }
    }

    fn scalar(&mut self, len: usize, class: Class, chosen: bool) -> Option<()> {
        if chosen { self.redact(len, class) } else { self.skip(len) }
    }

    fn bytes_of(&mut self, class: Class, chosen: bool) -> Option<()> {
        let len = usize::try_from(self.varint()?).ok()?;
        self.scalar(len, class, chosen)
    }

    fn number(&mut self, chosen: bool) -> Option<()> {
        let start = self.at;
        self.varint()?;
        let len = self.at - start;
        self.at = start;
        self.scalar(len, Class::Varint, chosen)
    }
}

/// Replaces bytes by their pseudonym: a stream of SHA-256 that begins with the digest of the key, the
/// class, the bytes, and the key again.
fn replace(key: &[u8; 32], class: Class, bytes: &mut [u8]) {
    let mut hash = Sha256::new();
    hash.update(key);
    hash.update([class as u8]);
    hash.update(&*bytes);
    hash.update(key);
    let seed: [u8; 32] = hash.finalize().into();
    let last = bytes.len().saturating_sub(1);
    let mut block = seed;
    for (number, chunk) in (0_u64..).zip(bytes.chunks_mut(block.len())) {
        if number > 0 {
            let mut hash = Sha256::new();
            hash.update(seed);
            hash.update(number.to_le_bytes());
            block = hash.finalize().into();
        }
        for ((at, byte), random) in (0..).zip(chunk).zip(block) {
            *byte = match (class, at) {
                (Class::Bool, _) => random & 1,
                // As long as before: every byte but the last says that there is another, and the
                // last of several is not zero. The tenth holds one bit.
                (Class::Varint, at) if at < last => random | 0x80,
                (Class::Varint, 9) => 1,
                (Class::Varint, 0) => random & 0x7f,
                (Class::Varint, _) => random % 0x7f + 1,
                (Class::Float, 6) => random | 0xf0,
                (Class::Single, 2) => random | 0x80,
                (Class::Float, 7) | (Class::Single, 3) => 0x3f,
                (Class::Text, _) => b'a' + random % 26,
                _ => random,
            };
        }
    }
}
