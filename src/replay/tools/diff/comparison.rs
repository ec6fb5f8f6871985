//! The first difference of two traces, call by call and event by event. No plugin runs.

use alloc::{
    collections::VecDeque,
    string::{String, ToString},
    vec::Vec,
};
use embedded_io::Read;

use super::{
    call::Pair,
    report::{Diff, DiffError, DiffOptions},
    side::TraceSide,
};
use crate::{
    abi::inspect::{Field, Fields},
    host::tape::Recorded,
    replay::{
        explain::{
            difference::{Difference, bytes_side, shown},
            divergence::{Cause, Divergence, Side},
            event_text::Line,
            names::Names,
        },
        run::{compare::Found, read_calls::Call},
    },
    trace::Event,
};

/// How many events before a difference are listed.
const REMEMBERED: usize = 5;

/// Compares two traces. Bytes are compared with digests where one of the traces has only those.
///
/// Calls are aligned: of a call that only one of the traces has, it is said that it is missing or
/// extra. Numbers of plugins, functions and events are not compared, names are.
///
/// # Errors
/// [`DiffError`]. A trace that breaks off is compared up to there.
pub fn diff<A: Read<Error: 'static>, B: Read<Error: 'static>>(
    expected: A,
    got: B,
    options: DiffOptions,
) -> Result<Diff, DiffError> {
    let mut comparison = Comparison {
        options,
        a: TraceSide::new(expected, false),
        b: TraceSide::new(got, true),
        quiet: None,
        before: VecDeque::new(),
        diff: Diff::default(),
    };
    comparison.run()?;
    let Comparison { a, b, mut diff, quiet, .. } = comparison;
    diff.divergence = diff.divergence.or(quiet);
    diff.expected_broken_off = a.broken_off;
    diff.got_broken_off = b.broken_off;
    Ok(diff)
}

struct Comparison<A, B> {
    options: DiffOptions,
    a: TraceSide<A>,
    b: TraceSide<B>,
    quiet: Option<Divergence>,
    before: VecDeque<String>,
    diff: Diff,
}

impl<A: Read<Error: 'static>, B: Read<Error: 'static>> Comparison<A, B> {
    fn run(&mut self) -> Result<(), DiffError> {
        loop {
            let (a, b) = (self.a.next()?, self.b.next()?);
            self.headers();
            match (a, b) {
                (None, None) => {
                    self.setup_at_end();
                    return Ok(());
                }
                (Some(a), Some(b)) => {
                    self.diff.calls += 1;
                    self.a.names.learn(&a.begin.event());
                    self.b.names.learn(&b.begin.event());
                    if let Some(found) = self.pair(&a, &b)? {
                        self.diff.divergence = Some(self.report(&a, found));
                        return Ok(());
                    }
                    for event in core::iter::once(&a.begin).chain(&a.events).chain([&a.end]) {
                        self.remember(event);
                    }
                }
                (Some(call), None) => {
                    let (expected, got, cut, because) = alone(&call, &mut self.a, &self.b);
                    let cause = cut.unwrap_or(Cause::Missing);
                    self.only(&call, of_call(expected, got), cause, because);
                    return Ok(());
                }
                (None, Some(call)) => {
                    let (got, expected, cut, because) = alone(&call, &mut self.b, &self.a);
                    let cause = cut.unwrap_or(Cause::Extra);
                    self.only(&call, of_call(expected, got), cause, because);
                    return Ok(());
                }
            }
        }
    }

    /// The difference of two calls that stand at the same place.
    fn pair(&mut self, a: &Call, b: &Call) -> Result<Option<Found>, DiffError> {
        if !self.a.is(a, b, &self.b.names) {
            let later_b = self.b.find(a, &self.a.names)?;
            let later_a = self.a.find(b, &self.b.names)?;
            let cause = match (later_a, later_b) {
                (Some(missing), Some(extra)) if missing < extra => Some(Cause::Missing),
                (_, Some(_)) => Some(Cause::Extra),
                (Some(_), None) => Some(Cause::Missing),
                (None, None) => None,
            };
            let entry = |call: &Call, names: &Names| {
                if let Event::CallIn(begin) = call.begin.event() {
                    alloc::format!("{}.{}", names.plugin(begin.plugin), begin.entry)
                } else {
                    String::new()
                }
            };
            let entries = (entry(a, &self.a.names), entry(b, &self.b.names));
            if cause.is_some() || entries.0 != entries.1 {
                let difference = match cause {
                    Some(_) => of_call(call_side(&self.a.names, a), call_side(&self.b.names, b)),
                    None => Difference::of_values("entry", entries.0, entries.1),
                };
                return Ok(Some(Found {
                    event: a.begin.number,
                    function: None,
                    difference,
                    cause: cause.unwrap_or(Cause::DifferentInput),
                    because: match cause {
                        Some(Cause::Extra) => self.a.lacks(b, &self.b.names),
                        _ => self.b.lacks(a, &self.a.names),
                    },
                }));
            }
        }
        if let Some(found) = self.setup(&a.begin) {
            return Ok(Some(found));
        }
        let plugin = self.a.names.running();
        let mut pair = Pair {
            options: self.options,
            names: (&self.a.names, &self.b.names),
            changed: self.diff.changed_plugins.contains(&plugin),
            quiet: None,
        };
        let found = pair.compare(a, b);
        if let Some(quiet) = pair.quiet
            && self.quiet.is_none()
        {
            self.quiet = Some(self.report(a, quiet));
        }
        Ok(found)
    }

    /// The first difference in what plugins and tables are, as far as both traces tell.
    fn setup(&mut self, begin: &Recorded) -> Option<Found> {
        for (key, a) in &self.a.setup {
            let Some(b) = self.b.setup.get(key).filter(|_| key != "header") else { continue };
            let (fields, others) = (fields(a), fields(b));
            let differing = fields.iter().zip(&others).find(|(a, b)| a != b && a.path != "module");
            if let Event::Load(load) | Event::Replace(load) = a.event()
                && fields.iter().zip(&others).any(|(a, b)| a != b && a.path == "module")
                && !self.diff.changed_plugins.iter().any(|known| known == load.name)
            {
                self.diff.changed_plugins.push(load.name.into());
            }
            let (field, left, right) = match differing {
                Some((a, b)) => (a.path.clone(), a.value.clone(), b.value.clone()),
                None if fields.len() != others.len() => {
                    let count = |of: &[Field]| alloc::format!("{} fields", of.len());
                    ("columns".into(), count(&fields), count(&others))
                }
                None => continue,
            };
            let field = alloc::format!("{key}: {field}");
            return Some(Found {
                event: a.number.min(begin.number),
                function: None,
                difference: Difference::of_values(&field, left, right),
                cause: Cause::DifferentSetup,
                because: String::new(),
            });
        }
        None
    }

    /// The first difference in what stands after the last call, or where there are no calls.
    fn setup_at_end(&mut self) {
        let begin = Recorded::new(u64::MAX, &Event::End(crate::trace::End {}));
        if let Some(found) = self.setup(&begin) {
            let before = self.before.iter().cloned().collect();
            let (plugin, entry) = (String::new(), String::new());
            let divergence = found.into_divergence(self.diff.calls, plugin, entry, before);
            self.diff.divergence = Some(divergence);
        }
    }

    /// What differs in the headers, once.
    fn headers(&mut self) {
        let (Some(a), Some(b)) = (self.a.setup.remove("header"), self.b.setup.remove("header"))
        else {
            return;
        };
        for (a, b) in fields(&a).iter().zip(&fields(&b)).filter(|(a, b)| a != b) {
            self.diff.hosts.push(alloc::format!("{}: {} and {}", a.path, a.value, b.value));
        }
    }

    fn remember(&mut self, recorded: &Recorded) {
        if self.before.len() >= REMEMBERED {
            self.before.pop_front();
        }
        let (number, names) = (recorded.number, &self.a.names);
        self.before.push_back(Line { number, event: &recorded.event(), names }.to_string());
    }

    /// A call that only one of the traces has, at their end.
    fn only(&mut self, call: &Call, difference: Difference, cause: Cause, because: String) {
        self.diff.calls += 1;
        let event = call.begin.number;
        let found = Found { event, function: None, difference, cause, because };
        self.diff.divergence = Some(self.report(call, found));
    }

    fn report(&self, call: &Call, found: Found) -> Divergence {
        let entry = if let Event::CallIn(begin) = call.begin.event() {
            begin.entry.into()
        } else {
            String::new()
        };
        let mut before: Vec<String> = self.before.iter().cloned().collect();
        let inside = core::iter::once(&call.begin).chain(&call.events);
        for recorded in inside.filter(|recorded| recorded.number < found.event) {
            let (number, names) = (recorded.number, &self.a.names);
            before.push(Line { number, event: &recorded.event(), names }.to_string());
        }
        before.drain(..before.len().saturating_sub(REMEMBERED));
        found.into_divergence(self.diff.calls, self.a.names.running(), entry, before)
    }
}

/// A call that only the trace `has` has, at the end of both: the call, what the other trace has there, the
/// cause if that one breaks off, and whether it has no such call at all.
fn alone<H, L>(
    call: &Call,
    has: &mut TraceSide<H>,
    lacks: &TraceSide<L>,
) -> (Side, Side, Option<Cause>, String)
where
    H: Read<Error: 'static>,
    L: Read<Error: 'static>,
{
    has.names.learn(&call.begin.event());
    let nothing = lacks.broken_off.as_ref().map_or("nothing".into(), ToString::to_string);
    let cut = lacks.broken_off.as_ref().map(|_| Cause::Truncated);
    (call_side(&has.names, call), Side::of(nothing), cut, lacks.lacks(call, &has.names))
}

/// A difference of whole calls.
fn of_call(expected: Side, got: Side) -> Difference {
    Difference { field: Some("call".into()), expected, got }
}

/// A call of an entry point with its input.
fn call_side(names: &Names, call: &Call) -> Side {
    let event = call.begin.event();
    let input = if let Event::CallIn(begin) = event {
        begin.input.bytes().unwrap_or_default()
    } else {
        &[]
    };
    Side { value: shown(names, &event), ..bytes_side(input) }
}

/// The fields of an event, but for the numbers that a host gave.
fn fields(recorded: &Recorded) -> Vec<Field> {
    let mut fields = Fields::of(&recorded.event());
    fields.retain(|field| field.path != "plugin");
    fields
}
