//! The values a column can hold, as they cross the boundary and as they are stored.

use core::cmp::Ordering;

use super::{
    seq::Seq,
    wire::{Reader, Wire, WireError, WireErrorKind, Writer},
};
#[cfg(feature = "database")]
use crate::abi::MAX_DEPTH;

/// Declares the kinds of values: what each holds, its number on the wire, its word, and how it is decoded.
/// What is held is encoded field by field. A new kind is one entry, at the end, and a new `ABI_VERSION`.
macro_rules! values {
    ($(
        $(#[$meta:meta])*
        $kind:ident $(($value:ident: $type:ty))? $({
            $($(#[$field_meta:meta])* $field:ident: $field_type:ty,)*
        })? = $number:literal $word:literal $(, $decode:path)?;
    )*) => {
        /// One value: SochDB's ten kinds.
        ///
        /// Texts, bytes, arrays and objects are borrowed from where they were decoded. Arrays and objects
        /// are checked when decoded, to a depth of [`MAX_DEPTH`](super::MAX_DEPTH), and iterated lazily.
        /// A vector is [`Binary`](Self::Binary): its components as little-endian `f32`, in order.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Value<'a> {$(
            $(#[$meta])*
            $kind $(($type))? $({$($(#[$field_meta])* $field: $field_type,)*})?,
        )*}

        /// The kind of a [`Value`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ValueKind {$(
            $(#[$meta])*
            $kind = $number,
        )*}

        impl ValueKind {
            /// All of them, in the order of their numbers.
            pub const ALL: [Self; [$($number),*].len()] = [$(Self::$kind),*];

            /// The kind in a word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $word,)* }
            }

            /// The kind of this number on the wire.
            #[inline]
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$kind),)*
                    _ => None,
                }
            }
        }

        impl Value<'_> {
            /// The kind of this value.
            #[inline]
            #[must_use]
            pub const fn value_kind(&self) -> ValueKind {
                match self { $(Self::$kind { .. } => ValueKind::$kind,)* }
            }
        }

        impl<'a> Wire<'a> for Value<'a> {
            fn encode(&self, writer: &mut Writer<'_>) {
                match self {$(
                    Self::$kind $(($value))? $({ $($field),* })? => {
                        writer.u8($number);
                        $($value.encode(writer);)?
                        $($($field.encode(writer);)*)?
                    }
                )*}
            }

            #[inline]
            fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
                Ok(match reader.u8()? {
                    $($number => Self::$kind
                        $(({ let $value = $decode(reader)?; $value }))?
                        $({ $($field: Wire::decode(reader)?,)* })?,)*
                    _ => return Err(reader.error(WireErrorKind::UnknownVariant)),
                })
            }

            #[cfg(feature = "database")]
            fn skip(reader: &mut Reader<'a>, count: u32) -> Result<(), WireError> {
                skip(reader, count, false)
            }

            #[cfg(feature = "database")]
            fn skip_named(reader: &mut Reader<'a>, count: u32) -> Result<(), WireError> {
                skip(reader, count, true)
            }
        }
    };
}

values! {
    /// No value.
    Null = 0 "null";
    /// True or false.
    Bool(value: bool) = 1 "bool", Wire::decode;
    /// A signed integer.
    Int(value: i64) = 2 "int", Wire::decode;
    /// An unsigned integer.
    UInt(value: u64) = 3 "uint", Wire::decode;
    /// A double.
    Float(value: f64) = 4 "float", Wire::decode;
    /// UTF-8 text.
    Text(value: &'a str) = 5 "text", Wire::decode;
    /// Bytes, or the components of a vector.
    Binary(value: &'a [u8]) = 6 "binary", Wire::decode;
    /// Values in order.
    Array(value: Seq<'a, Value<'a>>) = 7 "array", nested;
    /// Named values. The order is kept, so the same data is the same bytes everywhere.
    Object(value: Seq<'a, (&'a str, Value<'a>)>) = 8 "object", nested;
    /// A reference to a row.
    Ref {
        /// Name of the table.
        table: &'a str,
        /// Id of the row in it.
        id: u64,
    } = 9 "ref";
}

/// A list inside a value, one deeper.
#[inline(always)]
fn nested<'a, T: Wire<'a> + Copy>(reader: &mut Reader<'a>) -> Result<Seq<'a, T>, WireError> {
    reader.nested(Seq::decode)
}

/// Passes over values that were decoded before, `named` ones or not, and what is nested in them.
#[cfg(feature = "database")]
#[inline]
fn skip(reader: &mut Reader<'_>, count: u32, named: bool) -> Result<(), WireError> {
    for _ in 0..count {
        if named {
            reader.bytes()?;
        }
        if let Some((items, named)) = skip_head(reader)? {
            skip_items(reader, items, named)?;
        }
    }
    Ok(())
}

/// Passes over a value, or returns the number of items of an array or object, which follow, and whether
/// they have names.
#[cfg(feature = "database")]
#[inline(always)]
fn skip_head(reader: &mut Reader<'_>) -> Result<Option<(u32, bool)>, WireError> {
    let number = reader.u8()?;
    let Some(kind) = ValueKind::from_number(number) else {
        return Err(reader.error(WireErrorKind::UnknownVariant));
    };
    match kind {
        ValueKind::Null => {}
        ValueKind::Bool => _ = reader.u8()?,
        ValueKind::Int | ValueKind::UInt => reader.skip_integer()?,
        ValueKind::Float => _ = reader.array::<8>()?,
        ValueKind::Text | ValueKind::Binary => _ = reader.bytes()?,
        ValueKind::Array | ValueKind::Object => {
            let items = reader.u32()?;
            return Ok((items > 0).then_some((items, kind == ValueKind::Object)));
        }
        ValueKind::Ref => {
            reader.bytes()?;
            reader.skip_integer()?;
        }
    }
    Ok(None)
}

/// Passes over the items of an array or object, in one loop whatever is nested in them: a byte can be a
/// whole value.
#[cfg(feature = "database")]
#[inline(never)]
fn skip_items(reader: &mut Reader<'_>, mut left: u32, mut named: bool) -> Result<(), WireError> {
    // Lists that are open around this one: the items that are left of each, and whether they have names.
    let mut open = [(0, false); MAX_DEPTH as usize];
    let mut depth = 0_usize;
    loop {
        while left > 0 {
            left -= 1;
            if named {
                reader.bytes()?;
            }
            let Some(inner) = skip_head(reader)? else { continue };
            // The last item of a list leaves nothing to come back to.
            if left > 0 {
                let Some(place) = open.get_mut(depth) else {
                    return Err(reader.error(WireErrorKind::TooDeep));
                };
                *place = (left, named);
                depth += 1;
            }
            (left, named) = inner;
        }
        let outer = depth.checked_sub(1).and_then(|outer| Some((outer, *open.get(outer)?)));
        let Some((outer, items)) = outer else { return Ok(()) };
        depth = outer;
        (left, named) = items;
    }
}

impl ValueKind {
    /// Its number on the wire.
    #[inline]
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl<'a> Value<'a> {
    /// The kind of this value, in words.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.value_kind().as_str()
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

    /// How this value is ordered beside another one of its kind; `None` for two kinds, and for arrays and
    /// objects. Null equals Null.
    #[must_use]
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Null, Self::Null) => Some(Ordering::Equal),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::UInt(a), Self::UInt(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Binary(a), Self::Binary(b)) => Some(a.cmp(b)),
            (Self::Ref { table: a, id: x }, Self::Ref { table: b, id: y }) => {
                Some((a, x).cmp(&(b, y)))
            }
            _ => None,
        }
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
