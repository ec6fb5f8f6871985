//! Lists on the wire that nobody has to allocate: a sender gives a slice, a receiver iterates the
//! bytes where they lie.

use core::{fmt, marker::PhantomData};

use super::wire::{Reader, Wire, WireError, WireErrorKind, Writer};

/// A list of `T`: a count, then the items, as postcard encodes a `Vec<T>`.
///
/// Made from a slice to be sent ([`Seq::new`]), or decoded. A decoded list has been checked item by
/// item, but stays encoded; [`iter`](Self::iter) decodes one item at a time.
#[derive(Clone, Copy)]
pub struct Seq<'a, T>(Form<'a, T>);

#[derive(Clone, Copy)]
enum Form<'a, T> {
    Items(&'a [T]),
    Encoded { count: u32, bytes: &'a [u8], marker: PhantomData<T> },
}

impl<'a, T> Seq<'a, T> {
    /// A list of `items`.
    pub const fn new(items: &'a [T]) -> Self {
        Self(Form::Items(items))
    }

    /// A list without items.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Form::Items(&[]))
    }

    /// How many items there are.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        match &self.0 {
            Form::Items(items) => items.len(),
            Form::Encoded { count, .. } => *count as usize,
        }
    }

    /// Whether it was decoded, and so checked.
    #[cfg(feature = "database")]
    pub(crate) const fn is_decoded(&self) -> bool {
        matches!(self.0, Form::Encoded { .. }) || self.is_empty()
    }

    /// Whether there is no item.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a, T: Wire<'a> + Copy> Seq<'a, T> {
    /// The items in order.
    #[inline]
    #[must_use]
    pub fn iter(&self) -> SeqIter<'a, T> {
        SeqIter(match self.0 {
            Form::Items(items) => IterForm::Items(items.iter()),
            Form::Encoded { count, bytes, .. } => {
                #[cfg(feature = "database")]
                let reader = Reader::checked(bytes);
                #[cfg(not(feature = "database"))]
                let reader = Reader::new(bytes);
                IterForm::Encoded { left: count, reader }
            }
        })
    }
}

/// Iterator over the items of a [`Seq`].
#[derive(Clone)]
pub struct SeqIter<'a, T>(IterForm<'a, T>);

#[derive(Clone)]
enum IterForm<'a, T> {
    Items(core::slice::Iter<'a, T>),
    Encoded { left: u32, reader: Reader<'a> },
}

impl<'a, T: Wire<'a> + Copy> Iterator for SeqIter<'a, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match &mut self.0 {
            IterForm::Items(items) => items.next().copied(),
            IterForm::Encoded { left, reader } => {
                *left = left.checked_sub(1)?;
                // The items were checked when the list was decoded.
                T::decode(reader).ok()
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = match &self.0 {
            IterForm::Items(items) => items.len(),
            IterForm::Encoded { left, .. } => *left as usize,
        };
        (len, Some(len))
    }
}

impl<'a, T: Wire<'a> + Copy> ExactSizeIterator for SeqIter<'a, T> {}

impl<'a, T: Wire<'a> + Copy> IntoIterator for &Seq<'a, T> {
    type Item = T;
    type IntoIter = SeqIter<'a, T>;

    fn into_iter(self) -> SeqIter<'a, T> {
        self.iter()
    }
}

impl<'a, T: Wire<'a> + Copy> Wire<'a> for Seq<'a, T> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.len(self.len());
        match &self.0 {
            Form::Items(items) => items.iter().for_each(|item| item.encode(writer)),
            Form::Encoded { bytes, .. } => writer.raw(bytes),
        }
    }

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let count = reader.u32()?;
        if count == 0 {
            return Ok(Self::empty());
        }
        Self::decode_items(reader, count)
    }
}

impl<'a, T: Wire<'a> + Copy> Seq<'a, T> {
    fn decode_items(reader: &mut Reader<'a>, count: u32) -> Result<Self, WireError> {
        let start = reader.position();
        #[cfg(feature = "database")]
        if reader.is_checked() {
            T::skip(reader, count)?;
            return Ok(Self(Form::Encoded {
                count,
                bytes: reader.since(start),
                marker: PhantomData,
            }));
        }
        for done in 0..count {
            let before = reader.position();
            T::decode(reader)?;
            // An item that takes no bytes would let five bytes of count run this loop four
            // billion times.
            if reader.position() == before && done == 0 {
                return Err(reader.error(WireErrorKind::TooManyItems));
            }
        }
        Ok(Self(Form::Encoded { count, bytes: reader.since(start), marker: PhantomData }))
    }
}

impl<'a, T: Wire<'a> + Copy + PartialEq> PartialEq for Seq<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'a, T: Wire<'a> + Copy + fmt::Debug> fmt::Debug for Seq<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
