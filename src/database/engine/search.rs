//! Finding the rows nearest to a vector, by comparing it with all of them. Exact: the answer is
//! that of sorting all rows by distance and then by id.

use alloc::{collections::BinaryHeap, vec::Vec};
use core::ops::ControlFlow;

use super::{database::Database, neighbour::Neighbour, view::View};
use crate::{
    abi::{Seq, message::Condition},
    database::{
        entries::{KeyRange, key},
        error::DatabaseError,
        rows::{Filter, Place, StoredRow},
        schema::{ColumnType, TableId},
        storage::Storage,
        vectors::{COMPONENT, Distance, Query, sqrt},
    },
    meter::Meter,
};

impl<S: Storage> Database<S> {
    /// Finds the `k` rows whose vector in `column` is nearest to `query` (little-endian `f32`s)
    /// among those that meet all conditions of `filter`, for
    /// [`neighbours`](Self::neighbours) to return. Rows without a vector are passed over; if there
    /// are fewer than `k` rows, all are found.
    ///
    /// Each row is paid for, its values again for each condition, and its vector if it is compared.
    ///
    /// # Errors
    /// [`DatabaseError`], for the names, the query, a condition, the meter, or the storage. There
    /// are no neighbours then.
    pub fn search(
        &mut self,
        table: TableId,
        column: &str,
        query: &[u8],
        k: u32,
        filter: &Seq<'_, Condition<'_>>,
        meter: &mut Meter,
    ) -> Result<(), DatabaseError> {
        let Self { storage, pending, tables, searching: scratch, .. } = self;
        scratch.neighbours.clear();
        let found = tables.get(table.number() as usize);
        let table = found.ok_or(DatabaseError::UnknownTableId(table))?;
        let (at, column) = table.column(column)?;
        let (ColumnType::Vector { dimensions, metric }, Some(&Place::Vector { at, len })) =
            (column.kind, table.places.get(at))
        else {
            let (table, column) = (table.name(), column.name);
            return Err(DatabaseError::NotAVector { table, column });
        };
        if k == 0 {
            return Err(DatabaseError::EmptyQuery { table: table.name() });
        }
        table.check_vector(column, dimensions, query)?;
        let filter = Filter::new(table, filter)?;
        meter.seek()?;
        scratch.query.clear();
        let components = query.as_chunks::<COMPONENT>().0.iter();
        scratch.query.extend(components.map(|bytes| f32::from_le_bytes(*bytes)));
        let query = Query::new(query, &scratch.query);

        let mut nearest = Nearest::new(core::mem::take(&mut scratch.neighbours), k);
        let [lower, upper] = key::rows(table.id.number(), 0, None);
        let range = KeyRange { lower: &lower, upper: Some(&upper) };
        let scanned =
            View { storage, pending }.try_scan(range, false, meter, &mut |meter, key, bytes| {
                meter.visit_row()?;
                let id = key::id(key);
                let row = StoredRow::new(table, bytes).ok_or_else(|| table.corrupt_row(id))?;
                filter.pay(&row, meter)?;
                if filter.is_met(&row)
                    && let Some((norm, vector)) = row.vector(at, len)
                {
                    meter.compare_vectors(dimensions.into())?;
                    match metric.distance(&query, vector, norm) {
                        Distance::Of(distance) => {
                            nearest.offer(id, distance);
                        }
                        Distance::Squared(square) => nearest.offer_squared(id, square),
                    }
                }
                Ok(ControlFlow::Continue(()))
            });
        scratch.neighbours = nearest.into_sorted();
        if scanned.is_err() {
            scratch.neighbours.clear();
        }
        scanned
    }

    /// What the last search found, nearest first, equally near ones by id.
    pub fn neighbours(&self) -> &[Neighbour] {
        &self.searching.neighbours
    }
}

/// 1 + 2⁻²¹: more than the square of 1 + 2⁻²³.
const SLACK: f64 = 1.0 + 1.0 / 2_097_152.0;

/// The nearest rows so far.
struct Nearest {
    heap: BinaryHeap<Neighbour>,
    k: usize,
    /// No squared distance above this has a root among the nearest.
    bound: f64,
}

impl Nearest {
    /// None yet, in a buffer that is reused.
    fn new(mut buffer: Vec<Neighbour>, k: u32) -> Self {
        buffer.clear();
        let k = usize::try_from(k).unwrap_or(usize::MAX);
        Self { heap: BinaryHeap::from(buffer), k, bound: f64::INFINITY }
    }

    /// Takes the row if it is among the nearest.
    #[inline]
    fn offer(&mut self, id: u64, distance: f32) -> bool {
        let candidate = Neighbour { id, distance };
        if self.heap.len() < self.k {
            self.heap.push(candidate);
            return true;
        }
        match self.heap.peek_mut() {
            Some(mut farthest) if candidate < *farthest => {
                *farthest = candidate;
                true
            }
            _ => false,
        }
    }

    /// Like [`offer`](Self::offer), but takes a root only of what may be among the nearest.
    ///
    /// A root is rounded, so several squares have the same one. The bound is above the square of
    /// the float after the farthest distance, which is at most 1 + 2⁻²³ times it: roots of such squares are
    /// not subnormal, so a farthest distance that is subnormal has no root below it. A square above the
    /// bound has a larger root; any other is compared by its root.
    #[inline]
    fn offer_squared(&mut self, id: u64, squared: f32) {
        if f64::from(squared) > self.bound || !self.offer(id, sqrt(squared)) {
            return;
        }
        if self.heap.len() >= self.k
            && let Some(farthest) = self.heap.peek()
        {
            // The factor stands between the two widened floats because qemu before 8.1 gets
            // their product wrong on s390x (MDEBR).
            let farthest = f64::from(farthest.distance);
            self.bound = farthest * SLACK * farthest;
        }
    }

    fn into_sorted(self) -> Vec<Neighbour> {
        self.heap.into_sorted_vec()
    }
}
