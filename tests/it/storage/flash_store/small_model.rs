//! Every short history of a small store: all sequences of a few batches, the power cut at every place of the last
//! one, and again at every place of the recovery. What random runs sample, this goes through whole.

use super::*;

/// What one batch can be: values that fit a log, fill a page, are several entries, or go.
fn batches() -> Vec<Edits> {
    let edits = |edits: &[(u8, Option<usize>)]| {
        edits.iter().map(|&(key, len)| (vec![key], len.map(|len| vec![key; len]))).collect()
    };
    vec![
        edits(&[(1, Some(3))]),
        edits(&[(1, Some(1900)), (2, Some(1))]),
        edits(&[(1, None)]),
        edits(&[(2, Some(600)), (3, Some(600))]),
        edits(&[(1, Some(250)), (2, None), (4, Some(3))]),
    ]
}

struct Counted {
    histories: u64,
    cuts: u64,
    again: u64,
}

/// Cuts the power at every place of a batch on a store with these contents.
fn cut_everywhere(start: &Flash<4, 4096>, before: &Model, edits: &Edits, counted: &mut Counted) {
    let after = edited(before, edits);
    let mut store = open(start.clone()).unwrap();
    apply(&mut store, edits).unwrap();
    assert_eq!(contents(&store, false).unwrap(), after);
    let took = steps(&store.into_flash().unwrap()) - steps(start);
    let stride = if cfg!(debug_assertions) { 5 } else { 1 } * sampling::every();
    for at in (counted.histories % stride as u64..took).step_by(stride) {
        let mut flash = start.clone();
        let mut cut = FlashStorage::open(&mut flash, 0..flash_len()).unwrap();
        cut.with_flash(|flash| flash.fail_after(at));
        let made = apply(&mut cut, edits);
        drop(cut);
        flash.power_on();
        let found = recovered(&flash, counted);
        assert!(found == after || found == *before && made.is_err(), "place {at} of {took}");
        counted.cuts += 1;
    }
}

fn flash_len() -> u32 {
    PAGES as u32 * 4096
}

/// What is there after recovery, which is the same if the power is cut at any place of it.
fn recovered(flash: &Flash<4, 4096>, counted: &mut Counted) -> Model {
    let store = open(flash.clone()).unwrap();
    let found = contents(&store, false).unwrap();
    let took = steps(&store.into_flash().unwrap()) - steps(flash);
    for at in 0..took {
        let mut cut = flash.clone();
        cut.fail_after(at);
        let _ = FlashStorage::open(&mut cut, 0..flash_len());
        cut.power_on();
        let again = open(cut).unwrap();
        assert_eq!(contents(&again, false).unwrap(), found, "place {at} of the recovery");
        again.verify().unwrap();
        counted.again += 1;
    }
    found
}

fn go_on(flash: &Flash<4, 4096>, model: &Model, left: u32, counted: &mut Counted) {
    for edits in batches() {
        // Nothing to delete is no batch.
        if edited(model, &edits) == *model {
            continue;
        }
        counted.histories += 1;
        cut_everywhere(flash, model, &edits, counted);
        if left > 1 {
            let mut store = open(flash.clone()).unwrap();
            apply(&mut store, &edits).unwrap();
            let next = store.into_flash().unwrap();
            go_on(&next, &edited(model, &edits), left - 1, counted);
        }
    }
}

#[test]
fn every_short_history_cut_at_every_place_and_again_in_its_recovery_is_before_or_after() {
    let fresh = open(erased::<4, 4096>()).unwrap().into_flash().unwrap();
    let mut counted = Counted { histories: 0, cuts: 0, again: 0 };
    let batches = if cfg!(debug_assertions) { 3 } else { 4 };
    go_on(&fresh, &Model::new(), batches, &mut counted);
    let Counted { histories, cuts, again } = counted;
    println!(
        "{histories} histories of up to {batches} batches, {cuts} cuts, {again} in recoveries"
    );
    assert!(histories > 50 && cuts * sampling::every() as u64 > 500);
}
