//! The store on flash below the engine: batches of all sizes on flash of every shape, beside a plain map.
//! The power fails in the middle of a batch and again while the store recovers, the region is damaged,
//! the store is filled and emptied.
//!
//! A story of the first draft: large batches went through a journal that no test cut the power of, and a
//! full store could be left with too few pages to delete anything.

mod damages;
mod salvage;
mod small_model;
mod worn;

use super::flash_device::{ALL, Unreliable, places};
use crate::{nor_flash, random::Random, sampling};
use std::{collections::BTreeMap, ops::ControlFlow};

use nor_flash::{ERASE_STEPS, SimulatedFlash};
use sochdb_wasmi::database::{Changes, FlashStorage, KeyRange, Storage, StorageError};

type Flash<const WORD: usize, const ERASE: usize> = SimulatedFlash<Vec<u8>, WORD, ERASE>;
type Store<const WORD: usize, const ERASE: usize> = FlashStorage<Flash<WORD, ERASE>>;
type Model = BTreeMap<Vec<u8>, Vec<u8>>;
/// What a batch does: a value for each key, or none to delete it.
type Edits = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

const PAGES: usize = 24;

impl Random {
    /// A key of one of three kinds: short, with a long common beginning, or long.
    fn key(&mut self) -> Vec<u8> {
        let n = self.below(600) as u16;
        match n % 9 {
            0 => vec![5, n as u8],
            1 => [&[9; 126][..], &n.to_be_bytes()].concat(),
            _ => [&b"row of a table "[..], &n.to_be_bytes()].concat(),
        }
    }

    fn edits(&mut self, most: u64) -> Edits {
        let count = 1 + self.below(most);
        let lens = [0, 1, 34, 34, 34, 90, 256, 257, 700, 4096];
        (0..count)
            .map(|_| {
                let key = self.key();
                let len = lens[self.below(if most > 20 { 8 } else { 10 }) as usize];
                let byte = self.below(256) as u8;
                (key, (self.below(3) > 0).then(|| vec![byte; len]))
            })
            .collect()
    }
}

fn page<const ERASE: usize>() -> usize {
    ERASE.max(4096)
}

fn erased<const WORD: usize, const ERASE: usize>() -> Flash<WORD, ERASE> {
    Flash::new(vec![0xff; PAGES * page::<ERASE>()])
}

fn open<const WORD: usize, const ERASE: usize>(
    flash: Flash<WORD, ERASE>,
) -> Result<Store<WORD, ERASE>, StorageError> {
    FlashStorage::open(flash, 0..(PAGES * page::<ERASE>()) as u32)
}

fn contents<S: Storage>(storage: &S, reverse: bool) -> Result<Model, StorageError> {
    let mut found = Model::new();
    let all = KeyRange { lower: &[], upper: None };
    storage.scan(all, reverse, &mut |key, value| {
        assert!(found.insert(key.to_vec(), value.to_vec()).is_none(), "a key twice");
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn apply<S: Storage>(storage: &mut S, edits: &Edits) -> Result<(), StorageError> {
    let mut changes = Changes::default();
    for (key, value) in edits {
        changes.put(storage, key, value.as_deref())?;
    }
    storage.apply(&changes.batch())
}

fn edited(model: &Model, edits: &Edits) -> Model {
    let mut model = model.clone();
    for (key, value) in edits {
        match value {
            Some(value) => drop(model.insert(key.clone(), value.clone())),
            None => drop(model.remove(key)),
        }
    }
    model
}

/// Places in what a flash did where the power can fail.
fn steps<const WORD: usize, const ERASE: usize>(flash: &Flash<WORD, ERASE>) -> u64 {
    flash.counts.written + flash.counts.erased * ERASE_STEPS
}

/// Opens a region, and the power fails once more meanwhile, at a place that `random` picks.
fn open_cut_again<const WORD: usize, const ERASE: usize>(
    mut flash: Flash<WORD, ERASE>,
    random: &mut Random,
) -> Flash<WORD, ERASE> {
    let region = 0..flash.memory().len() as u32;
    let whole = FlashStorage::open(flash.clone(), region.clone())
        .map(|store| steps(&store.into_flash().unwrap()));
    let needed = whole.unwrap_or_else(|error| panic!("{error}")) - steps(&flash);
    let mut cut = flash;
    if needed > 0 {
        cut.fail_after(random.below(needed));
        let mut device = cut;
        let _ = FlashStorage::open(&mut device, region);
        device.power_on();
        cut = device;
    }
    cut
}

fn survives_cuts<const WORD: usize, const ERASE: usize>(batches: u32) {
    let mut random = Random(WORD as u64 * 31 + ERASE as u64);
    let (mut model, mut store) = (Model::new(), open(erased::<WORD, ERASE>()).unwrap());
    let (mut cuts, mut after, mut full) = (0, 0, 0);
    for number in 0..batches {
        let most = [1, 3, 3, 16, 150][random.below(5) as usize];
        let edits = random.edits(most);
        let next = edited(&model, &edits);
        let before = store.with_flash(|flash| flash.clone()).unwrap();
        match apply(&mut store, &edits) {
            Ok(()) => {}
            Err(StorageError::Full(_)) => {
                full += 1;
                assert_eq!(contents(&store, false).unwrap(), model);
                // Half of what is there goes.
                let some: Edits = model.keys().step_by(2).map(|key| (key.clone(), None)).collect();
                for part in some.into_iter().collect::<Vec<_>>().chunks(10) {
                    let part: Edits = part.iter().cloned().collect();
                    apply(&mut store, &part).unwrap();
                    model = edited(&model, &part);
                }
                continue;
            }
            Err(error) => panic!("batch {number}: {error}"),
        }
        let took = store.with_flash(|flash| steps(flash)).unwrap() - steps(&before);
        if number % 2 == 0 && took > 0 {
            let mut cut = open(before).unwrap();
            cut.with_flash(|flash| flash.fail_after(random.below(took)));
            let made = apply(&mut cut, &edits);
            let mut flash = cut.into_flash().unwrap();
            flash.power_on();
            let flash = open_cut_again(open_cut_again(flash, &mut random), &mut random);
            store = open(flash).unwrap_or_else(|error| panic!("batch {number}: {error}"));
            let found = contents(&store, false).unwrap();
            let whole = found == next;
            assert!(whole || found == model, "batch {number}: neither before nor after");
            assert!(whole || made.is_err(), "batch {number}: finished and gone");
            (cuts, after) = (cuts + 1, after + u32::from(whole));
            if !whole {
                apply(&mut store, &edits)
                    .unwrap_or_else(|error| panic!("{number}, again: {error}"));
            }
        }
        model = next;
        if number % 16 == 0 {
            store.verify().unwrap();
            assert_eq!(contents(&store, true).unwrap(), model, "batch {number}, backwards");
            for key in model.keys().step_by(7) {
                let found = store.get(key, |value| value.to_vec()).unwrap();
                assert_eq!(found.as_ref(), model.get(key), "batch {number}");
            }
        }
    }
    assert_eq!(contents(&store, false).unwrap(), model);
    println!(
        "words {WORD}, blocks {ERASE}: {batches} batches, {cuts} cut, {after} of them made, {full} times full"
    );
}

/// How many of so many cases are run: all in a release build, a part of them in a debug build.
fn cases(all: u32) -> u32 {
    (all / if cfg!(debug_assertions) { 10 } else { 1 } / sampling::every() as u32).max(1)
}

#[test]
fn batches_of_all_sizes_survive_two_cuts_in_a_row_on_flash_of_every_shape() {
    survives_cuts::<1, 4096>(cases(3000));
    survives_cuts::<2, 2048>(cases(2000));
    survives_cuts::<4, 4096>(cases(3000));
    survives_cuts::<8, 2048>(cases(2000));
    survives_cuts::<8, 4096>(cases(2000));
    survives_cuts::<16, 8192>(cases(2000));
    survives_cuts::<32, 4096>(cases(2000));
    survives_cuts::<32, 16384>(cases(1000));
}

/// A store that is filled so far, in hundredths, or until it is full.
fn filled(hundredths: u64) -> (Store<4, 4096>, Model) {
    let mut random = Random(5);
    let (mut store, mut model) = (open(erased::<4, 4096>()).unwrap(), Model::new());
    let mut refused = 0;
    while store.bytes() * 100 < store.capacity() * hundredths && refused < 40 {
        let edits = random.edits(2);
        match apply(&mut store, &edits) {
            Ok(()) => model = edited(&model, &edits),
            Err(StorageError::Full(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    (store, model)
}

/// The region of a store whose batches go through a journal.
const LARGE: u32 = 64 * 4096;

/// A store, what it holds, and a batch that needs more new pages than are free, so that it goes through
/// a journal.
fn before_a_journal() -> (Store<4, 4096>, Model, Edits) {
    let flash = Flash::<4, 4096>::new(vec![0xff; LARGE as usize]);
    let mut store = FlashStorage::open(flash, 0..LARGE).unwrap();
    let key = |n: u32| [&b"row "[..], &(n * 7919 % 1000).to_be_bytes()].concat();
    let mut before = Model::new();
    for n in 0..900 {
        let edits = Edits::from([(key(n), Some(vec![n as u8; 90]))]);
        apply(&mut store, &edits).unwrap();
        before = edited(&before, &edits);
    }
    // Every leaf is changed, and none has room for it.
    let edits = (0..900).step_by(3).map(|n| (key(n), (n % 4 > 0).then(|| vec![!n as u8; 160])));
    (store, before, edits.collect())
}

#[test]
fn cut_anywhere_in_a_batch_that_goes_through_a_journal_and_in_its_recovery_leaves_before_or_after()
{
    let (mut store, before, edits) = before_a_journal();
    let after = edited(&before, &edits);
    let start = store.with_flash(|flash| flash.clone()).unwrap();
    apply(&mut store, &edits).unwrap();
    let mut random = Random(77);
    let took = store.with_flash(|flash| steps(flash)).unwrap() - steps(&start);
    let stride = if cfg!(debug_assertions) { 401 } else { 31 } * sampling::every();
    let (mut places, mut made_late) = (0, 0);
    for at in (0..took).step_by(stride) {
        let mut flash = start.clone();
        let mut cut = FlashStorage::open(&mut flash, 0..LARGE).unwrap();
        cut.with_flash(|flash| flash.fail_after(at));
        let made = apply(&mut cut, &edits);
        drop(cut);
        flash.power_on();
        let store = FlashStorage::open(open_cut_again(flash, &mut random), 0..LARGE)
            .unwrap_or_else(|error| panic!("place {at}: {error}"));
        let found = contents(&store, false).unwrap();
        assert!(found == after || found == before && made.is_err(), "place {at}: {made:?}");
        store.verify().unwrap();
        (places, made_late) = (places + 1, made_late + u32::from(found == after));
    }
    println!("{places} of {took} places, {made_late} after the commit");
    // A journal is committed long before it is carried out; any other batch with its last record.
    let all = sampling::every() == 1;
    assert!(!all || made_late * 4 > places && places > made_late);
}

#[test]
fn full_store_can_be_emptied_in_one_batch_or_entry_by_entry() {
    for at_once in [1, 7, 1000] {
        let (mut store, mut model) = filled(101);
        let (held, mut rounds) = (model.len(), 0);
        while !model.is_empty() {
            let all: Edits = model.keys().take(at_once).map(|key| (key.clone(), None)).collect();
            apply(&mut store, &all).unwrap_or_else(|error| panic!("{at_once} at once: {error}"));
            model = edited(&model, &all);
            rounds += 1;
        }
        assert_eq!(contents(&store, false).unwrap(), Model::new());
        store.verify().unwrap();
        println!("{held} entries deleted in {rounds} batches");
        // And it takes as much again.
        let full = |store: &Store<4, 4096>| store.bytes() * 10 > store.capacity() * 8;
        let mut random = Random(6);
        for _ in 0..1000 {
            let _ = apply(&mut store, &random.edits(2));
            if full(&store) {
                break;
            }
        }
        assert!(full(&store));
    }
}

#[test]
fn device_that_refuses_anything_in_a_batch_that_goes_through_a_journal_is_a_named_error() {
    let (store, before, edits) = before_a_journal();
    let after = edited(&before, &edits);
    let image = store.into_flash().unwrap().memory().to_vec();
    let device = Unreliable::new(image.clone());
    let mut store = FlashStorage::open(device.clone(), 0..LARGE).unwrap();
    device.take_done();
    apply(&mut store, &edits).unwrap();
    let done = device.take_done();
    let (mut tried, mut named) = (0, 0);
    for what in ALL {
        let places = places(what, done);
        let tries = if cfg!(debug_assertions) { 12 } else { 120 };
        for at in (0..places).step_by((places as usize / tries).max(1) * sampling::every()) {
            for times in [1, u64::MAX] {
                let place = format!("{what:?} {at} of {places}, {times} times");
                let device = Unreliable::new(image.clone());
                let mut store = FlashStorage::open(device.clone(), 0..LARGE).unwrap();
                device.refuse(what, at, times);
                let made = apply(&mut store, &edits);
                assert!(
                    matches!(made, Ok(()) | Err(StorageError::Device { .. })),
                    "{place}: {made:?}"
                );
                device.repair(times);
                let found = contents(&store, false).unwrap_or_else(|e| panic!("{place}: {e}"));
                assert!(found == after || found == before && made.is_err(), "{place}: {made:?}");
                apply(&mut store, &edits).unwrap_or_else(|e| panic!("{place}, again: {e}"));
                drop(store);
                let store = FlashStorage::open(device, 0..LARGE).unwrap();
                assert_eq!(contents(&store, false).unwrap(), after, "{place}");
                store.verify().unwrap();
                (tried, named) = (tried + 1, named + u32::from(made.is_err()));
            }
        }
    }
    println!("{tried} refusals in a batch with a journal, {named} of them errors of it");
    assert!(named * sampling::every() as u32 > 10);
}

/// The RAM of a store is a number of the user's: with less than the least it is refused by name and nothing is
/// written; with the least, and with any more, the same batches give the same contents.
#[test]
fn a_store_has_the_ram_that_it_is_given_or_says_that_it_needs_more() {
    let region = 0..(PAGES * page::<4096>()) as u32;
    let least = Store::<4, 4096>::least_ram(region.end);
    let mut flash = erased::<4, 4096>();
    for ram in [0, least / 2, least - 1] {
        let refused = FlashStorage::open_with_ram(&mut flash, region.clone(), ram).err();
        assert!(
            matches!(refused, Some(StorageError::Unsuitable { what }) if what.contains("least_ram")),
            "{refused:?} with {ram} bytes"
        );
    }
    assert_eq!((flash.counts.written, flash.counts.erased), (0, 0));

    let of = |ram| {
        let mut random = Random(7);
        let mut store =
            FlashStorage::open_with_ram(erased::<4, 4096>(), region.clone(), ram).unwrap();
        let mut model = Model::new();
        for _ in 0..60 {
            let edits = random.edits(12);
            match apply(&mut store, &edits) {
                Ok(()) => model = edited(&model, &edits),
                Err(error) => assert!(matches!(error, StorageError::Full(_)), "{error}"),
            }
        }
        assert!(model.len() > 10);
        assert_eq!(contents(&store, false).unwrap(), model, "with {ram} bytes");
        store.into_flash().unwrap().memory().to_vec()
    };
    let bytes = of(least);
    assert!([least + 1, least + 100, 4 * least].into_iter().all(|ram| of(ram) == bytes));
}
