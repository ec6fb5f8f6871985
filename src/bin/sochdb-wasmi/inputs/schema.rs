//! `--schema`: tables in TOML, and for each column where in a CSV file its values come from.
//!
//! It reads no CSV; `load.rs` does.

use std::path::Path;

use sochdb_wasmi::{
    database::{ColumnType, DistanceMetric, MAX_DIMENSIONS, SchemaError, TableSchema},
    manifest::document::{Document, DocumentError, Field, Item, Problem, Table},
};

use crate::{files, report::failure::Failure};

/// The types of columns that a cell can hold, by their words; none for a vector, which is one with its
/// dimensions and metric.
fn types() -> Vec<(&'static str, Option<ColumnType>)> {
    let in_a_cell = |kind: &&ColumnType| !matches!(kind, ColumnType::Array | ColumnType::Object);
    let plain = ColumnType::PLAIN.iter().filter(in_a_cell);
    let words = plain.map(|kind| (kind.as_str(), Some(*kind)));
    words.chain([(ColumnType::VECTOR, None)]).collect()
}

const COLUMN: &[&str] =
    &["type", "nullable", "dimensions", "metric", "from", "replace", "first", "divide"];

/// A table to be made, and where its columns come from.
#[derive(Clone)]
pub struct Plan {
    pub schema: TableSchema,
    /// One for each column, in order.
    pub sources: Vec<Source>,
}

/// Where the values of a column come from.
#[derive(Clone, Debug)]
pub struct Source {
    /// Headers in the file; several for a vector, otherwise one.
    pub from: Vec<String>,
    /// What is replaced in the cell by what.
    pub replace: Option<(String, String)>,
    /// How many characters of the cell are taken.
    pub first: Option<usize>,
    /// What each component of a vector is divided by; empty for 1.
    pub divide: Vec<f64>,
}

impl Source {
    /// The cell under the header `name`, as it is.
    pub fn plain(name: &str) -> Self {
        Self { from: vec![name.into()], replace: None, first: None, divide: Vec::new() }
    }
}

impl Plan {
    /// A table that is there, whose columns come from headers of the same names.
    pub fn of(schema: &TableSchema) -> Self {
        let sources = schema.columns().iter().map(|column| Source::plain(&column.name)).collect();
        Self { schema: schema.clone(), sources }
    }
}

/// The tables of a schema.
pub fn read(path: &Path) -> Result<Vec<Plan>, Failure> {
    let text = files::read_text(path)?;
    parse(&text).map_err(|error| Failure::Document { path: path.into(), error })
}

fn parse(text: &str) -> Result<Vec<Plan>, DocumentError> {
    let document = Document::parse(text)?;
    let mut plans = Vec::new();
    for section in document.root().fields() {
        if section.name != "tables" {
            return Err(section.unknown(&["tables"]));
        }
        for table in section.value.table()?.fields() {
            plans.push(plan(&table)?);
        }
    }
    Ok(plans)
}

fn plan(field: &Field<'_>) -> Result<Plan, DocumentError> {
    let schema = TableSchema::new(field.name).map_err(|error| field.error(problem(error)))?;
    let mut plan = Plan { schema, sources: Vec::new() };
    let table = field.value.table()?;
    let parts = table.fields();
    // Indexes are over columns, wherever they are written.
    let part = |name| parts.iter().find(move |part| part.name == name);
    if let Some(part) = parts.iter().find(|part| !["columns", "indexes"].contains(&part.name)) {
        return Err(part.unknown(&["columns", "indexes"]));
    }
    let columns = part("columns").ok_or_else(|| table.missing("columns"))?;
    for field in columns.value.table()?.fields() {
        let (kind, nullable, source) = column(&field)?;
        let Plan { schema, .. } = &plan;
        let name = field.name;
        let added = match nullable {
            true => schema.clone().nullable_column(name, kind),
            false => schema.clone().column(name, kind),
        };
        plan.schema = added.map_err(|error| field.error(problem(error)))?;
        plan.sources.push(source);
    }
    if plan.sources.is_empty() {
        return Err(columns.error(problem(SchemaError::NoColumns)));
    }
    if let Some(indexes) = part("indexes") {
        for field in indexes.value.table()?.fields() {
            plan.schema = index(plan.schema, &field)?;
        }
    }
    Ok(plan)
}

fn problem(error: SchemaError) -> Problem {
    Problem::Schema(error)
}

/// The fields of a column that is a table, before they are checked against each other.
struct Given<'t> {
    scalar: Option<Option<ColumnType>>,
    nullable: bool,
    dimensions: Option<u64>,
    metric: Option<DistanceMetric>,
    only_vectors: Option<Field<'t>>,
    only_others: Option<Field<'t>>,
    source: Source,
}

fn given<'t>(table: Table<'t>, source: Source) -> Result<Given<'t>, DocumentError> {
    let mut given = Given {
        scalar: None,
        nullable: false,
        dimensions: None,
        metric: None,
        only_vectors: None,
        only_others: None,
        source,
    };
    for field in table.fields() {
        let value = field.value;
        match field.name {
            "type" => given.scalar = Some(value.choice(&types())?),
            "nullable" => given.nullable = value.bool()?,
            "dimensions" => {
                given.dimensions = Some(value.integer(1, MAX_DIMENSIONS.into())?);
                given.only_vectors = Some(field);
            }
            "metric" => {
                given.metric = Some(value.one_of(DistanceMetric::WORDS, DistanceMetric::ALL)?);
                given.only_vectors = Some(field);
            }
            "from" => given.source.from = headers(&value)?,
            "replace" => {
                let texts = value.texts()?;
                let [(_, from), (_, to)] = texts.as_slice() else {
                    return Err(value.wrong_type("two texts: what is replaced, and by what"));
                };
                given.source.replace = Some(((*from).into(), (*to).into()));
                given.only_others = Some(field);
            }
            "first" => {
                given.source.first = usize::try_from(value.integer(1, u32::MAX.into())?).ok();
                given.only_others = Some(field);
            }
            "divide" => {
                let divisors = value.list()?;
                given.source.divide = divisors.iter().map(Item::float).collect::<Result<_, _>>()?;
                if given.source.divide.iter().any(|divisor| !divisor.is_normal()) {
                    return Err(value.wrong_type("finite divisors other than 0"));
                }
                given.only_vectors = Some(field);
            }
            _ => return Err(field.unknown(COLUMN)),
        }
    }
    Ok(given)
}

/// A column: the name of its type, or a table that begins with that.
fn column(column: &Field<'_>) -> Result<(ColumnType, bool, Source), DocumentError> {
    let source = Source::plain(column.name);
    if column.value.kind() == "a text" {
        let scalar = column.value.choice(&types())?;
        let kind = scalar.ok_or_else(|| column.value.wrong_type("a table for a vector"))?;
        return Ok((kind, false, source));
    }
    let table = column.value.table()?;
    let given = given(table, source)?;
    let scalar = given.scalar.ok_or_else(|| table.missing("type"))?;
    let unsupported =
        |field: Field<'_>, why| field.error(Problem::Unsupported { field: field.name.into(), why });
    if let Some(kind) = scalar {
        if let Some(field) = given.only_vectors {
            return Err(unsupported(field, "only a vector has it"));
        }
        if given.source.from.len() != 1 {
            return Err(column.value.wrong_type("one header, because it is not a vector,"));
        }
        return Ok((kind, given.nullable, given.source));
    }
    if let Some(field) = given.only_others {
        return Err(unsupported(field, "a vector has none"));
    }
    let dimensions = given.dimensions.ok_or_else(|| table.missing("dimensions"))?;
    let metric = given.metric.ok_or_else(|| table.missing("metric"))?;
    let fits = |len: usize| len as u64 == dimensions;
    if given.source.from.len() != 1 && !fits(given.source.from.len()) {
        return Err(column.value.wrong_type("as many headers as it has dimensions, or one,"));
    }
    if !given.source.divide.is_empty() && !fits(given.source.divide.len()) {
        return Err(column.value.wrong_type("as many divisors as it has dimensions"));
    }
    let dimensions = u16::try_from(dimensions).unwrap_or(u16::MAX);
    Ok((ColumnType::Vector { dimensions, metric }, given.nullable, given.source))
}

fn headers(value: &Item<'_>) -> Result<Vec<String>, DocumentError> {
    if value.kind() == "a text" {
        return Ok(vec![value.text()?.into()]);
    }
    Ok(value.texts()?.into_iter().map(|(_, text)| text.into()).collect())
}

fn index(schema: TableSchema, index: &Field<'_>) -> Result<TableSchema, DocumentError> {
    let table = index.value.table()?;
    let (mut columns, mut unique) = (None, false);
    for field in table.fields() {
        match field.name {
            "columns" => columns = Some(field.value.texts()?),
            "unique" => unique = field.value.bool()?,
            _ => return Err(field.unknown(&["columns", "unique"])),
        }
    }
    let columns = columns.ok_or_else(|| table.missing("columns"))?;
    let columns: Vec<&str> = columns.into_iter().map(|(_, text)| text).collect();
    let added = match unique {
        true => schema.unique_index(index.name, &columns),
        false => schema.index(index.name, &columns),
    };
    added.map_err(|error| index.error(problem(error)))
}
