//! A call that a plugin makes of another one: in the caller's transaction under a savepoint, with the grants of
//! the plugin that is called, the caller's fuel, and the deadline of the embedder's call.
//!
//! What a call is made of is in `entering`; who may do what is decided by the caller's grants, here and
//! nowhere else.

use alloc::boxed::Box;

use super::entering::{Called, account, check_output, end_on_tape, find_entry, run, write_input};
use crate::{
    abi::{message::CallRequest, wire},
    database::{Savepoint, Storage},
    escaped::quoted,
    host::{
        access::Caller,
        boundary::{Entered, HostCallFailure, HostCallResult, Message},
        error::CallError,
        plugin::{Chain, Plugin, PluginState},
        report::CallReport,
        tape::{Nesting, Used},
    },
    limits::{Limit, LimitExceeded, Limits},
    meter::PRICES,
};

/// Answers `call_plugin`.
pub(super) fn call_plugin<S: Storage + 'static>(
    caller: &mut PluginState<S>,
    request: &[u8],
    response: &mut [u8],
) -> Entered {
    let entered = wire::decode::<CallRequest<'_>>(request).map_err(HostCallFailure::from).and_then(
        |request| {
            let at = find(caller, request.plugin)?;
            check(caller, at, &request, response.len())?;
            caller.meter.charge(PRICES.enter)?;
            Ok((at, request))
        },
    );
    match entered {
        Ok((at, request)) => enter(caller, at, &request, response),
        Err(failure) => Entered::Answer(failure.into()),
    }
}

/// Where the plugin of a name is, if the caller may call it, and it does not run.
fn find<S: Storage>(caller: &PluginState<S>, name: &str) -> Result<usize, HostCallFailure> {
    let own = &caller.identity.name;
    if !caller.identity.capabilities.can_call_plugin(name) {
        // Whether there is such a plugin or not.
        return Err(HostCallFailure::denied(format_args!(
            "{own} lacks can_call_plugin for plugin {}",
            quoted(name)
        )));
    }
    let missing =
        || HostCallFailure::not_found(format_args!("there is no plugin {}", quoted(name)));
    let shared = caller.shared.as_deref().ok_or_else(missing)?;
    let at = shared.plugins.named(name).ok_or_else(missing)?;
    if shared.plugins.get(at).is_none() {
        return Err(HostCallFailure::failed(format_args!(
            "{own} cannot call plugin {name}, which runs already in this call"
        )));
    }
    let Chain { depth, limit, .. } = shared.chain;
    if depth >= limit {
        let asked = u64::from(depth) + 1;
        return Err(LimitExceeded { limit: Limit::Nesting, allowed: limit.into(), asked }.into());
    }
    Ok(at)
}

/// Checks what can be known before the plugin runs, and restarts it if its last call trapped.
pub(super) fn check<S: Storage + 'static>(
    caller: &mut PluginState<S>,
    at: usize,
    request: &CallRequest<'_>,
    room: usize,
) -> Result<(), HostCallFailure> {
    let name = request.plugin;
    let failed =
        |error: &CallError| HostCallFailure::failed(format_args!("plugin {name}: {error}"));
    let Some(shared) = caller.shared.as_deref_mut() else { return Ok(()) };
    let Some(callee) = shared.plugins.get_mut(at) else { return Ok(()) };
    if callee.trapped {
        callee.restart(&shared.registry).map_err(|error| failed(&CallError::Restart(error)))?;
    }
    if let Err(error) = find_entry(callee, request.entry) {
        return Err(HostCallFailure::not_found(format_args!("plugin {name}: {error}")));
    }
    let (len, capacity) = (request.input.len(), callee.descriptor.input_capacity);
    if len > capacity as usize {
        let error = CallError::InputTooLarge { len, capacity };
        return Err(HostCallFailure::invalid(format_args!("plugin {name}: {error}")));
    }
    // Whatever it answers has room: it never runs twice for want of it.
    let needed = callee.descriptor.output_capacity as usize;
    if room < needed { Err(HostCallFailure::too_small(needed)) } else { Ok(()) }
}

/// The size of the Output Buffer of the plugin at a place, if it does not run.
pub(super) fn output_capacity<S: Storage>(caller: &PluginState<S>, at: usize) -> usize {
    let shared = caller.shared.as_deref();
    let plugin = shared.and_then(|shared| shared.plugins.get(at));
    plugin.map_or(0, |plugin| plugin.descriptor.output_capacity as usize)
}

/// A plugin that runs for another one, and has what the caller had. All goes back when this is dropped,
/// also by unwinding from the embedder's slice hook.
struct Loan<'n, S: Storage> {
    caller: &'n mut PluginState<S>,
    at: usize,
    callee: Option<Box<Plugin<S>>>,
    chain: Chain,
    finished: bool,
}

impl<'n, S: Storage> Loan<'n, S> {
    fn new(caller: &'n mut PluginState<S>, at: usize) -> Option<Self> {
        let shared = caller.shared.as_deref_mut()?;
        let mut callee = shared.plugins.lend(at)?;
        let chain = shared.chain;
        let (id, name) = (caller.identity.id, caller.identity.name);
        // The embedder has no name, and a hook of its own statement is an outermost call.
        let by_plugin = !name.is_empty();
        if by_plugin {
            shared.chain.depth = chain.depth.saturating_add(1);
        }
        let depth = shared.chain.depth;
        callee.trapped = true;
        let state = callee.store.data_mut();
        state.identity.caller = by_plugin.then_some(Caller { id, name, depth });
        state.shared = caller.shared.take();
        Some(Self { caller, at, callee: Some(callee), chain, finished: false })
    }
}

impl<S: Storage> Drop for Loan<'_, S> {
    fn drop(&mut self) {
        let Some(mut callee) = self.callee.take() else { return };
        let state = callee.store.data_mut();
        state.identity.caller = None;
        self.caller.shared = state.shared.take();
        if let Some(shared) = self.caller.shared.as_deref_mut() {
            shared.chain = self.chain;
            shared.plugins.take_back(self.at, Some(callee));
            if !self.finished {
                shared.tape.recording.unwinds_inside();
            }
        }
    }
}

/// Runs the plugin at a place, and pays for it with the caller's fuel.
///
/// Not inlined: this is on the native stack once for every level, under the interpreter's frames.
#[inline(never)]
pub(super) fn enter<S: Storage + 'static>(
    caller: &mut PluginState<S>,
    at: usize,
    request: &CallRequest<'_>,
    response: &mut [u8],
) -> Entered {
    let fuel = caller.meter.fuel();
    let Some(mut loan) = Loan::new(caller, at) else {
        return Entered::Answer(HostCallResult::failed("the plugin runs already"));
    };
    let Loan { caller, callee: Some(callee), .. } = &mut loan else {
        return Entered::Answer(HostCallResult::failed("the plugin runs already"));
    };
    let limits = Limits { fuel_per_call: callee.limits.fuel_per_call.min(fuel), ..callee.limits };
    let Some((savepoint, used)) = begin(callee) else {
        return Entered::Answer(HostCallResult::failed("the plugin runs already"));
    };
    let returned = call(callee, request, &limits);
    let (completed, name) = (returned.is_ok(), request.plugin);
    let kept = returned.and_then(|code| check_output(callee, code));
    let shared = callee.store.data_mut().shared.take();
    let paid = caller.meter.charge(callee.report.fuel);
    let answer = match &kept {
        Ok(len) => answer(callee, *len, response)
            .and_then(|len| Ok(paid.and_then(|()| caller.meter.move_bytes(len)).map(|()| len)?))
            .into(),
        Err(error @ CallError::Limit(_)) => {
            HostCallResult::LimitExceeded(Message::new(format_args!("plugin {name}: {error}")))
        }
        Err(error) => HostCallResult::failed(format_args!("plugin {name}: {error}")),
    };
    if let Some(mut shared) = shared {
        end_on_tape(&mut shared, callee, limits.fuel_per_call, completed, &kept);
        if let Some(used) = used {
            shared.tape.recording.leaves(used);
        }
        if !matches!(answer, HostCallResult::Success(_)) {
            shared.database.rollback_to(savepoint);
        }
        callee.store.data_mut().shared = Some(shared);
    }
    loan.finished = true;
    match kept {
        Err(CallError::Stopped) => {
            Entered::Stopped(Message::new(format_args!("plugin {name}: {}", CallError::Stopped)))
        }
        Ok(_) | Err(_) => Entered::Answer(answer),
    }
}

/// Notes where the transaction is, and shows the tape that the call to come is one inside another.
fn begin<S: Storage>(callee: &mut Plugin<S>) -> Option<(Savepoint, Option<Used>)> {
    let state = callee.store.data_mut();
    let shared = state.shared.as_deref_mut()?;
    let Some(caller) = state.identity.caller.as_ref() else {
        return Some((shared.database.savepoint(), None));
    };
    let Chain { started_us, deadline_ms, .. } = shared.chain;
    let nesting = Nesting { caller: Some(caller.id), depth: caller.depth, started_us, deadline_ms };
    let used = shared.tape.recording.enters(&nesting);
    Some((shared.database.savepoint(), Some(used)))
}

/// Calls the entry point. What it used is in the plugin's report.
fn call<S: Storage>(
    callee: &mut Plugin<S>,
    request: &CallRequest<'_>,
    limits: &Limits,
) -> Result<i32, CallError> {
    let CallRequest { entry, input, .. } = *request;
    let function = find_entry(callee, entry)?;
    write_input(callee, input)?;
    let mut report = CallReport::default();
    let called = Called { entry, function, input };
    let returned = run(&mut callee.store, called, limits, &mut report);
    account(callee, &returned, report);
    returned
}

/// Copies the output to the response. The length of it.
fn answer<S: Storage>(
    callee: &Plugin<S>,
    len: u32,
    response: &mut [u8],
) -> Result<usize, HostCallFailure> {
    let output = callee.bytes(callee.descriptor.output_ptr, len);
    let needed = output.len();
    let target = response.get_mut(..needed).ok_or(HostCallFailure::too_small(needed))?;
    target.copy_from_slice(output);
    Ok(needed)
}
