//! The bytes that cross the WebAssembly boundary: a reader and a writer of the
//! [postcard wire format](https://postcard.jamesmunns.com/wire-format) over plain slices.
//!
//! It exists beside the `postcard` crate because two things cannot be said in serde: a list that
//! stays encoded until someone iterates it ([`Seq`](super::Seq)), and a list whose length is known only when
//! the buffer is full ([`Writer::begin_list`]). The crate is the oracle in `tests/wire.rs`: every
//! message here encodes to exactly the bytes that `postcard` makes of the same serde type.
//!
//! It does not know what the messages mean; those are in [`crate::abi::message`].

use core::fmt;

/// How deep arrays and objects may be nested in a value. Bounds the native stack of a decoder.
pub const MAX_DEPTH: u8 = 8;

/// Why bytes could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireErrorKind {
    /// The bytes end inside a value.
    UnexpectedEnd,
    /// A variable-length integer is longer or larger than its type.
    VarintOverflow,
    /// A text is not UTF-8.
    InvalidUtf8,
    /// A boolean or option tag is neither 0 nor 1.
    InvalidBool,
    /// No variant of the enumeration has this number.
    UnknownVariant,
    /// Arrays and objects are nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// Bytes are left after the message.
    TrailingBytes,
    /// A list has items that take no bytes, so that its count alone bounds it.
    TooManyItems,
    /// A text is not a [`Name`](crate::abi::Name).
    InvalidName,
}

impl WireErrorKind {
    /// The kind in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnexpectedEnd => "the bytes end inside a value",
            Self::VarintOverflow => "an integer does not fit its type",
            Self::InvalidUtf8 => "a text is not UTF-8",
            Self::InvalidBool => "a boolean or option tag is neither 0 nor 1",
            Self::UnknownVariant => "an enumeration has no variant of this number",
            Self::TooDeep => "arrays and objects are nested too deep",
            Self::TrailingBytes => "bytes are left after the message",
            Self::TooManyItems => "a list has items that take no bytes",
            Self::InvalidName => "a text is not a name",
        }
    }
}

/// A message that could not be decoded: what is wrong, and at which byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireError {
    /// What is wrong.
    pub kind: WireErrorKind,
    /// Offset in bytes from the start of the message.
    pub offset: u32,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.kind.as_str(), self.offset)
    }
}

impl core::error::Error for WireError {}

/// Decodes values from the front of a slice, borrowing texts and bytes from it.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    rest: &'a [u8],
    /// How many arrays and objects are open around the present position.
    depth: u8,
}

impl<'a> Reader<'a> {
    /// A reader at the first byte of `bytes`.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, rest: bytes, depth: 0 }
    }

    /// How many bytes were read so far.
    #[inline]
    pub const fn position(&self) -> usize {
        self.bytes.len() - self.rest.len()
    }

    /// The bytes not read yet.
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The bytes between `start` (an earlier [`position`](Self::position)) and here.
    #[inline]
    pub fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.position()).unwrap_or_default()
    }

    /// An error of `kind` at the present position.
    #[cold]
    pub const fn error(&self, kind: WireErrorKind) -> WireError {
        WireError { kind, offset: self.position() as u32 }
    }

    /// The next byte.
    ///
    /// # Errors
    /// [`WireErrorKind::UnexpectedEnd`].
    #[inline]
    pub fn u8(&mut self) -> Result<u8, WireError> {
        match self.rest.split_first() {
            Some((&byte, rest)) => {
                self.rest = rest;
                Ok(byte)
            }
            None => Err(self.error(WireErrorKind::UnexpectedEnd)),
        }
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// [`WireErrorKind::UnexpectedEnd`].
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        match self.rest.split_at_checked(len) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(self.error(WireErrorKind::UnexpectedEnd)),
        }
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`WireErrorKind::UnexpectedEnd`].
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        match self.rest.split_first_chunk::<N>() {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(*bytes)
            }
            None => Err(self.error(WireErrorKind::UnexpectedEnd)),
        }
    }

    /// An unsigned integer in LEB128, at most ten bytes.
    ///
    /// # Errors
    /// [`WireErrorKind::UnexpectedEnd`] or [`WireErrorKind::VarintOverflow`].
    #[inline]
    pub fn u64(&mut self) -> Result<u64, WireError> {
        let first = self.u8()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        self.long_varint(first, 64)
    }

    /// The rest of an integer of `bits` bits whose first byte has others behind it.
    fn long_varint(&mut self, first: u8, bits: u32) -> Result<u64, WireError> {
        let mut value = u64::from(first & 0x7f);
        for shift in (7..bits).step_by(7) {
            let byte = self.u8()?;
            // The last byte holds only the bits that are left.
            if u32::from(byte) >> (bits - shift).min(8) != 0 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.error(WireErrorKind::VarintOverflow))
    }

    /// An unsigned 32-bit integer in LEB128, at most five bytes.
    ///
    /// # Errors
    /// [`WireErrorKind::UnexpectedEnd`] or [`WireErrorKind::VarintOverflow`].
    #[inline]
    pub fn u32(&mut self) -> Result<u32, WireError> {
        let first = self.u8()?;
        if first < 0x80 {
            return Ok(u32::from(first));
        }
        Ok(self.long_varint(first, 32)? as u32)
    }

    /// A signed integer: zigzag, then LEB128.
    ///
    /// # Errors
    /// [`WireErrorKind::UnexpectedEnd`] or [`WireErrorKind::VarintOverflow`].
    #[inline]
    pub fn i64(&mut self) -> Result<i64, WireError> {
        let raw = self.u64()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// A double: eight bytes, little-endian.
    ///
    /// # Errors
    /// [`WireErrorKind::UnexpectedEnd`].
    #[inline]
    pub fn f64(&mut self) -> Result<f64, WireError> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// A float: four bytes, little-endian.
    ///
    /// # Errors
    /// [`WireErrorKind::UnexpectedEnd`].
    #[inline]
    pub fn f32(&mut self) -> Result<f32, WireError> {
        Ok(f32::from_le_bytes(self.array()?))
    }

    /// A boolean: one byte, 0 or 1. Also the tag of an option.
    ///
    /// # Errors
    /// [`WireErrorKind::UnexpectedEnd`] or [`WireErrorKind::InvalidBool`].
    #[inline]
    pub fn bool(&mut self) -> Result<bool, WireError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.error(WireErrorKind::InvalidBool)),
        }
    }

    /// Bytes: their count, then the bytes.
    ///
    /// # Errors
    /// [`WireErrorKind::UnexpectedEnd`] or [`WireErrorKind::VarintOverflow`].
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let len = self.u32()?;
        self.take(len as usize)
    }

    /// A text: its count of bytes, then UTF-8.
    ///
    /// # Errors
    /// [`WireErrorKind::UnexpectedEnd`], [`WireErrorKind::VarintOverflow`] or
    /// [`WireErrorKind::InvalidUtf8`].
    #[inline]
    pub fn text(&mut self) -> Result<&'a str, WireError> {
        let bytes = self.bytes()?;
        core::str::from_utf8(bytes).map_err(|_| self.error(WireErrorKind::InvalidUtf8))
    }

    /// Decodes what `inside` decodes, one level deeper.
    ///
    /// # Errors
    /// [`WireErrorKind::TooDeep`] past [`MAX_DEPTH`], and what `inside` returns.
    pub fn nested<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error(WireErrorKind::TooDeep));
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    /// Succeeds if nothing is left.
    ///
    /// # Errors
    /// [`WireErrorKind::TrailingBytes`].
    #[inline]
    pub fn finish(&self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(WireErrorKind::TrailingBytes)) }
    }
}

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
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Bytes that the buffer holds in all.
    pub const fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// Whether everything written so far, and `more` bytes after it, fit.
    #[inline]
    pub const fn fits(&self, more: usize) -> bool {
        self.at.saturating_add(more) <= self.buffer.len()
    }

    /// This place, to come back to.
    pub const fn mark(&self) -> Mark {
        Mark(self.at)
    }

    /// Takes back everything written since `mark`.
    pub const fn rewind(&mut self, mark: Mark) {
        self.at = mark.0;
    }

    /// What was written since `mark`; empty if it did not fit.
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
    const fn count(&mut self, len: usize) {
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
    pub fn begin_list(&mut self) -> OpenList {
        let start = self.at;
        self.u8(0);
        OpenList { start }
    }

    /// How many bytes ending the list with `count` will add.
    pub const fn list_overhead(count: usize) -> usize {
        varint_len(count as u64) - 1
    }

    /// Ends a list that has `count` items (or a text of `count` bytes).
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
pub const fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// A type that crosses the boundary.
pub trait Wire<'a>: Sized {
    /// Appends this value.
    fn encode(&self, writer: &mut Writer<'_>);

    /// Takes a value from the front.
    ///
    /// # Errors
    /// [`WireError`] names what is wrong and where.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError>;
}

/// Decodes a message that takes up all of `bytes`.
///
/// # Errors
/// [`WireError`], also for bytes left over.
#[inline]
pub fn decode<'a, T: Wire<'a>>(bytes: &'a [u8]) -> Result<T, WireError> {
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// Encodes a message to the front of `buffer` and returns its length.
///
/// # Errors
/// [`BufferTooSmall`] with the length that was needed.
#[inline]
pub fn encode<'a, T: Wire<'a>>(value: &T, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
    let mut writer = Writer::new(buffer);
    value.encode(&mut writer);
    writer.finish()
}

macro_rules! primitive {
    ($($type:ty => $method:ident),* $(,)?) => {$(
        impl<'a> Wire<'a> for $type {
            #[inline]
            fn encode(&self, writer: &mut Writer<'_>) { writer.$method(*self) }
            #[inline]
            fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> { reader.$method() }
        }
    )*};
}
primitive!(bool => bool, u32 => u32, u64 => u64, i64 => i64, f32 => f32, f64 => f64,
           &'a str => text, &'a [u8] => bytes);

/// No bytes: what a function answers that answers nothing.
#[cfg(feature = "replay")]
impl<'a> Wire<'a> for () {
    fn encode(&self, _writer: &mut Writer<'_>) {}

    fn decode(_reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(())
    }
}

impl<'a> Wire<'a> for i32 {
    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) {
        // Zigzag of a number is the same for every width that holds it.
        writer.i64((*self).into());
    }

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let raw = reader.u32()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Option<T> {
    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.bool(self.is_some());
        if let Some(value) = self {
            value.encode(writer);
        }
    }

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(if reader.bool()? { Some(T::decode(reader)?) } else { None })
    }
}

impl<'a, A: Wire<'a>, B: Wire<'a>> Wire<'a> for (A, B) {
    fn encode(&self, writer: &mut Writer<'_>) {
        self.0.encode(writer);
        self.1.encode(writer);
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok((A::decode(reader)?, B::decode(reader)?))
    }
}
