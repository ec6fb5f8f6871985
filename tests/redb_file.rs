//! A database in a file: killed processes, files that are not ours or no longer what they were,
//! and the two kinds of durability.

mod durable;
mod runner;
mod sampling;
#[path = "../examples/station/mod.rs"]
#[allow(dead_code, reason = "the stations here are over other storages")]
mod station;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use durable::{Entries, Station, entries, forwards, job};
use redb::ReadableTable;
use sochdb_wasmi::{
    abi::Value,
    database::{
        ColumnType, Database, DatabaseError, Durability, MemoryStorage, RedbConfig, RedbStorage,
        StorageError, TableSchema,
    },
    limits::Limit,
};

fn path(name: &str) -> PathBuf {
    let name = format!("redb-{}-{name}", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&path);
    path
}

fn config() -> RedbConfig {
    RedbConfig { cache_bytes: 1 << 20, ..RedbConfig::default() }
}

fn open(path: &Path) -> Result<RedbStorage, StorageError> {
    RedbStorage::open(path, config())
}

/// A file with a table and some rows in calls of their own.
fn filled(path: &Path, config: RedbConfig, rows: i64) -> Database<RedbStorage> {
    let mut database = Database::open(RedbStorage::open(path, config).unwrap()).unwrap();
    if database.table_id("t").is_none() {
        let schema = TableSchema::new("t").unwrap().column("n", ColumnType::Int).unwrap();
        let schema = schema.index("by_n", &["n"]).unwrap();
        database.create_table(schema).unwrap();
    }
    for n in 0..rows {
        database.insert("t", None, &[Value::Int(n)]).unwrap();
    }
    database
}

const DAYS: usize = 40;
const BATCH: usize = 2;
const CHILD: &str = "SOCHDB_WASMI_KILLED_CHILD";

/// The process that is killed: takes the steps of the job and says so after each. Does nothing if
/// it is called as a test like any other.
#[test]
fn child_that_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let mut station = Station::open(open(path.as_ref()).unwrap());
    let mut out = std::io::stdout();
    writeln!(out, "\nopened").unwrap();
    for step in job(DAYS, BATCH) {
        // A call that must fail does.
        let _ = station.take(&step);
        writeln!(out, "finished").unwrap();
        out.flush().unwrap();
    }
}

/// Lets a child run until it has said so many times that it finished a step, and a while longer;
/// returns how often it had said so when it was killed.
fn killed(path: &Path, steps: usize, longer: Duration) -> usize {
    let mut child = runner::command(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_is_killed", "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut finished = 0;
    if steps > 0 {
        for line in lines.by_ref() {
            finished += usize::from(line == "finished");
            if finished == steps {
                break;
            }
        }
    }
    let start = Instant::now();
    while start.elapsed() < longer {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    finished + lines.filter(|line| line == "finished").count()
}

#[test]
fn killed_process_leaves_the_database_before_or_after_the_call() {
    let steps = job(DAYS, BATCH);
    // What must be there after each step.
    let mut model = Station::open(MemoryStorage::default());
    let mut states = vec![Entries::new()];
    for step in &steps {
        let _ = model.take(step);
        states.push(entries(model.storage()));
    }
    let path = path("killed");
    let (mut kills, mut cut, mut whole) = (0, 0, 0);
    let mut seen = BTreeSet::new();
    // Enough for more than ten different steps, where every process is slow to start.
    let rounds = if sampling::every() == 1 { 60 } else { 15 };
    for round in 0..rounds {
        let _ = fs::remove_file(&path);
        // Some before the file is made, some late; at other moments each time.
        let after = round * 7 % (steps.len() - 1);
        let longer = Duration::from_micros(round as u64 * 613 % 7000);
        let finished = killed(&path, after, longer);
        let storage = open(&path).unwrap();
        let found = forwards(&storage).unwrap();
        assert_eq!(entries(&storage), found);
        // A finished call is there. One that was under way is there, or not; more is not.
        if found == states[finished] {
            cut += 1;
        } else {
            assert_eq!(Some(&found), states.get(finished + 1), "{finished} steps were finished");
            whole += 1;
        }
        Database::open(storage).unwrap().check().unwrap();
        kills += 1;
        seen.insert(finished);
    }
    fs::remove_file(&path).unwrap();
    println!(
        "{kills} kills in {} different steps: {cut} found before the step under way, {whole} after",
        seen.len()
    );
    assert!(seen.len() > 10);
}

#[test]
fn host_over_a_file_does_what_a_host_in_memory_does() {
    let path = path("host");
    let (mut memory, mut file) =
        (Station::open(MemoryStorage::default()), Station::open(open(&path).unwrap()));
    for (number, step) in job(30, 5).iter().enumerate() {
        let answers = (memory.take(step), file.take(step));
        assert_eq!(format!("{:?}", answers.0), format!("{:?}", answers.1));
        assert_eq!(entries(memory.storage()), entries(file.storage()));
        if number % 5 == 0 {
            // Whatever happens next, the file has it.
            drop(file);
            file = Station::open(open(&path).unwrap());
        }
    }
    file.host.database().check().unwrap();
    fs::remove_file(&path).unwrap();
}

#[test]
fn file_of_something_else_is_refused_and_stays_as_it_is() {
    let path = path("foreign");
    for contents in [b"".as_slice(), b"x", b"a,b,c\n1,2,3\n", &[0; 10_000], &[0xff; 10_000]] {
        fs::write(&path, contents).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, StorageError::Foreign | StorageError::Corrupt { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), contents);
    }
    fs::remove_file(&path).unwrap();
    // Another program's database.
    let database = redb::Database::create(&path).unwrap();
    let other = redb::TableDefinition::<u64, u64>::new("entries");
    let write = database.begin_write().unwrap();
    write.open_table(other).unwrap().insert(1, 2).unwrap();
    write.commit().unwrap();
    drop(database);
    let error = open(&path).unwrap_err();
    assert_eq!(error, StorageError::Foreign);
    assert_eq!(error.to_string(), "the device does not hold a store of sochdb-wasmi");
    fs::remove_file(&path).unwrap();
}

#[test]
fn file_of_another_version_is_refused() {
    let path = path("version");
    drop(filled(&path, config(), 3));
    let database = redb::Database::open(&path).unwrap();
    let about = redb::TableDefinition::<u8, &[u8]>::new("sochdb-wasmi");
    let write = database.begin_write().unwrap();
    {
        let mut table = write.open_table(about).unwrap();
        let mut block = table.get(0).unwrap().unwrap().value().to_vec();
        assert_eq!(block[..5], *b"SoDB\x01");
        block[4] = 2;
        table.insert(0, block.as_slice()).unwrap();
    }
    write.commit().unwrap();
    drop(database);
    assert_eq!(open(&path).unwrap_err(), StorageError::Version { found: 2 });
    fs::remove_file(&path).unwrap();
}

#[test]
fn open_file_cannot_be_opened_twice() {
    let path = path("twice");
    let database = filled(&path, config(), 1);
    assert_eq!(open(&path).unwrap_err(), StorageError::InUse);
    drop(database);
    open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let nowhere = path.join("nowhere");
    let StorageError::Io(error) = open(&nowhere).unwrap_err() else { panic!("not of a file") };
    assert_eq!(error.error().kind(), std::io::ErrorKind::NotFound);
    assert_eq!(error.path(), Some(&*nowhere));
}

// Two processes that made the same file at once shared one temporary name, `FILE.new`: one renamed it,
// the other failed with "the store's device failed with code 2", and in 20 of 25 tries both failed.
// What replaces the shared name must not replace the store that another process has open, either:
// its rows would be gone with the file.
#[test]
fn of_several_that_make_a_file_at_once_one_has_it_and_the_others_say_it_is_in_use() {
    for round in 0..25 {
        let path = path(&format!("at-once-{round}"));
        let start = std::sync::Barrier::new(4);
        // All stay open until all have tried.
        let opened: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        open(&path)
                    })
                })
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let (have, rest): (Vec<_>, Vec<_>) = opened.into_iter().partition(Result::is_ok);
        assert_eq!(have.len(), 1, "{rest:?}");
        for error in rest {
            assert_eq!(error.unwrap_err(), StorageError::InUse);
        }
        // What the one that has it writes is in the file of that name.
        let storage = have.into_iter().next().unwrap().unwrap();
        let mut database = Database::open(storage).unwrap();
        let schema = TableSchema::new("t").unwrap().column("n", ColumnType::Int).unwrap();
        database.create_table(schema).unwrap();
        drop(database);
        let database = Database::open(open(&path).unwrap()).unwrap();
        assert!(database.table_id("t").is_some());
        drop(database);
        fs::remove_file(&path).unwrap();
        // Nobody left anything beside it.
        let name = path.file_name().unwrap().to_str().unwrap();
        let beside = fs::read_dir(path.parent().unwrap()).unwrap();
        let left = beside.filter(|entry| {
            entry.as_ref().unwrap().file_name().to_str().is_some_and(|found| found.contains(name))
        });
        assert_eq!(left.count(), 0);
    }
}

#[test]
fn changed_file_is_found_out_or_holds_what_it_held() {
    let path = path("changed");
    let database = filled(&path, config(), 300);
    let held = entries(database.storage());
    drop(database);
    let image = fs::read(&path).unwrap();
    let copy = self::path("changed-copy");
    let (mut found, mut harmless) = (0, 0);
    let written: Vec<usize> = (0..image.len()).filter(|&at| image[at] != 0).collect();
    let places = written.iter().copied().step_by(29).chain((0..image.len()).step_by(9973));
    let cuts = (0..image.len()).step_by(40_009);
    let every = sampling::every();
    let all = places.map(|at| (at, false)).chain(cuts.map(|at| (at, true)));
    for (at, cut) in all.step_by(every) {
        let mut changed = image.clone();
        if cut {
            changed.truncate(at);
        } else {
            changed[at] ^= 1 << (at % 8);
        }
        fs::write(&copy, &changed).unwrap();
        match open(&copy).and_then(|storage| forwards(&storage)) {
            Ok(now) => {
                assert!(now == held, "{at:#x}: entries are silently others");
                harmless += 1;
            }
            Err(error) => {
                let named = [StorageError::Foreign, StorageError::Corrupt { at: None }];
                let version = matches!(error, StorageError::Version { .. });
                assert!(named.contains(&error) || version, "{at:#x}: {error}");
                found += 1;
            }
        }
    }
    println!("{found} changes found, {harmless} in dead bytes");
    assert!(found * every > 100);
    fs::remove_file(&copy).unwrap();
    fs::remove_file(&path).unwrap();
}

#[test]
fn deferred_calls_are_there_after_a_flush_and_whole_ones_without() {
    let path = path("deferred");
    let deferred = RedbConfig { durability: Durability::Flush, ..config() };
    let mut database = filled(&path, deferred, 20);
    database.storage().flush().unwrap();
    for n in 20..40 {
        database.insert("t", None, &[Value::Int(n)]).unwrap();
    }
    // What a killed process would leave.
    let copy = self::path("deferred-copy");
    fs::copy(&path, &copy).unwrap();
    let left = Database::open(open(&copy).unwrap()).unwrap();
    assert_eq!(left.storage().rows(), 20);
    left.check().unwrap();
    drop(left);
    // Closing it is a flush too.
    drop(database);
    let database = Database::open(open(&path).unwrap()).unwrap();
    assert_eq!(database.storage().rows(), 40);
    database.check().unwrap();
    fs::remove_file(&copy).unwrap();
    fs::remove_file(&path).unwrap();
}

#[test]
fn limits_of_a_file_are_counted_again_when_it_is_opened() {
    let path = path("limits");
    let limited = RedbConfig { max_rows: 5, ..config() };
    drop(filled(&path, limited, 5));
    let mut database = filled(&path, limited, 0);
    let bytes = database.storage().bytes();
    let error = database.insert("t", None, &[Value::Int(9)]).unwrap_err();
    let DatabaseError::Storage(StorageError::Full(limit)) = error else { panic!("{error}") };
    assert_eq!((limit.limit, limit.allowed, limit.asked), (Limit::StoreRows, 5, 6));
    assert_eq!((database.storage().rows(), database.storage().bytes()), (5, bytes));
    fs::remove_file(&path).unwrap();
}
