//! Which rows of a table a request is about, and which entries of an index.

#[cfg(feature = "replay")]
use crate::abi::inspect::{Fields, Inspect};
use crate::abi::{
    seq::Seq,
    value::Value,
    wire::{Reader, Wire, WireError, WireErrorKind, Writer},
};

/// Which rows of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowSelector<'a> {
    /// The row of this id.
    One(u64),
    /// The rows of these ids, in this order. Ids without a row are passed over.
    List(Seq<'a, u64>),
    /// The rows of a range of ids, rising.
    Range {
        /// The first id.
        from: u64,
        /// The id to stop before; `None` for no end.
        until: Option<u64>,
    },
}

impl RowSelector<'_> {
    /// All rows.
    pub const ALL: Self = Self::Range { from: 0, until: None };
}

impl<'a> Wire<'a> for RowSelector<'a> {
    fn encode(&self, writer: &mut Writer<'_>) {
        match self {
            Self::One(id) => {
                writer.u8(0);
                writer.u64(*id);
            }
            Self::List(ids) => {
                writer.u8(1);
                ids.encode(writer);
            }
            Self::Range { from, until } => {
                writer.u8(2);
                writer.u64(*from);
                until.encode(writer);
            }
        }
    }

    #[inline(always)]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(match reader.u8()? {
            0 => Self::One(reader.u64()?),
            1 => Self::List(Seq::decode(reader)?),
            2 => Self::Range { from: reader.u64()?, until: Wire::decode(reader)? },
            _ => return Err(reader.error(WireErrorKind::UnknownVariant)),
        })
    }
}

/// Which entries of an index. Lists of values are compared with the leading columns of the index
/// and may be shorter than it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum IndexQuery<'a> {
    /// Entries whose leading columns equal these values.
    Point(Seq<'a, Value<'a>>),
    /// Entries whose leading columns equal the values but the last, and whose next column (text or
    /// binary) begins with the last.
    Prefix(Seq<'a, Value<'a>>),
    /// Entries between two bounds.
    Range {
        /// The lower bound.
        lower: Bound<'a>,
        /// The upper bound.
        upper: Bound<'a>,
    },
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound<'a> {
    /// No bound.
    Unbounded,
    /// Entries that equal the values are inside.
    Included(Seq<'a, Value<'a>>),
    /// Entries that equal the values are outside.
    Excluded(Seq<'a, Value<'a>>),
}

impl<'a> Wire<'a> for IndexQuery<'a> {
    fn encode(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Point(values) => {
                writer.u8(0);
                values.encode(writer);
            }
            Self::Prefix(values) => {
                writer.u8(1);
                values.encode(writer);
            }
            Self::Range { lower, upper } => {
                writer.u8(2);
                lower.encode(writer);
                upper.encode(writer);
            }
        }
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(match reader.u8()? {
            0 => Self::Point(Seq::decode(reader)?),
            1 => Self::Prefix(Seq::decode(reader)?),
            2 => Self::Range { lower: Bound::decode(reader)?, upper: Bound::decode(reader)? },
            _ => return Err(reader.error(WireErrorKind::UnknownVariant)),
        })
    }
}

impl<'a> Wire<'a> for Bound<'a> {
    fn encode(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Unbounded => writer.u8(0),
            Self::Included(values) => {
                writer.u8(1);
                values.encode(writer);
            }
            Self::Excluded(values) => {
                writer.u8(2);
                values.encode(writer);
            }
        }
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(match reader.u8()? {
            0 => Self::Unbounded,
            1 => Self::Included(Seq::decode(reader)?),
            2 => Self::Excluded(Seq::decode(reader)?),
            _ => return Err(reader.error(WireErrorKind::UnknownVariant)),
        })
    }
}

#[cfg(feature = "replay")]
impl Inspect for RowSelector<'_> {
    fn inspect(&self, fields: &mut Fields) {
        match self {
            Self::One(id) => fields.field("id", id),
            Self::List(ids) => fields.field("ids", ids),
            Self::Range { from, until } => {
                fields.field("from", from);
                fields.field("until", until);
            }
        }
    }
}

#[cfg(feature = "replay")]
impl Inspect for IndexQuery<'_> {
    fn inspect(&self, fields: &mut Fields) {
        match self {
            Self::Point(values) => fields.field("point", values),
            Self::Prefix(values) => fields.field("prefix", values),
            Self::Range { lower, upper } => {
                fields.field("lower", lower);
                fields.field("upper", upper);
            }
        }
    }
}

#[cfg(feature = "replay")]
impl Inspect for Bound<'_> {
    fn inspect(&self, fields: &mut Fields) {
        match self {
            Self::Unbounded => fields.leaf("unbounded"),
            Self::Included(values) => fields.field("included", values),
            Self::Excluded(values) => fields.field("excluded", values),
        }
    }
}
