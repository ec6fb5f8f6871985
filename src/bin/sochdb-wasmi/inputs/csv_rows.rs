//! `--load table=file.csv`: rows from a file, typed by a schema or by looking at all of them.

use std::path::{Path, PathBuf};

use csv::StringRecord;
use sochdb_wasmi::{
    abi::{
        Name, Seq,
        message::{NewRow, WriteMode},
    },
    database::{ColumnType, Database, SchemaError, TableId, TableSchema},
    meter::Meter,
};

use super::{
    cell::{self, Column, Seen},
    schema::{Plan, Source},
    store::Store,
};
use crate::{
    files,
    formats::csv_file::{CsvFile, Delimiter, InLine},
    report::{failure::Failure, problem::LoadProblem, progress},
};

/// The header of the rows' ids in a file whose table is made from it.
const ID: &str = "id";

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
        if path.is_empty() {
            return Err("it is TABLE=FILE.csv".into());
        }
        Ok(Self { table: table.into(), path: path.into() })
    }
}

impl LoadArgument {
    /// Reads the file.
    pub fn file(&self, delimiter: Delimiter) -> Result<CsvFile, Failure> {
        CsvFile::new(files::read(&self.path)?, delimiter).map_err(|error| csv(&self.path, error))
    }
}

/// A file whose rows are to go into a table.
pub struct Loading<'a> {
    argument: &'a LoadArgument,
    pub plan: Plan,
    file: CsvFile,
}

impl<'a> Loading<'a> {
    /// Takes the file. The table is as `plan` says, or such that all rows of the file fit it.
    pub fn new(
        argument: &'a LoadArgument,
        plan: Option<Plan>,
        file: CsvFile,
    ) -> Result<Self, Failure> {
        let LoadArgument { table, path } = argument;
        let plan = match plan {
            Some(plan) => plan,
            None => infer(table, path, &file)?,
        };
        let loading = Self { argument, plan, file };
        loading.columns()?;
        Ok(loading)
    }

    fn columns(&self) -> Result<Vec<Column<'_>>, Failure> {
        columns(&self.plan, &self.file).map_err(|problem| {
            let (path, line) = (self.argument.path.clone(), self.file.first_line);
            Failure::Csv { path, line, problem }
        })
    }

    /// The place of the ids in a line.
    fn id(&self) -> Option<usize> {
        let name = self.plan.schema.id_name();
        self.file.headers.iter().position(|header| header == name)
    }

    /// Headers that nothing is made of.
    pub fn unused(&self) -> Result<Vec<&str>, Failure> {
        let (columns, id) = (self.columns()?, self.id());
        let used = |at| Some(at) == id || columns.iter().any(|column| column.cells.contains(&at));
        let headers = self.file.headers.iter().enumerate();
        Ok(headers.filter(|(at, _)| !used(*at)).map(|(_, header)| header).collect())
    }

    /// Inserts the rows, and commits nothing. Returns how many there were.
    pub fn insert(&self, database: &mut Database<Store>, table: TableId) -> Result<u64, Failure> {
        let (columns, id) = (self.columns()?, self.id());
        let path = &self.argument.path;
        let mut count = 0;
        for_each_row(path, &self.file, "loading", |line, record| {
            let wrong = |problem| Failure::Csv { path: path.clone(), line, problem };
            let cell =
                |column: &str, problem| wrong(LoadProblem::Cell { column: column.into(), problem });
            let mut scratch = vec![Vec::new(); columns.len()];
            let mut values = Vec::with_capacity(columns.len());
            for (column, scratch) in columns.iter().zip(&mut scratch) {
                let value = column.value(record, scratch);
                values.push(value.map_err(|problem| cell(column.name, problem))?);
            }
            let id = match id.and_then(|at| record.get(at)) {
                None => None,
                Some(digits) => {
                    let id = cell::integer(ColumnType::UInt, digits, digits);
                    Some(id.map_err(|problem| cell(self.plan.schema.id_name(), problem))?)
                }
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

fn csv(path: &Path, error: InLine) -> Failure {
    let InLine { line, problem } = error;
    Failure::Csv { path: path.into(), line, problem: LoadProblem::Csv(problem) }
}

/// Hands each row and the number of its line to `take`, with a bar on a terminal.
fn for_each_row(
    path: &Path,
    file: &CsvFile,
    doing: &'static str,
    mut take: impl FnMut(u64, &StringRecord) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let bar = progress::bar(file.len(), format!("{doing} {}", path.display()));
    let mut rows = file.records();
    while let Some(row) = rows.next() {
        let (line, record) = row.map_err(|error| csv(path, error))?;
        bar.set_position(rows.position());
        take(line, &record)?;
    }
    bar.finish_and_clear();
    Ok(())
}

fn columns<'p>(plan: &'p Plan, file: &CsvFile) -> Result<Vec<Column<'p>>, LoadProblem> {
    let columns = plan.schema.columns().iter().zip(&plan.sources);
    columns
        .map(|(column, source)| {
            let cell = |header: &String| {
                file.headers.iter().position(|found| found == header).ok_or_else(|| {
                    let (column, header) = (column.name, header.clone());
                    LoadProblem::NoSuchHeader { column, header, found: file.found() }
                })
            };
            let cells = source.from.iter().map(cell).collect::<Result<_, _>>()?;
            let (name, kind, nullable) = (&column.name, column.kind, column.nullable);
            Ok(Column { name, kind, nullable, source, cells })
        })
        .collect()
}

/// The table that all rows of the file fit.
fn infer(table: &str, path: &Path, file: &CsvFile) -> Result<Plan, Failure> {
    let wrong = |error| {
        let problem = LoadProblem::Schema { error, found: file.found() };
        Failure::Csv { path: path.into(), line: file.first_line, problem }
    };
    let mut seen = vec![Seen::NOTHING; file.headers.len()];
    // Names first: what is wrong with all of them is rather the delimiter than the rows.
    let mut names = TableSchema::new(table).map_err(wrong)?;
    for header in file.headers.iter().filter(|header| *header != ID) {
        names = names.column(header, ColumnType::Text).map_err(wrong)?;
    }
    if names.columns().is_empty() {
        return Err(wrong(SchemaError::NoColumns));
    }
    for_each_row(path, file, "looking at", |_, record| {
        for (seen, cell) in seen.iter_mut().zip(record) {
            seen.look(cell);
        }
        Ok(())
    })?;
    let mut schema = TableSchema::new(table).map_err(wrong)?;
    let mut sources = Vec::new();
    for (header, seen) in file.headers.iter().zip(seen).filter(|(header, _)| *header != ID) {
        schema = match seen.empty {
            true => schema.nullable_column(header, seen.kind()),
            false => schema.column(header, seen.kind()),
        }
        .map_err(wrong)?;
        sources.push(Source::plain(header));
    }
    Ok(Plan { schema, sources })
}
