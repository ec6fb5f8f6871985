//! The types of columns, each in one place: its word, its number in the catalog, the kind of its values, and
//! whether these have an order.
//!
//! It checks no values; `rows` does.

use core::fmt;

use crate::{
    abi::{
        ValueKind,
        wire::{Reader, Writer},
    },
    database::vectors::DistanceMetric,
};

/// Declares the types of columns. A new one is one entry, at the end, with the next number. The vector is the
/// only one with a shape of its own, so it stands apart.
macro_rules! column_types {
    (
        $($(#[$meta:meta])* $kind:ident = $number:literal $word:literal, $holds:ident, $ordered:literal;)*
        => vector = $vector:literal $vector_word:literal;
    ) => {
        /// The type of a column.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ColumnType {
            $($(#[$meta])* $kind,)*
            /// Finite `f32`s, little-endian, in a [`Value::Binary`](crate::abi::Value::Binary).
            Vector {
                /// How many, 1 to [`MAX_DIMENSIONS`](crate::database::MAX_DIMENSIONS).
                dimensions: u16,
                /// How far apart two of them are.
                metric: DistanceMetric,
            },
        }

        impl ColumnType {
            /// All types but [`Vector`](Self::Vector).
            pub const PLAIN: &'static [Self] = &[$(Self::$kind),*];

            /// The word of [`Vector`](Self::Vector).
            pub const VECTOR: &'static str = $vector_word;

            /// The type in words.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                    Self::Vector { .. } => $vector_word,
                }
            }

            /// Whether values of this type have an order, and so may be indexed and compared.
            #[must_use]
            pub const fn is_scalar(self) -> bool {
                match self {
                    $(Self::$kind => $ordered,)*
                    Self::Vector { .. } => false,
                }
            }

            /// The kind of its values.
            #[must_use]
            pub const fn value_kind(self) -> ValueKind {
                match self {
                    $(Self::$kind => ValueKind::$holds,)*
                    Self::Vector { .. } => ValueKind::Binary,
                }
            }

            /// Its number in the catalog; behind a vector's, its dimensions and the metric's number.
            pub(super) fn encode(self, writer: &mut Writer<'_>) {
                match self {
                    $(Self::$kind => writer.u8($number),)*
                    Self::Vector { dimensions, metric } => {
                        writer.u8($vector);
                        writer.u32(dimensions.into());
                        writer.u8(metric.tag());
                    }
                }
            }

            /// `None` for what no [`encode`](Self::encode) writes.
            pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
                Some(match reader.u8().ok()? {
                    $($number => Self::$kind,)*
                    $vector => {
                        let dimensions = reader.u32().ok()?.try_into().ok()?;
                        let metric = DistanceMetric::from_tag(reader.u8().ok()?)?;
                        Self::Vector { dimensions, metric }
                    }
                    _ => return None,
                })
            }
        }
    };
}

column_types! {
    /// True or false.
    Bool = 1 "bool", Bool, true;
    /// A signed integer.
    Int = 2 "int", Int, true;
    /// An unsigned integer.
    UInt = 3 "uint", UInt, true;
    /// A double; infinities are allowed, NaN is not.
    Float = 4 "float", Float, true;
    /// UTF-8 text.
    Text = 5 "text", Text, true;
    /// Bytes.
    Binary = 6 "binary", Binary, true;
    /// Values in order.
    Array = 7 "array", Array, false;
    /// Named values, in the order they were written.
    Object = 8 "object", Object, false;
    /// A table's name and a row's id. Whether they exist is not checked.
    Ref = 9 "ref", Ref, false;
    => vector = 10 "vector";
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
