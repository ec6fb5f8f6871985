//! What a call on flash costs, in bytes, erases and milliseconds of three chips: the table of
//! `docs/storage.md`. Bounds are those that the store was made for.

use crate::nor_flash;
use std::ops::ControlFlow;

use nor_flash::{Counts, SimulatedFlash};
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{NewRow, WriteMode},
    },
    database::{ColumnType, Database, FlashStorage, KeyRange, Storage, TableSchema},
    meter::Meter,
};

const REGION: u32 = 1 << 20;
type Memory = SimulatedFlash<Vec<u8>, 4>;
type Db = Database<FlashStorage<Memory>>;

fn counts(database: &Db) -> Counts {
    database.storage().with_flash(|flash| flash.counts).unwrap()
}

fn write(
    database: &mut Db,
    ids: &[u64],
    salt: u64,
) -> Result<(), sochdb_wasmi::database::DatabaseError> {
    let table = database.table_id("t").unwrap();
    let meter = &mut Meter::unlimited();
    for &id in ids {
        let n = (id * 7919 + salt * 104_729) % 100_000;
        let values = [Value::UInt(n), Value::Text("twenty-seven characters ...")];
        let rows = [NewRow { id: Some(id), values: Seq::new(&values) }];
        let (columns, rows) = (Seq::new(&["n", "s"]), Seq::new(&rows));
        database.write(table, WriteMode::Upsert, &columns, &rows, meter, &mut |_| ())?;
    }
    database.commit()
}

fn made() -> Db {
    let flash = Memory::new(vec![0xff; REGION as usize]);
    let mut database = Database::open(FlashStorage::open(flash, 0..REGION).unwrap()).unwrap();
    let schema = TableSchema::new("t").unwrap().column("n", ColumnType::UInt).unwrap();
    let schema = schema.column("s", ColumnType::Text).unwrap().index("by_n", &["n"]).unwrap();
    database.create_table(schema).unwrap();
    database
}

/// What a chip takes for each operation.
struct Chip {
    name: &'static str,
    /// Milliseconds of an erase of 4 KiB.
    erase: f64,
    /// Bytes that are programmed in a millisecond.
    programmed: f64,
    /// Bytes that are read in a millisecond.
    read: f64,
}

const CHIPS: [Chip; 3] = [
    Chip { name: "SPI NOR", erase: 45.0, programmed: 640.0, read: 4_000.0 },
    Chip { name: "QSPI NOR", erase: 45.0, programmed: 640.0, read: 40_000.0 },
    // Words of four bytes in 41 us, pages in 85 ms, read as memory is.
    Chip { name: "nRF52840", erase: 85.0, programmed: 97.0, read: 64_000.0 },
];

impl Chip {
    fn milliseconds(&self, from: Counts, to: Counts) -> f64 {
        (to.read - from.read) as f64 / self.read
            + (to.written - from.written) as f64 / self.programmed
            + (to.erased - from.erased) as f64 * self.erase
    }
}

/// The most that is allowed.
struct Bounds {
    one_written: f64,
    one_erased: f64,
    one_read: f64,
    /// Milliseconds of a call on SPI NOR: the median, and all.
    median: f64,
    worst: f64,
    hundred_read: u64,
    hundred_erased: f64,
    get_read: u64,
    /// A hundred entries in order.
    order_read: u64,
    opening_read: u64,
    /// The most worn page, to the mean.
    worn: f64,
}

const ROOMY: Bounds = Bounds {
    one_written: 300.0,
    one_erased: 0.10,
    one_read: 4_000.0,
    median: 5.0,
    worst: 150.0,
    hundred_read: 300_000,
    hundred_erased: 5.0,
    get_read: 2_000,
    order_read: 12_000,
    opening_read: 40_000,
    worn: 1.1,
};

const FULL: Bounds = Bounds {
    one_written: 1_200.0,
    one_erased: 0.35,
    one_read: 8_000.0,
    median: 10.0,
    worst: 300.0,
    hundred_read: 600_000,
    hundred_erased: 20.0,
    get_read: 3_000,
    order_read: 16_000,
    opening_read: 60_000,
    worn: 1.2,
};

struct Random(u64);

impl Random {
    fn id(&mut self, rows: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % rows + 1
    }
}

fn calls_of_one_row(database: &mut Db, rows: u64, bounds: &Bounds, random: &mut Random) {
    let calls = 3000;
    for call in 0..calls {
        write(database, &[random.id(rows)], call + 1).unwrap();
    }
    let (start, mut marks) = (counts(database), Vec::new());
    for call in 0..calls {
        let before = counts(database);
        write(database, &[random.id(rows)], calls + call + 1).unwrap();
        marks.push((before, counts(database)));
    }
    let end = counts(database);
    let each = |from: u64, to: u64| (to - from) as f64 / calls as f64;
    let (written, erased) = (each(start.written, end.written), each(start.erased, end.erased));
    let read = each(start.read, end.read);
    println!("  call of one row: {written:.0} written, {erased:.3} erased, {read:.0} read");
    assert!(
        written <= bounds.one_written && erased <= bounds.one_erased && read <= bounds.one_read
    );
    for chip in CHIPS {
        let mut times: Vec<_> =
            marks.iter().map(|(from, to)| chip.milliseconds(*from, *to)).collect();
        times.sort_by(f64::total_cmp);
        let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
        println!("    {}: {median:.1} ms median, {worst:.0} ms worst", chip.name);
        assert!(chip.name != "SPI NOR" || median <= bounds.median && worst <= bounds.worst);
    }
}

fn calls_of_a_hundred_rows(database: &mut Db, rows: u64, bounds: &Bounds, random: &mut Random) {
    let before = counts(database);
    for salt in 0..20 {
        let ids: Vec<u64> = (0..100).map(|_| random.id(rows)).collect();
        write(database, &ids, 10_000 + salt).unwrap();
    }
    let after = counts(database);
    let (read, written) = ((after.read - before.read) / 20, (after.written - before.written) / 20);
    let erased = (after.erased - before.erased) as f64 / 20.0;
    println!("  call of 100 rows: {written} written, {erased:.1} erased, {read} read");
    assert!(read <= bounds.hundred_read && erased <= bounds.hundred_erased);
}

fn reads(database: &Db, rows: u64, bounds: &Bounds) {
    let before = counts(database);
    for id in 0..200 {
        database.get("t", id * 7 % rows + 1, |_| ()).unwrap().unwrap();
    }
    let get = (counts(database).read - before.read) / 200;
    let [forwards, backwards] = [false, true].map(|reverse| {
        let before = counts(database).read;
        let mut left = 100.min(rows);
        let range = KeyRange { lower: &[3], upper: Some(&[4]) };
        let visit = &mut |_: &[u8], _: &[u8]| {
            left -= 1;
            if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        database.storage().scan(range, reverse, visit).unwrap();
        assert_eq!(left, 0);
        counts(database).read - before
    });
    println!("  get: {get} read; 100 in order: {forwards} forwards, {backwards} backwards");
    assert!(get <= bounds.get_read && forwards <= bounds.order_read);
    assert!(backwards * 2 <= forwards * 3);
}

fn figures(rows: u64, bounds: &Bounds) {
    let mut database = made();
    for id in 1..=rows {
        write(&mut database, &[id], 0).unwrap();
    }
    let (held, capacity) = (database.storage().bytes(), database.storage().capacity());
    println!("{rows} rows, {held} bytes of {capacity}");
    let mut random = Random(7);
    calls_of_one_row(&mut database, rows, bounds, &mut random);
    reads(&database, rows, bounds);
    calls_of_a_hundred_rows(&mut database, rows, bounds, &mut random);
    if !cfg!(debug_assertions) {
        for call in 0..94_000 {
            write(&mut database, &[random.id(rows)], 20_000 + call).unwrap();
        }
    }
    database.check().unwrap();
    database.storage().verify().unwrap();
    let flash = database.into_storage().into_flash().unwrap();
    let most = f64::from(*flash.wear.iter().max().unwrap());
    let mean = flash.wear.iter().sum::<u32>() as f64 / flash.wear.len() as f64;
    let least = flash.wear.iter().min().unwrap();
    println!("  wear: {mean:.1} erases a page, {least} to {most}: {:.2}", most / mean);
    // With few erases, one more is much.
    assert!(cfg!(debug_assertions) || most <= bounds.worn * mean + 1.0);
    let before = flash.counts.read;
    let database = Database::open(FlashStorage::open(flash, 0..REGION).unwrap()).unwrap();
    let opening = counts(&database).read - before;
    println!("  opening: {opening} read");
    assert!(opening <= bounds.opening_read);
    database.check().unwrap();
}

#[test]
fn figures_of_100_rows() {
    figures(100, &ROOMY);
}

#[test]
fn figures_of_2000_rows() {
    figures(2000, &ROOMY);
}

/// Nine tenths of the rows that ekv had room for.
#[test]
fn figures_of_10000_rows() {
    figures(10_000, &FULL);
}

/// Nine tenths of the rows that there is room for: a large batch goes through a journal then.
#[test]
fn figures_of_a_store_that_is_full_by_nine_tenths() {
    figures(10_980, &Bounds { hundred_erased: 40.0, ..FULL });
}

#[test]
fn one_mebibyte_holds_more_rows_than_with_ekv() {
    let mut database = made();
    let mut rows = 0;
    // In calls of twenty.
    while write(&mut database, &(rows + 1..=rows + 20).collect::<Vec<_>>(), 0).is_ok() {
        rows += 20;
    }
    println!("{rows} rows of 34 bytes with an index entry each");
    assert!(rows >= 11_190);
}
