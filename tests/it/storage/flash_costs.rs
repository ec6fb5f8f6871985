//! What a store on flash costs: memory, bytes read, and wear.

use crate::{counting, nor_flash};
use counting::live_bytes;
use nor_flash::{BLOCKS, SimulatedFlash};
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{NewRow, RowSelector, WriteMode},
    },
    database::{ColumnType, Database, FlashStorage, KeyRange, Storage, TableSchema},
    meter::Meter,
};

/// 1 MiB.
const REGION: u32 = (BLOCKS * nor_flash::BLOCK) as u32;

type Memory = SimulatedFlash<Vec<u8>, 4>;

fn filled(rows: u64) -> Database<FlashStorage<Memory>> {
    let flash = Memory::new(vec![0xff; REGION as usize]);
    let mut database = Database::open(FlashStorage::open(flash, 0..REGION).unwrap()).unwrap();
    let schema = TableSchema::new("t").unwrap().column("n", ColumnType::UInt).unwrap();
    let schema = schema.column("s", ColumnType::Text).unwrap().index("by_n", &["n"]).unwrap();
    database.create_table(schema).unwrap();
    for n in 0..rows {
        let values =
            [Value::UInt(n * 7919 % 100_000), Value::Text("a text of thirty characters...")];
        database.insert("t", None, &values).unwrap();
    }
    database
}

#[test]
fn store_of_one_mebibyte_takes_less_than_16_kib_of_memory() {
    let database = filled(2000);
    let storage = database.into_storage();
    let flash = storage.into_flash().unwrap();
    let (before, mut most) = (live_bytes(), 0);
    let mut database = Database::open(FlashStorage::open(flash, 0..REGION).unwrap()).unwrap();
    let state = size_of::<FlashStorage<Memory>>() - size_of::<Memory>();
    let mut look = || {
        most = most.max(live_bytes() - before);
        std::ops::ControlFlow::Continue(())
    };
    let _ = look();
    for reverse in [false, true] {
        let all = KeyRange { lower: &[], upper: None };
        database.storage().scan(all, reverse, &mut |_, _| look()).unwrap();
    }
    database.storage().get(&[1], |_| look()).unwrap();
    database.insert("t", None, &[Value::UInt(1), Value::Text("more")]).unwrap();
    println!("a store of 1 MiB: {state} bytes, and at most {most} allocated, engine and all");
    // At least the buffer for values is in it.
    assert!(most > 4096 && state as i64 + most < 16 << 10);
}

/// A story of ekv: a get read 13,705 bytes, of 3,000 rows.
#[test]
fn read_of_a_row_reads_at_most_two_thousand_bytes() {
    let database = filled(3000);
    let mut keys = Vec::new();
    let all = KeyRange { lower: &[], upper: None };
    let storage = database.storage();
    let keep = &mut |key: &[u8], _: &[u8]| {
        keys.push(key.to_vec());
        std::ops::ControlFlow::Continue(())
    };
    storage.scan(all, false, keep).unwrap();
    let read = || storage.with_flash(|flash| flash.counts.read).unwrap();
    for (absent, name) in [(false, "present"), (true, "absent")] {
        let (before, mut most, mut gets) = (read(), 0, 0);
        for key in keys.iter().step_by(37) {
            let (mut key, before) = (key.clone(), read());
            key.extend(absent.then_some(0));
            assert_eq!(storage.get(&key, |_| ()).unwrap().is_none(), absent);
            (most, gets) = (most.max(read() - before), gets + 1);
        }
        println!("a get, {name}, reads {} bytes, {most} at most", (read() - before) / gets);
        assert!(most <= 2_000);
    }
}

#[test]
fn backwards_does_not_read_everything() {
    let database = filled(3000);
    let storage = database.storage();
    let read = |reverse| {
        let before = storage.with_flash(|flash| flash.counts.read).unwrap();
        let mut left = 16;
        let index = KeyRange { lower: &[4], upper: None };
        let visit = &mut |_: &[u8], _: &[u8]| {
            left -= 1;
            if left > 0 {
                std::ops::ControlFlow::Continue(())
            } else {
                std::ops::ControlFlow::Break(())
            }
        };
        storage.scan(index, reverse, visit).unwrap();
        assert_eq!(left, 0);
        storage.with_flash(|flash| flash.counts.read).unwrap() - before
    };
    let (forwards, backwards) = (read(false), read(true));
    println!("16 entries of 3,000: {forwards} bytes read forwards, {backwards} backwards");
    // ekv alone cannot go backwards, and halving ranges read twenty times as much.
    assert!(backwards * 2 <= forwards * 3);
}

/// Calls of one row each, of 200 rows; every tenth deletes it before. Every thousand calls the
/// device is switched off and on. Returns how often each page was erased, and the bytes written.
fn wear(calls: u64) -> (Vec<u32>, u64) {
    let mut database = filled(200);
    let table = database.table_id("t").unwrap();
    let look = |database: &Database<FlashStorage<Memory>>| {
        database.storage().with_flash(|flash| (flash.wear, flash.counts.written)).unwrap()
    };
    let before = look(&database);
    let meter = &mut Meter::unlimited();
    for call in 0..calls {
        let id = 1 + call * 7919 % 200;
        if call % 10 == 0 {
            database.delete(table, &RowSelector::One(id), meter).unwrap();
        }
        let text = format!("the text that call {call:8} wrote");
        let values = [Value::UInt(call % 100_000), Value::Text(&text)];
        let rows = [NewRow { id: Some(id), values: Seq::new(&values) }];
        let (columns, rows) = (Seq::new(&["n", "s"]), Seq::new(&rows));
        database.write(table, WriteMode::Upsert, &columns, &rows, meter, &mut |_| ()).unwrap();
        database.commit().unwrap();
        if call % 1000 == 999 {
            let flash = database.into_storage().into_flash().unwrap();
            database = Database::open(FlashStorage::open(flash, 0..REGION).unwrap()).unwrap();
        }
    }
    database.check().unwrap();
    let after = look(&database);
    let worn = after.0.iter().zip(before.0).map(|(after, before)| after - before).collect();
    (worn, after.1 - before.1)
}

fn spread(calls: u64) {
    let (worn, written) = wear(calls);
    let (least, most) = (worn.iter().min().unwrap(), worn.iter().max().unwrap());
    let sum: u64 = worn.iter().map(|&count| u64::from(count)).sum();
    let mean = sum as f64 / worn.len() as f64;
    println!(
        "{calls} calls: {sum} erases, {mean:.1} a page, {least} to {most}; {} bytes written a call",
        written / calls
    );
    assert!(f64::from(*most) <= 2.0 * mean, "a page is worn more than twice as much as the mean");
}

#[test]
fn no_page_is_worn_more_than_twice_as_much_as_the_mean() {
    // In a debug build a tenth, which is enough to see it.
    spread(if cfg!(debug_assertions) { 10_000 } else { 100_000 });
}
