//! The bytes that cross the WebAssembly boundary: a reader and a writer of the
//! [postcard wire format](https://postcard.jamesmunns.com/wire-format) over plain slices.
//!
//! It exists beside the `postcard` crate because two things cannot be said in serde: a list that
//! stays encoded until someone iterates it ([`Seq`](super::Seq)), and a list whose length is known only when
//! the buffer is full ([`Writer::begin_list`]). The crate is the oracle in `tests/it/contract/wire.rs`: every
//! message here encodes to exactly the bytes that `postcard` makes of the same serde type.
//!
//! It does not know what the messages mean; those are in [`crate::abi::message`].

mod reader;
mod writer;

pub use reader::{MAX_DEPTH, Reader, WireError, WireErrorKind};
pub use writer::{BufferTooSmall, Writer, varint_len};
#[doc(hidden)]
pub use writer::{Mark, OpenList};

/// A type that crosses the boundary.
pub trait Wire<'a>: Sized {
    /// Appends this value.
    fn encode(&self, writer: &mut Writer<'_>);

    /// Takes a value from the front.
    ///
    /// # Errors
    /// [`WireError`] names what is wrong and where.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError>;

    /// Whether it is a text, so that it can be a name.
    #[cfg(feature = "database")]
    #[doc(hidden)]
    const IS_TEXT: bool = false;

    /// Passes over so many values that were decoded before.
    ///
    /// # Errors
    /// [`WireError`], if they were not.
    #[cfg(feature = "database")]
    #[doc(hidden)]
    #[inline]
    fn skip(reader: &mut Reader<'a>, count: u32) -> Result<(), WireError> {
        (0..count).try_for_each(|_| Self::decode(reader).map(drop))
    }

    /// Passes over so many values that were decoded before, each behind a name.
    ///
    /// # Errors
    /// [`WireError`], if they were not.
    #[cfg(feature = "database")]
    #[doc(hidden)]
    #[inline]
    fn skip_named(reader: &mut Reader<'a>, count: u32) -> Result<(), WireError> {
        (0..count).try_for_each(|_| {
            reader.bytes()?;
            Self::skip(reader, 1)
        })
    }
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
           &'a [u8] => bytes);

impl<'a> Wire<'a> for &'a str {
    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.text(self);
    }

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        reader.text()
    }

    #[cfg(feature = "database")]
    const IS_TEXT: bool = true;

    #[cfg(feature = "database")]
    #[inline]
    fn skip(reader: &mut Reader<'a>, count: u32) -> Result<(), WireError> {
        (0..count).try_for_each(|_| reader.bytes().map(drop))
    }
}

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

    #[cfg(feature = "database")]
    #[inline]
    fn skip(reader: &mut Reader<'a>, count: u32) -> Result<(), WireError> {
        if A::IS_TEXT {
            return B::skip_named(reader, count);
        }
        (0..count).try_for_each(|_| {
            A::skip(reader, 1)?;
            B::skip(reader, 1)
        })
    }
}
