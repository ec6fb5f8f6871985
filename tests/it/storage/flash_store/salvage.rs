//! Regions that are damaged beyond their checksums: what is whole can be read, what is not is reported, and the
//! device is not written.
//!
//! A story of format 2: one damaged byte in the commit log made every row of a store unreadable, whole or not.

use super::{damages::aged, *};
use sochdb_wasmi::database::SalvagedFlash;

const REGION: u32 = PAGES as u32 * 4096;

fn salvaged(bytes: Vec<u8>) -> Result<(SalvagedFlash, Model), StorageError> {
    let mut flash = Flash::<4, 4096>::new(bytes);
    let salvaged = SalvagedFlash::read(&mut flash, 0..REGION);
    assert_eq!((flash.counts.written, flash.counts.erased), (0, 0), "it was written");
    let salvaged = salvaged?;
    let found = contents(&salvaged, false)?;
    assert_eq!(contents(&salvaged, true)?, found);
    assert_eq!(salvaged.report().entries, found.len() as u64);
    Ok((salvaged, found))
}

#[test]
fn whole_region_is_salvaged_whole() {
    let (image, model) = aged();
    let (salvaged, found) = salvaged(image).unwrap();
    assert_eq!(found, model);
    let report = salvaged.report();
    assert!(report.log_is_whole && report.damaged_pages.is_empty() && report.incomplete == 0);
    assert_eq!(report.expected_entries, Some(model.len() as u64));
    for (key, value) in &model {
        assert_eq!(salvaged.get(key, |found| found == value), Ok(Some(true)));
    }
    assert_eq!(salvaged.get(b"another key", |_| ()), Ok(None));
}

#[test]
fn what_was_salvaged_can_only_be_read() {
    let (mut salvaged, found) = salvaged(aged().0).unwrap();
    let key = found.keys().next().unwrap().clone();
    let refused = apply(&mut salvaged, &Edits::from([(key, None)])).unwrap_err();
    assert!(matches!(refused, StorageError::Unsuitable { what } if what.contains("only be read")));
    assert_eq!(contents(&salvaged, false).unwrap(), found);
}

/// The page of the newest commit log.
fn log_page(image: &[u8]) -> usize {
    let serial = |page: &[u8]| u32::from_le_bytes(page[8..12].try_into().unwrap());
    let logs = image.chunks(4096).enumerate().filter(|(_, page)| page.starts_with(b"SoF2\x02"));
    logs.max_by_key(|(_, page)| serial(page)).unwrap().0
}

#[test]
fn without_its_commit_log_every_row_is_salvaged() {
    let (image, model) = aged();
    let log = log_page(&image) * 4096;
    for damage in 0..3 {
        let mut bytes = image.clone();
        match damage {
            0 => bytes[log..log + 4096].fill(0xff),
            1 => bytes[log..log + 4096].fill(0),
            _ => bytes[log + 40..log + 44].fill(0x55),
        }
        let flash = Flash::<4, 4096>::new(bytes.clone());
        assert!(matches!(open(flash), Err(StorageError::Corrupt { .. })));
        let (salvaged, found) = salvaged(bytes).unwrap();
        let report = salvaged.report();
        assert!(!report.log_is_whole && report.expected_entries.is_none());
        for (key, value) in &model {
            assert_eq!(found.get(key), Some(value), "damage {damage}");
        }
        println!("{} entries were there, {} are salvaged without a log", model.len(), found.len());
    }
}

#[test]
fn damaged_leaves_cost_no_more_than_what_was_on_them_and_are_reported() {
    let (image, model) = aged();
    let (log, mut random) = (log_page(&image), Random(19));
    let (mut lost, mut damaged) = (0, 0);
    for number in 0..cases(3000) {
        let mut bytes = image.clone();
        let mut pages = Vec::new();
        for _ in 0..=random.below(3) {
            let page = random.below(PAGES as u64) as usize;
            if page == log {
                continue;
            }
            pages.push((page * 4096) as u32);
            let (at, len) = (random.below(4000) as usize, 1 + random.below(96) as usize);
            match random.below(3) {
                0 => bytes[page * 4096..(page + 1) * 4096].fill(0xff),
                1 => bytes[page * 4096 + at..page * 4096 + at + len].fill(random.below(256) as u8),
                _ => bytes[page * 4096 + at] ^= 0x66,
            }
        }
        let (salvaged, found) = salvaged(bytes).unwrap();
        let report = salvaged.report();
        assert!(report.log_is_whole, "{number}");
        assert!(report.damaged_pages.iter().all(|page| pages.contains(page)), "{number}");
        for (key, value) in &found {
            // An entry that is lost may show the one before it, or one that was deleted.
            let right = model.get(key) == Some(value);
            assert!(right || !report.damaged_pages.is_empty(), "{number}: {key:?}");
        }
        if report.damaged_pages.is_empty() {
            assert_eq!(found, model, "{number}");
        }
        lost += model.keys().filter(|key| !found.contains_key(*key)).count();
        damaged += report.damaged_pages.len();
    }
    println!("{damaged} damaged pages, {lost} entries lost of {} in each region", model.len());
    assert!(damaged > 0 && lost > 0 || sampling::every() > 1);
}

#[test]
fn region_of_something_else_is_not_salvaged() {
    let erased = vec![0xff; REGION as usize];
    assert_eq!(salvaged(erased).unwrap_err(), StorageError::Foreign);
    let mut random = Random(4);
    let noise = (0..REGION).map(|_| random.below(256) as u8).collect();
    assert_eq!(salvaged(noise).unwrap_err(), StorageError::Foreign);
}
