//! What every storage must do alike: memory, a file and flash give the same results, before and
//! after crashes and reopenings.

mod nor_flash;

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use nor_flash::{Fault, SimulatedFlash};
use proptest::prelude::*;
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{Bound, IndexQuery, NewRow, RowSelector, WriteMode},
    },
    database::{
        ColumnType, Database, DatabaseError, FlashStorage, MemoryStorage, Metric, RedbConfig,
        RedbStorage, Storage, StorageError, TableSchema,
    },
    limits::Limit,
    meter::Meter,
};

/// A flash that the test reaches while a storage has it.
#[derive(Clone, Debug)]
struct Shared(Arc<Mutex<SimulatedFlash<Vec<u8>, 4>>>);

impl Shared {
    fn new(pages: usize) -> Self {
        Self(Arc::new(Mutex::new(SimulatedFlash::new(vec![0xff; pages * 4096]))))
    }

    fn fail_after(&self, steps: u64) {
        self.0.lock().unwrap().fail_after(steps);
    }

    fn power_on(&self) {
        self.0.lock().unwrap().power_on();
    }
}

impl ErrorType for Shared {
    type Error = Fault;
}

impl ReadNorFlash for Shared {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        self.0.lock().unwrap().read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.lock().unwrap().capacity()
    }
}

impl NorFlash for Shared {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = nor_flash::BLOCK;

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.0.lock().unwrap().write(offset, bytes)
    }

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        self.0.lock().unwrap().erase(from, to)
    }
}

const REGION: u32 = 32 * 4096;

/// A name for a file that no other test has.
fn fresh_path() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("storages-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

fn small_cache() -> RedbConfig {
    RedbConfig { cache_bytes: 1 << 20, ..RedbConfig::default() }
}

fn schema() -> TableSchema {
    let schema = TableSchema::new("t").unwrap().column("n", ColumnType::Int).unwrap();
    let schema = schema.nullable_column("s", ColumnType::Text).unwrap();
    let vector = ColumnType::Vector { dimensions: 1, metric: Metric::Cosine };
    let schema = schema.nullable_column("v", vector).unwrap();
    schema.index("by_s", &["s", "n"]).unwrap().unique_index("by_n", &["n"]).unwrap()
}

type Row = (i64, Option<String>);
type Rows = BTreeMap<u64, Row>;

#[derive(Clone, Debug)]
enum Statement {
    Write(WriteMode, Option<u64>, Row),
    Delete(u64, u64),
}

#[derive(Clone, Debug)]
enum Step {
    /// Statements, and the commit.
    Call(Vec<Statement>),
    /// Statements, and then the power fails after so many steps of the commit.
    Crash(Vec<Statement>, u64),
    Reopen,
}

fn statement() -> impl Strategy<Value = Statement> {
    let modes = vec![WriteMode::Insert, WriteMode::Update, WriteMode::Upsert, WriteMode::Upsert];
    let id = prop_oneof![3 => (0..40u64).prop_map(Some), 1 => Just(None)];
    let row = (0..60i64, proptest::option::of("[a-c]{0,3}|[a-c]{80}"));
    prop_oneof![
        4 => (proptest::sample::select(modes), id, row).prop_map(|(m, i, r)| Statement::Write(m, i, r)),
        1 => (0..40u64, 1..9u64).prop_map(|(from, len)| Statement::Delete(from, from + len)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let statements = || proptest::collection::vec(statement(), 1..6);
    prop_oneof![
        6 => statements().prop_map(Step::Call),
        2 => (statements(), 0..900u64).prop_map(|(s, at)| Step::Crash(s, at)),
        1 => Just(Step::Reopen),
    ]
}

/// The rows and the next id after a statement; `None` if it must fail.
fn model(rows: &Rows, next: u64, statement: &Statement) -> Option<(Rows, u64)> {
    let mut rows = rows.clone();
    match statement {
        Statement::Delete(from, until) => {
            rows.retain(|id, _| !(*from..*until).contains(id));
            Some((rows, next))
        }
        Statement::Write(mode, id, row) => {
            let id = match id {
                Some(id) => *id,
                None if *mode == WriteMode::Insert => next,
                None => return None,
            };
            let refused = match mode {
                WriteMode::Insert => rows.contains_key(&id),
                WriteMode::Update => !rows.contains_key(&id),
                WriteMode::Upsert => false,
            };
            if refused || rows.iter().any(|(other, (n, _))| *other != id && *n == row.0) {
                return None;
            }
            rows.insert(id, row.clone());
            Some((rows, next.max(id + 1)))
        }
    }
}

fn run<S: Storage>(database: &mut Database<S>, statement: &Statement) -> Result<(), DatabaseError> {
    let table = database.table_id("t").unwrap();
    let meter = &mut Meter::unlimited();
    match statement {
        Statement::Delete(from, until) => {
            let range = RowSelector::Range { from: *from, until: Some(*until) };
            database.delete(table, &range, meter).map(drop)
        }
        Statement::Write(mode, id, (n, s)) => {
            let columns = ["n", "s"];
            let values = [Value::Int(*n), s.as_deref().into()];
            let rows = [NewRow { id: *id, values: Seq::new(&values) }];
            let (columns, rows) = (Seq::new(&columns), Seq::new(&rows));
            database.write(table, *mode, &columns, &rows, meter, &mut |_| ()).map(drop)
        }
    }
}

fn rows<S: Storage>(database: &Database<S>) -> Rows {
    let mut rows = Rows::new();
    let table = database.table_id("t").unwrap();
    let visit = &mut |id, row: sochdb_wasmi::database::StoredRow<'_>| {
        let n = row.value(0).unwrap().as_int().unwrap();
        rows.insert(id, (n, row.value(1).unwrap().as_text().map(Into::into)));
        ControlFlow::Continue(())
    };
    database.scan_rows(table, 0, None, &mut Meter::unlimited(), visit).unwrap();
    rows
}

/// Ids in the order of an index, one way and the other.
fn by_index<S: Storage>(database: &Database<S>, reverse: bool) -> Vec<u64> {
    let table = database.table_id("t").unwrap();
    let all = IndexQuery::Range { lower: Bound::Unbounded, upper: Bound::Unbounded };
    let mut ids = Vec::new();
    let visit = &mut |entry: sochdb_wasmi::database::Entry<'_>, _: &mut Meter| {
        ids.push(entry.id);
        Ok(ControlFlow::Continue(()))
    };
    let meter = &mut Meter::unlimited();
    database.lookup(table, "by_s", &all, reverse, None, meter, visit).unwrap();
    ids
}

/// Compares everything that can be asked with the model.
fn compare<S: Storage>(database: &Database<S>, model: &Rows) {
    assert_eq!(rows(database), *model);
    let mut expected: Vec<(&Option<String>, i64, u64)> =
        model.iter().map(|(id, (n, s))| (s, *n, *id)).collect();
    expected.sort();
    let expected: Vec<u64> = expected.into_iter().map(|(_, _, id)| id).collect();
    assert_eq!(by_index(database, false), expected);
    let reversed: Vec<u64> = expected.into_iter().rev().collect();
    assert_eq!(by_index(database, true), reversed);
    for id in 0..42 {
        let got = database.get("t", id, |row| row.value(0).unwrap().as_int().unwrap()).unwrap();
        assert_eq!(got, model.get(&id).map(|(n, _)| *n));
    }
    database.check().unwrap();
}

/// The three storages, and what they must hold.
struct World {
    memory: Option<Database<MemoryStorage>>,
    file: Option<Database<RedbStorage>>,
    flash: Option<Database<FlashStorage<Shared>>>,
    device: Shared,
    path: PathBuf,
    model: Rows,
    next: u64,
}

impl World {
    fn new() -> Self {
        let (path, device) = (fresh_path(), Shared::new(32));
        let mut memory = Database::open(MemoryStorage::default()).unwrap();
        let mut file = open_file(&path);
        let mut flash = open_flash(&device);
        memory.create_table(schema()).unwrap();
        file.create_table(schema()).unwrap();
        flash.create_table(schema()).unwrap();
        let (memory, file, flash) = (Some(memory), Some(file), Some(flash));
        Self { memory, file, flash, device, path, model: Rows::new(), next: 1 }
    }

    fn parts(
        &mut self,
    ) -> (
        &mut Database<MemoryStorage>,
        &mut Database<RedbStorage>,
        &mut Database<FlashStorage<Shared>>,
    ) {
        let Self { memory: Some(memory), file: Some(file), flash: Some(flash), .. } = self else {
            panic!("closed")
        };
        (memory, file, flash)
    }

    /// Runs statements on all; returns what the rows are if they are committed.
    fn statements(&mut self, statements: &[Statement]) -> (Rows, u64) {
        let mut now = (self.model.clone(), self.next);
        for statement in statements {
            let expected = model(&now.0, now.1, statement);
            let (memory, file, flash) = self.parts();
            let done = run(memory, statement);
            assert_eq!(done.is_ok(), expected.is_some(), "{statement:?}: {done:?}");
            assert_eq!(run(file, statement), done);
            assert_eq!(run(flash, statement), done);
            now = expected.unwrap_or(now);
        }
        now
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Call(statements) => {
                let after = self.statements(statements);
                let (memory, file, flash) = self.parts();
                assert_eq!(memory.commit(), Ok(()));
                assert_eq!((file.commit(), flash.commit()), (Ok(()), Ok(())));
                (self.model, self.next) = after;
            }
            Step::Crash(statements, at) => {
                let after = self.statements(statements);
                // The power fails while flash is written, and with it everything.
                self.device.fail_after(*at);
                let committed = self.parts().2.commit();
                drop(self.flash.take());
                self.device.power_on();
                let flash = open_flash(&self.device);
                let made = rows(&flash) == after.0;
                assert!(made || rows(&flash) == self.model, "neither before nor after");
                assert!(made || committed.is_err(), "a finished call is lost");
                self.flash = Some(flash);
                // The others have the same luck: all of the call is there, or nothing.
                let (memory, file, _) = self.parts();
                if made {
                    memory.commit().unwrap();
                    file.commit().unwrap();
                    (self.model, self.next) = after;
                } else {
                    memory.rollback();
                }
                self.reopen_file();
            }
            Step::Reopen => {
                let memory = self.memory.take().unwrap().into_storage();
                self.memory = Some(Database::open(memory).unwrap());
                drop(self.flash.take());
                self.flash = Some(open_flash(&self.device));
                self.reopen_file();
            }
        }
        let model = &self.model.clone();
        let (memory, file, flash) = self.parts();
        compare(memory, model);
        compare(file, model);
        compare(flash, model);
        flash.storage().verify().unwrap();
    }

    /// Opens what the file holds while it is still open, as after a killed process.
    fn reopen_file(&mut self) {
        let copy = fresh_path();
        std::fs::copy(&self.path, &copy).unwrap();
        drop(self.file.take());
        std::fs::rename(&copy, &self.path).unwrap();
        self.file = Some(open_file(&self.path));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn open_file(path: &PathBuf) -> Database<RedbStorage> {
    Database::open(RedbStorage::open(path, small_cache()).unwrap()).unwrap()
}

fn open_flash(device: &Shared) -> Database<FlashStorage<Shared>> {
    Database::open(FlashStorage::open(device.clone(), 0..REGION).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn all_storages_equal_a_model_through_crashes_and_reopenings(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.take(step));
    }
}

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
    assert!(filled.iter().all(|&rows| rows == filled[0]), "{filled:?}");
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
