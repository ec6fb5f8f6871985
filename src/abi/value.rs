//! The values a column can hold, as they cross the boundary and as they are stored.

use super::{
    seq::Seq,
    wire::{Reader, Wire, WireError, WireErrorKind, Writer},
};

/// One value: SochDB's ten kinds.
///
/// Texts, bytes, arrays and objects are borrowed from where they were decoded. Arrays and objects
/// are checked when decoded, to a depth of [`MAX_DEPTH`](super::MAX_DEPTH), and iterated lazily.
/// A vector is [`Binary`](Self::Binary): its components as little-endian `f32`, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    UInt(u64),
    /// A double.
    Float(f64),
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes, or the components of a vector.
    Binary(&'a [u8]),
    /// Values in order.
    Array(Seq<'a, Value<'a>>),
    /// Named values. The order is kept, so the same data is the same bytes everywhere.
    Object(Seq<'a, (&'a str, Value<'a>)>),
    /// A reference to a row.
    Ref {
        /// Name of the table.
        table: &'a str,
        /// Id of the row in it.
        id: u64,
    },
}

impl<'a> Value<'a> {
    /// The kind of this value, in words.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::UInt(_) => "uint",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::Binary(_) => "binary",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
            Self::Ref { .. } => "ref",
        }
    }

    /// Whether this is [`Null`](Self::Null).
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The integer, if this is an [`Int`](Self::Int).
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        if let Self::Int(value) = self { Some(*value) } else { None }
    }

    /// The integer, if this is a [`UInt`](Self::UInt).
    #[must_use]
    pub const fn as_uint(&self) -> Option<u64> {
        if let Self::UInt(value) = self { Some(*value) } else { None }
    }

    /// The double, if this is a [`Float`](Self::Float).
    #[must_use]
    pub const fn as_float(&self) -> Option<f64> {
        if let Self::Float(value) = self { Some(*value) } else { None }
    }

    /// The boolean, if this is a [`Bool`](Self::Bool).
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The text, if this is a [`Text`](Self::Text).
    #[must_use]
    pub const fn as_text(&self) -> Option<&'a str> {
        if let Self::Text(value) = self { Some(value) } else { None }
    }

    /// The bytes, if this is [`Binary`](Self::Binary).
    #[must_use]
    pub const fn as_binary(&self) -> Option<&'a [u8]> {
        if let Self::Binary(value) = self { Some(value) } else { None }
    }
}

impl<'a> Wire<'a> for Value<'a> {
    fn encode(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Null => writer.u8(0),
            Self::Bool(value) => {
                writer.u8(1);
                writer.bool(*value);
            }
            Self::Int(value) => {
                writer.u8(2);
                writer.i64(*value);
            }
            Self::UInt(value) => {
                writer.u8(3);
                writer.u64(*value);
            }
            Self::Float(value) => {
                writer.u8(4);
                writer.f64(*value);
            }
            Self::Text(value) => {
                writer.u8(5);
                writer.text(value);
            }
            Self::Binary(value) => {
                writer.u8(6);
                writer.bytes(value);
            }
            Self::Array(items) => {
                writer.u8(7);
                items.encode(writer);
            }
            Self::Object(fields) => {
                writer.u8(8);
                fields.encode(writer);
            }
            Self::Ref { table, id } => {
                writer.u8(9);
                writer.text(table);
                writer.u64(*id);
            }
        }
    }

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(match reader.u8()? {
            0 => Self::Null,
            1 => Self::Bool(reader.bool()?),
            2 => Self::Int(reader.i64()?),
            3 => Self::UInt(reader.u64()?),
            4 => Self::Float(reader.f64()?),
            5 => Self::Text(reader.text()?),
            6 => Self::Binary(reader.bytes()?),
            7 => Self::Array(reader.nested(Seq::decode)?),
            8 => Self::Object(reader.nested(Seq::decode)?),
            9 => Self::Ref { table: reader.text()?, id: reader.u64()? },
            _ => return Err(reader.error(WireErrorKind::UnknownVariant)),
        })
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl<'a> From<$type> for Value<'a> {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}
from!(bool => Bool, i64 => Int, i32 => Int, u64 => UInt, u32 => UInt, f64 => Float, f32 => Float,
      &'a str => Text, &'a [u8] => Binary);

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
