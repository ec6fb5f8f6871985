//! A host over flash: what a plugin and an embedder see when the device fails in the middle of a
//! call, and that reading writes nothing.

use crate::{all_storages, durable};
use all_storages::{REGION, Shared};
use durable::{Station, Step, entries, job};
use sochdb_wasmi::{
    database::{DatabaseError, FlashStorage, StorageError},
    host::CallError,
};

fn opened(device: &Shared) -> Station<FlashStorage<Shared>> {
    Station::open(FlashStorage::open(device.clone(), 0..REGION).unwrap())
}

#[test]
fn device_that_fails_in_a_call_is_named_and_the_call_leaves_nothing() {
    let device = Shared::new(32);
    let mut station = opened(&device);
    let steps = job(12, 4);
    let (before, rest) = steps.split_at(5);
    before.iter().for_each(|step| drop(station.take(step).unwrap()));
    let [Step::Call { entry: "ingest", .. }, ..] = rest else { panic!("another step") };
    let held = entries(station.storage());
    let (mut read, mut commit) = (0, 0);
    for after in [0, 1, 17, 400, 900] {
        device.fail_after(after);
        match station.take(&rest[0]).unwrap_err() {
            // A host call fails; the plugin gives up, and says why.
            CallError::Failed { last_error, .. } => {
                assert!(
                    last_error.contains("the store's device failed with code 3"),
                    "{last_error}"
                );
                read += 1;
            }
            CallError::Commit(error) => {
                let failed = DatabaseError::Storage(StorageError::Device { code: 3 });
                assert_eq!(error, failed);
                commit += 1;
            }
            error => panic!("{error}"),
        }
        device.power_on();
        assert_eq!(entries(station.storage()), held);
        station.host.database().check().unwrap();
    }
    assert!(read == 1 && commit == 4, "{read} while reading, {commit} while committing");
    // And it goes on.
    rest.iter().for_each(|step| drop(station.take(step)));
    station.host.database().check().unwrap();
    let ended = entries(station.storage());
    drop(station);
    assert_eq!(entries(opened(&device).storage()), ended);
}

#[test]
fn call_that_only_reads_writes_nothing() {
    let device = Shared::new(32);
    let mut station = opened(&device);
    let counts = || device.0.lock().unwrap().counts;
    let mut quiet = 0;
    for step in job(12, 4) {
        let before = counts();
        let outcome = station.take(&step);
        let after = counts();
        let Step::Call { entry, writes, .. } = &step else { continue };
        if !writes {
            assert!(after.read > before.read, "{entry} read nothing");
            assert_eq!((after.written, after.erased), (before.written, before.erased), "{entry}");
            quiet += 1;
        } else {
            assert!(after.written > before.written, "{entry}: {outcome:?}");
        }
    }
    // Two questions, a batch that is refused and a call that never ends.
    assert_eq!(quiet, 4);
}
