//! `trace show`: the events, a line each.

use std::{collections::BTreeSet, path::PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};
use sochdb_wasmi::{
    abi::Status,
    replay::{Line, Names},
    trace::{Event, HostCallEvent, TraceReader},
};

use crate::{
    files::trace_file::TraceFile,
    report::{
        failure::Failure,
        output::{Listing, Report, plain},
    },
};

#[derive(Args)]
pub struct Arguments {
    /// The trace.
    trace: PathBuf,
    /// Only events of this call of an entry point; they are counted from 1.
    #[arg(long, value_name = "N")]
    call: Option<u64>,
    /// Only calls of this host function.
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Only host calls that name this table.
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// Only host calls that were denied.
    #[arg(long)]
    denied: bool,
    /// Only events whose line has this text; with --fields, whose fields have it.
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// All of each event: requests and answers field by field.
    #[arg(long)]
    fields: bool,
}

impl Arguments {
    fn wants(&self, call: u64, inside: bool, event: &Event<'_>, names: &Names) -> bool {
        if self.call.is_some_and(|wanted| wanted != call || !inside) {
            return false;
        }
        if self.function.is_none() && self.table.is_none() && !self.denied {
            return true;
        }
        let Event::HostCall(host_call) = event else { return false };
        let HostCallEvent { function, table, status, .. } = *host_call;
        self.function.as_ref().is_none_or(|wanted| *wanted == names.function(function))
            && self.table.as_deref().is_none_or(|wanted| table == Some(wanted))
            && (!self.denied || status == Status::PermissionDenied.code())
    }
}

/// Lists events. What is before damage is listed.
pub fn show(arguments: &Arguments, json: bool) -> Result<Report, Failure> {
    let path = &arguments.trace;
    let mut reader = TraceReader::new(TraceFile::open(path)?);
    let mut names = Names::default();
    let (mut call, mut inside) = (0, false);
    let mut listing = Listing::begin("events", json);
    let mut found = Found::default();
    let outcome = loop {
        let entry = match reader.read() {
            Ok(Some(entry)) => entry,
            Ok(None) => break reader.finish().map(|_| ()),
            Err(error) => break Err(error),
        };
        let event = &entry.event;
        names.learn(event);
        if matches!(event, Event::CallIn(_)) {
            (call, inside) = (call + 1, true);
        }
        found.look(call, event, &names);
        let shown = Shown { number: entry.number, call, inside, event, names: &names };
        let fields = arguments.fields;
        let has = |text: &String| shown.text(fields).contains(text.as_str());
        if arguments.wants(call, inside, event, &names) && arguments.grep.as_ref().is_none_or(has) {
            found.wanted += 1;
            if !listing.item(|| shown.text(fields), || shown.json(fields)) {
                break Ok(());
            }
        }
        inside &= !matches!(event, Event::CallOut(_));
    };
    let whole = outcome.is_ok();
    let mut report =
        listing.end(outcome.map_err(|error| Failure::Trace { path: path.clone(), error }));
    if whole {
        report.talk += &found.nothing();
    }
    Ok(report)
}

/// What there is in a trace, for a filter that matches none of it.
#[derive(Default)]
struct Found {
    wanted: u64,
    calls: u64,
    functions: BTreeSet<String>,
    tables: BTreeSet<String>,
}

impl Found {
    fn look(&mut self, call: u64, event: &Event<'_>, names: &Names) {
        self.calls = call;
        if let Event::HostCall(host_call) = event {
            self.functions.insert(names.function(host_call.function));
            self.tables.extend(host_call.table.map(str::to_owned));
        }
    }

    /// What to say if nothing was listed.
    fn nothing(self) -> String {
        if self.wanted > 0 {
            return String::new();
        }
        let list = |names: BTreeSet<String>| match names.is_empty() {
            true => "none".into(),
            false => names.into_iter().collect::<Vec<_>>().join(", "),
        };
        let Self { calls, functions, tables, .. } = self;
        plain(&format!(
            "no event matches: the trace has {calls} calls, host calls of {}, and tables {}\n",
            list(functions),
            list(tables)
        ))
    }
}

/// An event that is listed.
struct Shown<'a> {
    number: u64,
    call: u64,
    inside: bool,
    event: &'a Event<'a>,
    names: &'a Names,
}

impl Shown<'_> {
    fn text(&self, fields: bool) -> String {
        let Self { number, event, names, .. } = *self;
        let mut text = Line { number, event, names }.to_string();
        if let Event::HostCall(call) = event
            && !fields
        {
            let request = names.request_line(call);
            if !request.is_empty() {
                text += &format!(": {request}");
            }
        }
        if fields {
            for field in names.fields(event) {
                text += &format!("\n    {} = {}", field.path, field.value);
            }
        }
        text
    }

    fn json(&self, fields: bool) -> Value {
        let Self { number, event, names, .. } = *self;
        let mut object = json!({
            "number": number,
            "event": event.as_str(),
            "call": self.inside.then_some(self.call),
            "line": Line { number, event, names }.to_string(),
        });
        if let Event::HostCall(call) = event {
            object["function"] = names.function(call.function).into();
            object["table"] = call.table.into();
            object["status"] = call.status.into();
            object["request"] = names.request_line(call).into();
        }
        if fields {
            let fields = names.fields(event).into_iter();
            let fields = fields.map(|field| (field.path, field.value.into()));
            object["fields"] = Value::Object(fields.collect::<Map<_, _>>());
        }
        object
    }
}
