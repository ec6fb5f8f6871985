//! Rows that are decoded column by column, each as the type that the plugin expects.
//!
//! A [`Row`](super::Row) checks all its values when it is decoded and decodes each again when it is
//! looked at, through a match over all ten kinds. An interpreter charges for all of that match, so
//! the calls for single rows and for whole pages hand out [`Fields`] instead: one look at each
//! byte, and no kinds but the one that is asked for.

use super::HostCallError;
use crate::abi::{
    Status, Value,
    wire::{Reader, Wire, WireError, WireErrorKind},
};

/// A type that a plugin can ask a column or a configuration value for.
pub trait FromValue<'a>: Sized {
    /// The value, if it is of this type.
    fn from_value(value: Value<'a>) -> Option<Self>;

    /// Takes an encoded value from the front, if it is of this type.
    ///
    /// # Errors
    /// [`Status::InvalidArgs`] if it is of another type, [`Status::Error`] if it is no value.
    #[inline]
    fn take(reader: &mut Reader<'a>) -> Result<Self, HostCallError> {
        Self::from_value(Value::decode(reader)?).ok_or(WRONG_TYPE)
    }
}

const WRONG_TYPE: HostCallError = HostCallError::new(Status::InvalidArgs);

/// Takes the tag of a value; the next value must be of this kind.
fn tag(reader: &mut Reader<'_>, tag: u8) -> Result<(), HostCallError> {
    if reader.u8()? == tag { Ok(()) } else { Err(WRONG_TYPE) }
}

impl<'a> FromValue<'a> for Value<'a> {
    fn from_value(value: Value<'a>) -> Option<Self> {
        Some(value)
    }
}

macro_rules! from_value {
    ($($type:ty => $tag:literal, $as:ident, $read:ident;)*) => {$(
        impl<'a> FromValue<'a> for $type {
            #[inline]
            fn from_value(value: Value<'a>) -> Option<Self> {
                value.$as()
            }

            fn take(reader: &mut Reader<'a>) -> Result<Self, HostCallError> {
                tag(reader, $tag)?;
                Ok(reader.$read()?)
            }
        }
    )*};
}
from_value! {
    bool => 1, as_bool, bool;
    i64 => 2, as_int, i64;
    u64 => 3, as_uint, u64;
    f64 => 4, as_float, f64;
    &'a str => 5, as_text, text;
    &'a [u8] => 6, as_binary, bytes;
}

/// The bytes of a text, for a plugin that only compares or copies them: the host sends UTF-8 and
/// nothing else, and checking that again is most of what taking a short text costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawText<'a>(pub &'a [u8]);

impl<'a> FromValue<'a> for RawText<'a> {
    fn from_value(value: Value<'a>) -> Option<Self> {
        value.as_text().map(|text| Self(text.as_bytes()))
    }

    fn take(reader: &mut Reader<'a>) -> Result<Self, HostCallError> {
        tag(reader, 5)?;
        Ok(Self(reader.bytes()?))
    }
}

/// `None` for [`Value::Null`].
impl<'a, T: FromValue<'a>> FromValue<'a> for Option<T> {
    fn from_value(value: Value<'a>) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::from_value(value).map(Some) }
    }

    fn take(reader: &mut Reader<'a>) -> Result<Self, HostCallError> {
        if reader.rest().first() == Some(&0) {
            reader.u8()?;
            return Ok(None);
        }
        T::take(reader).map(Some)
    }
}

/// Passes over a value, without a look at what is in it. Decoding it instead would bring the code for
/// all kinds of values into a plugin that uses two of them.
pub(super) fn pass_over(reader: &mut Reader<'_>) -> Result<(), WireError> {
    let tag = reader.u8()?;
    match tag {
        0 => {}
        1 => drop(reader.u8()?),
        2 | 3 => drop(reader.u64()?),
        4 => drop(reader.f64()?),
        5 | 6 => drop(reader.bytes()?),
        7 | 8 => {
            for _ in 0..reader.u32()? {
                if tag == 8 {
                    reader.bytes()?;
                }
                pass_over(reader)?;
            }
        }
        9 => {
            reader.bytes()?;
            reader.u64()?;
        }
        _ => return Err(reader.error(WireErrorKind::UnknownVariant)),
    }
    Ok(())
}

/// A row of an answer, whose columns are taken in the order in which they were asked for.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    id: u64,
    left: u32,
    reader: Reader<'a>,
}

impl<'a> Fields<'a> {
    /// The row at the front of `reader`.
    pub(super) fn begin(mut reader: Reader<'a>) -> Result<Self, WireError> {
        let id = reader.u64()?;
        let left = reader.u32()?;
        Ok(Self { id, left, reader })
    }

    /// The hit at the front of `reader`: its distance, and its columns.
    pub(super) fn begin_hit(mut reader: Reader<'a>) -> Result<(f32, Self), WireError> {
        let id = reader.u64()?;
        let distance = reader.f32()?;
        let left = reader.u32()?;
        Ok((distance, Self { id, left, reader }))
    }

    /// The first row of a list of at most one, which is what the front of `reader` is.
    pub(super) fn single(mut reader: Reader<'a>) -> Result<Option<Self>, WireError> {
        if reader.u32()? == 0 { Ok(None) } else { Self::begin(reader).map(Some) }
    }

    /// Passes over the columns that are left, and returns what is behind them.
    pub(super) fn skip(&mut self) -> Result<&'a [u8], WireError> {
        for _ in 0..self.left {
            pass_over(&mut self.reader)?;
        }
        Ok(self.reader.rest())
    }

    /// The id of the row.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// How many columns are left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left as usize
    }

    /// The value of the next column.
    ///
    /// # Errors
    /// [`Status::InvalidArgs`] if it is not a `T`, or if there is no further column.
    #[inline]
    pub fn take<T: FromValue<'a>>(&mut self) -> Result<T, HostCallError> {
        self.left = self.left.checked_sub(1).ok_or(WRONG_TYPE)?;
        T::take(&mut self.reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Seq, message::Row, wire};

    const VALUES: [Value<'static>; 7] = [
        Value::Bool(true),
        Value::Int(-3),
        Value::UInt(300),
        Value::Float(1.5),
        Value::Text("rain"),
        Value::Binary(&[1, 2]),
        Value::Null,
    ];

    fn encoded(buffer: &mut [u8; 64]) -> Fields<'_> {
        let row = Row { id: 9, values: Seq::new(&VALUES) };
        let len = wire::encode(&row, buffer).expect("the row fits");
        Fields::begin(Reader::new(&buffer[..len])).expect("the row decodes")
    }

    #[test]
    fn columns_come_in_order_and_as_the_type_that_is_asked_for() {
        let mut buffer = [0; 64];
        let mut row = encoded(&mut buffer);
        assert_eq!((row.id(), row.left()), (9, 7));
        assert_eq!(row.take(), Ok(true));
        assert_eq!(row.take(), Ok(-3_i64));
        assert_eq!(row.take(), Ok(Some(300_u64)));
        assert_eq!(row.take(), Ok(1.5));
        assert_eq!(row.take(), Ok("rain"));
        assert_eq!(row.take(), Ok(Value::Binary(&[1, 2])));
        assert_eq!(row.take(), Ok(None::<&str>));
        assert_eq!(row.take::<Value<'_>>(), Err(WRONG_TYPE));
        assert_eq!(row.skip(), Ok(&[][..]));
    }

    #[test]
    fn both_ways_to_a_type_agree() {
        fn same<'a, T: FromValue<'a> + PartialEq + core::fmt::Debug>(fields: Fields<'a>) {
            let mut fields = fields;
            for value in VALUES {
                let mut typed = fields;
                assert_eq!(typed.take::<T>().ok(), T::from_value(value));
                assert_eq!(fields.take(), Ok(value));
            }
        }
        let mut buffer = [0; 64];
        let row = encoded(&mut buffer);
        same::<bool>(row);
        same::<i64>(row);
        same::<u64>(row);
        same::<f64>(row);
        same::<&str>(row);
        same::<&[u8]>(row);
        same::<RawText<'_>>(row);
        same::<Option<f64>>(row);
        same::<Value<'_>>(row);
    }

    #[test]
    fn columns_that_nobody_takes_are_passed_over() {
        let mut buffer = [0; 64];
        let mut row = encoded(&mut buffer);
        assert_eq!(row.skip(), Ok(&[][..]));

        let inner = [Value::Text("deep"), Value::Ref { table: "t", id: u64::MAX }, Value::Null];
        let pairs = [("a", Value::Array(Seq::new(&inner))), ("b", Value::Int(i64::MIN))];
        let values = [Value::Object(Seq::new(&pairs)), Value::Array(Seq::new(&VALUES))];
        let mut buffer = [0; 128];
        let row = Row { id: 9, values: Seq::new(&values) };
        let len = wire::encode(&row, &mut buffer).expect("the row fits");
        for cut in 0..=len {
            let row = Fields::begin(Reader::new(&buffer[..cut]));
            let rest = row.and_then(|mut row| row.skip());
            assert_eq!(rest.is_ok_and(<[u8]>::is_empty), cut == len, "{cut}");
        }
    }
}
