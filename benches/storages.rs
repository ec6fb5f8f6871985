//! The storages beside each other, in one run:
//! `cargo bench --manifest-path benches/Cargo.toml --features storages --bench storages`.
//!
//! First times, then what each operation reads, writes and erases. The flash is simulated, so its
//! times are those of the processor alone: what a device takes follows from the counts.

#[path = "../tests/nor_flash/mod.rs"]
mod nor_flash;

use std::{fs, hint::black_box, ops::ControlFlow, path::PathBuf, time::Duration};

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use nor_flash::SimulatedFlash;
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{NewRow, WriteMode},
    },
    database::{
        ColumnType, Database, Durability, FlashStorage, MemoryStorage, RedbConfig, RedbStorage,
        Storage, TableId, TableSchema,
    },
    meter::Meter,
};

/// Rows in the table.
const ROWS: u64 = 10_000;
/// Bytes of a row as it is stored: version, count, a number of ten bytes, a text of 20 with two.
const ROW_BYTES: u64 = 34;
/// 1 MiB.
const REGION: u32 = 256 * 4096;

type Flash = SimulatedFlash<Vec<u8>, 4>;

/// A row number that is spread over the table.
fn spread(n: u64) -> u64 {
    1 + n * 7919 % ROWS
}

fn fill<S: Storage>(storage: S) -> (Database<S>, TableId) {
    let mut database = Database::open(storage).expect("an empty store");
    let schema = TableSchema::new("t")
        .and_then(|table| table.column("n", ColumnType::UInt))
        .and_then(|table| table.column("s", ColumnType::Text))
        .and_then(|table| table.index("by_n", &["n"]))
        .expect("a schema");
    let table = database.create_table(schema).expect("a table");
    for first in (0..ROWS).step_by(100) {
        write(&mut database, table, first + 1..first + 101, 0);
    }
    (database, table)
}

/// A call that writes rows, each whole and with another value in the index.
fn write<S: Storage>(
    database: &mut Database<S>,
    table: TableId,
    ids: impl IntoIterator<Item = u64>,
    round: u64,
) {
    let meter = &mut Meter::unlimited();
    let columns = Seq::new(&["n", "s"]);
    for id in ids {
        let values =
            [Value::UInt((1 << 60) + id * 31 + round), Value::Text("a text of 20 letters")];
        let rows = [NewRow { id: Some(id), values: Seq::new(&values) }];
        let rows = Seq::new(&rows);
        database
            .write(table, WriteMode::Upsert, &columns, &rows, meter, &mut |_| ())
            .expect("a row");
    }
    database.commit().expect("a commit");
}

fn read<S: Storage>(database: &Database<S>, table: TableId, id: u64) {
    let meter = &mut Meter::unlimited();
    let len = database.read_row(table, id, meter, |row| row.len()).expect("a read");
    assert!(black_box(len).is_some());
}

fn scan<S: Storage>(database: &Database<S>, table: TableId, from: u64) {
    let mut count = 0;
    let visit = &mut |_, row: sochdb_wasmi::database::StoredRow<'_>| {
        black_box(row.len());
        count += 1;
        ControlFlow::Continue(())
    };
    let meter = &mut Meter::unlimited();
    database.scan_rows(table, from, Some(from + 100), meter, visit).expect("a scan");
    assert!(count == 100);
}

type Group<'c> = BenchmarkGroup<'c, WallTime>;

/// Everything that is measured of a storage; `reopen` closes and opens it.
fn storage<S: Storage>(
    group: &mut Group<'_>,
    name: &str,
    (mut database, table): (Database<S>, TableId),
    mut reopen: impl FnMut(S) -> S,
) {
    let mut n = 0;
    let mut next = move || {
        n += 1;
        n
    };
    group.bench_function(format!("{name}/read one row"), |bencher| {
        bencher.iter(|| read(&database, table, spread(next())));
    });
    group.bench_function(format!("{name}/scan 100 rows"), |bencher| {
        bencher.iter(|| scan(&database, table, spread(next()).min(ROWS - 99)));
    });
    group.bench_function(format!("{name}/call of one row"), |bencher| {
        bencher.iter(|| {
            let n = next();
            write(&mut database, table, [spread(n)], n);
        });
    });
    group.bench_function(format!("{name}/call of 100 rows"), |bencher| {
        bencher.iter(|| {
            let n = next();
            write(&mut database, table, (0..100).map(|at| spread(n * 100 + at)), n);
        });
    });
    let mut storage = Some(database.into_storage());
    group.bench_function(format!("{name}/reopen with 10,000 rows"), |bencher| {
        bencher.iter(|| {
            let closed = storage.take().expect("a storage");
            let database = Database::open(reopen(closed)).expect("a store");
            assert!(database.table_id("t").is_some());
            storage = Some(database.into_storage());
        });
    });
}

fn path(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&path);
    path
}

fn open_file(path: &PathBuf, durability: Durability) -> RedbStorage {
    RedbStorage::open(path, RedbConfig { durability, ..RedbConfig::default() }).expect("a file")
}

fn open_flash(flash: Flash) -> FlashStorage<Flash> {
    FlashStorage::open(flash, 0..REGION).expect("a region")
}

fn new_flash() -> Flash {
    Flash::new(vec![0xff; REGION as usize])
}

/// `redb` alone, with the same entries.
fn redb_alone(group: &mut Group<'_>) {
    let path = path("bench-alone.redb");
    let entries = redb::TableDefinition::<&[u8], &[u8]>::new("entries");
    let database = redb::Builder::new().set_cache_size(16 << 20).create(&path).expect("a file");
    let (model, _) = fill(MemoryStorage::default());
    let write = database.begin_write().expect("a transaction");
    {
        let mut table = write.open_table(entries).expect("a table");
        let all = sochdb_wasmi::database::KeyRange { lower: &[], upper: None };
        let copy = &mut |key: &[u8], value: &[u8]| {
            table.insert(key, value).expect("an entry");
            ControlFlow::Continue(())
        };
        model.storage().scan(all, false, copy).expect("a scan");
    }
    write.commit().expect("a commit");
    let table = {
        use redb::ReadableDatabase;
        let snapshot = database.begin_read().expect("a transaction");
        snapshot.open_table(entries).expect("a table")
    };
    let mut n = 0;
    group.bench_function("redb alone/get one row", |bencher| {
        bencher.iter(|| {
            n += 1;
            let mut key = [0; 16];
            key[0] = 3;
            key[8..].copy_from_slice(&spread(n).to_be_bytes());
            let value = table.get(key.as_slice()).expect("a read").expect("a row");
            black_box(value.value().len());
        });
    });
}

fn times(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("storages");
    storage(&mut group, "memory", fill(MemoryStorage::default()), |same| same);
    redb_alone(&mut group);
    for (name, durability) in
        [("redb", Durability::EachCall), ("redb, not flushed", Durability::Flush)]
    {
        let path = path("bench.redb");
        storage(&mut group, name, fill(open_file(&path, durability)), |closed| {
            drop(closed);
            open_file(&path, durability)
        });
    }
    let flash = fill(open_flash(new_flash()));
    storage(&mut group, "flash", flash, |closed| {
        open_flash(closed.into_flash().expect("the flash"))
    });
    group.finish();
}

/// Bytes that this process has written so far, by the kernel's account.
fn written() -> u64 {
    let account = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = account.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// What calls of `rows` rows write, per byte of row, over so many calls.
fn counts() {
    println!("\nbytes written per byte of row ({ROW_BYTES} bytes, and an index entry with each):");
    for (rows, calls) in [(1, 300), (100, 30)] {
        let per = |bytes: u64| bytes as f64 / (rows * calls * ROW_BYTES) as f64;
        let ids = |call: u64| (0..rows).map(move |at| spread(call * rows + at));
        let path = path("bench-counts.redb");
        let (mut database, table) = fill(open_file(&path, Durability::EachCall));
        let before = written();
        (0..calls).for_each(|call| write(&mut database, table, ids(call), call));
        println!("  redb, calls of {rows} rows: {:.1}", per(written() - before));
        drop(database);
        let _ = fs::remove_file(&path);
        let (mut database, table) = fill(open_flash(new_flash()));
        let look = |database: &Database<FlashStorage<Flash>>| {
            database.storage().with_flash(|flash| flash.counts).expect("the flash")
        };
        let before = look(&database);
        (0..calls).for_each(|call| write(&mut database, table, ids(call), call));
        let after = look(&database);
        println!(
            "  flash, calls of {rows} rows: {:.1}; a call reads {} bytes and erases {:.2} pages",
            per(after.written - before.written),
            (after.read - before.read) / calls,
            (after.erased - before.erased) as f64 / calls as f64
        );
    }
    let (database, table) = fill(open_flash(new_flash()));
    let count = |of: &mut dyn FnMut()| {
        let look = || database.storage().with_flash(|flash| flash.counts.read).expect("the flash");
        let before = look();
        of();
        look() - before
    };
    let read = count(&mut || (0..100).for_each(|n| read(&database, table, spread(n)))) / 100;
    let scan = count(&mut || (0..10).for_each(|n| scan(&database, table, 1 + n * 900))) / 10;
    println!("bytes of flash read: {read} for one row, {scan} for a scan of 100");
    let mut flash = database.into_storage().into_flash().expect("the flash");
    let before = flash.counts.read;
    let opened = FlashStorage::open(&mut flash, 0..REGION).expect("a region");
    println!("bytes of flash in use: {} of {}", opened.bytes(), opened.capacity());
    drop(opened);
    println!("bytes of flash read to reopen: {}", flash.counts.read - before);
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    times(&mut criterion);
    counts();
    criterion.final_summary();
}
