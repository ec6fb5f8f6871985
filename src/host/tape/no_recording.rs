//! The recording side of a build without `record`: nothing is ever recorded.

use alloc::boxed::Box;

use super::{
    Playing,
    moments::{Begun, Ended, HostCall, Loaded, Nesting, Refusal, Used},
};
use crate::{
    audit::{AuditEntry, FunctionId, PluginId},
    database::{Database, Storage},
    host::{
        boundary::{Arguments, Stop},
        error::CallError,
        registry::HostFunctionRegistry,
    },
    meter::Meter,
};

/// Records nothing.
#[derive(Default)]
pub(in crate::host) struct Recording;

#[allow(clippy::unused_self, reason = "the other one has something to record with")]
impl Recording {
    #[inline(always)]
    pub(in crate::host) const fn is_on(&self) -> bool {
        false
    }

    #[inline(always)]
    pub(super) const fn adds_function<S: Storage>(
        &mut self,
        _registry: &HostFunctionRegistry<S>,
        _id: FunctionId,
    ) {
    }

    #[inline(always)]
    pub(super) const fn loads(&mut self, _plugin: &Loaded<'_>) {}

    #[inline(always)]
    pub(super) const fn replaces(&mut self, _plugin: &Loaded<'_>) {}

    #[inline(always)]
    pub(super) const fn restores(&mut self, _plugin: PluginId) {}

    #[inline(always)]
    pub(super) const fn unloads(&mut self, _plugin: PluginId) {}

    #[inline(always)]
    pub(in crate::host) const fn tables_may_change(&mut self) {}

    #[inline(always)]
    #[cfg_attr(not(feature = "hooks"), allow(dead_code, reason = "no plugin calls another one"))]
    pub(in crate::host) const fn enters(&mut self, _nesting: &Nesting) -> Used {
        (0, 0)
    }

    #[inline(always)]
    #[cfg_attr(not(feature = "hooks"), allow(dead_code, reason = "no plugin calls another one"))]
    pub(in crate::host) const fn leaves(&mut self, _used: Used) {}

    #[inline(always)]
    #[cfg_attr(not(feature = "hooks"), allow(dead_code, reason = "no plugin calls another one"))]
    pub(in crate::host) const fn unwinds_inside(&mut self) {}

    #[inline(always)]
    pub(super) const fn begins<S: Storage>(&mut self, _call: &Begun<'_>, _database: &Database<S>) {}

    #[inline(always)]
    pub(in crate::host) const fn hook_is_asked(&mut self, _now_us: u64) {}

    #[inline(always)]
    pub(super) const fn slice_ends(
        &mut self,
        _now_us: u64,
        _fuel_left: u64,
        _decided: &Result<(), CallError>,
    ) {
    }

    #[inline(always)]
    pub(super) const fn grows(&mut self, _desired: usize, _allowed: bool) {}

    #[inline(always)]
    pub(super) const fn growth_refused(&mut self, _asked: u64, _refusal: Refusal) {}

    #[inline(always)]
    pub(in crate::host) const fn runs_out_of_memory(&mut self) {}

    #[inline(always)]
    pub(in crate::host) const fn usual_host_call(
        &mut self,
        _entry: &AuditEntry,
        _fuel_before: u64,
        _meter: &Meter,
        _linear_memory: &[u8],
        _arguments: &Arguments,
    ) {
    }

    #[inline(always)]
    pub(in crate::host) const fn host_call(
        &mut self,
        _call: &mut HostCall<'_>,
        _answer: &Result<i32, Box<Stop>>,
    ) {
    }

    #[inline(always)]
    pub(super) const fn ends(&mut self, _call: &Ended<'_>, _playing: &Playing) {}

    #[inline(always)]
    pub(in crate::host) const fn unwinds(&mut self, _fuel_left: u64, _memory_bytes: u32) {}
}
