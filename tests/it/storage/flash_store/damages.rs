//! Regions with one damage each: it is found, or it is harmless.

use super::*;

/// A region after many batches, and what it holds.
pub(super) fn aged() -> (Vec<u8>, Model) {
    let mut random = Random(11);
    let (mut store, mut model) = (open(erased::<4, 4096>()).unwrap(), Model::new());
    for number in 0..260 {
        let edits = random.edits(if number % 20 == 0 { 40 } else { 2 });
        if apply(&mut store, &edits).is_ok() {
            model = edited(&model, &edits);
        } else {
            let some: Edits = model.keys().step_by(3).map(|key| (key.clone(), None)).collect();
            apply(&mut store, &some).unwrap();
            model = edited(&model, &some);
        }
    }
    (store.into_flash().unwrap().memory().to_vec(), model)
}

/// A kind of damage: changes a region at random.
type Damage = fn(&mut [u8], &mut Random);

/// What became of regions with one damage each: found, or harmless. Anything else fails.
fn damaged(name: &str, damage: Damage) -> u32 {
    let (image, model) = aged();
    let mut random = Random(name.len() as u64);
    let (mut found, mut harmless) = (0, 0);
    for number in 0..cases(10_000) {
        let mut bytes = image.clone();
        damage(&mut bytes, &mut random);
        let flash = Flash::<4, 4096>::new(bytes);
        let seen = open(flash).and_then(|store| contents(&store, number % 2 == 0));
        match seen {
            Ok(seen) => {
                assert!(seen == model, "{name} {number}: silently another content");
                harmless += 1;
            }
            Err(StorageError::Corrupt { .. } | StorageError::Version { .. }) => found += 1,
            Err(StorageError::Foreign | StorageError::Unsuitable { .. }) => found += 1,
            Err(error) => panic!("{name} {number}: {error}"),
        }
    }
    println!("{name}: {found} found, {harmless} harmless");
    found
}

/// A story of ekv: one wrong byte in the newest page's header, or that page erased, gave the rows of
/// several commits ago, and `verify` and `check` were content.
#[test]
fn damage_of_a_region_is_found_or_harmless() {
    let mut found = 0;
    found += damaged("changed bytes", |bytes, random| {
        let at = random.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 + random.below(255) as u8;
    });
    let lost = damaged("flipped bits", |bytes, random| {
        let at = random.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << random.below(8);
    });
    assert_eq!(lost, 0, "one wrong bit is corrected");
    found += damaged("bytes of headers", |bytes, random| {
        let at = random.below(PAGES as u64) as usize * 4096 + random.below(64) as usize;
        bytes[at] = random.below(256) as u8;
    });
    found += damaged("erased pages", |bytes, random| {
        let page = random.below(PAGES as u64) as usize * 4096;
        bytes[page..page + 4096].fill(0xff);
    });
    found += damaged("filled pages", |bytes, random| {
        let page = random.below(PAGES as u64) as usize * 4096;
        let byte = random.below(255) as u8;
        bytes[page..page + 4096].fill(byte);
    });
    found += damaged("swapped pages", |bytes, random| {
        let [one, other] = [0, 1].map(|_| random.below(PAGES as u64) as usize * 4096);
        for at in 0..4096 {
            bytes.swap(one + at, other + at);
        }
    });
    found += damaged("copied pages", |bytes, random| {
        let [from, to] = [0, 1].map(|_| random.below(PAGES as u64) as usize * 4096);
        bytes.copy_within(from..from + 4096, to);
    });
    assert!(found > 0 || crate::sampling::every() > 1);
}

/// Every newest page, damaged in each of the ways that ekv did not notice, after each of a hundred
/// commits.
#[test]
fn damage_of_the_newest_commit_is_found_or_harmless() {
    let mut random = Random(3);
    let (mut store, mut model) = (open(erased::<4, 4096>()).unwrap(), Model::new());
    let mut old = store.with_flash(|flash| flash.memory().to_vec()).unwrap();
    let (mut found, mut harmless) = (0, 0);
    for number in 0..cases(1000) {
        let edits = random.edits(2);
        if apply(&mut store, &edits).is_err() {
            break;
        }
        model = edited(&model, &edits);
        let new = store.with_flash(|flash| flash.memory().to_vec()).unwrap();
        let changed: Vec<_> = (0..new.len()).filter(|&at| new[at] != old[at]).collect();
        for &at in changed.iter().step_by(3) {
            let mut bytes = new.clone();
            bytes[at] ^= 1 + random.below(255) as u8;
            match open(Flash::<4, 4096>::new(bytes)).and_then(|store| contents(&store, false)) {
                Ok(seen) => {
                    assert!(
                        seen == model,
                        "batch {number}, byte {at:#x}: silently another content"
                    );
                    harmless += 1;
                }
                Err(_) => found += 1,
            }
        }
        old = new;
    }
    println!("bytes of the newest commit: {found} found, {harmless} harmless");
    assert!(found > 10 * harmless || crate::sampling::every() > 1);
}

/// What one wrong bit is corrected by: the difference of two CRC-32s says which bit it is. A page has at most 16
/// KiB, and within it no other damage of a single byte has the difference of a single bit.
#[test]
fn several_wrong_bits_in_one_byte_are_never_taken_for_one_in_another_byte() {
    let step = |sum: u32| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    let after_byte = |sum: u32| (0..8).fold(sum, |sum, _| step(sum));
    let of_byte: Vec<u32> = (1..=255).map(after_byte).collect();
    let one_bit = |pattern: usize| (pattern + 1).is_power_of_two();
    let bits: std::collections::HashSet<u32> = (0..8).map(|bit| after_byte(1 << bit)).collect();
    let (mut bursts, mut single) = (of_byte.clone(), bits.clone());
    for bytes in 1..16_384 {
        bursts.iter_mut().for_each(|sum| *sum = after_byte(*sum));
        single = single.into_iter().map(after_byte).collect();
        for (pattern, sum) in bursts.iter().enumerate().filter(|(pattern, _)| !one_bit(*pattern)) {
            assert!(!bits.contains(sum), "{pattern:#x}, {bytes} bytes before a bit");
            assert!(!sum.is_power_of_two(), "{pattern:#x}, {bytes} bytes before the checksum");
        }
        for (pattern, sum) in of_byte.iter().enumerate().filter(|(pattern, _)| !one_bit(*pattern)) {
            assert!(!single.contains(sum), "{pattern:#x}, {bytes} bytes after a bit");
        }
    }
}
