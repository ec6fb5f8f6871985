//! An event of a trace as one line for people.

use alloc::string::String;
use core::fmt;

use super::names::Names;
use crate::{
    abi::Status,
    escaped::Escaped,
    trace::{CallOut, Data, Ending, Event, HostCallEvent},
};

/// An event as one line: its number, what happened, and what matters of it.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Number of the event.
    pub number: u64,
    /// The event.
    pub event: &'a Event<'a>,
    /// What its numbers stand for.
    pub names: &'a Names,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, event, names } = self;
        write!(f, "#{number} {}", event.as_str())?;
        match event {
            Event::Header(header) => write!(
                f,
                ": ABI {}, wasmi {}, {} mode{}",
                header.abi_version,
                header.wasmi,
                header.mode.as_str(),
                if header.ring { ", from a flight recorder" } else { "" },
            ),
            Event::Checkpoint(checkpoint) => {
                write!(f, ": {} audit entries before", checkpoint.audited)
            }
            Event::Function(function) => {
                write!(f, ": {} is {}.{}", function.id.0, function.module, function.name)
            }
            Event::Table(table) => {
                write!(f, ": {} of {} columns", table.name, table.columns.len())
            }
            Event::Load(load) | Event::Replace(load) => {
                write!(f, ": {} is plugin {}, module ", load.name, load.plugin.0)?;
                load.module.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("…")
            }
            Event::Restore(restore) => write!(f, ": {}", names.plugin(restore.plugin)),
            Event::Unload(unload) => write!(f, ": {}", names.plugin(unload.plugin)),
            Event::Nested(nested) => {
                let caller = nested.caller.map(|caller| names.plugin(caller));
                let caller = caller.as_deref().unwrap_or("the embedder");
                write!(f, ": by {caller}, depth {}", nested.depth)
            }
            Event::CallIn(call) => write!(
                f,
                ": {}.{} with {} bytes, {} fuel, t={}us",
                names.plugin(call.plugin),
                call.entry,
                call.input.len(),
                call.fuel,
                call.time_us
            ),
            Event::HostCall(call) => host_call(f, call, names),
            Event::Growth(growth) => {
                write!(f, ": to {} bytes ({})", growth.asked, growth.refusal.as_str())
            }
            Event::Slice(slice) => write!(
                f,
                ": {}, {} fuel left, t={}us",
                slice.end.as_str(),
                slice.fuel_left,
                slice.time_us
            ),
            Event::CallOut(call) => call_out(f, call),
            Event::End(_) => Ok(()),
        }
    }
}

fn call_out(f: &mut fmt::Formatter<'_>, call: &CallOut<'_>) -> fmt::Result {
    write!(f, ": {}", call.ending.as_str())?;
    match (call.ending, call.output) {
        (Ending::Output, output) => write!(f, " of {} bytes", output.len())?,
        (_, Data::Full(text)) => {
            let text = String::from_utf8_lossy(text);
            write!(f, " ({})", Escaped::new(&text, usize::MAX))?;
        }
        (_, Data::Digest { .. } | Data::Absent { .. }) => {}
    }
    write!(f, ", {} fuel left", call.fuel_left)
}

fn host_call(f: &mut fmt::Formatter<'_>, call: &HostCallEvent<'_>, names: &Names) -> fmt::Result {
    write!(f, ": {}", names.function(call.function))?;
    if let Some(table) = call.table {
        write!(f, " {table}")?;
    }
    match call.status {
        len @ 0.. => write!(f, ", {len} bytes")?,
        code => {
            write!(f, ", {code} ({}", Status::from_code(code).as_str())?;
            if code == Status::InvalidArgs.code()
                && let Some(error) = names.malformed(call)
            {
                write!(f, "; the request is malformed: {error}")?;
            }
            f.write_str(")")?;
        }
    }
    if call.rows > 0 {
        write!(f, ", {} rows", call.rows)?;
    }
    write!(f, ", fuel {} of {}, t={}us", call.fuel_host, call.fuel_left, call.time_us)
}
