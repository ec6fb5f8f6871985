//! Devices that fail: every read, write and erase of a run is refused, once or from then on. What is
//! seen is a named error, the rows of before or after the call, and a database that goes on.
//!
//! A story of ekv 1.0.0: when the device refused the write of a new page of its file table, it
//! panicked, and with it the firmware (52 of 6,001 places of a run).

use crate::{all_storages, nor_flash, sampling};
use std::sync::{Arc, Mutex};

use all_storages::{Rows, Statement, rows, run, schema};
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use nor_flash::{Fault, SimulatedFlash};
use sochdb_wasmi::{
    abi::message::WriteMode,
    database::{Database, DatabaseError, FlashStorage, StorageError},
};

const REGION: u32 = 24 * 4096;

/// What the device refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Read,
    Write,
    /// A write of which half the words are made.
    HalfWrite,
    Erase,
    /// An erase that leaves some bits of the block as they were.
    HalfErase,
}

pub(super) const ALL: [What; 5] =
    [What::Read, What::Write, What::HalfWrite, What::Erase, What::HalfErase];

#[derive(Debug)]
pub(super) struct State {
    flash: SimulatedFlash<Vec<u8>, 4>,
    /// Reads, writes and erases since the last look.
    done: [u64; 3],
    /// How many commit logs were begun: the most delicate writes.
    logs: u64,
    /// What is refused, after how many of its kind, and how many times.
    refuse: Option<(What, u64, u64)>,
}

/// A flash whose operations can be refused while a storage has it.
#[derive(Clone, Debug)]
pub(super) struct Unreliable(Arc<Mutex<State>>);

impl Unreliable {
    pub(super) fn new(image: Vec<u8>) -> Self {
        let state =
            State { flash: SimulatedFlash::new(image), done: [0; 3], logs: 0, refuse: None };
        Self(Arc::new(Mutex::new(state)))
    }

    pub(super) fn refuse(&self, what: What, after: u64, times: u64) {
        self.0.lock().unwrap().refuse = Some((what, after, times));
    }

    /// Lets the device work again; says whether it refused anything.
    pub(super) fn repair(&self, times: u64) -> bool {
        let refuse = self.0.lock().unwrap().refuse.take();
        refuse.is_some_and(|(_, after, left)| after == 0 && left < times)
    }

    fn image(&self) -> Vec<u8> {
        self.0.lock().unwrap().flash.memory().to_vec()
    }

    pub(super) fn take_done(&self) -> [u64; 3] {
        std::mem::take(&mut self.0.lock().unwrap().done)
    }
}

impl State {
    /// Counts an operation; says how it is refused.
    fn refused(&mut self, kind: usize) -> Option<What> {
        self.done[kind] += 1;
        let (what, after, times) = self.refuse.as_mut()?;
        let of = match what {
            What::Read => 0,
            What::Write | What::HalfWrite => 1,
            What::Erase | What::HalfErase => 2,
        };
        if of != kind {
            return None;
        }
        if *after > 0 {
            *after -= 1;
            return None;
        }
        *times = times.checked_sub(1)?;
        Some(*what)
    }
}

impl ErrorType for Unreliable {
    type Error = Fault;
}

impl ReadNorFlash for Unreliable {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        let mut state = self.0.lock().unwrap();
        match state.refused(0) {
            Some(_) => Err(Fault::NoPower),
            None => state.flash.read(offset, bytes),
        }
    }

    fn capacity(&self) -> usize {
        self.0.lock().unwrap().flash.capacity()
    }
}

impl NorFlash for Unreliable {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = nor_flash::BLOCK;

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        let mut state = self.0.lock().unwrap();
        state.logs += u64::from(offset.is_multiple_of(4096) && bytes.starts_with(b"SoF2\x02"));
        match state.refused(1) {
            None => state.flash.write(offset, bytes),
            Some(What::HalfWrite) => {
                state.flash.write(offset, &bytes[..bytes.len() / 8 * 4])?;
                Err(Fault::NoPower)
            }
            Some(_) => Err(Fault::NoPower),
        }
    }

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        let mut state = self.0.lock().unwrap();
        match state.refused(2) {
            None => state.flash.erase(from, to),
            Some(What::HalfErase) => {
                state.flash.fail_after(2);
                let failed = state.flash.erase(from, to);
                state.flash.power_on();
                failed
            }
            Some(_) => Err(Fault::NoPower),
        }
    }
}

/// The calls of the run: rows are inserted, changed, deleted, one or several in a call.
fn call(number: u64) -> Vec<Statement> {
    let upsert = |id: u64| {
        let text = format!("{}{number}", "t".repeat((number * 13 % 50) as usize));
        Statement::Write(
            WriteMode::Upsert,
            Some(id),
            (id as i64 * 1000 + number as i64, Some(text)),
        )
    };
    match number % 5 {
        0 => vec![Statement::Delete(number % 11, number % 11 + 3), upsert(number % 7)],
        3 => (0..6).map(|n| upsert((number + n * 5) % 23)).collect(),
        _ => vec![upsert(number % 19)],
    }
}

fn make(
    database: &mut Database<FlashStorage<Unreliable>>,
    number: u64,
) -> Result<(), DatabaseError> {
    let made = call(number).iter().try_for_each(|statement| run(database, statement));
    match made {
        Ok(()) => database.commit(),
        Err(error) => {
            database.rollback();
            Err(error)
        }
    }
}

fn open(device: &Unreliable) -> Result<Database<FlashStorage<Unreliable>>, DatabaseError> {
    Database::open(FlashStorage::open(device.clone(), 0..REGION)?)
}

/// The region before a call, what the call does with the device, and the rows around it.
struct Step {
    image: Vec<u8>,
    opening: [u64; 3],
    done: [u64; 3],
    begins_log: bool,
    before: Rows,
    after: Rows,
}

fn steps(calls: u64) -> Vec<Step> {
    let device = Unreliable::new(vec![0xff; REGION as usize]);
    open(&device).unwrap().create_table(schema()).unwrap();
    (0..calls)
        .map(|number| {
            let image = device.image();
            device.take_done();
            let mut database = open(&device).unwrap();
            let opening = device.take_done();
            let before = rows(&database);
            device.take_done();
            let logs = device.0.lock().unwrap().logs;
            make(&mut database, number).unwrap();
            let done = device.take_done();
            let begins_log = device.0.lock().unwrap().logs > logs;
            Step { image, opening, done, begins_log, before, after: rows(&database) }
        })
        .collect()
}

fn is_device<T: std::fmt::Debug>(result: &Result<T, DatabaseError>) -> bool {
    matches!(result, Err(DatabaseError::Storage(StorageError::Device { .. })))
}

pub(super) fn places(what: What, counts: [u64; 3]) -> u64 {
    match what {
        What::Read => counts[0],
        What::Write | What::HalfWrite => counts[1],
        What::Erase | What::HalfErase => counts[2],
    }
}

/// A call during which the device refuses something; then it is repaired and the calls go on.
fn refuse_in_call(step: &Step, number: u64, what: What, at: u64, times: u64) {
    let place = format!("call {number}, {what:?} {at}, {times} times");
    let device = Unreliable::new(step.image.clone());
    let mut database = open(&device).unwrap();
    device.refuse(what, at, times);
    let made = make(&mut database, number);
    assert!(made.is_ok() || is_device(&made), "{place}: {made:?}");
    assert!(device.repair(times), "{place} was not refused");
    let found = rows(&database);
    let expected = if made.is_ok() { &step.after } else { &step.before };
    assert_eq!(found, *expected, "{place}: {made:?}");
    database.storage().verify().unwrap_or_else(|error| panic!("{place}: {error}"));
    // The same database goes on, and so does another one over the same device.
    make(&mut database, number).unwrap_or_else(|error| panic!("{place}, again: {error}"));
    make(&mut database, number + 1).unwrap();
    let found = rows(&database);
    drop(database);
    let database = open(&device).unwrap_or_else(|error| panic!("{place}, reopened: {error}"));
    assert_eq!(rows(&database), found, "{place}");
    database.check().unwrap();
}

#[test]
fn device_that_refuses_anything_in_a_call_is_a_named_error_and_the_database_goes_on() {
    let (every, mut tried) = (sampling::every(), 0);
    let steps = steps(110);
    assert!(steps.iter().any(|step| step.begins_log));
    for (number, step) in steps.iter().enumerate().skip(30).step_by(3) {
        for what in ALL {
            // Reads are many, and most of them alike.
            let stride = if what == What::Read { 7 } else { 1 };
            for at in (0..places(what, step.done)).step_by(every * stride) {
                for times in [1, u64::MAX] {
                    refuse_in_call(step, number as u64, what, at, times);
                    tried += 1;
                }
            }
        }
    }
    println!("{tried} refusals in calls");
    assert!(tried * every > 1_000, "{tried}");
}

#[test]
fn device_that_refuses_anything_while_a_region_is_opened_is_a_named_error() {
    let mut tried = 0;
    let fresh = Unreliable::new(vec![0xff; REGION as usize]);
    open(&fresh).unwrap();
    let empty = Step {
        image: vec![0xff; REGION as usize],
        opening: fresh.take_done(),
        done: [0; 3],
        begins_log: false,
        before: Rows::new(),
        after: Rows::new(),
    };
    let mut all = steps(40);
    all.push(empty);
    for step in all.iter().rev().step_by(sampling::every().min(8)) {
        for what in ALL {
            let places = places(what, step.opening);
            for at in (0..places).step_by(places as usize / 30 + 1) {
                let device = Unreliable::new(step.image.clone());
                device.refuse(what, at, 1);
                let opened = open(&device);
                let opened = opened.map(drop);
                assert!(opened.is_ok() || is_device(&opened), "{what:?} {at}: {opened:?}");
                assert!(device.repair(1), "{what:?} {at} was not refused");
                let database =
                    open(&device).unwrap_or_else(|error| panic!("{what:?} {at}: {error}"));
                database.check().unwrap();
                if database.table_id("t").is_some() {
                    assert_eq!(rows(&database), step.before);
                }
                tried += 1;
            }
        }
    }
    println!("{tried} refusals while opening");
    assert!(tried > 100);
}
