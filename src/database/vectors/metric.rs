//! The metrics of vectors, each in one place: its word, its number in the catalogue, its formula, and the norm
//! that is stored for it.
//!
//! It searches nothing, and the sums themselves are in `distance`.

use super::distance::{self, Distance, Query};

/// Declares the metrics. A new one is one entry, at the end, with the next number.
macro_rules! metrics {
    ($(
        $(#[$meta:meta])*
        $variant:ident = $tag:literal $word:literal,
        norm $norm:expr, distance $distance:expr;
    )*) => {
        /// How far apart two vectors are; lower is nearer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum DistanceMetric {$(
            $(#[$meta])*
            $variant,
        )*}

        impl DistanceMetric {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Their words, in the order of [`ALL`](Self::ALL).
            pub const WORDS: &'static [&'static str] = &[$($word,)*];

            /// The metric in a word, as a schema has it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Its number in the catalogue of a store.
            pub(crate) const fn tag(self) -> u8 {
                match self { $(Self::$variant => $tag,)* }
            }

            /// The metric of a number in the catalogue.
            pub(crate) const fn from_tag(tag: u8) -> Option<Self> {
                match tag {
                    $($tag => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The norm that is stored with a vector.
            pub(crate) fn stored_norm(self, components: &[u8]) -> f32 {
                match self {$(
                    Self::$variant => {
                        let norm: fn(&[u8]) -> f32 = $norm;
                        norm(components)
                    }
                )*}
            }

            /// How far the stored vector, of the stored norm, is from the query.
            #[inline(always)]
            pub(crate) fn distance(self, query: &Query<'_>, stored: &[u8], norm: f32) -> Distance {
                match self { $(Self::$variant => ($distance)(query, stored, norm),)* }
            }
        }
    };
}

metrics! {
    /// `1 - a·b / (|a| |b|)`; 1 if a norm is 0.
    Cosine = 0 "cosine",
        norm distance::norm,
        distance |query: &Query<'_>, stored: &[u8], norm| {
            Distance::Of(distance::cosine(query, stored, norm))
        };
    /// `√ Σ (a - b)²`.
    Euclidean = 1 "euclidean",
        norm |_| 0.0,
        distance |query: &Query<'_>, stored: &[u8], _| {
            distance::euclidean(stored, query.components)
        };
    /// `-a·b`.
    Dot = 2 "dot",
        norm |_| 0.0,
        distance |query: &Query<'_>, stored: &[u8], _| {
            Distance::Of(distance::negative_dot(stored, query.components))
        };
}

impl DistanceMetric {
    /// The metric of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|metric| metric.as_str() == word)
    }
}
