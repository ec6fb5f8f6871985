//! What of a region is kept in RAM: a leaf, and low keys of others.

use alloc::vec::Vec;

use super::format::{About, ENTRY, EntryHead, Key, OVERHEAD};

/// A leaf in RAM: its bytes, and where its live entries begin, in order.
#[derive(Default)]
pub struct Loaded {
    /// The bytes, up to the end of the log.
    pub bytes: Vec<u8>,
    /// Where entries begin.
    pub order: Vec<u16>,
    /// The low key.
    pub low: Key,
}

impl Loaded {
    /// Room for a page of so many bytes.
    pub fn new(page: usize) -> Self {
        let (bytes, order) =
            (Vec::with_capacity(page), Vec::with_capacity(Self::most_entries(page)));
        Self { bytes, order, low: Key::default() }
    }

    /// The most entries of a page.
    pub const fn most_entries(page: usize) -> usize {
        page / OVERHEAD
    }

    /// The entry that begins at a place.
    pub fn entry(&self, at: u16) -> (Key, About, &[u8]) {
        let bytes = self.bytes.get(usize::from(at)..).unwrap_or_default();
        parts(&self.low, bytes).unwrap_or((Key::default(), EMPTY, &[]))
    }
}

/// The low key of a leaf in RAM, if it is short.
#[derive(Clone, Copy)]
pub struct Fence {
    /// The leaf's page.
    pub page: u16,
    /// Bytes of the key.
    pub len: u8,
    /// Its chunk.
    pub chunk: u8,
    /// The key.
    pub bytes: [u8; 24],
}

impl Fence {
    /// That of no leaf.
    pub const NONE: Self = Self { page: u16::MAX, len: 0, chunk: 0, bytes: [0; 24] };
}

/// About no value.
pub const EMPTY: About = About { len: 0, chunk: 0, more: false, deleted: false };

/// The key and the value of the entry that bytes begin with, in a leaf with this low key.
pub fn parts<'b>(low: &Key, bytes: &'b [u8]) -> Option<(Key, About, &'b [u8])> {
    let head = EntryHead::read(bytes)?;
    let (rest, after) = bytes.get(ENTRY..)?.split_at_checked(head.rest)?;
    let shared = low.bytes().get(..head.shared)?;
    let key = Key::joined(shared, rest, head.about.chunk);
    Some((key, head.about, after.get(..head.about.len)?))
}

/// Puts the entry of a log in order, in the place of an earlier one with its key.
pub fn follow(order: &mut Vec<u16>, bytes: &[u8], low: &Key, key: &Key, at: u16, deleted: bool) {
    let other = |at: &u16| {
        parts(low, bytes.get(usize::from(*at)..).unwrap_or_default())
            .map_or(core::cmp::Ordering::Less, |(other, ..)| other.order().cmp(&key.order()))
    };
    match (order.binary_search_by(other), deleted) {
        (Ok(place), true) => drop(order.remove(place)),
        (Ok(place), false) => {
            if let Some(place) = order.get_mut(place) {
                *place = at;
            }
        }
        (Err(_), true) => {}
        (Err(place), false) => order.insert(place, at),
    }
}
