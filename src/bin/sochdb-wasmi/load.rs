//! `--load table=file.csv`: rows from a file, typed by a schema or by looking at all of them.

use std::{
    borrow::Cow,
    fmt, fs,
    path::{Path, PathBuf},
};

use csv::{ReaderBuilder, StringRecord};
use sochdb_wasmi::{
    abi::{
        Name, Seq, Value,
        message::{NewRow, WriteMode},
    },
    database::{ColumnType, Database, DatabaseError, SchemaError, TableId, TableSchema},
    meter::Meter,
};

use crate::{
    bytes::from_hex,
    failure::Failure,
    progress,
    schema::{Plan, Source},
    store::Store,
};

/// The header of a column with the ids of rows, unless the table has a column of that name.
const ID: &str = "id";

/// Why a file, or a row of one, was not loaded.
#[derive(Debug)]
pub enum LoadProblem {
    /// It is not CSV, or rows have different numbers of cells.
    Syntax(csv::Error),
    /// It has no header.
    NoHeader,
    /// Two columns have this header.
    HeaderTwice(String),
    /// A column of the table comes from a header that the file does not have.
    NoSuchHeader { column: Name, header: String },
    /// The columns of the file do not make a table.
    Schema(SchemaError),
    /// A cell is empty, and its column is not nullable.
    Empty { column: String },
    /// A cell is no value of its column.
    Cell { column: String, kind: &'static str, cell: String },
    /// The database did not take the row.
    Database(DatabaseError),
}

impl fmt::Display for LoadProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => error.fmt(f),
            Self::NoHeader => write!(f, "the first line has no names of columns"),
            Self::HeaderTwice(header) => write!(f, "two columns are headed {header:?}"),
            Self::NoSuchHeader { column, header } => {
                write!(f, "the column {column} comes from {header:?}, which the file does not have")
            }
            Self::Schema(error) => error.fmt(f),
            Self::Empty { column } => {
                write!(f, "{column} is empty, and the column is not nullable")
            }
            Self::Cell { column, kind, cell } => {
                write!(f, "{cell:?} is no value of {column}, which takes {kind}")
            }
            Self::Database(error) => error.fmt(f),
        }
    }
}

/// `table=file`, as the option has it.
#[derive(Clone, Debug)]
pub struct LoadArgument {
    pub table: String,
    pub path: PathBuf,
}

impl std::str::FromStr for LoadArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (table, path) = text.split_once('=').ok_or("it is TABLE=FILE.csv")?;
        Name::new(table).map_err(|error| error.to_string())?;
        Ok(Self { table: table.into(), path: path.into() })
    }
}

/// A file whose rows are to go into a table.
pub struct Loading<'a> {
    argument: &'a LoadArgument,
    pub plan: Plan,
    headers: StringRecord,
}

impl<'a> Loading<'a> {
    /// Looks at the file. The table is as `plan` says, or such that all rows of the file fit it.
    pub fn new(argument: &'a LoadArgument, plan: Option<Plan>) -> Result<Self, Failure> {
        let LoadArgument { table, path } = argument;
        let headers = headers(path)?;
        let plan = match plan {
            Some(plan) => plan,
            None => infer(table, path, &headers)?,
        };
        let loading = Self { argument, plan, headers };
        loading.columns()?;
        Ok(loading)
    }

    fn wrong(&self, line: u64, problem: LoadProblem) -> Failure {
        Failure::Csv { path: self.argument.path.clone(), line, problem }
    }

    fn columns(&self) -> Result<Vec<Column<'_>>, Failure> {
        columns(&self.plan, &self.headers).map_err(|problem| self.wrong(1, problem))
    }

    /// The place of the ids in a line.
    fn id(&self) -> Option<usize> {
        let is_column = self.plan.schema.column_named(ID).is_some();
        self.headers.iter().position(|header| header == ID && !is_column)
    }

    /// Headers that nothing is made of.
    pub fn unused(&self) -> Result<Vec<&str>, Failure> {
        let (columns, id) = (self.columns()?, self.id());
        let used = |at| Some(at) == id || columns.iter().any(|column| column.cells.contains(&at));
        let headers = self.headers.iter().enumerate();
        Ok(headers.filter(|(at, _)| !used(*at)).map(|(_, header)| header).collect())
    }

    /// Inserts the rows, and commits nothing. Returns how many there were.
    pub fn insert(&self, database: &mut Database<Store>, table: TableId) -> Result<u64, Failure> {
        let (columns, id) = (self.columns()?, self.id());
        let mut count = 0;
        for_each_row(&self.argument.path, "loading", |line, record| {
            let wrong = |problem| self.wrong(line, problem);
            let mut scratch = vec![Vec::new(); columns.len()];
            let mut values = Vec::with_capacity(columns.len());
            for (column, scratch) in columns.iter().zip(&mut scratch) {
                values.push(column.value(record, scratch).map_err(wrong)?);
            }
            let id = match id.and_then(|at| record.get(at)) {
                None => None,
                Some(cell) => Some(cell.parse().map_err(|_| {
                    let (column, cell) = (ID.into(), cell.into());
                    wrong(LoadProblem::Cell { column, kind: "uint", cell })
                })?),
            };
            let row = [NewRow { id, values: Seq::new(&values) }];
            let (mode, rows) = (WriteMode::Insert, Seq::new(&row));
            let meter = &mut Meter::unlimited();
            let written = database.write(table, mode, &Seq::empty(), &rows, meter, &mut |_| {});
            written.map_err(|error| wrong(LoadProblem::Database(error)))?;
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }
}

fn open(path: &Path) -> Result<csv::Reader<fs::File>, Failure> {
    let file = fs::File::open(path).map_err(|error| Failure::Io { path: path.into(), error })?;
    Ok(ReaderBuilder::new().from_reader(file))
}

fn headers(path: &Path) -> Result<StringRecord, Failure> {
    let headers = open(path)?.headers().cloned().map_err(|error| syntax(path, error))?;
    let wrong = |problem| Err(Failure::Csv { path: path.into(), line: 1, problem });
    if headers.iter().all(str::is_empty) {
        return wrong(LoadProblem::NoHeader);
    }
    for (at, header) in headers.iter().enumerate() {
        if headers.iter().take(at).any(|earlier| earlier == header) {
            return wrong(LoadProblem::HeaderTwice(header.into()));
        }
    }
    Ok(headers)
}

fn syntax(path: &Path, error: csv::Error) -> Failure {
    let line = error.position().map_or(0, csv::Position::line);
    Failure::Csv { path: path.into(), line, problem: LoadProblem::Syntax(error) }
}

/// Hands each row and the number of its line to `take`, with a bar on a terminal.
fn for_each_row(
    path: &Path,
    doing: &'static str,
    mut take: impl FnMut(u64, &StringRecord) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut reader = open(path)?;
    let bytes = reader.get_ref().metadata().map_or(0, |metadata| metadata.len());
    let bar = progress::bar(bytes, format!("{doing} {}", path.display()));
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| syntax(path, error))? {
        let line = record.position().map_or(0, csv::Position::line);
        bar.set_position(reader.position().byte());
        take(line, &record)?;
    }
    bar.finish_and_clear();
    Ok(())
}

/// A column of the table and the cells that its values come from.
struct Column<'p> {
    name: &'p Name,
    kind: ColumnType,
    nullable: bool,
    source: &'p Source,
    cells: Vec<usize>,
}

fn columns<'p>(plan: &'p Plan, headers: &StringRecord) -> Result<Vec<Column<'p>>, LoadProblem> {
    let columns = plan.schema.columns().iter().zip(&plan.sources);
    columns
        .map(|(column, source)| {
            let cell = |header: &String| {
                headers.iter().position(|found| found == header).ok_or_else(|| {
                    LoadProblem::NoSuchHeader { column: column.name, header: header.clone() }
                })
            };
            let cells = source.from.iter().map(cell).collect::<Result<_, _>>()?;
            let (name, kind, nullable) = (&column.name, column.kind, column.nullable);
            Ok(Column { name, kind, nullable, source, cells })
        })
        .collect()
}

impl Column<'_> {
    /// The value of this column in a row; `scratch` holds what is not in the row as it is.
    fn value<'v>(
        &self,
        record: &'v StringRecord,
        scratch: &'v mut Vec<u8>,
    ) -> Result<Value<'v>, LoadProblem> {
        let mut cells = self.cells.iter().map(|at| record.get(*at).unwrap_or_default());
        if let ColumnType::Vector { dimensions, .. } = self.kind {
            let given: Vec<&str> = match self.cells.len() {
                1 => cells.next().unwrap_or_default().split([' ', ';', ',']).collect(),
                _ => cells.collect(),
            };
            if self.nullable && given.iter().all(|cell| cell.is_empty()) {
                return Ok(Value::Null);
            }
            if given.len() != usize::from(dimensions) {
                return Err(self.wrong(&given.join(" ")));
            }
            for (at, cell) in given.iter().enumerate() {
                let component: f64 = cell.trim().parse().map_err(|_| self.wrong(cell))?;
                let divisor = self.source.divide.get(at).copied().unwrap_or(1.0);
                scratch.extend_from_slice(&((component / divisor) as f32).to_le_bytes());
            }
            return Ok(Value::Binary(scratch));
        }
        let cell = cells.next().unwrap_or_default();
        if cell.is_empty() && (self.nullable || self.kind != ColumnType::Text) {
            let empty = || LoadProblem::Empty { column: self.name.to_string() };
            return if self.nullable { Ok(Value::Null) } else { Err(empty()) };
        }
        let mut text = Cow::Borrowed(cell);
        if let Some((from, to)) = &self.source.replace {
            text = cell.replace(from, to).into();
        }
        if let Some((at, _)) = self.source.first.and_then(|first| text.char_indices().nth(first)) {
            text.to_mut().truncate(at);
        }
        if self.kind == ColumnType::Binary {
            *scratch = from_hex(&text).ok_or_else(|| self.wrong(&text))?;
            return Ok(Value::Binary(scratch));
        }
        match text {
            Cow::Borrowed(text) => self.scalar(text),
            Cow::Owned(text) => {
                *scratch = text.into_bytes();
                self.scalar(std::str::from_utf8(scratch).unwrap_or_default())
            }
        }
    }

    fn scalar<'v>(&self, cell: &'v str) -> Result<Value<'v>, LoadProblem> {
        let wrong = || self.wrong(cell);
        Ok(match self.kind {
            ColumnType::Bool => Value::Bool(cell.parse().map_err(|_| wrong())?),
            ColumnType::Int => Value::Int(cell.parse().map_err(|_| wrong())?),
            ColumnType::UInt => Value::UInt(cell.parse().map_err(|_| wrong())?),
            ColumnType::Float => Value::Float(cell.parse().map_err(|_| wrong())?),
            ColumnType::Text => Value::Text(cell),
            ColumnType::Ref => {
                let (table, id) = cell.split_once(':').ok_or_else(wrong)?;
                Value::Ref { table, id: id.parse().map_err(|_| wrong())? }
            }
            _ => return Err(wrong()),
        })
    }

    fn wrong(&self, cell: &str) -> LoadProblem {
        let cell = cell.chars().take(64).collect();
        LoadProblem::Cell { column: self.name.to_string(), kind: self.kind.as_str(), cell }
    }
}

/// What the cells of a column have been so far.
#[derive(Clone, Copy)]
struct Seen {
    empty: bool,
    any: bool,
    bool: bool,
    int: bool,
    uint: bool,
    float: bool,
}

impl Seen {
    const NOTHING: Self =
        Self { empty: false, any: false, bool: true, int: true, uint: true, float: true };

    fn look(&mut self, cell: &str) {
        if cell.is_empty() {
            self.empty = true;
            return;
        }
        self.any = true;
        self.bool &= matches!(cell, "true" | "false");
        // 007 and +1 are rather names than numbers: as such they come back as they were.
        let digits = cell.strip_prefix('-').unwrap_or(cell);
        let leading_zero = digits.len() > 1
            && digits.starts_with('0')
            && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let number = digits.starts_with(|c: char| c.is_ascii_digit()) && !leading_zero;
        self.int &= number && cell.parse::<i64>().is_ok();
        self.uint &= number && cell.parse::<u64>().is_ok();
        let integer = digits.bytes().all(|b| b.is_ascii_digit());
        let small = |number: i64| number.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS;
        let exact = !integer || cell.parse().is_ok_and(small);
        self.float &= number && exact && cell.parse::<f64>().is_ok_and(f64::is_finite);
    }

    fn kind(self) -> ColumnType {
        match self {
            Self { any: false, .. } => ColumnType::Text,
            Self { bool: true, .. } => ColumnType::Bool,
            Self { int: true, .. } => ColumnType::Int,
            Self { uint: true, .. } => ColumnType::UInt,
            Self { float: true, .. } => ColumnType::Float,
            _ => ColumnType::Text,
        }
    }
}

/// The table that all rows of the file fit.
fn infer(table: &str, path: &Path, headers: &StringRecord) -> Result<Plan, Failure> {
    let mut seen = vec![Seen::NOTHING; headers.len()];
    for_each_row(path, "looking at", |_, record| {
        for (seen, cell) in seen.iter_mut().zip(record) {
            seen.look(cell);
        }
        Ok(())
    })?;
    let wrong =
        |error| Failure::Csv { path: path.into(), line: 1, problem: LoadProblem::Schema(error) };
    let mut schema = TableSchema::new(table).map_err(wrong)?;
    let mut sources = Vec::new();
    for (header, seen) in headers.iter().zip(seen).filter(|(header, _)| *header != ID) {
        schema = match seen.empty {
            true => schema.nullable_column(header, seen.kind()),
            false => schema.column(header, seen.kind()),
        }
        .map_err(wrong)?;
        sources.push(Source::plain(header));
    }
    Ok(Plan { schema, sources })
}
