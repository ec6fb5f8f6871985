//! One hook: it is called with as many rows as it has room for, and its answers are done.

use alloc::{string::String, vec::Vec};

use super::failed::Failed;
use crate::{
    abi::{
        Name,
        message::{CallRequest, HookAnswer, HookAnswers, HookEvent, HookRequest},
        wire::{Writer, varint_len},
    },
    database::{DatabaseError, Storage, TableId},
    escaped::quoted,
    host::{
        boundary::{Entered, HostCallFailure, HostCallResult, Message},
        plugin::{MAX_ROWS, PluginState, Rows, Scratch, append},
        runtime::nested,
    },
    limits::{Limit, LimitExceeded},
    meter::PRICES,
};

/// A hook that is about to be called.
struct Watcher {
    at: usize,
    plugin: Name,
    event: HookEvent,
}

/// Calls all hooks of an event with the rows, in the order of loading.
pub fn fire<S: Storage + 'static>(
    caller: &mut PluginState<S>,
    table: TableId,
    event: HookEvent,
    scratch: &mut Scratch,
) -> Result<(), Failed> {
    let mut from = (0, 0);
    while !scratch.rows.is_empty()
        && let Some((next, watcher)) = find(caller, table, event, from, &mut scratch.entry)
    {
        from = next;
        let mut at = 0;
        while at < scratch.rows.len() {
            at = call(caller, table, &watcher, at, scratch)?;
        }
        scratch.rows.leave_out_skipped();
    }
    Ok(())
}

/// The next hook of an event and a table, from a place of the list of plugins and one of the plugin's hooks;
/// and the place behind it. The name of its entry point is left in `entry`.
fn find<S: Storage>(
    caller: &PluginState<S>,
    table: TableId,
    event: HookEvent,
    (plugin, mut hook): (usize, usize),
    entry: &mut String,
) -> Option<((usize, usize), Watcher)> {
    let shared = caller.shared.as_deref()?;
    let table = shared.database.schema(table)?.name();
    for (at, (_, name)) in shared.plugins.known().enumerate().skip(plugin) {
        for (number, found) in shared.plugins.hooks(at).iter().enumerate().skip(hook) {
            if found.event() == event && found.tables().matches(table) {
                entry.clear();
                entry.push_str(found.entry());
                return Some(((at, number + 1), Watcher { at, plugin: *name, event }));
            }
        }
        hook = 0;
    }
    None
}

/// Calls a hook with rows from a place on. Returns the place behind those that it got.
fn call<S: Storage + 'static>(
    caller: &mut PluginState<S>,
    table: TableId,
    watcher: &Watcher,
    from: usize,
    scratch: &mut Scratch,
) -> Result<usize, Failed> {
    let Watcher { at, plugin, event } = *watcher;
    let Scratch { rows, input, output, entry, .. } = scratch;
    let entry = &**entry;
    let until = request(caller, table, watcher, (from, entry), rows, input)?;
    caller.meter.read_bytes(input.len())?;
    let room = nested::output_capacity(caller, at);
    output.clear();
    output.resize(room, 0);
    let request = CallRequest { plugin: &*plugin, entry, input };
    let named = |text: &dyn core::fmt::Display| {
        Message::new(format_args!("hook {} ({}) of {text}", quoted(entry), event.as_str()))
    };
    let outcome = nested::check(caller, at, &request, room)
        .and_then(|()| Ok(caller.meter.charge(PRICES.enter)?));
    let entered = match outcome {
        Ok(()) => nested::enter(caller, at, &request, output),
        Err(failure) => Entered::Answer(failure.into()),
    };
    let len = match entered {
        Entered::Answer(HostCallResult::Success(len)) => len,
        Entered::Answer(HostCallResult::LimitExceeded(text)) => {
            return Err(Failed::Answer(HostCallResult::LimitExceeded(named(&text))));
        }
        Entered::Answer(HostCallResult::Error(text) | HostCallResult::NotFound(text)) => {
            return Err(Failed::Answer(HostCallResult::Error(named(&text))));
        }
        Entered::Answer(failure) => return Err(Failed::Answer(failure)),
        Entered::Stopped(text) => return Err(Failed::Stopped(named(&text))),
    };
    let plugin_says =
        |text: &dyn core::fmt::Display| named(&format_args!("plugin {plugin}: {text}"));
    let output = output.get(..len).unwrap_or_default();
    let columns = columns(caller, table);
    let answers = HookAnswers::decode(output, event, until - from, columns)
        .map_err(|error| Failed::Answer(HostCallResult::Error(plugin_says(&error))))?;
    for (at, answer) in (from..).zip(answers) {
        if let HookAnswer::Abort { code, text } = answer {
            let text = plugin_says(&format_args!("abort {code}: {text}"));
            return Err(Failed::Answer(HostCallResult::InvalidArgs(text)));
        }
        rows.apply(at, &answer).map_err(HostCallFailure::from)?;
    }
    Ok(until)
}

fn columns<S: Storage>(caller: &PluginState<S>, table: TableId) -> usize {
    let schema = caller.shared.as_deref().and_then(|shared| shared.database.schema(table));
    schema.map_or(0, |schema| schema.columns().len())
}

/// Makes the input of a hook: as many rows from a place on as its plugin has room for. Returns the place
/// behind them.
fn request<S: Storage>(
    caller: &PluginState<S>,
    table: TableId,
    watcher: &Watcher,
    (from, entry): (usize, &str),
    rows: &Rows,
    input: &mut Vec<u8>,
) -> Result<usize, Failed> {
    let Watcher { at, plugin, event } = *watcher;
    let missing = || DatabaseError::UnknownTableId(table);
    let shared = caller.shared.as_deref().ok_or_else(missing)?;
    let schema = shared.database.schema(table).ok_or_else(missing)?;
    let described = |text: &dyn core::fmt::Display| {
        let (event, entry) = (event.as_str(), quoted(entry));
        Message::new(format_args!("hook {entry} ({event}) of plugin {plugin}: {text}"))
    };
    let Some(watching) = shared.plugins.get(at) else {
        let text = described(&"the plugin runs already in this call");
        return Err(Failed::Answer(HostCallResult::Error(text)));
    };
    let chain = &shared.chain;
    if !caller.identity.name.is_empty() && chain.depth >= chain.limit {
        let (allowed, asked) = (chain.limit.into(), u64::from(chain.depth) + 1);
        let exceeded = LimitExceeded { limit: Limit::Nesting, allowed, asked };
        return Err(Failed::Answer(HostCallResult::LimitExceeded(described(&exceeded))));
    }
    let capacity = watching.descriptor.input_capacity as usize;
    let begin = |writer: &mut Writer<'_>| {
        let names = schema.columns().iter().map(|column| column.name.as_str());
        HookRequest::begin(writer, event, schema.name(), &caller.identity.name, names)
    };
    let mut head = Writer::new(&mut []);
    begin(&mut head);
    let mut len = head.position() + varint_len(MAX_ROWS as u64);
    let mut until = from;
    while until < rows.len() && until - from < MAX_ROWS {
        let more = rows.request_len(until);
        if len + more > capacity && until > from {
            break;
        }
        len += more;
        until += 1;
    }
    input.clear();
    append(input, |writer| {
        let list = begin(writer);
        (from..until).for_each(|at| rows.encode(at, writer));
        writer.end_list(list, until - from);
    });
    if input.len() > capacity {
        let needed = input.len();
        let text = described(&format_args!(
            "a row needs {needed} bytes of the Input Buffer, which has {capacity}"
        ));
        return Err(Failed::Answer(HostCallResult::LimitExceeded(text)));
    }
    Ok(until)
}
