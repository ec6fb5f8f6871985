//! Walking an index: the entries that equal, begin with or lie between given values, either way,
//! from the start or from where an earlier walk stopped.

use core::ops::ControlFlow;

use super::{database::Database, view::View};
use crate::{
    abi::{
        Seq, Value,
        message::{Bound, IndexQuery},
    },
    database::{
        entries::{INDEX_PREFIX_LEN, IndexKey, Key, KeyRange, key},
        error::DatabaseError,
        rows::Table,
        schema::{ColumnType, Index, TableId},
        storage::Storage,
    },
    meter::Meter,
};

/// Entries that are collected before they are handed out.
pub type Entries = heapless::Vec<Key, 16>;

/// An entry of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexEntry<'a> {
    /// The id of its row.
    pub id: u64,
    /// Where the entry is: given back as `after`, the same query goes on behind it. Its bytes mean
    /// nothing to anybody else.
    pub cursor: &'a [u8],
}

/// What a walk hands its entries to, with the meter that pays for what is done about them.
pub type VisitEntry<'v> =
    dyn FnMut(IndexEntry<'_>, &mut Meter) -> Result<ControlFlow<()>, DatabaseError> + 'v;

impl<S: Storage> Database<S> {
    /// Hands the entries of an index that meet `query` to `visit`, rising by values and then by
    /// id, or falling if `reverse`, until it breaks. `visit` may read the database.
    ///
    /// Nulls come before all values, and a range without a lower bound includes them. An empty `after`
    /// begins at the start.
    ///
    /// # Errors
    /// [`DatabaseError`], for the names, a value of another type than its column,
    /// [`DatabaseError::BadCursor`] if `after` is not an entry of this query, the meter, or the
    /// storage; and what `visit` returns.
    #[expect(clippy::too_many_arguments, reason = "each is a field of the request")]
    pub fn lookup(
        &self,
        table: TableId,
        index: &str,
        query: &IndexQuery<'_>,
        reverse: bool,
        after: Option<&[u8]>,
        meter: &mut Meter,
        visit: &mut VisitEntry<'_>,
    ) -> Result<(), DatabaseError> {
        let table = self.table(table)?;
        let (number, index) = table.index(index)?;
        let walk = Walk { table, number, index };
        let mut range = EntryRange::all(table.id, number);
        walk.narrow(&mut range, query)?;
        // Who asked for no rows goes on from where the walk began.
        if let Some(after) = after.filter(|after| !after.is_empty()) {
            range.go_on_after(&walk.cursor(after, &range)?, reverse);
        }
        let mut entries = Entries::new();
        loop {
            meter.seek()?;
            next_entries(&self.view(), &range, reverse, meter, &mut entries)?;
            for entry in &entries {
                meter.visit_row()?;
                let cursor = entry.get(INDEX_PREFIX_LEN..).unwrap_or_default();
                if visit(IndexEntry { id: key::id(entry), cursor }, meter)?.is_break() {
                    return Ok(());
                }
            }
            match entries.last() {
                Some(last) if entries.is_full() => range.go_on_after(last, reverse),
                _ => return Ok(()),
            }
        }
    }
}

/// Keys of index entries from one to before another.
pub struct EntryRange {
    lower: Key,
    upper: Key,
}

impl EntryRange {
    /// All entries of an index.
    pub fn all(table: TableId, index: u16) -> Self {
        let mut range = Self { lower: Key::new(), upper: Key::new() };
        // A beginning is never too long.
        let _ = IndexKey::begin(&mut range.lower, table.number(), index).finish();
        range.begin_with_lower();
        range
    }

    /// Ends the range behind the keys that begin with the lower one.
    fn begin_with_lower(&mut self) {
        self.upper.clone_from(&self.lower);
        key::after_prefix(&mut self.upper);
    }

    /// Leaves out what was visited up to `key`.
    pub fn go_on_after(&mut self, key: &Key, reverse: bool) {
        if reverse {
            self.upper.clone_from(key);
        } else {
            // No key begins with another, so this leaves out one entry.
            self.lower.clone_from(key);
            key::after_prefix(&mut self.lower);
        }
    }
}

/// Puts the first entries of a range into `entries`, as many as fit, in the place of what is there.
pub fn next_entries<S: Storage>(
    view: &View<'_, S>,
    range: &EntryRange,
    reverse: bool,
    meter: &mut Meter,
    entries: &mut Entries,
) -> Result<(), DatabaseError> {
    entries.clear();
    let range = KeyRange { lower: &range.lower, upper: Some(&range.upper) };
    view.try_scan(range, reverse, meter, &mut |_, key, _| {
        // The database writes no longer keys.
        let pushed = Key::from_slice(key).is_ok_and(|key| entries.push(key).is_ok());
        let more = pushed && !entries.is_full();
        Ok(if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })
}

/// An index that is to be walked.
struct Walk<'a> {
    table: &'a Table,
    number: u16,
    index: &'a Index,
}

impl Walk<'_> {
    fn types(&self) -> impl Iterator<Item = ColumnType> {
        let columns = self.table.schema.columns();
        self.index.columns.iter().filter_map(|&at| columns.get(usize::from(at)).map(|c| c.kind))
    }

    /// Leaves of the range of all entries those that meet a query.
    fn narrow(&self, range: &mut EntryRange, query: &IndexQuery<'_>) -> Result<(), DatabaseError> {
        match query {
            IndexQuery::Point(values) | IndexQuery::Prefix(values) => {
                let prefix = matches!(query, IndexQuery::Prefix(_));
                self.key(&mut range.lower, values, prefix)?;
                range.begin_with_lower();
            }
            IndexQuery::Range { lower, upper } => {
                self.bound(&mut range.lower, lower, true)?;
                self.bound(&mut range.upper, upper, false)?;
            }
        }
        Ok(())
    }

    /// Sets an end of a range: before or behind all keys that begin with a bound's values.
    fn bound(&self, key: &mut Key, bound: &Bound<'_>, is_lower: bool) -> Result<(), DatabaseError> {
        let (values, behind) = match bound {
            Bound::Unbounded => return Ok(()),
            Bound::Included(values) => (values, !is_lower),
            Bound::Excluded(values) => (values, is_lower),
        };
        self.key(key, values, false)?;
        if behind {
            key::after_prefix(key);
        }
        Ok(())
    }

    /// Makes `key` what the keys begin with whose leading columns equal `values`; if `prefix`, the
    /// last of them only has to begin with its value. Values may be of any length.
    fn key(
        &self,
        key: &mut Key,
        values: &Seq<'_, Value<'_>>,
        prefix: bool,
    ) -> Result<(), DatabaseError> {
        let (table, index) = (|| self.table.name(), || self.index.name);
        if values.len() > self.index.columns.len() {
            return Err(DatabaseError::TooManyValues { table: table(), index: index() });
        }
        let not_a_prefix = || DatabaseError::NotAPrefix { table: table(), index: index() };
        if prefix && values.is_empty() {
            return Err(not_a_prefix());
        }
        let mut key = IndexKey::begin(key, self.table.id.number(), self.number);
        for (place, (value, &column)) in values.iter().zip(&self.index.columns).enumerate() {
            if let Some(column) = self.table.schema.columns().get(usize::from(column)) {
                self.table.check_type(column, &value)?;
            }
            if prefix && place + 1 == values.len() {
                match value {
                    Value::Text(text) => key.beginning(text.as_bytes()),
                    Value::Binary(bytes) => key.beginning(bytes),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Int(_)
                    | Value::UInt(_)
                    | Value::Float(_)
                    | Value::Array(_)
                    | Value::Object(_)
                    | Value::Ref { .. } => return Err(not_a_prefix()),
                }
            } else {
                key.value(&value);
            }
        }
        // A key that is too long for an entry is cut. No entry begins with what is left: an entry ends
        // each of its values, and its id, within that length. So it still divides the entries as the
        // whole key would.
        Ok(())
    }

    /// The key that a cursor stands for, if it is one that this range can have given out.
    fn cursor(&self, cursor: &[u8], range: &EntryRange) -> Result<Key, DatabaseError> {
        let mut key = Key::new();
        let _ = IndexKey::begin(&mut key, self.table.id.number(), self.number).finish();
        let fits = key.extend_from_slice(cursor).is_ok();
        let inside = key >= range.lower && key < range.upper;
        if !fits || !inside || !key::is_entry(self.types(), cursor) || key::id(&key) == u64::MAX {
            let (table, index) = (self.table.name(), self.index.name);
            return Err(DatabaseError::BadCursor { table, index });
        }
        Ok(key)
    }
}
