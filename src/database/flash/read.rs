//! Reading leaves: one entry, or a whole leaf in order. Every byte that an answer depends on is
//! compared with a checksum first.

use embedded_storage::nor_flash::NorFlash;

use super::{
    device::Device,
    format::{
        About, ENTRY, EntryHead, HEADER, Key, LEAF, Leaf, MAX_ENTRY, PageHead, crc, entry_sum, hash,
    },
    loaded::{EMPTY, Fence, Loaded, parts},
    store::Store,
};
use crate::database::StorageError;

/// An entry on flash.
pub struct Found {
    /// Its key.
    pub key: Key,
    /// About its value.
    pub about: About,
    bytes: [u8; MAX_ENTRY],
    value: usize,
}

impl Found {
    /// Bytes of the whole entry.
    pub const fn len(&self) -> usize {
        self.value + self.about.len + 4
    }

    /// The value.
    pub fn value(&self) -> &[u8] {
        self.bytes.get(self.value..self.value + self.about.len).unwrap_or_default()
    }
}

impl<F: NorFlash> Store<F> {
    pub(super) fn corrupt(
        &self,
        page: u16,
        at: usize,
    ) -> impl Fn() -> StorageError + Copy + use<F> {
        let address = self.device.address(page, at).into();
        move || StorageError::Corrupt { at: Some(address) }
    }

    /// Reads the header of a leaf.
    pub(super) fn head(&mut self, page: u16) -> Result<(PageHead, u32), StorageError> {
        let mut fixed = [0; HEADER];
        self.device.read(page, 0, &mut fixed)?;
        let mut low = [0; 128];
        let low = low.get_mut(..PageHead::low_len(&fixed)).unwrap_or_default();
        self.device.read(page, HEADER, low)?;
        let sound =
            PageHead::read(&fixed, low).filter(|(head, _)| head.kind == LEAF && head.page == page);
        sound.ok_or_else(self.corrupt(page, 0))
    }

    /// The leaf that a key belongs to.
    pub(super) fn locate(&mut self, key: &Key) -> Result<usize, StorageError> {
        let (mut from, mut to) = (0, self.leaves.len());
        // The key is not below the low key of `from`.
        while to - from > 1 {
            let middle = from + (to - from) / 2;
            let page = self.leaf(middle)?.page;
            let low = self.low(page)?;
            if low.order() <= key.order() { from = middle } else { to = middle }
        }
        Ok(from)
    }

    /// The place in RAM for a low key.
    fn fence(&mut self, page: u16) -> Option<&mut Fence> {
        let place = usize::from(page).checked_rem(self.fences.len())?;
        self.fences.get_mut(place)
    }

    /// Forgets the low key of a page that is written anew.
    pub(super) fn forget(&mut self, page: u16) {
        if let Some(fence) = self.fence(page).filter(|fence| fence.page == page) {
            *fence = Fence::NONE;
        }
    }

    /// The low key of a leaf, from RAM if it is there.
    pub(super) fn low(&mut self, page: u16) -> Result<Key, StorageError> {
        if let Some(Fence { len, chunk, bytes, .. }) = self.fence(page).filter(|f| f.page == page) {
            return Ok(Key::new(bytes.get(..usize::from(*len)).unwrap_or_default(), *chunk));
        }
        let low = self.head(page)?.0.low;
        let len = low.bytes().len();
        if let Some(fence) = self.fence(page)
            && let Some(bytes) = fence.bytes.get_mut(..len)
        {
            bytes.copy_from_slice(low.bytes());
            (fence.len, fence.chunk, fence.page) = (len as u8, low.chunk, page);
        }
        Ok(low)
    }

    pub(super) fn leaf(&self, at: usize) -> Result<Leaf, StorageError> {
        self.leaves.get(at).map(Leaf::read).ok_or(StorageError::Corrupt { at: None })
    }

    /// Where a leaf's sorted entries begin.
    pub(super) fn entries_start(head: &PageHead) -> usize {
        Device::<F>::aligned(head.len())
    }

    /// Where a leaf's log begins.
    pub(super) fn log_start(head: &PageHead) -> usize {
        Device::<F>::aligned(usize::from(head.entries_end) + 2 * usize::from(head.restarts))
    }

    pub(super) fn entry(
        &mut self,
        page: u16,
        head: &PageHead,
        at: usize,
    ) -> Result<Found, StorageError> {
        let corrupt = self.corrupt(page, at);
        let mut bytes = [0; MAX_ENTRY];
        let first = bytes.get_mut(..ENTRY).unwrap_or_default();
        self.device.read(page, at, first)?;
        let len = EntryHead::read(first).ok_or_else(corrupt)?.len();
        if at + len > Self::PAGE {
            return Err(corrupt());
        }
        self.device.read(page, at + ENTRY, bytes.get_mut(ENTRY..len).ok_or_else(corrupt)?)?;
        let (sound, sum) = bytes.split_at(len - 4);
        if !sum.starts_with(&entry_sum(head.serial, at, sound).to_le_bytes()) {
            return Err(corrupt());
        }
        let (key, about, _) = parts(&head.low, sound).ok_or_else(corrupt)?;
        let value = len - 4 - about.len;
        Ok(Found { key, about, bytes, value })
    }

    /// Looks a key up.
    pub(super) fn find(&mut self, key: &Key) -> Result<Option<Found>, StorageError> {
        if self.leaves.is_empty() {
            return Ok(None);
        }
        let at = self.locate(key)?;
        let leaf = self.leaf(at)?;
        let (head, mut digest) = self.head(leaf.page)?;
        let corrupt = self.corrupt(leaf.page, 0);
        let (mut at, end) = (Self::log_start(&head), usize::from(leaf.end));
        let wanted = EntryHead::of(&head.low, key, EMPTY);
        // From the last one back: a later entry takes the place of an earlier one.
        let mut last = [0; 4];
        let mut count = 0_usize;
        while at < end {
            let mut bytes = [0; ENTRY];
            let inside = bytes.get_mut(..ENTRY.min(Self::PAGE - at)).unwrap_or_default();
            self.device.read(leaf.page, at, inside)?;
            if bytes.first() == Some(&0xff) {
                at = Device::<F>::aligned(at + 1);
                continue;
            }
            digest = crc(digest, &bytes);
            let entry = EntryHead::read(&bytes).ok_or_else(corrupt)?;
            if entry.hash == wanted.hash
                && (entry.shared, entry.rest, entry.about.chunk)
                    == (wanted.shared, wanted.rest, key.chunk)
            {
                if let Some(place) = last.get_mut(count % 4) {
                    *place = at;
                }
                count += 1;
            }
            at += entry.len();
        }
        if digest != leaf.digest || at != end {
            return Err(corrupt());
        }
        for number in (count.saturating_sub(4)..count).rev() {
            let found = self.entry(leaf.page, &head, last.get(number % 4).copied().unwrap_or(0))?;
            if found.key.order() == key.order() {
                return Ok(Some(found).filter(|found| !found.about.deleted));
            }
        }
        if count > 4 {
            // Other keys with the same hash: never seen, and right all the same.
            return self.find_loaded(leaf, key);
        }
        self.find_sorted(leaf.page, &head, key)
    }

    fn find_loaded(&mut self, leaf: Leaf, key: &Key) -> Result<Option<Found>, StorageError> {
        let mut loaded = core::mem::take(&mut self.loaded);
        let done = self.load_into(leaf, &mut loaded);
        let at = loaded.order.binary_search_by(|&at| loaded.entry(at).0.order().cmp(&key.order()));
        let place = at.ok().and_then(|at| loaded.order.get(at)).copied();
        self.loaded = loaded;
        done?;
        let (head, _) = self.head(leaf.page)?;
        place.map(|at| self.entry(leaf.page, &head, at.into())).transpose()
    }

    fn find_sorted(
        &mut self,
        page: u16,
        head: &PageHead,
        key: &Key,
    ) -> Result<Option<Found>, StorageError> {
        let (table, count) = (usize::from(head.entries_end), usize::from(head.restarts));
        let (mut sum, end) = (0, table + 2 * count);
        for at in (table..end).step_by(64) {
            let mut part = [0; 64];
            let part = part.get_mut(..end.min(at + 64) - at).unwrap_or_default();
            self.device.read(page, at, part)?;
            sum = crc(sum, part);
        }
        if sum != head.restarts_sum {
            return Err(self.corrupt(page, table)());
        }
        let (mut from, mut to) = (0, count);
        while to - from > 1 {
            let middle = from + (to - from) / 2;
            let at = self.restart(page, table + 2 * middle)?;
            let found = self.entry(page, head, at)?;
            match found.key.order().cmp(&key.order()) {
                core::cmp::Ordering::Equal => return Ok(Some(found)),
                core::cmp::Ordering::Less => from = middle,
                core::cmp::Ordering::Greater => to = middle,
            }
        }
        if count == 0 {
            return Ok(None);
        }
        let mut at = self.restart(page, table + 2 * from)?;
        while at < usize::from(head.entries_end) {
            let found = self.entry(page, head, at)?;
            match found.key.order().cmp(&key.order()) {
                core::cmp::Ordering::Equal => return Ok(Some(found)),
                core::cmp::Ordering::Less => at += found.len(),
                core::cmp::Ordering::Greater => return Ok(None),
            }
        }
        Ok(None)
    }

    fn restart(&mut self, page: u16, at: usize) -> Result<usize, StorageError> {
        let mut bytes = [0; 2];
        self.device.read(page, at, &mut bytes)?;
        Ok(u16::from_le_bytes(bytes).into())
    }

    /// Reads a whole leaf and puts what is live in order.
    pub(super) fn load_into(&mut self, leaf: Leaf, to: &mut Loaded) -> Result<(), StorageError> {
        to.order.clear();
        let end = usize::from(leaf.end);
        to.bytes.resize(end, 0);
        self.device.read(leaf.page, 0, &mut to.bytes)?;
        let corrupt = self.corrupt(leaf.page, 0);
        let (head, mut digest) = self.head(leaf.page)?;
        to.low = head.low;
        let sorted_end = usize::from(head.entries_end);
        let mut at = Self::entries_start(&head);
        let Loaded { bytes, order, low } = to;
        let mut sorted = true;
        while at < end {
            if sorted && at >= sorted_end {
                sorted = false;
                at = Self::log_start(&head);
                continue;
            }
            if !sorted && bytes.get(at) == Some(&0xff) {
                at = Device::<F>::aligned(at + 1);
                continue;
            }
            let entry = bytes.get(at..).ok_or_else(corrupt)?;
            let read = EntryHead::read(entry).ok_or_else(corrupt)?;
            let (sound, sum) = entry.split_at_checked(read.len() - 4).ok_or_else(corrupt)?;
            if !sum.starts_with(&entry_sum(head.serial, at, sound).to_le_bytes()) {
                return Err(corrupt());
            }
            let (key, about, _) = parts(low, sound).ok_or_else(corrupt)?;
            if read.hash != hash(&key) {
                return Err(corrupt());
            }
            if sorted {
                order.push(at as u16);
            } else {
                digest = crc(digest, sound.get(..ENTRY).unwrap_or_default());
                let other = |at: &u16| {
                    parts(low, bytes.get(usize::from(*at)..).unwrap_or_default())
                        .map_or(core::cmp::Ordering::Less, |(other, ..)| {
                            other.order().cmp(&key.order())
                        })
                };
                match (order.binary_search_by(other), about.deleted) {
                    (Ok(place), true) => drop(order.remove(place)),
                    (Ok(place), false) => {
                        if let Some(place) = order.get_mut(place) {
                            *place = at as u16;
                        }
                    }
                    (Err(_), true) => {}
                    (Err(place), false) => order.insert(place, at as u16),
                }
            }
            at += read.len();
        }
        if digest != leaf.digest || at != end { Err(corrupt()) } else { Ok(()) }
    }
}
