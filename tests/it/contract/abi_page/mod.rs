//! The sentences of docs/abi.md hold in a real host.
//!
//! Each test first finds its sentences on the page, then makes the host calls that show them, through
//! the interpreter and a plugin that forwards raw bytes. The page's tables and hex examples are
//! checked in `abi_doc`, its prices in `fuel_doc`.

use crate::support;

mod calls;
mod indexes;
mod kinds;
mod pages;
mod responses;

use std::fs;

use sochdb_wasmi::{
    abi::{
        Seq, Status, Value,
        message::{
            Bound, Comparison, Condition, ConfigRequest, Format, IndexQuery, LogLevel, LogRequest,
            LookupRequest, LookupResponse, MetricKind, MetricRequest, NewRow, ReadRequest,
            RowSelector, RowsResponse, SearchRequest, SearchResponse, ToonResponse, WriteMode,
            WriteRequest, WriteResponse,
        },
    },
    database::{ColumnType, Database, DistanceMetric, MemoryLimits, TableSchema},
    host::{CallError, Host, HostConfig, NoClock, PluginConfig},
};
use support::{
    Answer, MEMORY, Probe, REQUEST, RESPONSE_CAPACITY, encoded, everything, roomy, vector,
};

/// Finds a sentence on the page, wherever its lines break.
fn says(sentence: &str) {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/abi.md"));
    let page = words(&page.expect("docs/abi.md is there"));
    assert!(page.contains(&words(sentence)), "docs/abi.md does not say: {sentence}");
}

const INVALID: Option<Status> = Some(Status::InvalidArgs);
const NOT_FOUND: Option<Status> = Some(Status::NotFound);
const LIMIT: Option<Status> = Some(Status::LimitExceeded);

/// Every kind of column, all nullable, with an index on each kind that can have one.
const COLUMNS: [(&str, ColumnType); 12] = [
    ("bool", ColumnType::Bool),
    ("int", ColumnType::Int),
    ("uint", ColumnType::UInt),
    ("float", ColumnType::Float),
    ("text", ColumnType::Text),
    ("binary", ColumnType::Binary),
    ("array", ColumnType::Array),
    ("object", ColumnType::Object),
    ("link", ColumnType::Ref),
    ("cosine", ColumnType::Vector { dimensions: 2, metric: DistanceMetric::Cosine }),
    ("euclidean", ColumnType::Vector { dimensions: 2, metric: DistanceMetric::Euclidean }),
    ("dot", ColumnType::Vector { dimensions: 2, metric: DistanceMetric::Dot }),
];
const SCALARS: [&str; 6] = ["bool", "int", "uint", "float", "text", "binary"];

struct Page(Probe);

impl Page {
    fn new() -> Self {
        let mut kinds = TableSchema::new("kinds").expect("a name");
        for (name, kind) in COLUMNS {
            kinds = kinds.nullable_column(name, kind).expect("a column");
        }
        for name in SCALARS {
            kinds = kinds.index(name, &[name]).expect("an index");
        }
        let kinds = kinds.nullable_column("note", ColumnType::Text).expect("a column");
        let kinds = kinds.unique_index("pair", &["int", "note"]).expect("an index");
        let mut database = Database::in_memory(MemoryLimits::default());
        database.create_table(kinds).expect("a table");
        let host = Host::new(HostConfig::default(), database, NoClock);
        Self(Probe::with(host, PluginConfig::new(everything()).with_limits(roomy())))
    }

    fn write(
        &mut self,
        mode: WriteMode,
        columns: &[&str],
        rows: &[(Option<u64>, &[Value<'_>])],
    ) -> Answer {
        let new = rows.iter().map(|&(id, values)| NewRow { id, values: Seq::new(values) });
        let rows: Vec<_> = new.collect();
        let (columns, rows) = (Seq::new(columns), Seq::new(&rows));
        self.0.call("soch_write", &WriteRequest { table: "kinds", mode, columns, rows })
    }

    fn insert(&mut self, id: u64, column: &str, value: Value<'_>) -> Answer {
        self.write(WriteMode::Insert, &[column], &[(Some(id), &[value])])
    }

    fn toon(&mut self, rows: RowSelector<'_>, columns: &[&str]) -> Answer {
        let columns = Seq::new(columns);
        let format = Format::Toon;
        self.0
            .call("soch_read", &ReadRequest { table: "kinds", rows, columns, limit: None, format })
    }

    /// The ids that a lookup returns, or its status.
    fn look_up(
        &mut self,
        index: &str,
        query: IndexQuery<'_>,
        reverse: bool,
    ) -> Result<Vec<u64>, Status> {
        let answer = self.0.call(
            "index_lookup",
            &LookupRequest {
                table: "kinds",
                index,
                query,
                reverse,
                limit: None,
                after: None,
                columns: None,
            },
        );
        answer.failed().map_or_else(
            || Ok(answer.decode::<LookupResponse<'_>>().rows.iter().map(|row| row.id).collect()),
            Err,
        )
    }

    fn all(&mut self, index: &str) -> Vec<u64> {
        let (lower, upper) = (Bound::Unbounded, Bound::Unbounded);
        self.look_up(index, IndexQuery::Range { lower, upper }, false).expect("entries")
    }

    fn search(
        &mut self,
        column: &str,
        query: &[f32],
        filter: &[Condition<'_>],
    ) -> Result<Vec<(u64, f32)>, Status> {
        let query = vector(query);
        let (query, filter) = (&*query, Seq::new(filter));
        let answer = self.0.call(
            "vector_search",
            &SearchRequest { table: "kinds", column, query, k: 10, filter, columns: None },
        );
        answer.failed().map_or_else(
            || {
                Ok(answer
                    .decode::<SearchResponse<'_>>()
                    .hits
                    .iter()
                    .map(|hit| (hit.id, hit.distance))
                    .collect())
            },
            Err,
        )
    }
}

fn an_example<'a>(
    kind: ColumnType,
    bytes: &'a [u8],
    items: &'a [Value<'a>],
    fields: &'a [(&'a str, Value<'a>)],
) -> Value<'a> {
    match kind {
        ColumnType::Bool => Value::Bool(true),
        ColumnType::Int => Value::Int(-1),
        ColumnType::UInt => Value::UInt(1),
        ColumnType::Float => Value::Float(0.5),
        ColumnType::Text => Value::Text("t"),
        ColumnType::Binary | ColumnType::Vector { .. } => Value::Binary(bytes),
        ColumnType::Array => Value::Array(Seq::new(items)),
        ColumnType::Object => Value::Object(Seq::new(fields)),
        ColumnType::Ref => Value::Ref { table: "kinds", id: 5 },
    }
}
