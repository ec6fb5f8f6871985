//! Which capability a host function of a trace needs: one place for `what-if` and `infer`.

use alloc::{collections::BTreeMap, string::String};

use crate::{
    abi::{Capability, HOST_FUNCTIONS},
    audit::FunctionId,
};

/// What a function needs, if the trace tells.
pub(in crate::replay) fn needed<'c>(
    own: &'c BTreeMap<FunctionId, Needed>,
    function: FunctionId,
) -> Capability<'c> {
    match HOST_FUNCTIONS.get(usize::from(function.0)) {
        Some(spec) => spec.capability,
        None => own.get(&function).map_or(Capability::Always, Needed::capability),
    }
}

/// A [`Capability`] that is kept.
pub(in crate::replay) enum Needed {
    Named(String),
    Other(Capability<'static>),
}

impl Needed {
    pub(in crate::replay) fn new(capability: Capability<'_>) -> Self {
        Self::Other(match capability {
            Capability::Named(name) => return Self::Named(name.into()),
            Capability::Always => Capability::Always,
            Capability::ReadTable => Capability::ReadTable,
            Capability::WriteTable => Capability::WriteTable,
            Capability::VectorSearch => Capability::VectorSearch,
            Capability::IndexSearch => Capability::IndexSearch,
            Capability::CallPlugin => Capability::CallPlugin,
        })
    }

    pub(in crate::replay) fn capability(&self) -> Capability<'_> {
        match self {
            Self::Named(name) => Capability::Named(name),
            Self::Other(capability) => *capability,
        }
    }
}
