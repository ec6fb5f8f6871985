//! Power failures at every point of the weather job on flash: what is found afterwards is exactly
//! the database before or after the call that was interrupted.

mod durable;
mod nor_flash;
#[path = "../examples/station/mod.rs"]
mod station;

use std::sync::{Arc, Mutex};

use durable::{Entries, Station, Step, entries, forwards, job};
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use nor_flash::{ERASE_STEPS, Fault, SimulatedFlash};
use sochdb_wasmi::database::{Database, FlashStorage};

/// Something that changes a flash.
#[derive(Clone, Debug)]
enum Change {
    Write(u32, Vec<u8>),
    Erase(u32, u32),
}

impl Change {
    /// Places where the power can fail.
    fn steps(&self) -> u64 {
        match self {
            Self::Write(_, bytes) => bytes.len() as u64,
            Self::Erase(..) => ERASE_STEPS,
        }
    }

    fn make(&self, flash: &mut impl NorFlash<Error = Fault>) -> Result<(), Fault> {
        match self {
            Self::Write(offset, bytes) => flash.write(*offset, bytes),
            Self::Erase(from, to) => flash.erase(*from, *to),
        }
    }
}

type Flash<const WORD: usize> = SimulatedFlash<Vec<u8>, WORD>;

/// A flash that keeps a list of its changes.
struct Recorded<const WORD: usize> {
    flash: Flash<WORD>,
    changes: Arc<Mutex<Vec<Change>>>,
}

impl<const WORD: usize> ErrorType for Recorded<WORD> {
    type Error = Fault;
}

impl<const WORD: usize> ReadNorFlash for Recorded<WORD> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        self.flash.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl<const WORD: usize> NorFlash for Recorded<WORD> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = nor_flash::BLOCK;

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.changes.lock().unwrap().push(Change::Write(offset, bytes.to_vec()));
        self.flash.write(offset, bytes)
    }

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        self.changes.lock().unwrap().push(Change::Erase(from, to));
        self.flash.erase(from, to)
    }
}

const REGION: u32 = 32 * 4096;

/// Runs the job once; returns the entries after each step and the changes that it made.
fn recorded<const WORD: usize>(steps: &[Step]) -> Vec<(Entries, Vec<Change>)> {
    let changes = Arc::new(Mutex::new(Vec::new()));
    let flash = Recorded { flash: Flash::<WORD>::new(vec![0xff; REGION as usize]), changes };
    let changes = flash.changes.clone();
    let mut station = Station::open(FlashStorage::open(flash, 0..REGION).unwrap());
    let mut done = vec![(Entries::new(), std::mem::take(&mut *changes.lock().unwrap()))];
    for step in steps {
        let outcome = station.take(step);
        let made = std::mem::take(&mut *changes.lock().unwrap());
        if let Step::Call { entry, writes, .. } = step {
            assert_eq!(*writes, !made.is_empty(), "{entry}: {outcome:?}");
        }
        station.host.database().check().unwrap();
        station.storage().verify().unwrap();
        done.push((entries(station.storage()), made));
    }
    assert!(changes.lock().unwrap().is_empty(), "looking at it wrote");
    done
}

/// Cuts the power at every place of the job. Returns how many there were.
fn cut_everywhere<const WORD: usize>() -> u64 {
    let steps = job(12, 4);
    let recorded = recorded::<WORD>(&steps);
    let mut flash = Flash::<WORD>::new(vec![0xff; REGION as usize]);
    let mut before = &Entries::new();
    let mut places = 0;
    for (at, (after, changes)) in recorded.iter().enumerate() {
        for (number, change) in changes.iter().enumerate() {
            for step in 0..change.steps() {
                let mut cut = flash.clone();
                cut.fail_after(step);
                assert_eq!(change.make(&mut cut), Err(Fault::NoPower));
                cut.power_on();
                let place = format!("step {at}, change {number}, {step} of {change:?}");
                let storage = FlashStorage::open(cut, 0..REGION)
                    .unwrap_or_else(|error| panic!("{place}: {error}"));
                let found = forwards(&storage);
                // Nothing of a call is there before its last change was begun.
                let whole = found == *after && number + 1 == changes.len();
                assert!(found == *before || whole, "{place}: neither before nor after");
                places += 1;
                if places % 97 == 0 {
                    goes_on(storage, &found, before, after, at.checked_sub(1).map(|at| &steps[at]));
                }
            }
            change.make(&mut flash).unwrap();
        }
        before = after;
    }
    places
}

/// After a cut, the database is sound, and the call can be made again and ends as it did.
fn goes_on<const WORD: usize>(
    storage: FlashStorage<Flash<WORD>>,
    found: &Entries,
    before: &Entries,
    after: &Entries,
    step: Option<&Step>,
) {
    storage.verify().unwrap();
    assert_eq!(entries(&storage), *found);
    Database::open(storage).unwrap().check().unwrap();
    let _ = (before, after, step);
}

#[test]
fn power_failure_anywhere_leaves_the_database_before_or_after_the_call() {
    let bytes = cut_everywhere::<1>();
    println!("{bytes} places of a power failure tried, on flash with words of 1 byte");
    assert!(bytes > 1000);
}
