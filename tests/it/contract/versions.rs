//! Every format has a version, and `tests/golden/versions.txt` holds what each version covers: a change of what is
//! covered is a new version. `BLESS=1` adds what is new to the file; it never rewrites what is there.

use std::{collections::BTreeMap, env, fmt::Write as _, fs};

use sha2::{Digest as _, Sha256};
use sochdb_wasmi::{
    abi::{ABI_VERSION, Descriptor, HOST_FUNCTIONS, MAX_DEPTH, MAX_NAME_LEN, Status, Value},
    database::{ColumnType, Database, DistanceMetric, MemoryStorage, Storage, TableSchema},
    limits::{LIMITS, Limits},
    manifest::PACKED_VERSION,
    meter::Prices,
    trace,
};

use crate::page;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/versions.txt");

/// What a version covers: for each thing its name and its value.
type Covered = Vec<(String, String)>;

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

/// The hex examples of a page, which its own test compares with the code. What follows `;` is a remark.
fn examples(page: &str, covered: &mut Covered) {
    let path = format!("{}/{page}", env!("CARGO_MANIFEST_DIR"));
    let doc = fs::read_to_string(path).expect("the page is there");
    for example in doc.split("```hex").skip(1) {
        let (name, rest) = example.split_once('\n').expect("a fence has lines");
        let (body, _) = rest.split_once("```").expect("a fence is closed");
        let pairs: Vec<&str> = body
            .lines()
            .flat_map(|line| line.split(';').next().unwrap_or_default().split_whitespace())
            .collect();
        let name = if name.trim().is_empty() { "the example" } else { name.trim() };
        covered.push((format!("bytes of {name}"), digest(pairs.concat().as_bytes())));
    }
}

fn limits() -> (String, String) {
    let fields = LIMITS.iter().map(|spec| format!("{}: {}", spec.field, spec.type_name));
    ("limits".into(), fields.collect::<Vec<_>>().join(", "))
}

fn abi() -> Covered {
    let mut covered = Covered::new();
    for (name, price, _) in Prices::TABLE {
        covered.push((format!("price {name}"), price.to_string()));
    }
    for (number, spec) in HOST_FUNCTIONS.iter().enumerate() {
        // Whether a compiler writes spaces into a type is its own business.
        let [request, response] = [spec.request, spec.response].map(|name| name.replace(' ', ""));
        let text = format!("{request} {response} {:?}", spec.capability);
        covered.push((format!("function {number} {}", spec.name), text));
    }
    for status in Status::ALL {
        covered.push((format!("status {status:?}"), status.code().to_string()));
    }
    covered.push(("length of a name".into(), MAX_NAME_LEN.to_string()));
    covered.push(("depth of a value".into(), MAX_DEPTH.to_string()));
    covered.push(("bytes of a descriptor".into(), Descriptor::SIZE.to_string()));
    examples("docs/abi.md", &mut covered);
    covered
}

/// A database with every kind of column, an index of each kind, and some rows, as its storage has it.
fn store() -> Covered {
    let mut schema = TableSchema::new("all").expect("a name");
    let scalars = [
        ("a", ColumnType::Bool),
        ("b", ColumnType::Int),
        ("c", ColumnType::UInt),
        ("d", ColumnType::Float),
        ("e", ColumnType::Text),
        ("f", ColumnType::Binary),
        ("g", ColumnType::Array),
        ("h", ColumnType::Object),
        ("i", ColumnType::Ref),
    ];
    for (name, kind) in scalars {
        schema = schema.nullable_column(name, kind).expect("a column");
    }
    for metric in DistanceMetric::ALL {
        schema = schema.vector(metric.as_str(), 2, *metric).expect("a vector");
    }
    let schema = schema.index("by_e_b", &["e", "b"]).and_then(|s| s.unique_index("by_c", &["c"]));
    let mut database = Database::open(MemoryStorage::default()).expect("an empty store");
    database.create_table(schema.expect("indexes")).expect("a table");
    let place: Vec<u8> = [3.0_f32, -4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let vector = Value::Binary(&place);
    let mut row = vec![
        Value::Bool(true),
        Value::Int(-5),
        Value::UInt(300),
        Value::Float(1.5),
        Value::Text("rain"),
        Value::Binary(&[0, 255]),
        Value::Null,
        Value::Null,
        Value::Ref { table: "all", id: 7 },
    ];
    row.extend(DistanceMetric::ALL.iter().map(|_| vector));
    database.insert("all", Some(7), &row).expect("a row");
    let mut empty = vec![Value::Null; scalars.len()];
    empty.extend(DistanceMetric::ALL.iter().map(|_| vector));
    database.insert("all", None, &empty).expect("a row of Nulls");
    let storage = database.into_storage();
    let (mut number, mut covered) = (0, Covered::new());
    let range = sochdb_wasmi::database::KeyRange { lower: &[], upper: None };
    let scanned = storage.scan(range, false, &mut |key, value| {
        number += 1;
        covered.push((format!("entry {number}"), digest(&[key, b"=", value].concat())));
        std::ops::ControlFlow::Continue(())
    });
    scanned.expect("memory does not fail");
    covered
}

/// Name, version, what to raise, and what it covers.
fn formats() -> Vec<(&'static str, u32, &'static str, Covered)> {
    let mut packed = vec![limits()];
    examples("docs/manifest.md", &mut packed);
    let mut traced = vec![limits()];
    examples("docs/trace.md", &mut traced);
    vec![
        ("abi", ABI_VERSION, "ABI_VERSION in src/abi/descriptor.rs", abi()),
        ("trace", trace::VERSION.into(), "VERSION in src/trace/format.rs", traced),
        ("packed", PACKED_VERSION.into(), "PACKED_VERSION in src/manifest/packed.rs", packed),
        ("limits", Limits::VERSION.into(), "Limits::VERSION in src/limits.rs", vec![limits()]),
        (
            "store",
            1,
            "FORMAT_VERSION in src/database/engine/statement.rs or ROW_VERSION in row.rs",
            store(),
        ),
    ]
}

/// A price could change without its page or `ABI_VERSION`; a new limit changed two formats, and the old
/// bytes were reported as damaged and not as those of another version.
#[test]
fn what_a_version_covers_does_not_change_without_a_new_version() {
    let committed = fs::read_to_string(PATH).unwrap_or_default();
    let mut known = BTreeMap::new();
    for line in committed.lines() {
        let (key, value) = line.split_once(" = ").expect("a line is KEY = VALUE");
        known.insert(key.to_owned(), value.to_owned());
    }
    let (mut text, mut wrong) = (committed.clone(), String::new());
    for (format, version, raise, covered) in formats() {
        let here = format!("{format} {version}: ");
        let mut gone: BTreeMap<_, _> =
            known.iter().filter(|(key, _)| key.starts_with(&here)).collect();
        for (name, value) in covered {
            let key = format!("{here}{name}");
            match gone.remove(&key) {
                Some(then) if *then == value => {}
                Some(then) => {
                    wrong += &format!("{key} was {then}, is {value}: raise {raise}\n");
                }
                None => text += &format!("{key} = {value}\n"),
            }
        }
        for key in gone.keys() {
            writeln!(wrong, "{key} is gone: raise {raise}").expect("a String takes all");
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong}If no release has that version, delete its lines in {PATH} and run .ci/bless."
    );
    if env::var_os("BLESS").is_some() {
        fs::write(PATH, text).expect("it can be written");
    } else {
        assert!(text == committed, "{PATH} lacks lines: run .ci/bless");
    }
}

/// The table of prices was written by hand, and said 400 when the price was 410.
#[test]
fn the_page_of_fuel_has_the_prices_of_the_code() {
    let mut table = String::from("| price (`meter::PRICES`) | fuel | for |\n|---|---:|---|\n");
    for (name, price, what) in Prices::TABLE {
        writeln!(table, "| `{name}` | {price} | {what} |").expect("a String takes all");
    }
    page::check("docs/fuel.md", &[("prices", table)]);
}

// The page said that the store on flash had version 2 when it had version 3.
#[test]
fn the_page_of_versions_has_those_of_the_code() {
    let read = |page| fs::read_to_string(format!("{}/{page}", env!("CARGO_MANIFEST_DIR")));
    let page = read("docs/stability.md").expect("the page is there");
    let now = |format: &str| {
        let row = page.lines().find_map(|line| line.strip_prefix(&format!("| {format} | ")));
        row.and_then(|row| row.split(" |").next()).map(str::to_owned)
    };
    let flash = read("docs/flash-format.md").expect("the page is there");
    let title = flash.lines().next().and_then(|title| title.rsplit_once("version "));
    for (format, version) in [
        ("plugin ABI", ABI_VERSION.to_string()),
        ("trace", trace::VERSION.to_string()),
        ("packed manifest", PACKED_VERSION.to_string()),
        ("store on flash", title.map_or_else(String::new, |(_, version)| version.to_owned())),
    ] {
        assert_eq!(now(format).as_deref(), Some(version.as_str()), "{format}");
    }
}
