//! `docs/abi.md` says what the code does: its tables are rendered from the code's, and every hex
//! example in it is the encoding of the value it is named after.
//!
//! `BLESS=1` rewrites the tables. The hex examples carry remarks and are written by hand.

mod sections;

use std::{collections::BTreeMap, env, fmt::Write as _, fs};

use sochdb_wasmi::abi::{
    ABI_VERSION, Descriptor, HOST_FUNCTIONS, Seq, Status, Value, ValueKind,
    message::{
        Bound, CallRequest, CallResponse, Comparison, Condition, ConfigRequest, ConfigResponse,
        DeleteRequest, DeleteResponse, Format, Hit, IndexQuery, LastErrorRequest,
        LastErrorResponse, LogLevel, LogRequest, LookupRequest, LookupResponse, MetricKind,
        MetricRequest, NewRow, ReadRequest, Row, RowSelector, RowsResponse, SearchRequest,
        SearchResponse, ToonResponse, WriteMode, WriteRequest, WriteResponse,
    },
    wire::{self, Wire},
};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/abi.md");

fn doc() -> String {
    fs::read_to_string(PATH).expect("docs/abi.md is there")
}

// --- tables -------------------------------------------------------------------------------------

/// A message as the doc calls it, without its lifetime.
fn message(name: &str) -> String {
    match name.split('<').next().unwrap_or(name).trim() {
        "()" => "no bytes".into(),
        name => format!("`{name}`"),
    }
}

fn functions() -> String {
    let mut table =
        String::from("| import | request | response | needs | does |\n|---|---|---|---|---|\n");
    for function in HOST_FUNCTIONS {
        let (request, response) = (message(function.request), message(function.response));
        writeln!(
            table,
            "| `{}.{}` | {request} | {response} | {} | {} |",
            function.module, function.name, function.capability, function.doc
        )
        .expect("a String takes all");
    }
    table
}

fn statuses() -> String {
    let mut table = String::from("| code | name | means |\n|---|---|---|\n");
    for status in Status::ALL {
        writeln!(table, "| {} | `{status:?}` | {} |", status.code(), status.as_str())
            .expect("a String takes all");
    }
    table
}

fn values() -> String {
    let mut table = String::from("| variant | kind | fields |\n|---|---|---|\n");
    for kind in ValueKind::ALL {
        let fields = match kind {
            ValueKind::Null => "",
            ValueKind::Bool => "`bool` ",
            ValueKind::Int => "`i64` ",
            ValueKind::UInt => "`u64` ",
            ValueKind::Float => "`f64` ",
            ValueKind::Text => "text ",
            ValueKind::Binary => "bytes ",
            ValueKind::Array => "list of values ",
            ValueKind::Object => "list of pairs: name as text, value ",
            ValueKind::Ref => "table as text, id as `u64` ",
        };
        writeln!(table, "| {} | {kind:?} | {fields}|", kind.number()).expect("a String takes all");
    }
    table
}

/// The doc with its generated parts as the code has them.
fn rendered(doc: &str) -> String {
    let mut doc = doc.to_owned();
    for (name, table) in
        [("functions", functions()), ("statuses", statuses()), ("values", values())]
    {
        let (begin, end) =
            (format!("<!-- begin {name}, generated -->\n"), format!("<!-- end {name} -->"));
        let from = doc.find(&begin).expect("the doc has the part") + begin.len();
        let to = doc.find(&end).expect("the doc has the part's end");
        doc.replace_range(from..to, &format!("\n{table}\n"));
    }
    doc
}

#[test]
fn the_tables_are_those_of_the_code() {
    let doc = doc();
    let rendered = rendered(&doc);
    if env::var_os("BLESS").is_some() {
        // The other tests read it, perhaps now.
        if rendered != doc {
            fs::write(PATH, rendered).expect("docs/abi.md can be written");
        }
    } else {
        assert!(doc == rendered, "docs/abi.md is out of date: run .ci/bless");
    }
}

// --- hex examples -------------------------------------------------------------------------------

/// The examples of the doc: fences of the language `hex`, named by the rest of the opening line;
/// what follows a `;` is a remark.
fn shown() -> BTreeMap<String, Vec<u8>> {
    let doc = doc();
    let mut examples = BTreeMap::new();
    let mut open: Option<(String, Vec<u8>)> = None;
    for line in doc.lines() {
        if let Some((name, mut bytes)) = open.take() {
            if line == "```" {
                let known = examples.insert(name.clone(), bytes);
                assert!(known.is_none(), "two examples are named {name:?}");
                continue;
            }
            let digits = line.split(';').next().unwrap_or_default();
            bytes.extend(digits.split_whitespace().map(|pair| {
                assert_eq!(pair.len(), 2, "{pair:?} in {name:?} is no byte");
                u8::from_str_radix(pair, 16).expect("an example is in hex")
            }));
            open = Some((name, bytes));
        } else if let Some(name) = line.strip_prefix("```hex ") {
            open = Some((name.to_owned(), Vec::new()));
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    examples
}

struct Examples {
    shown: BTreeMap<String, Vec<u8>>,
    wrong: String,
}

impl Examples {
    /// Compares the example of this name with `bytes`, and returns whether it is there.
    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        let shown = self.shown.remove(name);
        if shown.as_deref() != Some(bytes) {
            let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(self.wrong, "{name}\n    {}", hex.join(" ")).expect("a String takes all");
        }
        shown
    }
}

/// Compares an example with the encoding of a value, and what it decodes to with the value.
macro_rules! example {
    ($examples:ident, $name:literal, $value:expr) => {
        let value = $value;
        let mut buffer = [0; 256];
        let len = wire::encode(&value, &mut buffer).expect("an example is small");
        if let Some(shown) = $examples.bytes($name, &buffer[..len]) {
            assert_eq!(wire::decode(&shown), Ok(value), "{}", $name);
        }
    };
}

mod hooks;

fn wire_types_and_values(examples: &mut Examples) {
    example!(examples, "u32: 7", 7_u32);
    example!(examples, "u64: 300", 300_u64);
    example!(examples, "u64: 18446744073709551615", u64::MAX);
    example!(examples, "i64: 0, then -1, 1, -2 and 150", Numbers([0, -1, 1, -2, 150]));
    example!(examples, "f64: 1.5", 1.5_f64);
    example!(examples, "f32: -2.5", -2.5_f32);
    example!(examples, "bool: true", true);
    example!(examples, "text: é!", "é!");
    example!(examples, "bytes: de ad", &[0xde_u8, 0xad][..]);
    example!(examples, "option of u32: none", None::<u32>);
    example!(examples, "option of u32: 7", Some(7_u32));
    example!(examples, "list of u64: 1, 300", Seq::<u64>::new(&[1, 300]));

    example!(examples, "value: Null", Value::Null);
    example!(examples, "value: Bool true", Value::Bool(true));
    example!(examples, "value: Int -2", Value::Int(-2));
    example!(examples, "value: UInt 300", Value::UInt(300));
    example!(examples, "value: Float 1.5", Value::Float(1.5));
    example!(examples, "value: Text \"rain\"", Value::Text("rain"));
    let vector: Vec<u8> = [1.0_f32, -2.5].iter().flat_map(|x| x.to_le_bytes()).collect();
    example!(examples, "value: Binary, the vector (1.0, -2.5)", Value::Binary(&vector));
    let items = [Value::Bool(false), Value::Null];
    example!(examples, "value: Array [false, null]", Value::Array(Seq::new(&items)));
    let fields = [("a", Value::UInt(1))];
    example!(examples, "value: Object {a: 1}", Value::Object(Seq::new(&fields)));
    example!(examples, "value: Ref to row 5 of notes", Value::Ref { table: "notes", id: 5 });

    let descriptor = [ABI_VERSION, 1024, 256, 1280, 512].map(u32::to_le_bytes).concat();
    let bytes = <[u8; Descriptor::SIZE]>::try_from(&*descriptor).expect("20 bytes");
    assert_eq!(Descriptor::from_bytes(&bytes).output_ptr, 1280);
    examples.bytes("Descriptor", &descriptor);
}

fn reads(examples: &mut Examples) {
    let read = ReadRequest {
        table: "days",
        rows: RowSelector::One(7),
        columns: Seq::new(&["kind"]),
        limit: None,
        format: Format::Rows,
    };
    example!(examples, "ReadRequest: one row", read);
    let ids = [1, 2, 300];
    let list = RowSelector::List(Seq::new(&ids));
    example!(
        examples,
        "ReadRequest: a list of ids, all columns",
        ReadRequest { rows: list, columns: Seq::empty(), ..read }
    );
    let range = RowSelector::Range { from: 10, until: Some(20) };
    let toon = ReadRequest { rows: range, limit: Some(5), format: Format::Toon, ..read };
    example!(examples, "ReadRequest: a range, as TOON", toon);
    let values = [Value::Text("rain")];
    let rows = [Row { id: 7, values: Seq::new(&values) }];
    let rows = RowsResponse { rows: Seq::new(&rows), next: None };
    example!(examples, "RowsResponse", rows);
    example!(
        examples,
        "RowsResponse: none, go on at 42",
        RowsResponse { rows: Seq::empty(), next: Some(42) }
    );
    example!(
        examples,
        "ToonResponse",
        ToonResponse { text: "days[1]{id,kind}:\n  10,rain", next: Some(11) }
    );
}

fn writes_and_deletes(examples: &mut Examples) {
    let values = [Value::Text("sun"), Value::Null];
    let new = [NewRow { id: None, values: Seq::new(&values) }];
    example!(
        examples,
        "WriteRequest: insert",
        WriteRequest {
            table: "days",
            mode: WriteMode::Insert,
            columns: Seq::empty(),
            rows: Seq::new(&new),
        }
    );
    let values = [Value::Text("fog")];
    let new = [NewRow { id: Some(7), values: Seq::new(&values) }];
    example!(
        examples,
        "WriteRequest: update",
        WriteRequest {
            table: "days",
            mode: WriteMode::Update,
            columns: Seq::new(&["kind"]),
            rows: Seq::new(&new),
        }
    );
    example!(examples, "WriteResponse", WriteResponse { ids: Seq::new(&[8]) });

    let open = RowSelector::Range { from: 10, until: None };
    example!(examples, "DeleteRequest", DeleteRequest { table: "days", rows: open });
    example!(examples, "DeleteResponse", DeleteResponse { count: 3 });
}

fn searches_and_lookups(examples: &mut Examples) {
    let vector: Vec<u8> = [1.0_f32, -2.5].iter().flat_map(|x| x.to_le_bytes()).collect();
    let condition =
        Condition { column: "kind", comparison: Comparison::Equal, value: Value::Text("rain") };
    let conditions = [condition];
    example!(
        examples,
        "SearchRequest",
        SearchRequest {
            table: "days",
            column: "at",
            query: &vector,
            k: 3,
            filter: Seq::new(&conditions),
            columns: None,
        }
    );
    let hits = [Hit { id: 7, distance: 0.5, values: Seq::empty() }];
    example!(examples, "SearchResponse", SearchResponse { hits: Seq::new(&hits) });

    let key = [Value::Text("rain")];
    let lookup = LookupRequest {
        table: "days",
        index: "by_kind",
        query: IndexQuery::Point(Seq::new(&key)),
        reverse: false,
        limit: None,
        after: None,
        columns: None,
    };
    example!(examples, "LookupRequest: point", lookup);
    let prefix = [Value::Text("ra")];
    example!(
        examples,
        "LookupRequest: prefix, from the last",
        LookupRequest {
            query: IndexQuery::Prefix(Seq::new(&prefix)),
            reverse: true,
            limit: Some(10),
            ..lookup
        }
    );
    let query =
        IndexQuery::Range { lower: Bound::Included(Seq::new(&key)), upper: Bound::Unbounded };
    example!(
        examples,
        "LookupRequest: range, the second page",
        LookupRequest { query, after: Some(&[0x01, 0x02]), columns: Some(Seq::empty()), ..lookup }
    );
    let found = [Row { id: 7, values: Seq::empty() }];
    example!(
        examples,
        "LookupResponse",
        LookupResponse { rows: Seq::new(&found), next: Some(&[0x01, 0x02]) }
    );
}

fn the_other_functions(examples: &mut Examples) {
    example!(
        examples,
        "MetricRequest",
        MetricRequest {
            kind: MetricKind::Histogram,
            name: "rain_mm",
            labels: Seq::new(&[("kind", "rain")]),
            value: 1.5,
        }
    );
    example!(examples, "LogRequest", LogRequest { level: LogLevel::Warn, message: "dry" });
    example!(examples, "ConfigRequest", ConfigRequest { key: "max_wind" });
    example!(examples, "ConfigResponse", ConfigResponse { value: Value::Float(1.5) });
    example!(examples, "LastErrorRequest", LastErrorRequest {});
    example!(examples, "LastErrorResponse", LastErrorResponse { text: "no table" });

    example!(
        examples,
        "CallRequest",
        CallRequest { plugin: "rules", entry: "check", input: &[7, 42] }
    );
    example!(examples, "CallResponse", CallResponse { output: &[1, 42] });

    // The module of the doc's C program logs this.
    example!(
        examples,
        "LogRequest: the one of hello.c",
        LogRequest { level: LogLevel::Info, message: "hello" }
    );
}

#[test]
fn every_hex_example_is_the_encoding_of_its_value() {
    let mut examples = Examples { shown: shown(), wrong: String::new() };

    wire_types_and_values(&mut examples);
    reads(&mut examples);
    writes_and_deletes(&mut examples);
    searches_and_lookups(&mut examples);
    the_other_functions(&mut examples);
    hooks::hooks(&mut examples);

    assert!(examples.wrong.is_empty(), "the doc should have:\n{}", examples.wrong);
    let left: Vec<_> = examples.shown.keys().collect();
    assert!(left.is_empty(), "no value is known for the examples {left:?}");
}

/// Numbers one after the other, without a count.
#[derive(Debug, PartialEq)]
struct Numbers([i64; 5]);

impl<'a> Wire<'a> for Numbers {
    fn encode(&self, writer: &mut wire::Writer<'_>) {
        self.0.iter().for_each(|number| writer.i64(*number));
    }

    fn decode(reader: &mut wire::Reader<'a>) -> Result<Self, wire::WireError> {
        let mut numbers = [0; 5];
        for number in &mut numbers {
            *number = reader.i64()?;
        }
        Ok(Self(numbers))
    }
}
