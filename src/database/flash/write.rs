//! Changing leaves: appending to their logs, and writing them anew on other pages, in one or several
//! leaves. Nothing here counts until the commit log says so.

use alloc::vec::Vec;
use core::mem;

use embedded_storage::nor_flash::NorFlash;

use super::{
    device::Device,
    format::{
        About, CHUNK, ENTRY, ERASED, EntryHead, Key, LEAF, Leaf, OVERHEAD, PageHead, RESTART,
        VERSION, crc, entry_sum,
    },
    loaded::Loaded,
    store::Store,
};
use crate::database::{
    StorageError,
    storage::{Batch, BatchEntry},
};

/// Changes that are looked at together.
pub const WINDOW: usize = 24;

/// One entry that is to be written.
#[derive(Clone, Copy)]
pub struct Change<'b> {
    /// Its key.
    pub key: &'b [u8],
    /// Its value.
    pub value: &'b [u8],
    /// About the value.
    pub about: About,
    /// Bytes of the value that is there now.
    pub replaces: Option<usize>,
}

impl Change<'_> {
    pub fn key(&self) -> Key {
        Key::new(self.key, self.about.chunk)
    }
}

/// The entries of a batch, in order.
pub fn changes<'b>(batch: &Batch<'b>) -> impl Iterator<Item = Change<'b>> + use<'b> {
    batch.entries().flat_map(|BatchEntry { key, value, stored_len }| {
        let parts = |len: usize| len.div_ceil(CHUNK).max(1);
        let new = value.map_or(0, |value| parts(value.len()));
        let stored = stored_len.map(|len| len as usize);
        let old = stored.map_or(0, parts);
        (0..new.max(old)).map(move |chunk| {
            let part = |len: usize| len.saturating_sub(chunk * CHUNK).min(CHUNK);
            let bytes = value.unwrap_or_default();
            let bytes = bytes.get(bytes.len().min(chunk * CHUNK)..).unwrap_or_default();
            let bytes = bytes.get(..bytes.len().min(CHUNK)).unwrap_or_default();
            let about = About {
                len: bytes.len(),
                chunk: chunk as u8,
                more: chunk + 1 < new,
                deleted: chunk >= new,
            };
            let replaces = stored.filter(|_| chunk < old).map(part);
            Change { key, value: bytes, about, replaces }
        })
    })
}

/// A page that is being written.
pub(super) struct Writer {
    pub(super) head: PageHead,
    /// Bytes that are not on flash yet, and where they belong.
    pending: Vec<u8>,
    at: usize,
    restarts: Vec<u8>,
    entries: usize,
    pub(super) live: usize,
}

/// What entries are handed to, with the store.
type Each<'e, S> = dyn FnMut(&mut S, Key, About, &[u8]) -> Result<(), StorageError> + 'e;

impl Writer {
    /// Whether an entry of so many bytes fits the page.
    pub(super) fn fits<F: NorFlash>(&self, len: usize) -> bool {
        let used = self.at + self.pending.len() + self.restarts.len();
        Device::<F>::aligned(used + len + 2) <= Device::<F>::PAGE
    }
}

impl<F: NorFlash> Store<F> {
    pub(super) fn begin(&mut self, low: Key) -> Result<Writer, StorageError> {
        let page = self.device.take()?;
        self.forget(page);
        let head = PageHead {
            kind: LEAF,
            version: VERSION,
            low,
            serial: self.next_serial(),
            erases: self.device.erases(page),
            page,
            pages: self.device.pages.len() as u16,
            entries_end: 0,
            restarts: 0,
            restarts_sum: 0,
        };
        let at = Self::entries_start(&head);
        let (pending, restarts) = (Vec::new(), Vec::new());
        Ok(Writer { head, pending, at, restarts, entries: 0, live: 0 })
    }

    pub(super) fn push(
        &mut self,
        writer: &mut Writer,
        key: &Key,
        about: About,
        value: &[u8],
    ) -> Result<(), StorageError> {
        let at = writer.at + writer.pending.len();
        if writer.entries.is_multiple_of(RESTART) {
            writer.restarts.extend_from_slice(&(at as u16).to_le_bytes());
        }
        writer.entries += 1;
        let len = encode(&writer.head, at, key, about, value, &mut writer.pending);
        writer.live += len;
        let whole = writer.pending.len() / Device::<F>::WORD * Device::<F>::WORD;
        if whole >= CHUNK {
            let bytes = writer.pending.get(..whole).unwrap_or_default();
            self.device.write(writer.head.page, writer.at, bytes)?;
            writer.pending.drain(..whole);
            writer.at += whole;
        }
        Ok(())
    }

    pub(super) fn end(&mut self, mut writer: Writer) -> Result<Leaf, StorageError> {
        let page = writer.head.page;
        writer.head.entries_end = (writer.at + writer.pending.len()) as u16;
        writer.head.restarts = (writer.restarts.len() / 2) as u16;
        writer.head.restarts_sum = crc(0, &writer.restarts);
        writer.pending.extend_from_slice(&writer.restarts);
        let end = Device::<F>::aligned(writer.at + writer.pending.len());
        writer.pending.resize(end - writer.at, ERASED);
        self.device.write(page, writer.at, &writer.pending)?;
        let mut head = [ERASED; 192];
        let digest = writer.head.write(&mut head);
        let len = Self::entries_start(&writer.head);
        self.device.write(page, 0, head.get(..len).unwrap_or_default())?;
        Ok(Leaf { page, end: end as u16, live: writer.live as u16, digest })
    }

    /// Makes the changes of a batch in the leaves.
    pub(super) fn change<'b>(
        &mut self,
        mut changes: impl Iterator<Item = Change<'b>>,
    ) -> Result<(), StorageError> {
        let mut window = Vec::with_capacity(WINDOW);
        loop {
            window.clear();
            window.extend(changes.by_ref().take(WINDOW));
            if window.is_empty() {
                return Ok(());
            }
            self.change_all(&window)?;
        }
    }

    /// Makes some changes in the leaves.
    pub(super) fn change_all(&mut self, changes: &[Change<'_>]) -> Result<(), StorageError> {
        let mut rest = changes;
        while !rest.is_empty() {
            if self.leaves.is_empty() {
                return self.rewrite(0, 0, rest);
            }
            let (at, len) = self.group(rest)?;
            let (group, after) = rest.split_at(len);
            rest = after;
            if !self.append(at, group)? {
                self.rewrite(at, 1, group)?;
            }
        }
        Ok(())
    }

    /// The leaf that the first of some changes belongs to, and how many of them do.
    pub(super) fn group(&mut self, changes: &[Change<'_>]) -> Result<(usize, usize), StorageError> {
        let first = changes.first().map(Change::key).unwrap_or_default();
        let at = self.locate(&first)?;
        let len = match self.leaves.get(at + 1).map(Leaf::read) {
            Some(next) => {
                let low = self.low(next.page)?;
                changes.partition_point(|change| change.key().order() < low.order())
            }
            None => changes.len(),
        };
        Ok((at, len.clamp(1, changes.len().max(1))))
    }

    /// Appends to the log of a leaf; says whether there was room.
    fn append(&mut self, at: usize, group: &[Change<'_>]) -> Result<bool, StorageError> {
        let leaf = self.leaf(at)?;
        let start = usize::from(leaf.end);
        let most: usize = group.iter().map(|c| OVERHEAD + c.key.len() + c.value.len()).sum();
        // Rewriting a leaf now keeps its log short enough to be walked; never too soon.
        let (head, _) = self.head(leaf.page)?;
        let least = group.iter().map(|c| EntryHead::of(&head.low, &c.key(), c.about).len()).sum();
        let logged = start - Self::log_start(&head);
        let long = logged + least > (usize::from(leaf.live) * 3 / 2).max(1024);
        if start + Device::<F>::aligned(least) > Self::PAGE
            || most > 3 * Self::PAGE
            || long
            || !self.device.is_open(leaf.page)
        {
            return Ok(false);
        }
        let mut bytes = mem::take(&mut self.loaded.bytes);
        bytes.clear();
        let (mut live, mut digest) = (usize::from(leaf.live), leaf.digest);
        for change in group {
            let before = bytes.len();
            let place = start + before;
            let len = encode(&head, place, &change.key(), change.about, change.value, &mut bytes);
            digest = crc(digest, bytes.get(before..before + ENTRY).unwrap_or_default());
            let cost = len - change.about.len;
            live += if change.about.deleted { 0 } else { len };
            live = live.saturating_sub(change.replaces.map_or(0, |len| cost + len));
        }
        let len = bytes.len();
        bytes.resize(Device::<F>::aligned(len), ERASED);
        let fresh = self.device.is_erased(leaf.page, start..start + bytes.len());
        let done = match fresh {
            Ok(true) => self.device.write(leaf.page, start, &bytes).map(|()| true),
            other => other,
        };
        let end = start + len;
        // The padding is the log's too, so that what follows begins with a word.
        let end = if done == Ok(true) { Device::<F>::aligned(end) } else { end };
        self.loaded.bytes = bytes;
        if done? {
            let new = Leaf { end: end as u16, live: live as u16, digest, ..leaf };
            self.splice(at, 1, &[new]);
            return Ok(true);
        }
        Ok(false)
    }

    /// Bytes that a leaf is to hold when it is written anew.
    fn target(&self) -> usize {
        let pages = self.device.pages.len().saturating_sub(26).max(1);
        (self.live() as usize / pages).clamp(Self::PAGE * 3 / 8, Self::ROOM - 256)
    }

    /// Writes a leaf anew, with changes made; as several if it grows.
    pub(super) fn rewrite(
        &mut self,
        at: usize,
        count: usize,
        group: &[Change<'_>],
    ) -> Result<(), StorageError> {
        let added: usize = group.iter().map(|c| OVERHEAD + 12 + c.value.len()).sum();
        let all = self.live_of(at, count) + added;
        let target = self.target();
        let whole = all <= (target * 8 / 5).min(Self::ROOM);
        let parts = if whole { 1 } else { all.div_ceil(target * 5 / 4) };
        self.write_anew(at, count, group, all / parts.max(1) + 64)
    }

    /// Writes leaves anew, with changes made, each with at most so many bytes of entries.
    pub(super) fn write_anew(
        &mut self,
        at: usize,
        count: usize,
        group: &[Change<'_>],
        limit: usize,
    ) -> Result<(), StorageError> {
        let limit = limit.min(Self::ROOM);
        let low = match self.leaves.get(at).map(Leaf::read) {
            Some(leaf) => self.head(leaf.page)?.0.low,
            None => Key::default(),
        };
        let mut new = Vec::new();
        let mut writer = self.begin(low)?;
        let mut loaded = mem::take(&mut self.loaded);
        let done = self.merge(at, count, group, &mut loaded, &mut |store, key, about, value| {
            let len = EntryHead::of(&writer.head.low, &key, about).len();
            if writer.entries > 0 && (writer.live + len > limit || !writer.fits::<F>(len)) {
                let next = store.begin(key)?;
                new.push(store.end(mem::replace(&mut writer, next))?);
            }
            store.push(&mut writer, &key, about, value)
        });
        self.loaded = loaded;
        done?;
        new.push(self.end(writer)?);
        self.splice(at, count, &new);
        Ok(())
    }

    /// Hands out what is live in leaves and in changes to them, in order.
    fn merge(
        &mut self,
        at: usize,
        count: usize,
        group: &[Change<'_>],
        loaded: &mut Loaded,
        each: &mut Each<'_, Self>,
    ) -> Result<(), StorageError> {
        let mut rest = group.iter().peekable();
        for number in at..at + count {
            let leaf = self.leaf(number)?;
            self.load_into(leaf, loaded)?;
            for &entry in &loaded.order {
                let (key, about, value) = loaded.entry(entry);
                let mut replaced = false;
                while let Some(change) = rest.next_if(|c| c.key().order() <= key.order()) {
                    replaced |= change.key().order() == key.order();
                    if !change.about.deleted {
                        each(self, change.key(), change.about, change.value)?;
                    }
                }
                if !replaced {
                    each(self, key, about, value)?;
                }
            }
        }
        for change in rest.filter(|change| !change.about.deleted) {
            each(self, change.key(), change.about, change.value)?;
        }
        Ok(())
    }
}

/// Appends an entry to bytes; returns its length.
fn encode(
    head: &PageHead,
    at: usize,
    key: &Key,
    about: About,
    value: &[u8],
    into: &mut Vec<u8>,
) -> usize {
    let entry = EntryHead::of(&head.low, key, about);
    let start = into.len();
    into.extend_from_slice(&entry.bytes());
    into.extend_from_slice(key.bytes().get(entry.shared..).unwrap_or_default());
    into.extend_from_slice(value);
    let sum = entry_sum(head.serial, at, into.get(start..).unwrap_or_default());
    into.extend_from_slice(&sum.to_le_bytes());
    entry.len()
}
