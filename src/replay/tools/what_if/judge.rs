//! Judges the host calls and the ends of calls of a trace by other grants and limits, in the order in
//! which a host checks them. No plugin runs.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use embedded_io::Read;

use super::denial::{Denial, Refusal, WhatIf};
use crate::{
    abi::{Capability, Status},
    audit::FunctionId,
    host::PluginConfig,
    limits::{LIMITS, Limit, LimitExceeded, LimitSpec, Usage},
    replay::{
        explain::names::Names,
        tools::{
            needed::{Needed, needed},
            usage::{self, Amounts},
        },
    },
    trace::{CallIn, CallOut, Event, HostCallEvent, SliceEnd, TraceError, TraceReader},
};

/// Judges every recorded call of a plugin by other grants and limits, of all plugins if none is
/// named. Works with traces of digests too.
///
/// It judges what was recorded. A plugin that is denied something may do something else from there
/// on, and a call that a limit ends does nothing more: so what comes after the first new denial of
/// a call is not [certain](Denial::certain).
///
/// Judged are grants, fuel, host calls, rows, bytes, linear memory, and the deadline by the recorded
/// times: at the recorded slices, or at the host calls of a call that was not sliced, where a call
/// that is late by less than a slice would get through. Stack, recursion, table elements and the module's size are not in a trace.
///
/// # Errors
/// [`TraceError`]. A trace that breaks off is judged up to there.
pub fn what_if<R: Read<Error: 'static>>(
    trace: R,
    plugin: Option<&str>,
    config: &PluginConfig,
) -> Result<WhatIf, TraceError> {
    let mut reader = TraceReader::new(trace);
    let mut judge = Judge {
        config,
        names: Names::default(),
        own: BTreeMap::new(),
        call: None,
        around: Vec::new(),
        calls: 0,
        found: WhatIf::default(),
    };
    loop {
        match reader.read() {
            Ok(Some(entry)) => judge.event(entry.number, &entry.event, plugin),
            Ok(None) => {
                reader.finish()?;
                break;
            }
            Err(error) if error.breaks_off() => {
                judge.found.broken_off = Some(error);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(judge.found)
}

/// The call that is being judged.
struct Judged {
    /// Its number, in the order in which calls began.
    number: u64,
    entry: String,
    fuel: u64,
    begun_us: u64,
    /// What its host calls used of each limit so far.
    used: Amounts,
    sliced: bool,
    /// Limits that were reached: each is reported once.
    reached: Vec<Limit>,
    denied: bool,
}

struct Judge<'c> {
    config: &'c PluginConfig,
    names: Names,
    own: BTreeMap<FunctionId, Needed>,
    call: Option<Judged>,
    /// Calls around it.
    around: Vec<Option<Judged>>,
    calls: u64,
    found: WhatIf,
}

impl Judge<'_> {
    fn event(&mut self, number: u64, event: &Event<'_>, plugin: Option<&str>) {
        self.names.learn(event);
        match event {
            Event::Function(function) => {
                self.own.insert(function.id, Needed::new(function.capability));
            }
            Event::Nested(_) => self.around.push(self.call.take()),
            Event::CallIn(call) => self.begin(call, plugin),
            Event::HostCall(call) => self.host_call(number, call),
            Event::Slice(slice) => {
                self.late(number, slice.time_us, None, slice.end == SliceEnd::Deadline);
            }
            Event::CallOut(call) => {
                self.end(number, call);
                self.call = self.around.pop().flatten();
            }
            Event::Header(_)
            | Event::Checkpoint(_)
            | Event::Table(_)
            | Event::Load(_)
            | Event::Unload(_)
            | Event::Replace(_)
            | Event::Restore(_)
            | Event::Growth(_)
            | Event::End(_) => {}
        }
    }

    fn begin(&mut self, call: &CallIn<'_>, plugin: Option<&str>) {
        self.calls += 1;
        if plugin.is_some_and(|plugin| plugin != self.names.plugin(call.plugin)) {
            self.call = None;
            return;
        }
        self.found.calls += 1;
        self.call = Some(Judged {
            number: self.calls,
            entry: call.entry.into(),
            fuel: call.fuel,
            begun_us: call.time_us,
            used: Amounts::default(),
            sliced: call.sliced,
            reached: Vec::new(),
            denied: false,
        });
    }

    fn host_call(&mut self, number: u64, call: &HostCallEvent<'_>) {
        let Some(judged) = &mut self.call else { return };
        for (spec, used) in LIMITS.iter().zip(&mut judged.used) {
            *used = used.saturating_add(usage::of_host_call(spec.usage, call).unwrap_or(0));
        }
        self.found.host_calls += 1;
        let spent = judged.fuel.saturating_sub(call.fuel_left).saturating_add(call.fuel_host);
        let (sliced, used) = (judged.sliced, judged.used);
        // In the order in which a host looks.
        if !sliced {
            self.late(number, call.time_us, Some(call), false);
        }
        self.counted(number, call, &used, |usage| usage == Usage::HostCalls);
        self.grant(number, call);
        self.counted(number, call, &used, |usage| usage != Usage::HostCalls);
        self.spent(number, Some(call), spent);
    }

    /// Judges the limits that host calls use up, of those that are picked.
    fn counted(
        &mut self,
        number: u64,
        call: &HostCallEvent<'_>,
        used: &Amounts,
        picked: fn(Usage) -> bool,
    ) {
        let quota = call.status == Status::LimitExceeded.code();
        for (spec, used) in LIMITS.iter().zip(used).filter(|(spec, _)| picked(spec.usage)) {
            let recorded = match spec.usage {
                // What is over these limits counts, a row that was not visited does not.
                Usage::HostCalls | Usage::LogMessages => quota,
                Usage::Rows | Usage::Bytes => false,
                Usage::Unrecorded | Usage::Memory | Usage::Fuel | Usage::Time => continue,
            };
            self.judge(number, Some(call), spec, *used, recorded);
        }
    }

    fn spent(&mut self, number: u64, call: Option<&HostCallEvent<'_>>, fuel: u64) {
        for spec in LIMITS.iter().filter(|spec| spec.usage == Usage::Fuel) {
            self.judge(number, call, spec, fuel, false);
        }
    }

    fn grant(&mut self, number: u64, call: &HostCallEvent<'_>) {
        let granted = &self.config.capabilities;
        let capability = needed(&self.own, call.function);
        let needed = match (capability, call.table) {
            (Capability::Always, _) => return,
            (Capability::Named(name), _) if !granted.can_call(name) => {
                format!("the capability {name}")
            }
            (Capability::Named(_), _) => return,
            // A request that names no table fails before anybody asks for a grant.
            (_, None) => return,
            (capability, Some(table)) if !granted.grants(capability, table) => {
                format!("{capability} for {table}")
            }
            _ => return,
        };
        let recorded = call.status == Status::PermissionDenied.code();
        self.deny(number, Some(call), Refusal::Grant { needed }, recorded);
    }

    fn late(
        &mut self,
        number: u64,
        time_us: u64,
        call: Option<&HostCallEvent<'_>>,
        recorded: bool,
    ) {
        let Some(judged) = &self.call else { return };
        let elapsed_ms = time_us.saturating_sub(judged.begun_us).div_ceil(1000);
        for spec in LIMITS.iter().filter(|spec| spec.usage == Usage::Time) {
            self.judge(number, call, spec, elapsed_ms, recorded);
        }
    }

    fn end(&mut self, number: u64, out: &CallOut<'_>) {
        let Some(judged) = &self.call else { return };
        let spent = judged.fuel.saturating_sub(out.fuel_left);
        self.spent(number, None, spent);
        for spec in LIMITS.iter().filter(|spec| spec.usage == Usage::Memory) {
            self.judge(number, None, spec, out.memory_bytes.into(), false);
        }
        self.call = None;
    }

    /// Denies what is above a limit.
    fn judge(
        &mut self,
        number: u64,
        call: Option<&HostCallEvent<'_>>,
        spec: &LimitSpec,
        asked: u64,
        recorded: bool,
    ) {
        let (Some(judged), Some(limit)) = (&mut self.call, spec.limit) else { return };
        let Some(allowed) = spec.of(&self.config.limits) else { return };
        if asked > allowed && !judged.reached.contains(&limit) {
            judged.reached.push(limit);
            let refusal = Refusal::Limit(LimitExceeded { limit, allowed, asked });
            self.deny(number, call, refusal, recorded);
        }
    }

    fn deny(
        &mut self,
        event: u64,
        call: Option<&HostCallEvent<'_>>,
        refusal: Refusal,
        recorded: bool,
    ) {
        let Some(judged) = &mut self.call else { return };
        let certain = !recorded && !judged.denied;
        judged.denied |= !recorded;
        self.found.denials.push(Denial {
            event,
            call: judged.number,
            plugin: self.names.running(),
            entry: judged.entry.clone(),
            function: call.map(|call| self.names.function(call.function)),
            table: call.and_then(|call| call.table).map(String::from),
            refusal,
            recorded,
            certain,
        });
    }
}
