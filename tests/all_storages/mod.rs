//! What the tests of all storages share: a flash that the test reaches, files with names of their
//! own, one table, and statements about it.

#![allow(dead_code, reason = "each test file uses a part")]

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
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{Bound, IndexQuery, NewRow, RowSelector, WriteMode},
    },
    database::{
        ColumnType, Database, DatabaseError, DistanceMetric, FlashStorage, RedbConfig, RedbStorage,
        Storage, TableSchema,
    },
    meter::Meter,
};

use crate::nor_flash::{self, Fault, SimulatedFlash};

/// A flash that the test reaches while a storage has it.
#[derive(Clone, Debug)]
pub struct Shared(pub Arc<Mutex<SimulatedFlash<Vec<u8>, 4>>>);

impl Shared {
    pub fn new(pages: usize) -> Self {
        Self(Arc::new(Mutex::new(SimulatedFlash::new(vec![0xff; pages * 4096]))))
    }

    pub fn fail_after(&self, steps: u64) {
        self.0.lock().unwrap().fail_after(steps);
    }

    pub fn power_on(&self) {
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

pub const REGION: u32 = 32 * 4096;

/// A name for a file that no other test has.
pub fn fresh_path() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("storages-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

pub fn small_cache() -> RedbConfig {
    RedbConfig { cache_bytes: 1 << 20, ..RedbConfig::default() }
}

pub fn schema() -> TableSchema {
    let schema = TableSchema::new("t").unwrap().column("n", ColumnType::Int).unwrap();
    let schema = schema.nullable_column("s", ColumnType::Text).unwrap();
    let vector = ColumnType::Vector { dimensions: 1, metric: DistanceMetric::Cosine };
    let schema = schema.nullable_column("v", vector).unwrap();
    schema.index("by_s", &["s", "n"]).unwrap().unique_index("by_n", &["n"]).unwrap()
}

pub type Row = (i64, Option<String>);
pub type Rows = BTreeMap<u64, Row>;

#[derive(Clone, Debug)]
pub enum Statement {
    Write(WriteMode, Option<u64>, Row),
    Delete(u64, u64),
}

pub fn run<S: Storage>(
    database: &mut Database<S>,
    statement: &Statement,
) -> Result<(), DatabaseError> {
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

pub fn rows<S: Storage>(database: &Database<S>) -> Rows {
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
pub fn by_index<S: Storage>(database: &Database<S>, reverse: bool) -> Vec<u64> {
    let table = database.table_id("t").unwrap();
    let all = IndexQuery::Range { lower: Bound::Unbounded, upper: Bound::Unbounded };
    let mut ids = Vec::new();
    let visit = &mut |entry: sochdb_wasmi::database::IndexEntry<'_>, _: &mut Meter| {
        ids.push(entry.id);
        Ok(ControlFlow::Continue(()))
    };
    let meter = &mut Meter::unlimited();
    database.lookup(table, "by_s", &all, reverse, None, meter, visit).unwrap();
    ids
}

pub fn open_file(path: &PathBuf) -> Database<RedbStorage> {
    Database::open(RedbStorage::open(path, small_cache()).unwrap()).unwrap()
}

pub fn open_flash(device: &Shared) -> Database<FlashStorage<Shared>> {
    Database::open(FlashStorage::open(device.clone(), 0..REGION).unwrap()).unwrap()
}
