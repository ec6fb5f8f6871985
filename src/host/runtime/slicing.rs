//! Slices of fuel, looks at the clock, and the deadline of one call.
//!
//! Deadlines need no interrupts: the interpreter runs for an amount of fuel and stops. At the end of each slice,
//! which is always after the same fuel, the host asks the embedder's hook, and a trace has an event. In
//! between it looks at the clock, as often as the time that the fuel so far took suggests. A look is seen
//! nowhere, unless the deadline has passed. Neither changes results or fuel.
//!
//! A host call is not interrupted: the fuel of the call bounds it.

use wasmi::Store;

use crate::{
    database::Storage,
    host::{
        error::CallError,
        plugin::{PluginState, Shared},
        slice::{FuelSlice, SliceDecision},
    },
    limits::{Limit, LimitExceeded, Limits},
    meter::Meter,
};

/// Fuel before the first look at the clock, and the least between two. A machine that takes 1 µs for a unit
/// takes 1 ms for it.
const LEAST_LOOK: u64 = 1_000;
/// A deadline may pass by a tenth of it, or by this, before it is seen.
const LEAST_OVERSHOOT_US: u64 = 1_000;
/// How many looks there are in the time by which a deadline may pass: what comes may take so many times as long
/// as what was measured.
const LOOKS: u64 = 8;
/// How many times as much fuel as the last run the next one may have.
const GROWTH: u64 = 8;

/// Fuel that is left of the call, once the interpreter stopped.
pub(super) fn fuel_left<S: Storage>(store: &mut Store<PluginState<S>>) -> u64 {
    let run = store.get_fuel().unwrap_or(0);
    let meter = &mut store.data_mut().meter;
    meter.set_slice(run);
    meter.fuel()
}

/// The slices of one call.
pub(super) struct Slices {
    /// How many have begun.
    pub(super) count: u32,
    /// When this call began. Deadlines count from when the embedder's did.
    pub(super) started_us: u64,
    /// Fuel of a slice; all of it where nobody looks between slices.
    size: u64,
    /// Whether somebody looks between slices.
    pub(super) watched: bool,
    /// What is left of the call when the slice ends.
    ends_at: u64,
    pace: Pace,
}

/// When to look at the clock within a slice.
enum Pace {
    /// Never.
    Unwatched,
    Timed {
        /// Fuel that was left, and the time, at the last look.
        left: u64,
        time_us: u64,
        /// Fuel between that look and the next.
        run: u64,
        /// How long a run should take.
        wanted_us: u64,
    },
    /// Where so much fuel is left, as the deadline passed there when the trace was recorded.
    Recorded { at: u64 },
}

impl Pace {
    fn new(deadline_ms: Option<u32>, left: u64, time_us: u64) -> Self {
        match deadline_ms {
            None => Self::Unwatched,
            Some(deadline_ms) => {
                let overshoot_us = (u64::from(deadline_ms) * 100).max(LEAST_OVERSHOOT_US);
                Self::Timed { left, time_us, run: LEAST_LOOK, wanted_us: overshoot_us / LOOKS }
            }
        }
    }

    /// Learns from the time that the last run took.
    fn look(&mut self, now_left: u64, now_us: u64) {
        if let Self::Timed { left, time_us, run, wanted_us } = self {
            let fuel = left.saturating_sub(now_left);
            let took_us = now_us.saturating_sub(*time_us);
            let wanted = match took_us {
                0 => u64::MAX,
                _ => fuel.saturating_mul(*wanted_us) / took_us,
            };
            *run = wanted.min(fuel.saturating_mul(GROWTH)).max(LEAST_LOOK);
            (*left, *time_us) = (now_left, now_us);
        }
    }

    /// Fuel until the next look, of the `left` that the call has.
    fn run(&self, left: u64) -> u64 {
        match *self {
            Self::Unwatched => u64::MAX,
            Self::Timed { run, .. } => run,
            Self::Recorded { at } => match left.checked_sub(at) {
                // It has passed: by then something differs.
                None | Some(0) => u64::MAX,
                Some(run) => run,
            },
        }
    }
}

impl Slices {
    pub(super) fn begin<S: Storage>(store: &mut Store<PluginState<S>>, limits: &Limits) -> Self {
        let state = store.data_mut();
        state.meter = Meter::new(limits);
        state.host_calls = 0;
        state.denied = 0;
        state.identity.begin_call();
        let started_us = state.shared.as_deref_mut().map_or(0, Shared::now_us);
        let mut late_at = None;
        let mut watched = false;
        let mut deadline_ms = limits.deadline_ms;
        if let Some(shared) = state.shared.as_deref_mut() {
            let Shared { chain, tape, slice_hook, .. } = shared;
            if chain.depth == 0 {
                (chain.started_us, chain.deadline_ms) =
                    tape.playing.around().unwrap_or((started_us, limits.deadline_ms));
            }
            deadline_ms = chain.deadline_ms;
            watched = deadline_ms.is_some() || slice_hook.is_some();
            if tape.playing.is_on() {
                late_at = Some(tape.playing.late_at());
                watched = tape.playing.sliced().unwrap_or(watched);
            }
        }
        let size = if watched { limits.slice_fuel.max(1) } else { u64::MAX };
        let pace = match late_at {
            None => Pace::new(deadline_ms, limits.fuel_per_call, started_us),
            Some(None) => Pace::Unwatched,
            Some(Some(at)) => Pace::Recorded { at },
        };
        let mut slices = Self { count: 1, started_us, size, watched, ends_at: 0, pace };
        slices.begin_slice(store, 0);
        slices
    }

    /// The interpreter stopped before code that needs so much fuel: is there fuel, is there time, and, at the end of
    /// a slice, does the embedder want to go on?
    pub(super) fn go_on<S: Storage>(
        &mut self,
        store: &mut Store<PluginState<S>>,
        limits: &Limits,
        required: u64,
    ) -> Result<(), CallError> {
        let left = fuel_left(store);
        let fuel = limits.fuel_per_call.saturating_sub(left);
        if required > left {
            return Err(CallError::Limit(LimitExceeded {
                limit: Limit::Fuel,
                allowed: limits.fuel_per_call,
                asked: fuel.saturating_add(required),
            }));
        }
        let state = store.data_mut();
        let Some(shared) = state.shared.as_deref_mut() else { return Err(CallError::Stopped) };
        let now_us = shared.now_us();
        let elapsed_us = now_us.saturating_sub(shared.chain.started_us);
        let late = late(shared.chain.deadline_ms, elapsed_us);
        self.pace.look(left, now_us);
        // Where the slice would have ended if it had been run in one.
        let ends = left < self.ends_at.saturating_add(required);
        if !ends && late.is_ok() {
            self.run(store, left, required);
            return Ok(());
        }
        let slice = FuelSlice { plugin: state.identity.id, number: self.count, fuel, elapsed_us };
        shared.tape.recording.hook_is_asked(now_us);
        let decided = late.and_then(|()| decide(&slice, shared));
        shared.tape.slice_ends(now_us, left, decided)?;
        self.count = self.count.saturating_add(1);
        self.begin_slice(store, required);
        Ok(())
    }

    /// Begins a slice. It pays at least for the code that comes next, or the call would never go on.
    fn begin_slice<S: Storage>(&mut self, store: &mut Store<PluginState<S>>, required: u64) {
        let left = store.data().meter.fuel();
        self.ends_at = left.saturating_sub(self.size.max(required));
        self.run(store, left, required);
    }

    /// Gives the interpreter fuel until the next look, at most until the end of the slice.
    fn run<S: Storage>(&self, store: &mut Store<PluginState<S>>, left: u64, required: u64) {
        let slice = left.saturating_sub(self.ends_at);
        let run = self.pace.run(left).max(required).min(slice);
        let fuel = store.data_mut().meter.begin_slice(run);
        // Fuel metering is on in every engine of this crate, so setting it does not fail.
        let _ = store.set_fuel(fuel);
    }
}

/// Is there time?
fn late(deadline_ms: Option<u32>, elapsed_us: u64) -> Result<(), CallError> {
    match deadline_ms {
        Some(deadline_ms) if elapsed_us > u64::from(deadline_ms).saturating_mul(1000) => {
            Err(CallError::Limit(LimitExceeded {
                limit: Limit::Deadline,
                allowed: deadline_ms.into(),
                asked: elapsed_us.div_ceil(1000),
            }))
        }
        _ => Ok(()),
    }
}

/// Does the embedder want to go on?
fn decide<S: Storage>(slice: &FuelSlice, shared: &mut Shared<S>) -> Result<(), CallError> {
    match shared.slice_hook.as_mut().map(|hook| hook.between_slices(slice)) {
        Some(SliceDecision::Stop) => Err(CallError::Stopped),
        Some(SliceDecision::Continue) | None => Ok(()),
    }
}
