//! Encoding: into a slice, and the length that would have done if it is too small.

use core::fmt;

/// The response does not fit its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferTooSmall {
    /// Bytes that the whole message takes.
    pub needed: usize,
    /// Bytes that there are.
    pub capacity: usize,
}

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the buffer holds {} bytes, {} are needed", self.capacity, self.needed)
    }
}

impl core::error::Error for BufferTooSmall {}

/// A place that a [`Writer`] can go back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

/// A list that was begun with [`Writer::begin_list`].
#[derive(Debug)]
pub struct OpenList {
    start: usize,
}

/// Encodes values into a fixed buffer.
///
/// Writing never fails: what does not fit is counted instead, and [`finish`](Self::finish) then
/// names the size that was needed. [`mark`](Self::mark) and [`rewind`](Self::rewind) take back
/// what did not fit.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// A writer at the start of `buffer`.
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, at: 0 }
    }

    /// Bytes written so far, those that did not fit included.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Bytes that the buffer holds in all.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// Whether everything written so far, and `more` bytes after it, fit.
    #[inline]
    #[must_use]
    pub const fn fits(&self, more: usize) -> bool {
        self.at.saturating_add(more) <= self.buffer.len()
    }

    /// This place, to come back to.
    #[doc(hidden)]
    #[must_use]
    pub const fn mark(&self) -> Mark {
        Mark(self.at)
    }

    /// Takes back everything written since `mark`.
    #[doc(hidden)]
    pub const fn rewind(&mut self, mark: Mark) {
        self.at = mark.0;
    }

    /// What was written since `mark`; empty if it did not fit.
    #[doc(hidden)]
    #[must_use]
    pub fn since(&self, mark: Mark) -> &[u8] {
        self.buffer.get(mark.0..self.at).unwrap_or_default()
    }

    /// Raw bytes.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        match self.buffer.get_mut(self.at..).and_then(|b| b.get_mut(..bytes.len())) {
            Some(target) => {
                target.copy_from_slice(bytes);
                // What is in the buffer cannot overflow.
                self.at = self.at.wrapping_add(bytes.len());
            }
            None => self.count(bytes.len()),
        }
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self, byte: u8) {
        match self.buffer.get_mut(self.at) {
            Some(target) => {
                *target = byte;
                self.at = self.at.wrapping_add(1);
            }
            None => self.count(1),
        }
    }

    /// Counts what does not fit.
    #[cold]
    pub(crate) const fn count(&mut self, len: usize) {
        self.at = self.at.saturating_add(len);
    }

    /// An unsigned integer in LEB128.
    #[inline]
    pub fn u64(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    /// An unsigned 32-bit integer in LEB128.
    #[inline]
    pub fn u32(&mut self, value: u32) {
        self.u64(u64::from(value));
    }

    /// A count of items or bytes, as LEB128.
    #[inline(always)]
    pub fn len(&mut self, len: usize) {
        self.u64(len as u64);
    }

    /// A signed integer: zigzag, then LEB128.
    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.u64(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    /// A double: eight bytes, little-endian.
    pub fn f64(&mut self, value: f64) {
        self.raw(&value.to_le_bytes());
    }

    /// A float: four bytes, little-endian.
    pub fn f32(&mut self, value: f32) {
        self.raw(&value.to_le_bytes());
    }

    /// A boolean, or the tag of an option.
    pub fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// Bytes after their count.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.len(bytes.len());
        self.raw(bytes);
    }

    /// A text after its count of bytes.
    #[inline]
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Begins a list (or a text) whose count is not known yet.
    ///
    /// One byte is kept for the count; a longer count moves the items when it is known, so the
    /// bytes are the same as if it had been known from the start.
    #[doc(hidden)]
    pub fn begin_list(&mut self) -> OpenList {
        let start = self.at;
        self.u8(0);
        OpenList { start }
    }

    /// How many bytes ending the list with `count` will add.
    #[doc(hidden)]
    #[must_use]
    pub const fn list_overhead(count: usize) -> usize {
        varint_len(count as u64) - 1
    }

    /// Ends a list that has `count` items (or a text of `count` bytes).
    #[doc(hidden)]
    pub fn end_list(&mut self, list: OpenList, count: usize) {
        let shift = Self::list_overhead(count);
        let body = list.start.saturating_add(1);
        let end = self.at;
        self.at = end.saturating_add(shift);
        if self.at <= self.buffer.len() {
            if shift > 0 && body <= end {
                self.buffer.copy_within(body..end, body + shift);
            }
            let mut header = Writer { buffer: self.buffer, at: list.start };
            header.len(count);
        }
    }

    /// Puts `bytes` at `mark`, moving what was written since then behind them.
    #[doc(hidden)]
    pub fn insert(&mut self, mark: Mark, bytes: &[u8]) {
        let end = self.at;
        let body = mark.0.saturating_add(bytes.len());
        self.at = end.saturating_add(bytes.len());
        if mark.0 <= end && self.at <= self.buffer.len() {
            self.buffer.copy_within(mark.0..end, body);
            Writer { buffer: self.buffer, at: mark.0 }.raw(bytes);
        }
    }

    /// The length of the message.
    ///
    /// # Errors
    /// [`BufferTooSmall`] if it did not fit.
    pub const fn finish(self) -> Result<usize, BufferTooSmall> {
        if self.at <= self.buffer.len() {
            Ok(self.at)
        } else {
            Err(BufferTooSmall { needed: self.at, capacity: self.buffer.len() })
        }
    }
}

/// How many bytes `value` takes as LEB128.
#[must_use]
pub const fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}
