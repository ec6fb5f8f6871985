//! What every durable storage must do: keep what is kept, refuse in time, say what is wrong.

use crate::{all_storages, nor_flash};
use all_storages::{
    REGION, Rows, Shared, Statement, by_index, fresh_path, open_file, open_flash, rows, run,
    schema, small_cache,
};
use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use embedded_storage_async::nor_flash as asynchronous;
use nor_flash::Fault;
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{NewRow, RowSelector, WriteMode},
    },
    database::{
        ColumnType, Database, DatabaseError, FlashStorage, Polled, RedbConfig, RedbStorage,
        Storage, StorageError, TableSchema,
    },
    limits::Limit,
    meter::Meter,
};

/// Runs the same test over a storage that is closed and opened again in between.
fn over_each(test: impl Fn(&mut dyn FnMut(&mut dyn FnMut(Any<'_>)))) {
    let path = fresh_path();
    test(&mut |each| each(Any::File(&mut open_file(&path))));
    std::fs::remove_file(&path).unwrap();
    let device = Shared::new(32);
    test(&mut |each| each(Any::Flash(&mut open_flash(&device))));
}

/// A database in one of the durable storages.
enum Any<'a> {
    File(&'a mut Database<RedbStorage>),
    Flash(&'a mut Database<FlashStorage<Shared>>),
}

macro_rules! with {
    ($any:expr, $database:ident => $body:expr) => {
        match $any {
            Any::File($database) => $body,
            Any::Flash($database) => $body,
        }
    };
}

fn insert(n: i64) -> Statement {
    Statement::Write(WriteMode::Insert, Some(n as u64), (n, Some("x".into())))
}

#[test]
fn deleted_stays_deleted_after_reopening() {
    over_each(|open| {
        open(&mut |any| {
            with!(any, database => {
                database.create_table(schema()).unwrap();
                (1..5).for_each(|n| run(database, &insert(n)).unwrap());
                database.commit().unwrap();
                run(database, &Statement::Delete(2, 4)).unwrap();
                database.commit().unwrap();
            });
        });
        open(&mut |any| {
            with!(any, database => {
                assert_eq!(rows(database).into_keys().collect::<Vec<_>>(), [1, 4]);
                assert_eq!(by_index(database, false), [1, 4]);
                // What it held is free again.
                run(database, &insert(3)).unwrap();
                database.rollback();
                database.check().unwrap();
            });
        });
    });
}

#[test]
fn rejected_write_stays_rejected_after_reopening() {
    over_each(|open| {
        open(&mut |any| {
            with!(any, database => {
                database.create_table(schema()).unwrap();
                run(database, &insert(7)).unwrap();
                database.commit().unwrap();
            });
        });
        for _ in 0..2 {
            open(&mut |any| {
                with!(any, database => {
                    let twice = Statement::Write(WriteMode::Insert, Some(8), (7, None));
                    let error = run(database, &twice).unwrap_err();
                    assert!(matches!(error, DatabaseError::DuplicateUnique { .. }));
                    let again = run(database, &insert(7)).unwrap_err();
                    assert!(matches!(again, DatabaseError::DuplicateId { id: 7, .. }));
                    database.commit().unwrap();
                    assert_eq!(rows(database).len(), 1);
                });
            });
        }
    });
}

#[test]
fn schemas_and_counters_persist_after_reopening() {
    over_each(|open| {
        open(&mut |any| {
            with!(any, database => {
                database.create_table(schema()).unwrap();
                let other = TableSchema::new("u").unwrap().column("a", ColumnType::Bool).unwrap();
                database.create_table(other).unwrap();
                assert_eq!(database.insert("u", None, &[Value::Bool(true)]), Ok(1));
                database.delete(
                    database.table_id("u").unwrap(), &RowSelector::ALL, &mut Meter::unlimited(),
                ).unwrap();
                database.commit().unwrap();
            });
        });
        open(&mut |any| {
            with!(any, database => {
                let names: Vec<String> =
                    database.tables().map(|(_, schema)| schema.name().to_string()).collect();
                assert_eq!(names, ["t", "u"]);
                let table = database.table_id("t").unwrap();
                assert_eq!(database.schema(table), Some(&schema()));
                // A row's number is not given twice, even if the row is gone.
                assert_eq!(database.insert("u", None, &[Value::Bool(true)]), Ok(2));
                let again = database.create_table(schema()).unwrap_err();
                assert!(matches!(again, DatabaseError::TableExists { .. }));
            });
        });
    });
}

#[test]
fn full_store_is_a_named_error_and_deleting_makes_room_again() {
    let device = Shared::new(32);
    let flash = open_flash(&device);
    let path = fresh_path();
    let config = RedbConfig { max_bytes: 40_000, ..small_cache() };
    let file = Database::open(RedbStorage::open(&path, config).unwrap()).unwrap();
    fill_and_empty(flash);
    fill_and_empty(file);
    std::fs::remove_file(&path).unwrap();
}

fn fill_and_empty<S: Storage>(mut database: Database<S>) {
    database.create_table(schema()).unwrap();
    let text = "y".repeat(60);
    let row = |n: u64| Statement::Write(WriteMode::Insert, Some(n), (n as i64, Some(text.clone())));
    let mut filled = Vec::new();
    for round in 0..4 {
        let mut n = (round + 1) * 10_000;
        let error = loop {
            match run(&mut database, &row(n)) {
                Ok(()) => database.commit().unwrap(),
                Err(error) => break error,
            }
            n += 1;
        };
        let DatabaseError::Storage(StorageError::Full(limit)) = error else { panic!("{error}") };
        assert_eq!(limit.limit, Limit::StoreBytes);
        assert!(limit.asked > limit.allowed, "{limit}");
        assert!(!database.has_pending());
        let held = rows(&database);
        assert_eq!(held.len() as u64, n - (round + 1) * 10_000);
        database.check().unwrap();
        filled.push(held.len());
        // Row by row, as a full store must do it.
        for id in held.into_keys() {
            run(&mut database, &Statement::Delete(id, id + 1)).unwrap();
            database.commit().unwrap();
        }
        assert_eq!(rows(&database), Rows::new());
    }
    assert!(filled[0] > 80, "{filled:?}");
    // How well keys are packed depends on the ids.
    let near = |&rows: &usize| rows.abs_diff(filled[0]) * 20 <= filled[0];
    assert!(filled.iter().all(near), "{filled:?}");
}

/// Whatever statements were let in, the commit fits, however full the region is: in regions of
/// several sizes, with rows and calls of all sizes.
#[test]
fn what_is_admitted_can_be_committed() {
    for pages in [24, 32, 70] {
        let device = Shared::new(pages);
        let region = 0..pages as u32 * 4096;
        let storage = FlashStorage::open(device.clone(), region).unwrap();
        let mut database = Database::open(storage).unwrap();
        let blobs = TableSchema::new("b").unwrap().column("b", ColumnType::Binary).unwrap();
        let blobs = blobs.column("n", ColumnType::UInt).unwrap().index("by_n", &["n"]).unwrap();
        let table = database.create_table(blobs).unwrap();
        let mut state = 7_u64;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        let meter = &mut Meter::unlimited();
        let (mut full, mut ids) = (0, Vec::new());
        for _ in 0..300 {
            for _ in 0..1 + random(12) {
                let len = [3, 40, 40, 200, 3000][random(5) as usize];
                let bytes = vec![random(256) as u8; len];
                let values = [Value::Binary(&bytes), Value::UInt(random(1 << 40))];
                let new = [NewRow { id: None, values: Seq::new(&values) }];
                let (columns, rows) = (Seq::new(&["b", "n"]), Seq::new(&new));
                let keep = &mut |id| ids.push(id);
                match database.write(table, WriteMode::Insert, &columns, &rows, meter, keep) {
                    Ok(_) => {}
                    Err(DatabaseError::Storage(StorageError::Full(_))) => {
                        full += 1;
                        break;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            database.commit().unwrap();
            if full % 4 == 3 {
                // A third of what is there goes, in calls of ten rows.
                full += 1;
                for _ in 0..ids.len() / 30 {
                    for _ in 0..10 {
                        let id = ids.swap_remove(random(ids.len() as u64) as usize);
                        database.delete(table, &RowSelector::One(id), meter).unwrap();
                    }
                    database.commit().unwrap();
                }
            }
        }
        assert!(full > 10, "{pages} pages were full {full} times");
        database.check().unwrap();
        database.storage().verify().unwrap();
    }
}

#[test]
fn row_that_no_page_can_hold_is_a_named_error() {
    let mut flash = open_flash(&Shared::new(32));
    let schema = TableSchema::new("t").unwrap().column("b", ColumnType::Binary).unwrap();
    flash.create_table(schema).unwrap();
    // Version, count of values, tag and length of two bytes come with it.
    let bytes = vec![7; 4096 - 5];
    flash.insert("t", Some(1), &[Value::Binary(&bytes)]).unwrap();
    let more = vec![7; 4096 - 4];
    let error = flash.insert("t", Some(2), &[Value::Binary(&more)]).unwrap_err();
    let DatabaseError::Storage(StorageError::TooLarge(limit)) = error else { panic!("{error}") };
    assert_eq!((limit.limit, limit.allowed, limit.asked), (Limit::ValueBytes, 4096, 4097));
    assert_eq!(
        error.to_string(),
        "an entry is too large for the store: 4097 bytes of a stored row asked, 4096 allowed"
    );
    assert!(!flash.has_pending());
    let len = flash.get("t", 1, |row| row.len()).unwrap();
    assert_eq!((len, flash.get("t", 2, |_| ()).unwrap()), (Some(4096), None));
}

#[test]
fn device_that_fails_is_a_named_error_and_works_again_later() {
    let device = Shared::new(32);
    let mut flash = open_flash(&device);
    flash.create_table(schema()).unwrap();
    run(&mut flash, &insert(1)).unwrap();
    flash.commit().unwrap();
    let failed = DatabaseError::Storage(StorageError::Device { code: 3 });

    // Not even readable.
    device.fail_after(0);
    assert_eq!(flash.get("t", 1, |_| ()), Err(failed.clone()));
    assert_eq!(run(&mut flash, &insert(2)), Err(failed.clone()));
    device.power_on();
    assert_eq!(flash.get("t", 1, |_| ()), Ok(Some(())));

    // In the middle of a commit, and for longer.
    run(&mut flash, &insert(2)).unwrap();
    device.fail_after(30);
    assert_eq!(flash.commit(), Err(failed.clone()));
    assert_eq!(flash.get("t", 1, |_| ()), Err(failed.clone()));
    assert_eq!(run(&mut flash, &insert(2)), Err(failed));
    device.power_on();
    assert_eq!(rows(&flash).into_keys().collect::<Vec<_>>(), [1]);
    run(&mut flash, &insert(2)).unwrap();
    flash.commit().unwrap();
    assert_eq!(rows(&flash).len(), 2);
}

#[test]
fn what_is_no_region_is_refused_and_nothing_is_written() {
    let device = Shared::new(64);
    let open = |region| FlashStorage::open(device.clone(), region).map(drop);
    let unsuitable = |what| Err(StorageError::Unsuitable { what });
    assert_eq!(open(0..65 * 4096), unsuitable("the region is not inside it"));
    assert_eq!(open(100..32 * 4096), unsuitable("the region is not made of whole pages"));
    assert_eq!(open(0..23 * 4096), unsuitable("a region has at least 24 pages"));
    assert_eq!(open(4096..4096), unsuitable("the region is not inside it"));
    // A region with something else in it.
    device.clone().write(40 * 4096 + 8, b"somebody else's").unwrap_err();
    device.clone().write(40 * 4096 + 8, b"somebody elses\0\0").unwrap();
    assert_eq!(open(32 * 4096..64 * 4096), Err(StorageError::Foreign));
    let counts = device.0.lock().unwrap().counts;
    assert_eq!((counts.written, counts.erased), (16, 0));
    // Beside it there is room.
    let mut flash =
        Database::open(FlashStorage::open(device.clone(), 0..32 * 4096).unwrap()).unwrap();
    flash.create_table(schema()).unwrap();
    // Made anew, on purpose.
    let made = FlashStorage::format(device.clone(), 32 * 4096..64 * 4096).unwrap();
    assert_eq!((made.rows(), made.bytes()), (0, 0));
    drop(made);
    assert_eq!(open(32 * 4096..64 * 4096), Ok(()));
    assert!(flash.table_id("t").is_some() && flash.check().is_ok());
}

/// A flash driver of the other kind: nothing is done when it is asked for the first time.
struct Slow(Shared);

impl Slow {
    /// Comes back once before it is done.
    async fn pause() {
        let mut asked = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut asked, true) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

impl asynchronous::ErrorType for Slow {
    type Error = Fault;
}

impl asynchronous::ReadNorFlash for Slow {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        Self::pause().await;
        self.0.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl asynchronous::NorFlash for Slow {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = nor_flash::BLOCK;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        Self::pause().await;
        self.0.erase(from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        Self::pause().await;
        self.0.write(offset, bytes)
    }
}

#[test]
fn driver_that_is_asynchronous_is_polled_until_it_is_done() {
    let device = Shared::new(32);
    let open = || FlashStorage::open(Polled(Slow(device.clone())), 0..REGION).unwrap();
    let mut database = Database::open(open()).unwrap();
    database.create_table(schema()).unwrap();
    run(&mut database, &insert(3)).unwrap();
    database.commit().unwrap();
    drop(database);
    assert_eq!(rows(&Database::open(open()).unwrap()).len(), 1);
}
