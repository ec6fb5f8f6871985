//! Walking an index: the entries that equal, begin with or lie between given values, either way,
//! from the start or from where an earlier walk stopped.

use core::ops::ControlFlow;

use super::{
    Database, DatabaseError, Storage, TableId,
    key::{self, INDEX_PREFIX_LEN, IndexKey, Key},
    schema::{ColumnType, Index},
    storage::KeyRange,
    table::Table,
    view::View,
};
use crate::{
    abi::{
        Seq, Value,
        message::{Bound, IndexQuery},
    },
    meter::Meter,
};

/// How many entries are collected before they are handed out.
const CHUNK: usize = 16;

/// An entry of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The id of its row.
    pub id: u64,
    /// Where the entry is: given back as `after`, the same query goes on behind it. Its bytes mean
    /// nothing to anybody else.
    pub cursor: &'a [u8],
}

/// What a walk hands its entries to, with the meter that pays for what is done about them.
pub type VisitEntry<'v> =
    dyn FnMut(Entry<'_>, &mut Meter) -> Result<ControlFlow<()>, DatabaseError> + 'v;

impl<S: Storage> Database<S> {
    /// Hands the entries of an index that meet `query` to `visit`, rising by values and then by
    /// id, or falling if `reverse`, until it breaks. `visit` may read the database.
    ///
    /// Nulls come before all values, and a range without a lower bound includes them.
    ///
    /// # Errors
    /// [`DatabaseError`], for the names, a value of another type than its column,
    /// [`DatabaseError::BadCursor`] if `after` is no entry of this query, the meter, or the
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
        let mut range = Walk { table, number, index }.range(query)?;
        if let Some(after) = after {
            let cursor = Walk { table, number, index }.cursor(after, &range)?;
            range.go_on_after(&cursor, reverse);
        }
        loop {
            meter.seek()?;
            let entries = next_entries(&self.view(), &range, reverse, meter)?;
            for entry in &entries {
                meter.visit_row()?;
                let cursor = entry.get(INDEX_PREFIX_LEN..).unwrap_or_default();
                if visit(Entry { id: key::id(entry), cursor }, meter)?.is_break() {
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
        let lower = IndexKey::new(table.number(), index).finish().unwrap_or_default();
        Self { upper: key::after_prefix(lower.clone()), lower }
    }

    /// Leaves out what was visited up to `key`.
    pub fn go_on_after(&mut self, key: &Key, reverse: bool) {
        if reverse {
            self.upper = key.clone();
        } else {
            // No key begins with another, so this leaves out one entry.
            self.lower = key::after_prefix(key.clone());
        }
    }
}

/// The first entries of a range, as many as fit.
pub fn next_entries<S: Storage>(
    view: &View<'_, S>,
    range: &EntryRange,
    reverse: bool,
    meter: &mut Meter,
) -> Result<heapless::Vec<Key, CHUNK>, DatabaseError> {
    let mut entries = heapless::Vec::new();
    let range = KeyRange { lower: &range.lower, upper: Some(&range.upper) };
    view.try_scan(range, reverse, meter, &mut |_, key, _| {
        // A longer key is none of ours.
        let pushed = Key::from_slice(key).is_ok_and(|key| entries.push(key).is_ok());
        let more = pushed && !entries.is_full();
        Ok(if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(entries)
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

    /// The keys that meet a query.
    fn range(&self, query: &IndexQuery<'_>) -> Result<EntryRange, DatabaseError> {
        let beginning_with = |lower: Key| {
            let upper = key::after_prefix(lower.clone());
            EntryRange { lower, upper }
        };
        match query {
            IndexQuery::Point(values) => Ok(beginning_with(self.key(values, false)?)),
            IndexQuery::Prefix(values) => Ok(beginning_with(self.key(values, true)?)),
            IndexQuery::Range { lower, upper } => {
                let all = EntryRange::all(self.table.id, self.number);
                let lower = match lower {
                    Bound::Unbounded => all.lower,
                    Bound::Included(values) => self.key(values, false)?,
                    Bound::Excluded(values) => key::after_prefix(self.key(values, false)?),
                };
                let upper = match upper {
                    Bound::Unbounded => all.upper,
                    Bound::Included(values) => key::after_prefix(self.key(values, false)?),
                    Bound::Excluded(values) => self.key(values, false)?,
                };
                Ok(EntryRange { lower, upper })
            }
        }
    }

    /// What the keys begin with whose leading columns equal `values`; if `prefix`, the last of
    /// them only has to begin with its value.
    fn key(&self, values: &Seq<'_, Value<'_>>, prefix: bool) -> Result<Key, DatabaseError> {
        let (table, index) = (|| self.table.name(), || self.index.name);
        if values.len() > self.index.columns.len() {
            return Err(DatabaseError::TooManyValues { table: table(), index: index() });
        }
        let not_a_prefix = || DatabaseError::NotAPrefix { table: table(), index: index() };
        if prefix && values.is_empty() {
            return Err(not_a_prefix());
        }
        let mut key = IndexKey::new(self.table.id.number(), self.number);
        for (place, (value, &column)) in values.iter().zip(&self.index.columns).enumerate() {
            if let Some(column) = self.table.schema.columns().get(usize::from(column)) {
                self.table.check_type(column, &value)?;
            }
            if prefix && place + 1 == values.len() {
                match value {
                    Value::Text(text) => key.beginning(text.as_bytes()),
                    Value::Binary(bytes) => key.beginning(bytes),
                    _ => return Err(not_a_prefix()),
                }
            } else {
                key.value(&value);
            }
        }
        key.finish().map_err(|limit| self.table.key_too_long(self.index, limit))
    }

    /// The key that a cursor stands for, if it is one that this range can have given out.
    fn cursor(&self, cursor: &[u8], range: &EntryRange) -> Result<Key, DatabaseError> {
        let mut key = EntryRange::all(self.table.id, self.number).lower;
        let fits = key.extend_from_slice(cursor).is_ok();
        let inside = key >= range.lower && key < range.upper;
        if !fits || !inside || !key::is_entry(self.types(), cursor) || key::id(&key) == u64::MAX {
            let (table, index) = (self.table.name(), self.index.name);
            return Err(DatabaseError::BadCursor { table, index });
        }
        Ok(key)
    }
}
