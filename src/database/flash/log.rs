//! The commit log, and so the commit protocol.
//!
//! A commit is a record: what the store holds after it, and the splices of the directory. The entries are on
//! flash before it. When the record is whole, they count; its seal, one word behind it, is written after
//! it. Reading the log again, a record that is not whole is a torn one if nothing sealed follows, and
//! damage otherwise. A new log begins with a checkpoint, which is a record too, and its page header is
//! written last: until then the old log is the newest one. The old one is erased at once.

use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;

use super::{
    device::Device,
    format::{ERASED, HEADER, LEAF_BYTES, LOG, Leaf, PageHead, VERSION},
    mend::{self, RECORD, record_sum},
    page::{Page, Use},
    store::{Place, Store},
};
use crate::database::{StorageError, superblock::Superblock};

/// Bytes of what the store holds: batches, entries, rows, bytes, serial, what is carried out of a
/// journal, and how many pages it has.
const TOTALS: usize = 8 + 4 * 4 + 2 + 1;
/// The most bytes of splices in a record.
const MOST_SPLICES: usize = 1536;
/// What a checkpoint says of a page that is retired, in the place of how many more erases it has.
const RETIRED: u8 = 255;
const CHECKPOINT: u8 = 1;
const COMMIT: u8 = 2;
/// What a seal repeats.
const SEAL: [u8; 4] = [0x5e, 0xa1, 0xed, 0x00];

fn seal<const WORD: usize>() -> [u8; WORD] {
    core::array::from_fn(|at| SEAL.get(at % 4).copied().unwrap_or_default())
}

impl<F: NorFlash> Store<F> {
    /// Appends the beginning of a record to bytes: its head, and what the store holds.
    fn begin_record(&self, held: &Superblock, into: &mut Vec<u8>) {
        into.resize(into.len() + RECORD, 0);
        into.extend_from_slice(&held.batches.to_le_bytes());
        for number in [held.entries, held.rows, held.bytes] {
            into.extend_from_slice(&(number as u32).to_le_bytes());
        }
        into.extend_from_slice(&self.serial.to_le_bytes());
        into.extend_from_slice(&self.done.to_le_bytes());
        into.push(self.journal.len() as u8);
        into.extend_from_slice(self.journal.as_flattened());
    }

    /// Completes the record that begins at `start` in bytes, and will be at a place of the log.
    fn finish_record(kind: u8, place: Place, start: usize, bytes: &mut Vec<u8>) {
        let record = bytes.get_mut(start..).unwrap_or_default();
        let [a, b] = (record.len() as u16).to_le_bytes();
        let head = [a, b, kind, 0];
        let contents = record.get(RECORD..).unwrap_or_default();
        let sum = record_sum(place.serial, place.at, head, contents);
        let head = head.into_iter().chain(sum.to_le_bytes());
        record.iter_mut().zip(head).for_each(|(to, from)| *to = from);
        bytes.resize(start + Device::<F>::aligned(bytes.len() - start), ERASED);
    }

    fn write_seal(&mut self, page: u16, at: usize) -> Result<(), StorageError> {
        let seal = seal::<32>();
        self.device.write(page, at, seal.get(..Device::<F>::WORD).unwrap_or_default())
    }

    /// Makes what was done to the leaves count.
    pub(super) fn commit(&mut self, held: &Superblock) -> Result<(), StorageError> {
        let mut bytes = core::mem::take(&mut self.loaded.bytes);
        let done = self.write_commit(held, &mut bytes);
        self.loaded.bytes = bytes;
        done?;
        self.held = *held;
        self.splices = Vec::new();
        self.many = false;
        self.device.leave();
        Ok(())
    }

    fn write_commit(&mut self, held: &Superblock, bytes: &mut Vec<u8>) -> Result<(), StorageError> {
        let place = self.log;
        bytes.clear();
        self.begin_record(held, bytes);
        bytes.extend_from_slice(&self.splices);
        let end = place.at + Device::<F>::aligned(bytes.len());
        if self.many
            || self.device.is_unrecorded()
            || end + Device::<F>::WORD > Self::PAGE
            || !self.device.is_open(place.page)
            || !self.device.is_erased(place.page, place.at..end + Device::<F>::WORD)?
        {
            return self.checkpoint(held, bytes);
        }
        Self::finish_record(COMMIT, place, 0, bytes);
        self.device.write(place.page, place.at, bytes)?;
        self.log.at = end + Device::<F>::WORD;
        // The record counts. If its seal fails, the page takes no other one.
        let _ = self.write_seal(place.page, end);
        Ok(())
    }

    /// Makes `image` the beginning of a page that is a new log: header, checkpoint, seal.
    pub(super) fn first_record(&self, place: Place, held: &Superblock, image: &mut Vec<u8>) {
        let head = PageHead {
            kind: LOG,
            version: VERSION,
            low: Default::default(),
            serial: place.serial,
            erases: self.device.erases(place.page),
            page: place.page,
            pages: self.device.pages.len() as u16,
            entries_end: 0,
            restarts: 0,
            restarts_sum: 0,
        };
        image.clear();
        image.resize(place.at, ERASED);
        head.write(image);
        self.begin_record(held, image);
        let least = self.device.pages.iter().map(|page| page.erases()).min().unwrap_or_default();
        image.extend_from_slice(&least.to_le_bytes());
        let more = |page: &Page| match page.used() {
            // The first checkpoint of a store is always the same bytes, so that it is known when it is torn.
            Use::Retired if place.serial > 1 => RETIRED,
            Use::Retired => 0,
            Use::Free | Use::Erased | Use::Live | Use::Leaving | Use::Refused => {
                page.erases().saturating_sub(least).min(254) as u8
            }
        };
        image.extend(self.device.pages.iter().map(more));
        image.extend_from_slice(self.leaves.as_flattened());
        Self::finish_record(CHECKPOINT, place, place.at, image);
        image.extend_from_slice(seal::<32>().get(..Device::<F>::WORD).unwrap_or_default());
    }

    /// Begins a new log with everything that is known.
    pub(super) fn checkpoint(
        &mut self,
        held: &Superblock,
        image: &mut Vec<u8>,
    ) -> Result<(), StorageError> {
        let old = self.log;
        let page = self.device.take()?;
        let serial = self.next_serial();
        let place = Place { page, serial, at: Device::<F>::aligned(HEADER) };
        self.first_record(place, held, image);
        if image.len() > Self::PAGE {
            return Err(StorageError::Corrupt { at: None });
        }
        let (head, rest) = image.split_at(place.at);
        let (record, seal) = rest.split_at(rest.len() - Device::<F>::WORD);
        self.device.write(page, place.at, record)?;
        self.device.write(page, place.at + record.len(), seal)?;
        self.device.write(page, 0, head)?;
        self.log = Place { at: image.len(), ..place };
        self.device.recorded = if serial > 1 { self.device.retired() } else { 0 };
        if old.serial != 0 {
            // It must not be found again, whatever happens to the new one. If the device does not erase
            // it, the next opening tries that again.
            let _ = self.device.erase(old.page);
        }
        Ok(())
    }

    pub(super) fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// Reads the records of a log, and writes nothing.
    pub(super) fn read_log(&mut self, log: Log) -> Result<End, StorageError> {
        let Log { page, serial, version } = log;
        let mut bytes = core::mem::take(&mut self.loaded.bytes);
        bytes.resize(Self::PAGE, 0);
        let read = self.device.read(page, 0, &mut bytes);
        let replayed = read.and_then(|()| self.records(page, serial, version, &mut bytes));
        self.loaded.bytes = bytes;
        replayed
    }

    /// Reads the records of a log, and mends what an interruption left.
    pub(super) fn replay(&mut self, log: Log, others: &[Log]) -> Result<(), StorageError> {
        let sealed = self.read_log(log)?;
        let page = log.page;
        self.device.set(page, Use::Live);
        for leaf in self.leaves.iter().chain(&self.journal) {
            self.device.set(Leaf::read(leaf).page, Use::Live);
        }
        for old in others {
            if self.device.used(old.page) == Use::Free {
                // If that fails, the next opening tries it again.
                let _ = self.device.erase(old.page);
            }
        }
        match sealed {
            End::Sealed => {}
            // The record counts without its seal.
            End::Unsealed(at) => drop(self.write_seal(page, at)),
            // The next commit begins a new log, and what is torn is left behind with its page.
            End::Torn => self.log.at = Self::PAGE,
        }
        Ok(())
    }

    fn records(
        &mut self,
        page: u16,
        serial: u32,
        version: u8,
        bytes: &mut [u8],
    ) -> Result<End, StorageError> {
        let word = Device::<F>::WORD;
        let mut place = Place { page, serial, at: Device::<F>::aligned(HEADER) };
        let mut end = End::Sealed;
        loop {
            let rest = bytes.get_mut(place.at..).unwrap_or_default();
            if rest.iter().all(|&byte| byte == ERASED) {
                break;
            }
            let corrupt = self.corrupt(page, place.at);
            if record(place, rest).is_none() && mend::record(serial, place.at, rest) {
                // A bit is wrong; the next commit begins another log.
                self.device.fault(page);
            }
            let Some((kind, contents)) = record(place, rest) else {
                // Whatever is sealed was whole.
                let last = rest.chunks(word).rfind(|word| word.iter().any(|&byte| byte != ERASED));
                let sealed = last.is_some_and(|last| seal::<32>().starts_with(last));
                if sealed || self.serial == 0 || place.at == Device::<F>::aligned(HEADER) {
                    return Err(corrupt());
                }
                self.log = place;
                return Ok(End::Torn);
            };
            self.apply_record(kind, version, contents).ok_or_else(corrupt)?;
            let sealed_at = place.at + Device::<F>::aligned(RECORD + contents.len());
            let found = bytes.get(sealed_at..sealed_at + word).unwrap_or_default();
            end = if seal::<32>().starts_with(found) {
                End::Sealed
            } else if found.iter().all(|&byte| byte == ERASED) {
                End::Unsealed(sealed_at)
            } else {
                End::Torn
            };
            place.at = sealed_at + word;
        }
        self.log = place;
        Ok(end)
    }

    fn apply_record(&mut self, kind: u8, version: u8, contents: &[u8]) -> Option<()> {
        let (totals, rest) = contents.split_first_chunk::<TOTALS>()?;
        let (batches, words) = totals.split_first_chunk::<8>()?;
        let (words, ending) = words.as_chunks::<4>();
        let mut words = words.iter().map(|word| u32::from_le_bytes(*word));
        let mut next = || words.next();
        let batches = u64::from_le_bytes(*batches);
        let (entries, rows, bytes) = (next()?.into(), next()?.into(), next()?.into());
        self.held = Superblock { batches, entries, rows, bytes };
        self.serial = self.serial.max(next()?);
        let &[a, b, journal] = ending else { return None };
        self.done = u16::from_le_bytes([a, b]);
        let (journal, mut rest) = rest.split_at_checked(usize::from(journal) * LEAF_BYTES)?;
        self.journal = journal.as_chunks().0.to_vec();
        if kind == CHECKPOINT {
            let (least, rest) = rest.split_first_chunk::<4>()?;
            let (more, rest) = rest.split_at_checked(self.device.pages.len())?;
            self.device.recorded = 0;
            for (page, &more) in (0..).zip(more) {
                let erases = u32::from_le_bytes(*least).saturating_add(more.into());
                self.device.note_erases(page, erases);
                if more == RETIRED && version > 2 {
                    self.device.recorded += 1;
                    self.device.set(page, Use::Retired);
                }
            }
            let (leaves, after) = rest.as_chunks();
            self.leaves.clear();
            self.leaves.extend_from_slice(leaves);
            return after.is_empty().then_some(());
        }
        while let Some((&[a, b, removed, inserted], after)) = rest.split_first_chunk::<4>() {
            let at = usize::from(u16::from_le_bytes([a, b]));
            let (new, after) = after.split_at_checked(usize::from(inserted) * LEAF_BYTES)?;
            let until = at + usize::from(removed);
            if until > self.leaves.len() {
                return None;
            }
            self.leaves.splice(at..until, new.as_chunks().0.iter().copied());
            rest = after;
        }
        rest.is_empty().then_some(())
    }

    /// Changes the directory, and keeps the change for the record.
    pub(super) fn splice(&mut self, at: usize, removed: usize, new: &[Leaf]) {
        for leaf in self.leaves.iter().skip(at).take(removed).map(Leaf::read) {
            if !new.iter().any(|new| new.page == leaf.page)
                && self.device.used(leaf.page) == Use::Live
            {
                self.device.set(leaf.page, Use::Leaving);
            }
        }
        if self.splices.len() + 4 + new.len() * LEAF_BYTES > MOST_SPLICES {
            // The commit is a checkpoint then.
            self.many = true;
            self.splices = Vec::new();
        }
        if !self.many {
            self.splices.reserve_exact(MOST_SPLICES - self.splices.len());
            let [a, b] = (at as u16).to_le_bytes();
            self.splices.extend_from_slice(&[a, b, removed as u8, new.len() as u8]);
            new.iter().for_each(|leaf| self.splices.extend_from_slice(&leaf.bytes()));
        }
        let until = self.leaves.len().min(at + removed);
        self.leaves.splice(at.min(until)..until, new.iter().map(Leaf::bytes));
    }
}

/// A page that is a commit log.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    /// The page.
    pub page: u16,
    /// Its serial.
    pub serial: u32,
    /// Its format's version.
    pub version: u8,
}

/// How a log ends.
pub(super) enum End {
    Sealed,
    /// The seal of the last record is to be written here.
    Unsealed(usize),
    Torn,
}

/// The kind and the contents of a record, if it is whole.
fn record(place: Place, bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (&[a, b, kind, zero, sum @ ..], _) = bytes.split_first_chunk::<RECORD>()?;
    let contents = bytes.get(RECORD..usize::from(u16::from_le_bytes([a, b])))?;
    let found = record_sum(place.serial, place.at, [a, b, kind, zero], contents);
    (sum == found.to_le_bytes() && zero == 0).then_some((kind, contents))
}
