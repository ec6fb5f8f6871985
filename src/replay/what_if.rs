//! What of a trace would have been denied under other grants or limits. No plugin runs.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use embedded_io::Read;

use super::{
    json::Json,
    names::Names,
    usage::{self, Amounts},
};
use crate::{
    abi::{Capability, HOST_FUNCTIONS, Status},
    audit::FunctionId,
    host::PluginConfig,
    limits::{LIMITS, Limit, LimitExceeded, LimitSpec, Usage},
    trace::{CallIn, CallOut, Event, HostCallEvent, SliceEnd, TraceError, TraceReader},
};

/// Why something would be denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The grant is missing.
    Grant {
        /// What would allow it: `can_read_table for weather`, `the capability device.own`.
        needed: String,
    },
    /// The limit is too low. `asked` is what the call needed up to here.
    Limit(LimitExceeded),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant { needed } => write!(f, "needs {needed}"),
            Self::Limit(exceeded) => exceeded.fmt(f),
        }
    }
}

/// Something that would be denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Number of the event.
    pub event: u64,
    /// Number of the call, from 1.
    pub call: u64,
    /// Name of the plugin.
    pub plugin: String,
    /// Its entry point.
    pub entry: String,
    /// The host function; `None` for a limit that the plugin's own code would have reached.
    pub function: Option<String>,
    /// The table, if it is about one.
    pub table: Option<String>,
    /// Why.
    pub refusal: Refusal,
    /// It was denied when it was recorded, too.
    pub recorded: bool,
    /// It is the first new one in its call, so that it would come just like this. After it the
    /// plugin might do something else.
    pub certain: bool,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, call, plugin, entry, refusal, .. } = self;
        write!(f, "#{event} call {call} ({plugin}.{entry})")?;
        if let Some(function) = &self.function {
            write!(f, " {function}")?;
        }
        if let Some(table) = &self.table {
            write!(f, " {table}")?;
        }
        write!(f, ": {refusal}")?;
        match (self.recorded, self.certain) {
            (true, _) => write!(f, " (denied already)"),
            (false, true) => Ok(()),
            (false, false) => write!(f, " (if it came so far)"),
        }
    }
}

/// What of a trace would have been denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhatIf {
    /// Calls that were looked at.
    pub calls: u64,
    /// Host calls in them.
    pub host_calls: u64,
    /// What would be denied, in order.
    pub denials: Vec<Denial>,
    /// Where the trace breaks off, if it does.
    pub broken_off: Option<TraceError>,
}

impl WhatIf {
    /// What would be denied and was not when it was recorded.
    pub fn new_denials(&self) -> impl Iterator<Item = &Denial> {
        self.denials.iter().filter(|denial| !denial.recorded)
    }

    /// For tools: one JSON object with the fields of this struct and of [`Denial`]; in the place of
    /// `refusal` stand its text, and `limit`, `allowed` and `asked`, `null` for a grant.
    #[must_use]
    pub fn to_json(&self) -> String {
        Json::object(|json| {
            json.plain("calls", self.calls);
            json.plain("host_calls", self.host_calls);
            json.objects("denials", &self.denials, |json, denial| {
                json.plain("event", denial.event);
                json.plain("call", denial.call);
                json.text("plugin", &denial.plugin);
                json.text("entry", &denial.entry);
                json.optional_text("function", denial.function.as_deref());
                json.optional_text("table", denial.table.as_deref());
                json.text("refusal", &denial.refusal.to_string());
                let exceeded = match &denial.refusal {
                    Refusal::Limit(exceeded) => Some(exceeded),
                    Refusal::Grant { .. } => None,
                };
                json.optional_text("limit", exceeded.map(|e| e.limit.as_str()));
                json.optional("allowed", exceeded.map(|e| e.allowed));
                json.optional("asked", exceeded.map(|e| e.asked));
                json.plain("recorded", denial.recorded);
                json.plain("certain", denial.certain);
            });
            let broken_off = self.broken_off.as_ref().map(|error| error.to_string());
            json.optional_text("broken_off", broken_off.as_deref());
        })
    }
}

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

/// What a function needs, if the trace tells.
pub(super) fn needed<'c>(
    own: &'c BTreeMap<FunctionId, Needed>,
    function: FunctionId,
) -> Capability<'c> {
    match HOST_FUNCTIONS.get(usize::from(function.0)) {
        Some(spec) => spec.capability,
        None => own.get(&function).map_or(Capability::Always, Needed::capability),
    }
}

/// A [`Capability`] that is kept.
pub(super) enum Needed {
    Named(String),
    Other(Capability<'static>),
}

impl Needed {
    pub(super) fn new(capability: Capability<'_>) -> Self {
        Self::Other(match capability {
            Capability::Named(name) => return Self::Named(name.into()),
            Capability::Always => Capability::Always,
            Capability::ReadTable => Capability::ReadTable,
            Capability::WriteTable => Capability::WriteTable,
            Capability::VectorSearch => Capability::VectorSearch,
            Capability::IndexSearch => Capability::IndexSearch,
        })
    }

    fn capability(&self) -> Capability<'_> {
        match self {
            Self::Named(name) => Capability::Named(name),
            Self::Other(capability) => *capability,
        }
    }
}

/// The call that is being judged.
struct Judged {
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
            Event::CallIn(call) => self.begin(call, plugin),
            Event::HostCall(call) => self.host_call(number, call),
            Event::Slice(slice) => {
                self.late(number, slice.time_us, None, slice.end == SliceEnd::Deadline);
            }
            Event::CallOut(call) => self.end(number, call),
            _ => {}
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
            call: self.calls,
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
