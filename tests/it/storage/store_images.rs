//! Stores as earlier versions wrote them: what is committed in `tests/images/` opens, and holds what it
//! held, or is refused by its version. With `BLESS=1` an image that is missing is written: that of a new
//! version, beside the old ones.
//!
//! An image is kept without the bytes that are everywhere: its length, that byte, and for each part
//! that is something else its place, its length and its bytes. Numbers are little-endian.

use crate::nor_flash;
use std::{fs, path::PathBuf};

use nor_flash::SimulatedFlash;
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{RowSelector, WriteMode},
    },
    database::{
        ColumnType, Database, DistanceMetric, FlashStorage, RedbConfig, RedbStorage, Storage,
        StorageError, TableSchema,
    },
    meter::Meter,
};

fn image_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/images").join(name)
}

fn pack(bytes: &[u8], common: u8) -> Vec<u8> {
    let number = |number: usize| (number as u32).to_le_bytes();
    let mut packed = [number(bytes.len()).as_slice(), &[common]].concat();
    // A part goes on over short stretches of the common byte.
    let mut at = 0;
    while let Some(start) = bytes[at..].iter().position(|&byte| byte != common) {
        let start = at + start;
        let mut end = start + 1;
        let mut next = end;
        while next < bytes.len() && next - end < 16 {
            if bytes[next] != common {
                end = next + 1;
            }
            next += 1;
        }
        packed.extend([number(start), number(end - start)].concat());
        packed.extend(&bytes[start..end]);
        at = end;
    }
    packed
}

fn unpack(packed: &[u8]) -> Vec<u8> {
    let (len, mut rest) = packed.split_first_chunk::<4>().unwrap();
    let (&common, parts) = rest.split_first().unwrap();
    let mut bytes = vec![common; u32::from_le_bytes(*len) as usize];
    rest = parts;
    while let Some((start, after)) = rest.split_first_chunk::<4>() {
        let (len, after) = after.split_first_chunk::<4>().unwrap();
        let (start, len) = (u32::from_le_bytes(*start) as usize, u32::from_le_bytes(*len) as usize);
        let part;
        (part, rest) = after.split_at(len);
        bytes[start..start + len].copy_from_slice(part);
    }
    bytes
}

/// A database with a column of every kind, each index of a kind, rows that were changed and rows
/// that are gone.
fn fill<S: Storage>(database: &mut Database<S>) {
    let all = TableSchema::new("all")
        .and_then(|table| table.column("bool", ColumnType::Bool))
        .and_then(|table| table.column("int", ColumnType::Int))
        .and_then(|table| table.column("uint", ColumnType::UInt))
        .and_then(|table| table.column("float", ColumnType::Float))
        .and_then(|table| table.nullable_column("text", ColumnType::Text))
        .and_then(|table| table.column("binary", ColumnType::Binary))
        .and_then(|table| table.column("array", ColumnType::Array))
        .and_then(|table| table.column("object", ColumnType::Object))
        .and_then(|table| table.column("ref", ColumnType::Ref))
        .and_then(|table| table.vector("place", 3, DistanceMetric::Cosine))
        .and_then(|table| table.unique_index("by_int", &["int"]))
        .and_then(|table| table.index("by_text", &["text", "float"]))
        .unwrap();
    let table = database.create_table(all).unwrap();
    database
        .create_table(TableSchema::new("empty").unwrap().column("n", ColumnType::Int).unwrap())
        .unwrap();
    for n in 0..40_i64 {
        let text = format!("text {}", n % 7);
        let place: Vec<u8> = [n as f32, 0.5, -1.0].iter().flat_map(|c| c.to_le_bytes()).collect();
        let items = [Value::Int(n), Value::Null];
        let fields = [("key", Value::Bool(true))];
        let row = [
            Value::Bool(n % 2 == 0),
            Value::Int(-n),
            Value::UInt(n as u64),
            Value::Float(n as f64 / 8.0),
            if n % 5 == 0 { Value::Null } else { Value::Text(&text) },
            Value::Binary(&[0, 255, 7]),
            Value::Array(Seq::new(&items)),
            Value::Object(Seq::new(&fields)),
            Value::Ref { table: "empty", id: n as u64 },
            Value::Binary(&place),
        ];
        database.insert("all", None, &row).unwrap();
    }
    let meter = &mut Meter::unlimited();
    let columns = ["uint"];
    let values = [Value::UInt(1000)];
    let changed = [9, 10]
        .map(|id| sochdb_wasmi::abi::message::NewRow { id: Some(id), values: Seq::new(&values) });
    let (columns, changed) = (Seq::new(&columns), Seq::new(&changed));
    database.write(table, WriteMode::Update, &columns, &changed, meter, &mut |_| ()).unwrap();
    database.delete(table, &RowSelector::Range { from: 30, until: None }, meter).unwrap();
    database.commit().unwrap();
}

/// Everything that can be seen of it: the schemas, and the rows in words.
fn seen<S: Storage>(database: &Database<S>) -> Vec<String> {
    database.check().unwrap();
    let mut seen: Vec<String> =
        database.tables().map(|(id, schema)| format!("{id:?} {schema:?}")).collect();
    for (table, _) in database.tables() {
        let visit = &mut |id, row: sochdb_wasmi::database::StoredRow<'_>| {
            let values: Vec<_> = row.values().map(Result::unwrap).collect();
            seen.push(format!("{id}: {values:?}"));
            std::ops::ControlFlow::Continue(())
        };
        database.scan_rows(table, 0, None, &mut Meter::unlimited(), visit).unwrap();
    }
    seen
}

fn expected() -> Vec<String> {
    let mut database = Database::in_memory(Default::default());
    fill(&mut database);
    seen(&database)
}

fn image(name: &str, common: u8, make: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    let path = image_path(name);
    // What a version wrote stays as it is.
    if std::env::var_os("BLESS").is_some() && !path.exists() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, pack(&make(), common)).unwrap();
    }
    unpack(&fs::read(path).unwrap())
}

const REGION: u32 = 24 * 4096;

/// Version 1 was the format of another crate, `ekv`, in the byte order of the device that wrote it.
#[test]
fn flash_of_version_1_is_refused_by_its_version() {
    let image = image("flash-v1", 0xff, || panic!("nothing writes version 1 any more"));
    let mut flash = SimulatedFlash::<_, 4>::new(image.clone());
    let refused = StorageError::Version { found: 1 };
    assert_eq!(FlashStorage::open(&mut flash, 0..REGION).unwrap_err(), refused);
    assert_eq!(flash.memory(), image, "and nothing is written");
    // With whatever pages the region begins: ekv fills them in any order.
    for page in 1..REGION as usize / 4096 {
        let mut turned = image.clone();
        turned.rotate_left(page * 4096);
        let opened = FlashStorage::open(SimulatedFlash::<_, 4>::new(turned), 0..REGION);
        assert_eq!(opened.unwrap_err(), refused, "{page} pages further");
    }
}

/// Both byte orders read the same bytes, so this is true of a device with the other one.
#[test]
fn flash_of_every_version_since_2_opens_and_holds_what_it_held() {
    for name in ["flash-v2", "flash-v3"] {
        opens(name);
    }
}

fn opens(name: &str) {
    let image = image(name, 0xff, || {
        let mut memory = vec![0xff; REGION as usize];
        let flash = SimulatedFlash::<_, 4>::new(memory.as_mut_slice());
        let storage = FlashStorage::open(flash, 0..REGION).unwrap();
        fill(&mut Database::open(storage).unwrap());
        memory
    });
    let storage = FlashStorage::open(SimulatedFlash::<_, 4>::new(image), 0..REGION).unwrap();
    storage.verify().unwrap();
    let mut database = Database::open(storage).unwrap();
    assert_eq!(seen(&database), expected());
    // And it can be written, until pages of the old version are written anew and the log with them.
    for n in 0..400 {
        database.insert("empty", None, &[Value::Int(n)]).unwrap();
    }
    database.check().unwrap();
    let flash = database.into_storage().into_flash().unwrap();
    let database = Database::open(FlashStorage::open(flash, 0..REGION).unwrap()).unwrap();
    database.check().unwrap();
    assert_eq!(database.storage().retired_pages(), 0);
}

#[test]
fn file_of_version_1_opens_and_holds_what_it_held() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("image-v1.redb");
    let _ = fs::remove_file(&path);
    let config = RedbConfig { cache_bytes: 1 << 20, ..RedbConfig::default() };
    let image = image("redb-v1", 0, || {
        let storage = RedbStorage::open(&path, config).unwrap();
        fill(&mut Database::open(storage).unwrap());
        fs::read(&path).unwrap()
    });
    fs::write(&path, image).unwrap();
    let mut database = Database::open(RedbStorage::open(&path, config).unwrap()).unwrap();
    assert_eq!(seen(&database), expected());
    database.insert("empty", None, &[Value::Int(1)]).unwrap();
    database.check().unwrap();
    drop(database);
    fs::remove_file(&path).unwrap();
}
