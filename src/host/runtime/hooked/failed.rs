//! Why a statement with hooks failed.

use crate::{
    database::DatabaseError,
    host::boundary::{Entered, HostCallFailure, HostCallResult, Message},
    meter::Exhausted,
};

/// Why a statement failed.
pub enum Failed {
    /// Who made it goes on with this answer.
    Answer(HostCallResult),
    /// The embedder's slice hook stopped a hook, and with it all calls around it.
    Stopped(Message),
}

impl Failed {
    pub(super) fn into_entered(self) -> Entered {
        match self {
            Self::Answer(result) => Entered::Answer(result),
            Self::Stopped(message) => Entered::Stopped(message),
        }
    }
}

impl From<HostCallFailure> for Failed {
    fn from(failure: HostCallFailure) -> Self {
        Self::Answer(failure.into())
    }
}

impl From<DatabaseError> for Failed {
    fn from(error: DatabaseError) -> Self {
        Self::Answer(error.into())
    }
}

impl From<Exhausted> for Failed {
    fn from(exhausted: Exhausted) -> Self {
        Self::Answer(exhausted.into())
    }
}
