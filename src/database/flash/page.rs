//! What is known of one page besides its bytes, in one word of RAM.

/// What a page is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Nothing.
    Free,
    /// Nothing, and it was erased in this session.
    Erased,
    /// The directory names it, or the commit log is there.
    Live,
    /// It is free when the commit that is being made is made.
    Leaving,
    /// It was not erased, and no other page has been erased since.
    Refused,
    /// It is not used any more.
    Retired,
}

/// The use of a page, its faults, and how often it was erased.
#[derive(Clone, Copy, Debug)]
pub struct Page(u32);

impl Page {
    const USE: u32 = 7;
    /// Nothing is written to it until it is erased.
    const CLOSED: u32 = 1 << 3;
    /// It failed once, and once more.
    const STRUCK: u32 = 1 << 4;
    const WORN_OUT: u32 = 1 << 5;
    const ERASES: u32 = 6;

    /// A page.
    pub const fn new(used: Use, erases: u32) -> Self {
        let most = u32::MAX >> Self::ERASES;
        let erases = if erases > most { most } else { erases };
        Self(erases << Self::ERASES | used as u32)
    }

    /// What it is used for.
    pub const fn used(self) -> Use {
        match self.0 & Self::USE {
            0 => Use::Free,
            1 => Use::Erased,
            2 => Use::Live,
            3 => Use::Leaving,
            4 => Use::Refused,
            _ => Use::Retired,
        }
    }

    /// Says what it is used for.
    pub const fn set(&mut self, used: Use) {
        self.0 = self.0 & !Self::USE | used as u32;
        if matches!(used, Use::Erased) {
            self.0 &= !Self::CLOSED;
        }
    }

    /// How often it was erased.
    pub const fn erases(self) -> u32 {
        self.0 >> Self::ERASES
    }

    /// Says how often it was erased.
    pub const fn set_erases(&mut self, erases: u32) {
        let marks = self.0 & ((1 << Self::ERASES) - 1);
        self.0 = Self::new(Use::Free, erases).0 | marks;
    }

    /// Whether nothing is written to it until it is erased.
    pub const fn is_closed(self) -> bool {
        self.0 & Self::CLOSED != 0
    }

    /// Whether it failed again after it was erased.
    pub const fn is_worn_out(self) -> bool {
        self.0 & Self::WORN_OUT != 0
    }

    /// It failed. What happens between two erases counts once.
    pub const fn strike(&mut self) {
        if self.is_closed() {
            return;
        }
        self.0 |= if self.0 & Self::STRUCK == 0 { Self::STRUCK } else { Self::WORN_OUT };
        self.0 |= Self::CLOSED;
    }

    /// It can be used again, whatever happened, but for what is written on it.
    pub const fn forgive(&mut self) {
        self.0 &= !(Self::STRUCK | Self::WORN_OUT);
        if matches!(self.used(), Use::Refused | Use::Retired) {
            self.set(Use::Free);
        }
    }
}
