//! Conditions on the columns of a row: checked once against the schema, then met or not by rows.

use heapless::Vec;

use super::{row::StoredRow, table::Table};
use crate::{
    abi::{
        Seq, Value,
        message::{Comparison, Condition},
    },
    database::{
        error::DatabaseError,
        schema::{ColumnType, MAX_CONDITIONS},
    },
    meter::{Exhausted, Meter},
};

struct Test<'a> {
    column: usize,
    comparison: Comparison,
    value: Value<'a>,
}

/// Conditions that must all be met.
pub struct Filter<'a>(Vec<Test<'a>, MAX_CONDITIONS>);

impl<'a> Filter<'a> {
    /// Checks conditions against a table's schema. Bools, numbers, texts and bytes may be compared
    /// in any way, references for being equal or not, all other types only with null.
    ///
    /// # Errors
    /// [`DatabaseError`], for an unknown column, a value of another type, a comparison that the
    /// type does not have, or one condition too many.
    pub fn new(table: &Table, conditions: &Seq<'a, Condition<'a>>) -> Result<Self, DatabaseError> {
        let mut tests = Vec::new();
        for condition in conditions {
            let (at, column) = table.column(condition.column)?;
            let Condition { comparison, value, .. } = condition;
            table.check_type(column, &value)?;
            let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
            let allowed = value.is_null()
                || column.kind.is_scalar()
                || column.kind == ColumnType::Ref && equality;
            if !allowed {
                let (table, column) = (table.name(), column.name);
                return Err(DatabaseError::NotComparable { table, column });
            }
            if tests.push(Test { column: at, comparison, value }).is_err() {
                return Err(DatabaseError::TooManyConditions {
                    table: table.name(),
                    got: u32::try_from(conditions.len()).unwrap_or(u32::MAX),
                });
            }
        }
        Ok(Self(tests))
    }

    /// Pays for reading a row once for each condition. Rows can be long, and a value is found by
    /// passing over those before it.
    ///
    /// # Errors
    /// [`Exhausted::Fuel`].
    #[inline]
    pub fn pay(&self, row: &StoredRow<'_>, meter: &mut Meter) -> Result<(), Exhausted> {
        meter.read_bytes(row.values_len().saturating_mul(self.0.len()))
    }

    /// Whether a row meets all conditions.
    #[inline]
    pub fn is_met(&self, row: &StoredRow<'_>) -> bool {
        self.0.iter().all(|test| test.comparison.holds(row.order(test.column, &test.value)))
    }
}
