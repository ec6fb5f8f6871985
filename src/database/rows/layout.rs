//! Where a column lies in a stored row.

/// Where a column lies in a stored row.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// At this place among the values that are not vectors.
    Value(u8),
    /// A vector, whose presence byte is at this offset.
    Vector {
        /// The offset.
        at: usize,
        /// Bytes of the components.
        len: usize,
    },
}

/// Bytes before the components of a stored vector.
pub const VECTOR_HEAD: usize = 1 + size_of::<f32>();
