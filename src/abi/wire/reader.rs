//! Decoding: values from the front of a slice, and what can be wrong with it.

use core::fmt;

/// How deep arrays and objects may be nested in a value. Bounds the native stack of a decoder.
pub const MAX_DEPTH: u8 = 8;

/// Declares the reasons why bytes cannot be decoded, each with its text. A new one is one entry.
macro_rules! reasons {
    ($($(#[$meta:meta])* $reason:ident $text:literal,)*) => {
        /// Why bytes could not be decoded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        // A word in the host, where results of decoding are moved whole then: 700 bytes of flash.
        #[cfg_attr(feature = "database", repr(u32))]
        #[non_exhaustive]
        pub enum WireErrorKind {
            $($(#[$meta])* $reason,)*
        }

        impl WireErrorKind {
            /// The kind in words.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$reason => $text,)* }
            }
        }
    };
}

reasons! {
    /// The bytes end inside a value.
    UnexpectedEnd "the bytes end inside a value",
    /// A variable-length integer is longer or larger than its type.
    VarintOverflow "an integer does not fit its type",
    /// A text is not UTF-8.
    InvalidUtf8 "a text is not UTF-8",
    /// A boolean or option tag is neither 0 nor 1.
    InvalidBool "a boolean or option tag is neither 0 nor 1",
    /// No variant of the enumeration has this number.
    UnknownVariant "an enumeration has no variant of this number",
    /// Arrays and objects are nested deeper than [`MAX_DEPTH`].
    TooDeep "arrays and objects are nested too deep",
    /// Bytes are left after the message.
    TrailingBytes "bytes are left after the message",
    /// A list has items that take no bytes, so that its count alone bounds it.
    TooManyItems "a list has items that take no bytes",
    /// A text is not a [`Name`](crate::abi::Name).
    InvalidName "a name is invalid",
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
    /// The bytes were checked before: what is not asked for is passed over.
    #[cfg(feature = "database")]
    checked: bool,
}

impl<'a> Reader<'a> {
    /// A reader at the first byte of `bytes`.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            rest: bytes,
            depth: 0,
            #[cfg(feature = "database")]
            checked: false,
        }
    }

    /// A reader of bytes that were decoded before. It passes over the items of lists, which are
    /// decoded when somebody iterates them.
    #[cfg(feature = "database")]
    #[inline]
    pub(crate) const fn checked(bytes: &'a [u8]) -> Self {
        Self { checked: true, ..Self::new(bytes) }
    }

    /// Whether the bytes were decoded before.
    #[cfg(feature = "database")]
    #[inline]
    pub(in crate::abi) const fn is_checked(&self) -> bool {
        self.checked
    }

    /// Passes over an integer that was decoded before.
    #[cfg(feature = "database")]
    #[inline]
    pub(in crate::abi) fn skip_integer(&mut self) -> Result<(), WireError> {
        let last = self.rest.iter().position(|&byte| byte < 0x80);
        self.take(last.map_or(usize::MAX, |last| last + 1)).map(drop)
    }

    /// How many bytes were read so far.
    #[inline]
    #[must_use]
    pub const fn position(&self) -> usize {
        self.bytes.len() - self.rest.len()
    }

    /// The bytes not read yet.
    #[inline]
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The bytes between `start` (an earlier [`position`](Self::position)) and here.
    #[inline]
    #[must_use]
    pub fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.position()).unwrap_or_default()
    }

    /// An error of `kind` at the present position.
    #[cold]
    #[must_use]
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
