//! Reading leaves: one entry, or a whole leaf in order. Every byte that an answer depends on is
//! compared with a checksum first. One wrong bit is corrected, and its page is moved with the next batch.

use embedded_storage::nor_flash::NorFlash;

use super::{
    device::Device,
    format::{
        About, ENTRY, EntryHead, HEADER, Key, LEAF, Leaf, MAX_ENTRY, PageHead, crc, entry_sum, hash,
    },
    loaded::{EMPTY, Fence, Loaded, follow, parts},
    mend,
    store::Store,
};
use crate::database::{StorageError, storage::MAX_KEY_LEN};

/// An entry that was read from flash. It is long, so there is one for each search, and it is lent.
pub struct Found {
    /// Its key.
    pub key: Key,
    /// About its value.
    pub about: About,
    bytes: [u8; MAX_ENTRY],
    value: usize,
}

impl Default for Found {
    fn default() -> Self {
        Self { key: Key::default(), about: EMPTY, bytes: [0; MAX_ENTRY], value: 0 }
    }
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
        let sound = self.page_head(page, &mut [0; HEADER])?;
        let sound = sound.filter(|(head, _)| head.kind == LEAF && head.page == page);
        sound.ok_or_else(self.corrupt(page, 0))
    }

    /// Reads the header of a page, if it has one.
    pub(super) fn page_head(
        &mut self,
        page: u16,
        fixed: &mut [u8; HEADER],
    ) -> Result<Option<(PageHead, u32)>, StorageError> {
        self.device.read(page, 0, fixed)?;
        if !mend::is_page(fixed) {
            return Ok(None);
        }
        let mut low = [0; MAX_KEY_LEN];
        let read = low.get_mut(..PageHead::low_len(fixed)).unwrap_or_default();
        self.device.read(page, HEADER, read)?;
        let mut found = PageHead::read(fixed, read);
        if found.is_none() {
            self.device.read(page, HEADER, &mut low)?;
            found = mend::head(fixed, &mut low);
            if found.is_some() {
                self.device.fault(page);
            }
        }
        Ok(found)
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

    /// Reads an entry.
    pub(super) fn entry(
        &mut self,
        page: u16,
        head: &PageHead,
        at: usize,
        found: &mut Found,
    ) -> Result<(), StorageError> {
        let corrupt = self.corrupt(page, at);
        let most = MAX_ENTRY.min(Self::PAGE.saturating_sub(at));
        let first = found.bytes.get_mut(..ENTRY.min(most)).unwrap_or_default();
        self.device.read(page, at, first)?;
        let mut len = EntryHead::read(first).map_or(usize::MAX, |head| head.len());
        if let Some(rest) = found.bytes.get_mut(ENTRY..len.min(most)) {
            self.device.read(page, at + ENTRY, rest)?;
        }
        let sum = len.checked_sub(4).and_then(|end| found.bytes.get(..len)?.split_at_checked(end));
        let sound = |(sound, sum): (&[u8], &[u8])| {
            sum.starts_with(&entry_sum(head.serial, at, sound).to_le_bytes())
        };
        if len > most || !sum.is_some_and(sound) {
            len = self.mended(page, head, at, found.bytes.get_mut(..most).unwrap_or_default())?;
        }
        let whole = found.bytes.get(..len.saturating_sub(4)).unwrap_or_default();
        let (key, about, _) = parts(&head.low, whole).ok_or_else(corrupt)?;
        (found.key, found.about, found.value) = (key, about, len - 4 - about.len);
        Ok(())
    }

    /// Reads an entry of which a bit is wrong, and corrects it; returns its length.
    #[cold]
    #[inline(never)]
    fn mended(
        &mut self,
        page: u16,
        head: &PageHead,
        at: usize,
        bytes: &mut [u8],
    ) -> Result<usize, StorageError> {
        self.device.read(page, at, bytes)?;
        let found = mend::whole_entry(head.serial, at, &head.low, bytes);
        self.device.fault(page);
        found.ok_or_else(self.corrupt(page, at))
    }

    /// Looks a key up; says whether it is there.
    pub(super) fn find(&mut self, key: &Key, found: &mut Found) -> Result<bool, StorageError> {
        if self.leaves.is_empty() {
            return Ok(false);
        }
        let at = self.locate(key)?;
        let leaf = self.leaf(at)?;
        let (head, mut digest) = self.head(leaf.page)?;
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
            let Some(entry) = EntryHead::read(&bytes) else { break };
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
            // A bit of the log is wrong, or more.
            return self.find_loaded(leaf, &head, key, found);
        }
        for number in (count.saturating_sub(4)..count).rev() {
            self.entry(leaf.page, &head, last.get(number % 4).copied().unwrap_or(0), found)?;
            if found.key.order() == key.order() {
                return Ok(!found.about.deleted);
            }
        }
        if count > 4 {
            // Other keys with the same hash: never seen, and right all the same.
            return self.find_loaded(leaf, &head, key, found);
        }
        if !self.restarts_are_sound(leaf.page, &head)? {
            return self.find_loaded(leaf, &head, key, found);
        }
        self.find_sorted(leaf.page, &head, key, found)
    }

    #[cold]
    #[inline(never)]
    fn find_loaded(
        &mut self,
        leaf: Leaf,
        head: &PageHead,
        key: &Key,
        found: &mut Found,
    ) -> Result<bool, StorageError> {
        let mut loaded = core::mem::take(&mut self.loaded);
        let done = self.load_into(leaf, &mut loaded);
        let at = loaded.order.binary_search_by(|&at| loaded.entry(at).0.order().cmp(&key.order()));
        let place = at.ok().and_then(|at| loaded.order.get(at)).copied();
        self.loaded = loaded;
        done?;
        place.map(|at| self.entry(leaf.page, head, at.into(), found)).transpose()?;
        Ok(place.is_some())
    }

    fn restarts_are_sound(&mut self, page: u16, head: &PageHead) -> Result<bool, StorageError> {
        let (table, count) = (usize::from(head.entries_end), usize::from(head.restarts));
        let (mut sum, end) = (0, table + 2 * count);
        for at in (table..end).step_by(64) {
            let mut part = [0; 64];
            let part = part.get_mut(..end.min(at + 64) - at).unwrap_or_default();
            self.device.read(page, at, part)?;
            sum = crc(sum, part);
        }
        if sum != head.restarts_sum {
            self.device.fault(page);
        }
        Ok(sum == head.restarts_sum)
    }

    fn find_sorted(
        &mut self,
        page: u16,
        head: &PageHead,
        key: &Key,
        found: &mut Found,
    ) -> Result<bool, StorageError> {
        let (table, count) = (usize::from(head.entries_end), usize::from(head.restarts));
        let (mut from, mut to) = (0, count);
        while to - from > 1 {
            let middle = from + (to - from) / 2;
            let at = self.restart(page, table + 2 * middle)?;
            self.entry(page, head, at, found)?;
            match found.key.order().cmp(&key.order()) {
                core::cmp::Ordering::Equal => return Ok(true),
                core::cmp::Ordering::Less => from = middle,
                core::cmp::Ordering::Greater => to = middle,
            }
        }
        if count == 0 {
            return Ok(false);
        }
        let mut at = self.restart(page, table + 2 * from)?;
        while at < usize::from(head.entries_end) {
            self.entry(page, head, at, found)?;
            match found.key.order().cmp(&key.order()) {
                core::cmp::Ordering::Equal => return Ok(true),
                core::cmp::Ordering::Less => at += found.len(),
                core::cmp::Ordering::Greater => return Ok(false),
            }
        }
        Ok(false)
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
            let (read, key) = match whole(&head, at, bytes) {
                Some(found) => found,
                None => {
                    self.device.fault(leaf.page);
                    let entry = bytes.get_mut(at..).unwrap_or_default();
                    if mend::whole_entry(head.serial, at, low, entry).is_none() {
                        // A bit of the padding is wrong, or more.
                        if sorted || entry.first().is_none_or(|byte| byte.count_zeros() != 1) {
                            return Err(corrupt());
                        }
                        at = Device::<F>::aligned(at + 1);
                        continue;
                    }
                    whole(&head, at, bytes).ok_or_else(corrupt)?
                }
            };
            let about = read.about;
            if sorted {
                order.push(at as u16);
            } else {
                digest = crc(digest, &read.bytes());
                follow(order, bytes, low, &key, at as u16, about.deleted);
            }
            at += read.len();
        }
        if digest != leaf.digest || at != end { Err(corrupt()) } else { Ok(()) }
    }
}

/// The head and the key of the entry at a place of a leaf's bytes, if its checksum and its hash are right.
pub(super) fn whole(head: &PageHead, at: usize, bytes: &[u8]) -> Option<(EntryHead, Key)> {
    let entry = bytes.get(at..)?;
    let read = EntryHead::read(entry)?;
    let (sound, sum) = entry.split_at_checked(read.len() - 4)?;
    let (key, ..) = parts(&head.low, sound)?;
    let right = sum.starts_with(&entry_sum(head.serial, at, sound).to_le_bytes());
    (right && read.hash == hash(&key)).then_some((read, key))
}
