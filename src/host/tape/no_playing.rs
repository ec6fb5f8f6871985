//! The playing side of a build without `replay`: nothing is ever played.

use alloc::boxed::Box;

use super::moments::{Grown, HostCall};
use crate::host::{boundary::Stop, error::CallError};
#[cfg(feature = "record")]
use crate::trace::CallOut;

/// Plays nothing.
#[derive(Default)]
pub(in crate::host) struct Playing;

impl Playing {
    #[inline(always)]
    pub(in crate::host) const fn is_on(&self) -> bool {
        false
    }

    #[inline(always)]
    pub(in crate::host) const fn now_us(&mut self) -> Option<u64> {
        None
    }

    #[inline(always)]
    pub(in crate::host) const fn around(&self) -> Option<(u64, Option<u32>)> {
        None
    }

    #[inline(always)]
    pub(in crate::host) const fn sliced(&self) -> Option<bool> {
        None
    }

    #[inline(always)]
    pub(in crate::host) const fn late_at(&self) -> Option<u64> {
        None
    }

    #[inline(always)]
    pub(super) fn slice_ends(
        &mut self,
        _fuel_left: u64,
        decided: Result<(), CallError>,
    ) -> Result<(), CallError> {
        decided
    }

    #[inline(always)]
    pub(super) const fn grows(
        &mut self,
        _current: usize,
        _desired: usize,
        _allowed: bool,
    ) -> Option<Grown> {
        None
    }

    /// Never called: [`is_on`](Self::is_on) is asked before.
    pub(super) fn answers(&mut self, _call: &mut HostCall<'_>) -> Result<i32, Box<Stop>> {
        Err(Box::new(Stop::Diverged))
    }

    #[cfg(feature = "record")]
    pub(super) const fn debt(&self) -> u64 {
        0
    }

    #[cfg(feature = "record")]
    pub(super) const fn recorded_end(
        &self,
        _ending: crate::trace::Ending,
        _code: i32,
    ) -> Option<CallOut<'_>> {
        None
    }
}
