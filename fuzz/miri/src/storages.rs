//! Tables over the storages in RAM and on flash: batches, index entries, a power failure, another opening.

use sochdb_wasmi::{
    abi::Value,
    database::{
        ColumnType, Database, FlashStorage, MemoryLimits, MemoryStorage, Storage, TableSchema,
    },
};

use crate::nor_flash::SimulatedFlash;

/// The smallest region.
const REGION: u32 = 24 * 4096;

type Flash = SimulatedFlash<Vec<u8>, 4>;

fn schema() -> TableSchema {
    TableSchema::new("notes")
        .and_then(|table| table.column("text", ColumnType::Text))
        .and_then(|table| table.vector("place", 9, sochdb_wasmi::database::DistanceMetric::Cosine))
        .and_then(|table| table.index("by_text", &["text"]))
        .expect("it is a schema")
}

/// Rows that are inserted, one at a time, and read again.
fn use_tables<S: Storage>(database: &mut Database<S>, rows: u64) {
    let place: Vec<u8> = (0..36).collect();
    for number in 0..rows {
        let text = format!("note {}", number * 7 % 10);
        let id = database.insert("notes", None, &[Value::Text(&text), Value::Binary(&place)]);
        let id = id.expect("there is room");
        let found = database.get("notes", id, |row| row.value(0) == Some(Value::Text(&text)));
        assert_eq!(found.expect("it is read"), Some(true));
    }
    database.check().expect("rows and index agree");
}

#[test]
fn tables_in_ram_are_read_as_they_were_written() {
    let mut database = Database::in_memory(MemoryLimits::default());
    database.create_table(schema()).expect("it is new");
    use_tables(&mut database, 12);
    let storage: MemoryStorage = database.into_storage();
    Database::open(storage).expect("it is opened").check().expect("nothing is lost");
}

#[test]
fn tables_on_flash_outlive_a_power_failure() {
    let mut flash = Flash::new(vec![0xff; REGION as usize]);
    let storage = FlashStorage::open(&mut flash, 0..REGION).expect("an empty region");
    let mut database = Database::open(storage).expect("it is opened");
    database.create_table(schema()).expect("it is new");
    use_tables(&mut database, 2);
    drop(database);
    // In the middle of the next batch. Opening reads every page, which is all that Miri has time for.
    flash.fail_after(70);
    let row = [Value::Text("cut"), Value::Binary(&[0; 36])];
    let storage = FlashStorage::open(&mut flash, 0..REGION).expect("opening writes nothing");
    let mut database = Database::open(storage).expect("it is opened");
    assert!(database.insert("notes", None, &row).is_err(), "the power fails");
    drop(database);
    flash.power_on();
    let storage = FlashStorage::open(&mut flash, 0..REGION).expect("it recovers");
    Database::open(storage).expect("it is opened").check().expect("nothing is half written");
}
