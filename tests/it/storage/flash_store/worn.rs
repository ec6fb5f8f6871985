//! Flash that wears out: a page refuses every write or every erase from some place of a run on, keeps
//! something else without saying so, or has a bit that is stuck. No batch fails for it, and no row is lost.
//!
//! A story of format 2: nothing on flash said that a page was bad, so a page that refused its erase was tried after
//! each reset, a page that refused its writes failed every batch that it was taken for, and one stuck
//! bit in a page's header made everything unreadable.

use super::*;
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use nor_flash::Fault;
use sochdb_wasmi::database::FlashConfig;

/// How pages fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Write,
    Erase,
    /// A write or an erase that is not refused, and leaves one bit of what it should change as it was.
    Unkept,
}

const FAILURES: [Failure; 3] = [Failure::Write, Failure::Erase, Failure::Unkept];

/// A flash with pages that fail for good.
#[derive(Clone, Debug)]
struct Worn {
    flash: Flash<4, 4096>,
    failure: Failure,
    /// Operations that can fail, until the page of the next one fails.
    left: Option<u64>,
    /// Operations that could fail.
    done: u64,
    failed: Vec<u32>,
    /// A bit that is stuck: its byte, its mask, and whether it is set.
    stuck: Option<(usize, u8, bool)>,
}

impl Worn {
    fn new(failure: Failure) -> Self {
        let flash = erased::<4, 4096>();
        Self { flash, failure, left: None, done: 0, failed: Vec::new(), stuck: None }
    }

    /// Counts an operation that can fail; says whether its page fails.
    fn fails(&mut self, failure: Failure, offset: u32) -> bool {
        if self.failure != failure {
            return false;
        }
        self.done += 1;
        let page = offset / 4096;
        match &mut self.left {
            Some(0) => {
                self.left = None;
                self.failed.push(page);
            }
            Some(left) => *left -= 1,
            None => {}
        }
        self.failed.contains(&page)
    }

    fn stick(&mut self) {
        if let Some((at, mask, set)) = self.stuck {
            let byte = &mut self.flash.memory()[at];
            *byte = if set { *byte | mask } else { *byte & !mask };
        }
    }
}

impl ErrorType for Worn {
    type Error = Fault;
}

impl ReadNorFlash for Worn {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        self.flash.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl NorFlash for Worn {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        if self.fails(Failure::Write, offset) {
            return Err(Fault::NoPower);
        }
        if self.stuck.is_some() {
            // The word of a stuck bit is not erased, and the device does not look.
            let start = offset as usize;
            let memory = &mut self.flash.memory()[start..start + bytes.len()];
            memory.iter_mut().zip(bytes).for_each(|(to, from)| *to &= from);
            self.stick();
            return Ok(());
        }
        self.flash.write(offset, bytes)?;
        if self.fails(Failure::Unkept, offset)
            && let Some(at) = bytes.iter().rposition(|&byte| byte != 0xff)
        {
            self.flash.memory()[offset as usize + at] |= 1 << bytes[at].trailing_ones();
        }
        Ok(())
    }

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        if self.fails(Failure::Erase, from) {
            return Err(Fault::NoPower);
        }
        self.flash.erase(from, to)?;
        if self.fails(Failure::Unkept, from) {
            self.flash.memory()[from as usize + 2000] = 0xfb;
        }
        self.stick();
        Ok(())
    }
}

const REGION: u32 = PAGES as u32 * 4096;

fn config(failure: Failure) -> FlashConfig {
    let mut config = FlashConfig::default();
    config.verify_writes = failure == Failure::Unkept;
    config
}

/// Makes a store on a flash and runs batches, reopening it now and then. None may fail.
fn run(mut flash: Worn, batches: u32, place: &str) -> Worn {
    let mut random = Random(23);
    let mut model = Model::new();
    let config = config(flash.failure);
    for part in 0..3 {
        let mut store = FlashStorage::open_with(flash, 0..REGION, config)
            .unwrap_or_else(|error| panic!("{place}, part {part}: {error}"));
        assert_eq!(contents(&store, false).unwrap(), model, "{place}, part {part}");
        for number in 0..batches / 3 {
            let edits = random.edits([1, 2, 12][number as usize % 3]);
            let made = apply(&mut store, &edits);
            if matches!(made, Err(StorageError::Full(_) | StorageError::WornOut { .. })) {
                // One page less is a little less room.
                let some: Edits = model.keys().step_by(3).map(|key| (key.clone(), None)).collect();
                apply(&mut store, &some)
                    .unwrap_or_else(|error| panic!("{place}, batch {number}, emptied: {error}"));
                model = edited(&model, &some);
                continue;
            }
            made.unwrap_or_else(|error| panic!("{place}, batch {number}: {error}"));
            model = edited(&model, &edits);
        }
        store.verify().unwrap_or_else(|error| panic!("{place}, part {part}: {error}"));
        assert_eq!(contents(&store, true).unwrap(), model, "{place}, part {part}");
        let retired = store.retired_pages();
        flash = store.into_flash().unwrap();
        let store = FlashStorage::open_with(&mut flash, 0..REGION, config).unwrap();
        assert_eq!(store.retired_pages(), retired, "{place}: how many are retired is on flash");
    }
    flash
}

fn stride(release: usize, debug: usize) -> usize {
    (if cfg!(debug_assertions) { debug } else { release }) * sampling::every()
}

#[test]
fn page_that_refuses_or_forgets_from_any_place_on_fails_no_batch_and_loses_no_row() {
    let batches = 60;
    for failure in FAILURES {
        let all = run(Worn::new(failure), batches, "a flash that does not fail").done;
        let (mut places, mut retired) = (0, 0);
        for at in (0..all).step_by(stride(1, all as usize / 16 + 1)) {
            let place = format!("{failure:?} {at} of {all}");
            let flash = Worn { left: Some(at), ..Worn::new(failure) };
            let flash = run(flash, batches, &place);
            assert_eq!(flash.failed.len(), 1, "{place}");
            let store = FlashStorage::open_with(flash, 0..REGION, config(failure)).unwrap();
            assert!(store.retired_pages() <= 1, "{place}: {}", store.retired_pages());
            (places, retired) = (places + 1, retired + store.retired_pages());
        }
        println!("{failure:?}: {places} of {all} places, {retired} times the page was retired");
        assert!(retired > 0 || sampling::every() > 1);
    }
}

/// Without reading back what is written.
#[test]
fn stuck_bit_anywhere_fails_no_batch_and_loses_no_row() {
    let mut bits = 0;
    for at in (0..REGION as usize).step_by(stride(37, 1499)) {
        let mut flash = Worn::new(Failure::Write);
        let set = bits % 2 == 0;
        flash.stuck = Some((at, 1 << (bits / 2 % 8), set));
        flash.stick();
        run(flash, 45, &format!("bit {} of byte {at:#x} is {set}", bits / 2 % 8));
        bits += 1;
    }
    println!("{bits} stuck bits");
}

#[test]
fn device_that_is_worn_out_says_so_by_name_and_what_it_has_can_be_read_and_deleted() {
    for failure in [Failure::Write, Failure::Erase] {
        let mut random = Random(3);
        let device = Worn::new(failure);
        let mut store = FlashStorage::open(device, 0..REGION).unwrap();
        let (mut model, mut worn_out, mut most) = (Model::new(), 0, 0);
        for number in 0..4000 {
            if number % 20 == 0 {
                // The next page fails.
                store.with_flash(|flash| flash.left = Some(0)).unwrap();
            }
            let edits = random.edits(3);
            match apply(&mut store, &edits) {
                Ok(()) => model = edited(&model, &edits),
                Err(StorageError::WornOut { retired }) => {
                    assert!(retired > 0 && retired == store.retired_pages());
                    (worn_out, most) = (worn_out + 1, retired);
                    if worn_out > 20 {
                        break;
                    }
                }
                Err(StorageError::Full(_) | StorageError::Device { .. }) => {}
                Err(error) => panic!("{failure:?}, batch {number}: {error}"),
            }
        }
        assert!(worn_out > 0, "{failure:?}");
        assert_eq!(contents(&store, false).unwrap(), model, "{failure:?}");
        store.verify().unwrap();
        // It stays so after a reset, and rows can be deleted: no page fails while they are.
        let mut flash = store.into_flash().unwrap();
        flash.left = None;
        let mut store = FlashStorage::open(flash, 0..REGION).unwrap();
        assert_eq!(store.retired_pages(), most);
        assert_eq!(contents(&store, false).unwrap(), model, "{failure:?}");
        let held = model.len();
        while let Some(key) = model.keys().next().cloned() {
            let edits = Edits::from([(key, None)]);
            apply(&mut store, &edits).unwrap_or_else(|error| panic!("{failure:?}: {error}"));
            model = edited(&model, &edits);
        }
        println!("{failure:?}: {most} of {PAGES} pages retired, {held} entries read and deleted");
    }
}
