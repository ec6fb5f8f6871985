//! Why a metric was refused.

use core::fmt;

use super::series::{MAX_LABEL_VALUE, MAX_LABELS, RESERVED_PREFIX};
use crate::{
    abi::{NameError, Status, message::MetricKind},
    limits::LimitExceeded,
};

/// Why a metric was refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricError {
    /// The value is infinite or not a number.
    NotFinite,
    /// The value of a counter is negative.
    NegativeCounter,
    /// The name of the metric is not a name.
    Name(NameError),
    /// The name begins with [`RESERVED_PREFIX`].
    ReservedName,
    /// The name is taken, or one of the names that its histogram is printed with is.
    NameInUse {
        /// What has it.
        kind: MetricKind,
    },
    /// There are more than [`MAX_LABELS`] labels.
    TooManyLabels {
        /// How many there are.
        count: usize,
    },
    /// The name of a label is not a name.
    LabelName {
        /// Which label, from 0.
        index: usize,
        /// What is wrong with it.
        error: NameError,
    },
    /// A label is called `plugin` or `le`, or begins with `__`.
    ReservedLabel {
        /// Which label, from 0.
        index: usize,
    },
    /// A label's name does not come after the one before it.
    LabelOrder {
        /// Which label, from 0.
        index: usize,
    },
    /// The value of a label is longer than [`MAX_LABEL_VALUE`].
    LabelTooLong {
        /// Which label, from 0.
        index: usize,
        /// Its length in bytes.
        len: usize,
    },
    /// The request is longer than it need be, so it is not the one way to write this series.
    NotCanonical,
    /// There is no room for a new series.
    Limit(LimitExceeded),
}

impl MetricError {
    /// The code that a plugin gets.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Limit(_) => Status::LimitExceeded,
            Self::NotFinite
            | Self::NegativeCounter
            | Self::Name(_)
            | Self::ReservedName
            | Self::NameInUse { .. }
            | Self::TooManyLabels { .. }
            | Self::LabelName { .. }
            | Self::ReservedLabel { .. }
            | Self::LabelOrder { .. }
            | Self::LabelTooLong { .. }
            | Self::NotCanonical => Status::InvalidArgs,
        }
    }
}

impl fmt::Display for MetricError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite => write!(f, "the value is not finite"),
            Self::NegativeCounter => write!(f, "the value of a counter is negative"),
            Self::Name(error) => write!(f, "the metric: {error}"),
            Self::ReservedName => write!(f, "names that begin with {RESERVED_PREFIX} are reserved"),
            Self::NameInUse { kind } => write!(f, "the name is in use by a {}", kind.as_str()),
            Self::TooManyLabels { count } => {
                write!(f, "there are {count} labels, at most {MAX_LABELS} are allowed")
            }
            Self::LabelName { index, error } => write!(f, "label {index}: {error}"),
            Self::ReservedLabel { index } => {
                write!(f, "label {index}: plugin, le and names that begin with __ are reserved")
            }
            Self::LabelOrder { index } => {
                write!(f, "label {index}: labels are not in ascending order of their names")
            }
            Self::LabelTooLong { index, len } => {
                write!(
                    f,
                    "label {index}: the value has {len} bytes, at most {MAX_LABEL_VALUE} are \
                     allowed"
                )
            }
            Self::NotCanonical => write!(f, "a length is encoded in more bytes than needed"),
            Self::Limit(limit) => limit.fmt(f),
        }
    }
}

impl core::error::Error for MetricError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Name(error) | Self::LabelName { error, .. } => Some(error),
            Self::NotFinite
            | Self::NegativeCounter
            | Self::ReservedName
            | Self::NameInUse { .. }
            | Self::TooManyLabels { .. }
            | Self::ReservedLabel { .. }
            | Self::LabelOrder { .. }
            | Self::LabelTooLong { .. }
            | Self::NotCanonical
            | Self::Limit(_) => None,
        }
    }
}
