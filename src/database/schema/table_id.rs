//! The number of a table, as everything above the schemas names it.

/// The number of a table. Tables are numbered from 0 in the order they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub(in crate::database) u32);

impl TableId {
    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}
