//! Regions that are not as any store left them: opening, reading and writing them ends in a named
//! error or goes well, and never in a panic.

use crate::{all_storages, nor_flash, sampling};
use all_storages::{REGION, Rows, Statement, rows, run, schema};
use nor_flash::SimulatedFlash;
use proptest::prelude::*;
use sochdb_wasmi::{
    abi::message::WriteMode,
    database::{Database, FlashStorage, KeyRange, Storage},
};

type Flash = SimulatedFlash<Vec<u8>, 4>;

/// A store in the state that it had after so many calls.
fn image(calls: u64) -> Vec<u8> {
    let mut flash = Flash::new(vec![0xff; REGION as usize]);
    let storage = FlashStorage::open(&mut flash, 0..REGION).unwrap();
    let mut database = Database::open(storage).unwrap();
    database.create_table(schema()).unwrap();
    for call in 0..calls {
        run(&mut database, &write(call % 50, call)).unwrap();
        database.commit().unwrap();
    }
    drop(database);
    flash.memory().to_vec()
}

fn write(id: u64, call: u64) -> Statement {
    let text = format!("what call {call} wrote there");
    Statement::Write(WriteMode::Upsert, Some(id), (1000 + call as i64, Some(text)))
}

/// Does whatever can be done to a region.
fn use_up(image: Vec<u8>) -> Option<Rows> {
    let storage = FlashStorage::open(Flash::new(image), 0..REGION).ok()?;
    let _ = storage.verify();
    for reverse in [false, true] {
        let all = KeyRange { lower: &[], upper: None };
        let _ = storage.scan(all, reverse, &mut |_, _| std::ops::ControlFlow::Continue(()));
    }
    let mut database = Database::open(storage).ok()?;
    let sound = database.check().is_ok();
    let held = sound.then(|| rows(&database));
    for call in 0..30 {
        let written =
            run(&mut database, &write(call, 5000 + call)).and_then(|()| database.commit());
        if written.is_err() {
            database.rollback();
        }
    }
    let _ = database.check();
    held
}

#[derive(Clone, Debug)]
enum Damage {
    /// A byte is another.
    Byte(usize, u8),
    /// Bytes are all the same.
    Fill(usize, usize, u8),
    /// A page is that of an older state.
    Older(usize),
    /// Two pages change places.
    Swap(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let (at, page) = (0..REGION as usize, 0..REGION as usize / 4096);
    prop_oneof![
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        (at, 1..5000usize, any::<u8>()).prop_map(|(at, len, byte)| Damage::Fill(at, len, byte)),
        page.clone().prop_map(Damage::Older),
        page.clone().prop_map(Damage::Older),
        (page.clone(), page).prop_map(|(one, other)| Damage::Swap(one, other)),
    ]
}

proptest! {
    #![proptest_config(crate::random::exactly(1))]

    #[test]
    fn no_region_makes_the_database_panic(
        // One case with many: making the images takes longer than using them up.
        cases in proptest::collection::vec(proptest::collection::vec(damage(), 1..5), 300 / sampling::every()),
    ) {
        let (older, newer) = (image(61), image(83));
        let sound = use_up(newer.clone());
        prop_assert!(sound.is_some());
        let (mut opened, all) = (0, cases.len());
        for damages in cases {
            let mut bytes = newer.clone();
            for damage in &damages {
                match *damage {
                    Damage::Byte(at, byte) => bytes[at] = byte,
                    Damage::Fill(at, len, byte) => {
                        let end = bytes.len().min(at + len);
                        bytes[at..end].fill(byte);
                    }
                    Damage::Older(page) => {
                        let part = page * 4096..(page + 1) * 4096;
                        bytes[part.clone()].copy_from_slice(&older[part]);
                    }
                    Damage::Swap(one, other) => {
                        let page = bytes[one * 4096..(one + 1) * 4096].to_vec();
                        bytes.copy_within(other * 4096..(other + 1) * 4096, one * 4096);
                        bytes[other * 4096..(other + 1) * 4096].copy_from_slice(&page);
                    }
                }
            }
            opened += usize::from(use_up(bytes).is_some());
        }
        println!("{opened} of {all} damaged regions could be used");
    }
}
