//! `db diff`: tables and rows that only one of two databases has, and rows that differ.

use std::{collections::VecDeque, ops::ControlFlow, path::PathBuf};

use clap::Args;
use serde_json::{Map, Value as Json, json};

use crate::{
    formats::column_value::json as value_json,
    inputs::database_file::{DatabaseFile, Table},
    report::{
        failure::Failure,
        output::{Listing, Report},
    },
};

/// How many rows of a table are kept at a time.
const PAGE: usize = 256;

#[derive(Args)]
pub struct Arguments {
    /// The database that is expected.
    expected: PathBuf,
    /// The one that it is compared with.
    got: PathBuf,
}

/// Lists the differences; exit code 1 if there are any.
pub fn difference(arguments: &Arguments, json: bool) -> Result<Report, Failure> {
    let (a, b) = (DatabaseFile::open(&arguments.expected)?, DatabaseFile::open(&arguments.got)?);
    let mut found = Found { listing: Listing::begin("differences", json), any: false };
    let outcome = tables(&a, &b, &mut found);
    let Found { listing, any } = found;
    let mut report = listing.end(outcome);
    if report.code == 0 {
        report.code = any.into();
        if !any {
            report.talk += "the same\n";
        }
    }
    Ok(report)
}

struct Found {
    listing: Listing,
    any: bool,
}

impl Found {
    /// Lists a difference. Whether anybody reads further.
    fn add(&mut self, table: &str, id: Option<u64>, what: &str, columns: &Json) -> bool {
        self.any = true;
        let text = || match (id, columns) {
            (None, _) => format!("{table}: {what}"),
            (Some(id), Json::Object(columns)) => {
                let columns: Vec<_> = columns
                    .iter()
                    .map(|(name, sides)| format!("{name} {} and {}", sides[0], sides[1]))
                    .collect();
                format!("{table} {id}: {what}: {}", columns.join(", "))
            }
            (Some(id), _) => format!("{table} {id}: {what}"),
        };
        let object = || json!({ "table": table, "id": id, "what": what, "columns": columns });
        self.listing.item(text, object)
    }
}

fn tables(a: &DatabaseFile, b: &DatabaseFile, found: &mut Found) -> Result<(), Failure> {
    let (of_a, of_b) = (a.tables(), b.tables());
    let same_name = |one: &Table<'_>, other: &Table<'_>| one.schema.name() == other.schema.name();
    for table in &of_a {
        let name = table.schema.name();
        let more = match of_b.iter().find(|other| same_name(table, other)) {
            None => found.add(name, None, "only in the first", &Json::Null),
            Some(other) if other.schema != table.schema => {
                found.add(name, None, "the schemas differ; rows are not compared", &Json::Null)
            }
            Some(other) => rows(table, other, found)?,
        };
        if !more {
            return Ok(());
        }
    }
    for table in of_b.iter().filter(|table| !of_a.iter().any(|other| same_name(table, other))) {
        found.add(table.schema.name(), None, "only in the second", &Json::Null);
    }
    Ok(())
}

/// Rows of a table by rising ids, some of them at a time.
struct Rows<'t, 'd> {
    table: &'t Table<'d>,
    from: Option<u64>,
    kept: VecDeque<(u64, Vec<Json>)>,
}

impl<'t, 'd> Rows<'t, 'd> {
    fn new(table: &'t Table<'d>) -> Self {
        Self { table, from: Some(0), kept: VecDeque::new() }
    }

    /// The id of the next row.
    fn peek(&mut self) -> Result<Option<u64>, Failure> {
        if let (true, Some(from)) = (self.kept.is_empty(), self.from) {
            let (kept, columns) = (&mut self.kept, self.table.schema.columns());
            self.table.rows(from, &mut |row| {
                let values = columns.iter().zip(row.values);
                let values = values.map(|(column, value)| value_json(value, column.kind));
                kept.push_back((row.id, values.collect()));
                if kept.len() < PAGE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            self.from = self.kept.back().and_then(|(id, _)| id.checked_add(1));
        }
        Ok(self.kept.front().map(|(id, _)| *id))
    }

    fn take(&mut self) -> Vec<Json> {
        self.kept.pop_front().map(|(_, values)| values).unwrap_or_default()
    }
}

/// Compares the rows of two tables of one schema. Whether anybody reads further.
fn rows(a: &Table<'_>, b: &Table<'_>, found: &mut Found) -> Result<bool, Failure> {
    let name = a.schema.name();
    let (mut of_a, mut of_b) = (Rows::new(a), Rows::new(b));
    loop {
        let more = match (of_a.peek()?, of_b.peek()?) {
            (None, None) => return Ok(true),
            (Some(id), other) if other.is_none_or(|other| id < other) => {
                of_a.take();
                found.add(name, Some(id), "only in the first", &Json::Null)
            }
            (one, Some(id)) if one.is_none_or(|one| id < one) => {
                of_b.take();
                found.add(name, Some(id), "only in the second", &Json::Null)
            }
            (id, _) => {
                let (x, y) = (of_a.take(), of_b.take());
                let pairs = a.schema.columns().iter().zip(x.into_iter().zip(y));
                let differ = pairs.filter(|(_, (x, y))| x != y);
                let columns: Map<_, _> = differ
                    .map(|(column, (x, y))| (column.name.to_string(), json!([x, y])))
                    .collect();
                columns.is_empty() || found.add(name, id, "differs", &columns.into())
            }
        };
        if !more {
            return Ok(false);
        }
    }
}
