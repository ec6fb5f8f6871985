//! How a row is stored, and how its columns are read from there without unpacking the rest.
//!
//! A row begins with a version byte. In a table without vectors the wire encoding of the list of
//! its values follows, so that answering a whole row is one copy. In a table with vectors each
//! vector column comes first, at the same offset in every row: whether it is there (0 or 1), its
//! norm (for the cosine metric, else 0) and its components, all zero if it is not; then the other
//! values in order. Numbers are little-endian.
//!
//! Whether the values suit the schema is checked in `table`.

use core::cmp::Ordering;

use super::{
    layout::{Place, VECTOR_HEAD},
    table::Table,
};
use crate::{
    abi::{
        Seq, Value, ValueKind,
        wire::{Reader, Wire, WireError, Writer},
    },
    database::{
        error::DatabaseError,
        schema::{Column, MAX_COLUMNS},
        vectors::COMPONENT,
    },
};

/// Version of the layout of rows.
pub const ROW_VERSION: u8 = 1;

/// Which columns of a table are meant, in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Projection {
    /// All columns in the order of the schema.
    All,
    /// These, by their places in the schema.
    Columns(ColumnPlaces),
}

/// Places of columns in a schema.
pub type ColumnPlaces = heapless::Vec<u8, MAX_COLUMNS, u8>;

impl Projection {
    /// The columns of these names; all for no names.
    #[inline]
    pub(crate) fn new(table: &Table, names: &Seq<'_, &str>) -> Result<Self, DatabaseError> {
        if names.is_empty() { Ok(Self::All) } else { Self::named(table, names) }
    }

    fn named(table: &Table, names: &Seq<'_, &str>) -> Result<Self, DatabaseError> {
        let mut columns = ColumnPlaces::new();
        for name in names {
            let (at, column) = table.column(name)?;
            let at = at as u8;
            // Names that are all different are never more than there are columns.
            if columns.contains(&at) || columns.push(at).is_err() {
                let (table, column) = (table.name(), column.name);
                return Err(DatabaseError::DuplicateColumn { table, column });
            }
        }
        Ok(if columns.iter().copied().eq(0..table.places.len() as u8) {
            Self::All
        } else {
            Self::Columns(columns)
        })
    }

    /// The places of the columns in a schema of `columns` columns.
    #[must_use]
    pub fn places(&self, columns: usize) -> impl ExactSizeIterator<Item = usize> + Clone + '_ {
        let len = if let Self::Columns(places) = self { places.len() } else { columns };
        (0..len).map(move |at| match self {
            Self::Columns(places) => places.get(at).map_or(0, |&place| place.into()),
            Self::All => at,
        })
    }
}

/// The values of a row in the order of the schema, nulls behind the last.
pub type Values<'a> = [Value<'a>; MAX_COLUMNS];

/// A row where it is stored.
#[derive(Clone, Copy, Debug)]
pub struct StoredRow<'a> {
    table: &'a Table,
    bytes: &'a [u8],
}

impl<'a> StoredRow<'a> {
    /// A row of `table`; `None` if the bytes are of another version or too few.
    #[inline]
    pub(crate) fn new(table: &'a Table, bytes: &'a [u8]) -> Option<Self> {
        let known = bytes.first() == Some(&ROW_VERSION) && bytes.len() >= table.values_at;
        known.then_some(Self { table, bytes })
    }

    /// Bytes that it takes in the store.
    #[expect(clippy::len_without_is_empty, reason = "a row is never empty")]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The norm and the components of the vector whose place begins at `at`; `None` for null.
    #[inline]
    pub(crate) fn vector(&self, at: usize, len: usize) -> Option<(f32, &'a [u8])> {
        let (head, rest) = self.bytes.get(at..)?.split_first_chunk::<VECTOR_HEAD>()?;
        let [1, norm @ ..] = *head else { return None };
        Some((f32::from_le_bytes(norm), rest.get(..len)?))
    }

    fn vector_value(&self, at: usize, len: usize) -> Value<'a> {
        self.vector(at, len).map_or(Value::Null, |(_, components)| Value::Binary(components))
    }

    /// The values that are not vectors, which were checked when they were written.
    fn reader(&self) -> Reader<'a> {
        Reader::checked(self.values_bytes())
    }

    /// The values that are not vectors, to be checked.
    fn unchecked_reader(&self) -> Reader<'a> {
        Reader::new(self.values_bytes())
    }

    fn values_bytes(&self) -> &'a [u8] {
        self.bytes.get(self.table.values_at..).unwrap_or_default()
    }

    /// The value in the column at this place of the schema; `None` if there is no such column or
    /// the row is corrupt.
    #[must_use]
    pub fn value(&self, column: usize) -> Option<Value<'a>> {
        match *self.table.places.get(column)? {
            Place::Vector { at, len } => Some(self.vector_value(at, len)),
            Place::Value(ordinal) => {
                let mut reader = self.reader_at(ordinal)?;
                Value::decode(&mut reader).ok()
            }
        }
    }

    /// How the value in a column is ordered beside another one, as [`Value::order`] has it: a text as
    /// its bytes are, which do not have to be checked again.
    pub(crate) fn order(&self, column: usize, other: &Value<'_>) -> Option<Ordering> {
        if let (Some(Place::Value(ordinal)), Value::Text(other)) =
            (self.table.places.get(column), other)
            && let Some(mut reader) = self.reader_at(*ordinal)
            && let [number, ..] = reader.rest()
            && *number == ValueKind::Text.number()
        {
            reader.u8().ok()?;
            return Some(reader.bytes().ok()?.cmp(other.as_bytes()));
        }
        self.value(column).unwrap_or(Value::Null).order(other)
    }

    /// A reader at a value that is not a vector.
    fn reader_at(&self, ordinal: u8) -> Option<Reader<'a>> {
        let mut reader = self.reader();
        Value::skip(&mut reader, ordinal.into()).ok()?;
        Some(reader)
    }

    /// The values in the order of the schema, vectors among them as binary values; an error for
    /// what cannot be decoded.
    pub fn values(&self) -> impl Iterator<Item = Result<Value<'a>, WireError>> + use<'a> {
        let row = *self;
        let mut reader = self.unchecked_reader();
        row.table.places.iter().map(move |place| match *place {
            Place::Vector { at, len } => Ok(row.vector_value(at, len)),
            Place::Value(_) => Value::decode(&mut reader),
        })
    }

    /// The values of the columns whose bits are set in `wanted`, in the order of the schema, nulls in the
    /// place of the others and behind them; `None` if the row is corrupt.
    pub(crate) fn unpack(&self, wanted: u32) -> Option<Values<'a>> {
        let mut unpacked = [Value::Null; MAX_COLUMNS];
        let mut reader = self.reader();
        for (column, (value, place)) in unpacked.iter_mut().zip(&self.table.places).enumerate() {
            match *place {
                Place::Vector { at, len } => *value = self.vector_value(at, len),
                Place::Value(_) if wanted >> column & 1 == 1 => {
                    *value = Value::decode(&mut reader).ok()?;
                }
                Place::Value(_) => Value::skip(&mut reader, 1).ok()?,
            }
        }
        Some(unpacked)
    }

    /// Bytes of the values that are not vectors.
    pub(crate) fn values_len(&self) -> usize {
        self.values_bytes().len()
    }

    /// Writes the values of the projection's columns as a list: a
    /// [`Seq`]`<`[`Value`]`>` on the wire. A value that cannot be read, which is found by
    /// [`check`](crate::database::Database::check), is written as null.
    #[inline]
    pub fn encode(&self, projection: &Projection, writer: &mut Writer<'_>) {
        match self.bytes.split_first() {
            Some((_, list))
                if matches!(projection, Projection::All) && !self.table.has_vectors() =>
            {
                writer.raw(list);
            }
            _ => self.encode_columns(projection, writer),
        }
    }

    #[inline(never)]
    fn encode_columns(&self, projection: &Projection, writer: &mut Writer<'_>) {
        let columns = projection.places(self.table.places.len());
        if columns.clone().zip(columns.clone().skip(1)).all(|(column, next)| column < next) {
            return self.encode_rising(columns, writer);
        }
        let mut values = heapless::Vec::<&[u8], MAX_COLUMNS>::new();
        let mut reader = self.reader();
        for _ in 0..self.table.values {
            let start = reader.position();
            if Value::skip(&mut reader, 1).is_err() {
                break;
            }
            let _ = values.push(reader.since(start));
        }
        writer.len(columns.len());
        for column in columns {
            match self.table.places.get(column) {
                Some(Place::Vector { at, len }) => self.vector_value(*at, *len).encode(writer),
                Some(Place::Value(ordinal)) => match values.get(usize::from(*ordinal)) {
                    Some(bytes) => writer.raw(bytes),
                    None => Value::Null.encode(writer),
                },
                None => Value::Null.encode(writer),
            }
        }
    }

    /// Writes columns that are in the order of the schema, in one pass over the row.
    fn encode_rising(
        &self,
        columns: impl ExactSizeIterator<Item = usize>,
        writer: &mut Writer<'_>,
    ) {
        writer.len(columns.len());
        let mut reader = self.reader();
        let mut passed = 0;
        for column in columns {
            match self.table.places.get(column) {
                Some(Place::Vector { at, len }) => self.vector_value(*at, *len).encode(writer),
                Some(Place::Value(ordinal)) => {
                    let before = u32::from(ordinal.saturating_sub(passed));
                    passed = ordinal.saturating_add(1);
                    let start = Value::skip(&mut reader, before).map(|()| reader.position());
                    match start.and_then(|start| Value::skip(&mut reader, 1).map(|()| start)) {
                        Ok(start) => writer.raw(reader.since(start)),
                        Err(_) => Value::Null.encode(writer),
                    }
                }
                None => Value::Null.encode(writer),
            }
        }
    }

    /// Checks everything about the row: that it is what a write of its values would have stored.
    pub(crate) fn is_sound(&self) -> bool {
        let table = self.table;
        let mut reader = self.unchecked_reader();
        if !table.has_vectors() && self.bytes.get(1) != Some(&table.values) {
            return false;
        }
        let mut sound = |(column, place): (&Column, &Place)| match *place {
            Place::Vector { at, len } => {
                let value = self.vector_value(at, len);
                let head = self.bytes.get(at).copied();
                let norm = if let Value::Binary(components) = value {
                    Table::stored_norm(column, components)
                } else {
                    0.0
                };
                let stored = self.bytes.get(at + 1..at + VECTOR_HEAD);
                head.is_some_and(|head| head <= 1)
                    && stored == Some(norm.to_le_bytes().as_slice())
                    && table.check_value(column, &value).is_ok()
            }
            Place::Value(_) => Value::decode(&mut reader)
                .is_ok_and(|value| table.check_value(column, &value).is_ok()),
        };
        table.schema.columns().iter().zip(&table.places).all(&mut sound) && reader.finish().is_ok()
    }
}

/// The values of a stored row.
///
/// # Errors
/// [`DatabaseError::Corrupt`] if it cannot be read.
pub fn stored_values<'r>(
    table: &'r Table,
    id: u64,
    bytes: &'r [u8],
) -> Result<Values<'r>, DatabaseError> {
    let values = StoredRow::new(table, bytes).and_then(|row| row.unpack(u32::MAX));
    values.ok_or_else(|| table.corrupt_row(id))
}

/// Encodes a row of `table` that has these values, in the order of the schema.
pub fn encode_row(table: &Table, values: &[Value<'_>], writer: &mut Writer<'_>) {
    writer.u8(ROW_VERSION);
    if !table.has_vectors() {
        writer.u8(table.values);
    }
    let columns = table.schema.columns().iter().zip(&table.places).zip(values);
    for ((column, place), value) in columns.clone() {
        let Place::Vector { len, .. } = *place else { continue };
        if let Value::Binary(components) = value {
            writer.bool(true);
            writer.f32(Table::stored_norm(column, components));
            writer.raw(components);
        } else {
            writer.raw(&[0; VECTOR_HEAD]);
            (0..len / COMPONENT).for_each(|_| writer.raw(&[0; COMPONENT]));
        }
    }
    for ((_, place), value) in columns {
        if let Place::Value(_) = place {
            value.encode(writer);
        }
    }
}
